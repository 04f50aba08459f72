"""What an instructor reads belongs to the notebooks: sections, cells, questions, times.

teaching/README.md says how the notes and the answers are written.
"""

from __future__ import annotations

import re
from itertools import chain, takewhile
from pathlib import Path

import pytest
from nbformat import NotebookNode
from notebook_folding import AFTER, DEEPER
from notebook_outputs import ROOT
from notebook_versions import VERSIONS

TEACHING = (ROOT / "TEACHING.md").read_text(encoding="utf-8")
HEADING = re.compile(r"(?m)^## (.+)$")
ID = re.compile(r"`([a-z0-9-]+)`")  # in the notes such a word names a cell
QUESTION = re.compile(r"(?m)^\d+\. (.+)$")
EXERCISE = re.compile(r"\b(0\d\.\d)\b|[Ee]xercises? (1\d\.\d)\b")

every_notebook = pytest.mark.parametrize(
    "path", VERSIONS.paths, ids=lambda path: path.stem
)


def parts(text: str, deepest: int = 2) -> dict[str, str]:
    """What stands below each heading, from ## to the deepest level, by the heading."""
    found = re.split(rf"(?m)^#{{2,{deepest}}} (.+)\n", text)[1:]
    assert len(set(found[::2])) == len(found) / 2, "a heading stands twice"
    return dict(zip(found[::2], found[1::2], strict=True))


def beside(path: Path, kind: str) -> dict[str, str]:
    """A notebook's notes or answers; none if it has no such file."""
    file = ROOT / "teaching" / kind / f"{path.stem[:2]}.md"
    return parts(file.read_text(encoding="utf-8")) if file.is_file() else {}


def sections(notebook: NotebookNode) -> dict[str, str]:
    """The headings of the core's sections, by the ids of their cells."""
    core = takewhile(lambda c: c.id not in (DEEPER, *AFTER), notebook.cells)
    texts = ((c.id, c.source) for c in core if c.cell_type == "markdown")
    return {id_: found[1] for id_, text in texts if (found := HEADING.search(text))}


@every_notebook
def test_every_section_of_the_core_has_notes_that_can_be_spoken(path: Path) -> None:
    headings, notes = sections(VERSIONS.read(path)), beside(path, "notes")
    assert list(notes) == list(headings), "a note for each section, in their order"
    for section, note in notes.items():
        assert 50 <= len(note.split()) <= 130, f"{section}: 60 to 120 words"
        for label in ("**Say**", "**Ask**", "**Wait for**"):
            assert label in note, f"{section} lacks {label}"


@every_notebook
def test_the_cells_that_the_notes_name_are_there(path: Path) -> None:
    kinds = {cell.id: cell.cell_type for cell in VERSIONS.read(path).cells}
    for section, note in beside(path, "notes").items():
        assert set(ID.findall(note)) <= kinds.keys(), f"{section}: no such cell"
        said = re.split(r"\*\*(Run|Show)\*\*", note)
        assert len(said) == 3, f"{section}: what is run, or shown, once"
        run = [name for name in ID.findall(said[2]) if kinds[name] == "code"]
        assert run or said[1] == "Show", f"{section}: which cell is run?"


@every_notebook
def test_every_question_to_discuss_has_an_answer(path: Path) -> None:
    cells = (c for c in VERSIONS.read(path).cells if c.id == "discuss")
    asked = list(chain.from_iterable(QUESTION.findall(c.source) for c in cells))
    answers = beside(path, "answers")
    assert list(answers) == asked, "letter by letter, in the notebook's order"
    for question, answer in answers.items():
        assert 40 <= len(answer.split()) <= 130, f"{question}: 40 to 120 words"


@every_notebook
def test_teaching_says_of_a_notebook_what_its_title_says(path: Path) -> None:
    notebook = VERSIONS.read(path)
    title = notebook.cells[0].source
    name = re.search(r"(?m)^# (.+)$", title)
    times = re.search(r"\*\*Time:\*\* (.+? seconds to run)", title)
    assert name and times
    about = parts(TEACHING, 3)[name[1]]
    assert f"- **Minutes:** {times[1]}.\n" in about, f"it is: {times[1]}"
    named = set(ID.findall(about))
    assert named and named <= {cell.id for cell in notebook.cells}
    misconceptions = re.findall(r"(?m)^\| (?!misconception)", about)
    assert len(misconceptions) == 5


def test_exercises_that_are_named_are_there() -> None:
    texts = (cell.source for p in VERSIONS.paths for cell in VERSIONS.read(p).cells)
    there = set(re.findall(r"(?m)^### Exercise (\d\d\.\d)", "\n".join(texts)))
    files = [ROOT / "TEACHING.md", *(ROOT / "teaching").rglob("*.md")]
    for file in files:
        for found in EXERCISE.findall(file.read_text(encoding="utf-8")):
            assert max(found) in there, f"{file.name} names exercise {max(found)}"


def test_no_file_is_left_over() -> None:
    numbers = {path.stem[:2] for path in VERSIONS.paths}
    for kind in ("notes", "answers"):
        files = {file.stem for file in (ROOT / "teaching" / kind).glob("*.md")}
        assert files <= numbers, f"{kind} for no notebook: {files - numbers}"


def test_the_lecture_of_90_minutes_has_90_minutes() -> None:
    plan = parts(TEACHING, 3)["One lecture of 90 minutes"]
    assert sum(map(int, re.findall(r"(?m)^\| (\d+) \|", plan))) == 90
