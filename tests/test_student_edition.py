"""The students' edition and the instructor's key."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest
import student_edition
from notebook_form import links_resolve
from notebook_outputs import ROOT
from solutions import has_tag, solution_of

import notebooks
from alexnet_lab import key
from alexnet_lab.exercises.checking import exercises_of


@pytest.fixture(scope="module")
def edition(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The edition, in a folder far from the course."""
    folder = tmp_path_factory.mktemp("handed out") / "student"
    try:
        student_edition.build(folder)
    except RuntimeError as error:
        pytest.skip(str(error))
    return folder


def test_it_holds_no_solution_and_no_answer_to_a_prediction(edition: Path) -> None:
    names = sorted(path.name for path in (edition / "notebooks").glob("*.ipynb"))
    assert names == sorted(path.name for path in ROOT.glob("notebooks/*.ipynb"))
    for name in names:
        ours = nbformat.read(ROOT / "notebooks" / name, as_version=4).cells
        theirs = nbformat.read(edition / "notebooks" / name, as_version=4).cells
        solutions = [cell for cell in ours if has_tag(cell, "solution")]
        assert len(theirs) == len(ours) - len(solutions)
        text = "\n".join(cell.source for cell in theirs)
        assert not re.search(r"\b[Ss]olutions?\b", text), name
        for solution in map(solution_of, (cell.source for cell in solutions)):
            assert solution.strip() not in text
        assert not any(cell.outputs for cell in theirs if has_tag(cell, "answer"))
        checks = [cell.source for cell in theirs if has_tag(cell, "check")]
        assert len(checks) == len(exercises_of(name[:2]))


def test_it_is_whole_and_has_nothing_of_the_instructors(edition: Path) -> None:
    for path in (edition / "notebooks").glob("*.ipynb"):
        assert not list(links_resolve(nbformat.read(path, as_version=4), path))
    readme = (edition / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)]+)\)", readme):
        assert (edition / target).is_file(), target
    for name in ("teaching", "tests", "tools", "TEACHING.md", "benchmarks", ".github"):
        assert not (edition / name).exists()
    for name in ("data/CIFAR10/labels.bin", "alexnet_lab/exercises/n04.py"):
        assert (edition / name).read_bytes() == (ROOT / name).read_bytes()


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
def test_its_makefile_knows_lab_and_doctor_and_no_more(edition: Path) -> None:
    text = (edition / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"(?m)^([a-z]+):(?!=)", text))
    assert targets == {"lab", "doctor", "clean"}
    command = ["make", "-n", "-C", str(edition), "lab"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "-m venv .venv" in said and "jupyterlab" in said


def test_a_notebook_of_it_runs_and_checks(
    edition: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notebooks, "ROOT", edition)  # its package, not ours
    path = edition / "notebooks" / "00_start_here.ipynb"
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.id == "exercise-1":
            cell.source = "pixels_00_1 = 28 + 28\nimport alexnet_lab"
        if cell.id == "check-1":
            cell.source += "\nprint(alexnet_lab.__file__)"
    nbformat.write(notebook, edition / "notebooks" / "00_mine.ipynb")
    done = notebooks.execute(edition / "notebooks" / "00_mine.ipynb")
    (said,) = ["".join(o.text for o in c.outputs) for c in done.cells
               if c.id == "check-1"]  # fmt: skip
    assert "✗ 00.1" in said and "added the sides" in said
    assert str(edition) in said


def test_nbgrader_is_told_which_cells_answer_and_which_grade(tmp_path: Path) -> None:
    student_edition.build_for_nbgrader(tmp_path)
    for path in tmp_path.glob("source/*/*.ipynb"):
        cells = nbformat.read(path, as_version=4).cells
        roles = [c.metadata.nbgrader for c in cells if "nbgrader" in c.metadata]
        assert len({role.grade_id for role in roles}) == len(roles)
        graded = [role.points for role in roles if role.grade and role.locked]
        written = [role for role in roles if role.solution and not role.locked]
        number = len(exercises_of(path.stem[:2]))
        assert len(graded) == len(written) == number and len(roles) == 2 * number
    assert len(list(tmp_path.glob("source/*/*.ipynb"))) == 12
    compile((tmp_path / "nbgrader_config.py").read_text(), "config", "exec")


# ----------------------------------------------------------------------------- the key
def test_the_key_has_every_solution_and_every_diagnosis(tmp_path: Path) -> None:
    notebook, page = key.write(tmp_path / "key")
    cells = nbformat.read(notebook, as_version=4).cells
    text, html = "\n".join(c.source for c in cells), page.read_text(encoding="utf-8")
    for number in range(12):
        for exercise in exercises_of(f"{number:02}"):
            assert f"### Exercise {exercise.number} " in text
            for sentence in (exercise.right, exercise.hint):
                assert sentence in text
            for wrong in exercise.wrong:
                assert wrong.says in text
    for path in ROOT.glob("notebooks/*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            if has_tag(cell, "solution"):
                assert solution_of(cell.source).strip() in text
            if cell.cell_type == "markdown" and "## To discuss" in cell.source:
                for question in re.findall(r"(?m)^\d+\. (.+)$", cell.source):
                    assert question in text
    assert "*No answer here.*" not in text or not (ROOT / "teaching").is_dir()
    assert not re.search(r"""(?:src|href)=["']https?:""", _without_links(html))


def _without_links(html: str) -> str:
    """The page without addresses that a reader may follow."""
    return re.sub(r"<a [^>]*>", "", html)


def test_without_teaching_the_key_says_what_is_missing(
    edition: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key, "COURSE", edition)
    monkeypatch.setattr(key, "exercises_of", lambda _: exercises_of("00"))
    said = next(key.cells()).source
    assert "teaching/" in said and "leave it out" in said
