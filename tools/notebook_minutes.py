"""Minutes for each section of a notebook, at a student's pace.

An estimate, the same for all notebooks: 100 words of prose a minute, a minute for a
code cell, and for an exercise what its heading says. Cells tagged `proof` may be left
folded and count nothing, nor do checks and solutions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from nbformat import NotebookNode
from notebook_folding import deeper
from notebook_prose import prose_words

WORDS_A_MINUTE = 100
HEADING = re.compile(r"(?m)^##? (.+)$")
EXERCISE = re.compile(r"(?m)^###? Exercise \d\d\.\d+ \((?:★{1,3}), (\d+) minutes\)")
UNCOUNTED = {"exercise", "check", "solution", "proof", "versions"}


class Section(NamedTuple):
    """A heading and the minutes until the next one, exercises counted apart."""

    title: str
    minutes: float
    exercises: float
    deeper: bool = False


def sections(notebook: NotebookNode) -> Iterator[Section]:
    """The sections of a notebook: from each # or ## heading to the next."""
    below = {cell.id for cell in deeper(notebook)}
    title, minutes, exercises, is_deeper = "", 0.0, 0.0, False
    for cell in notebook.cells:
        heading = HEADING.search(cell.source) if cell.cell_type == "markdown" else None
        if heading:
            if title:
                yield Section(title, minutes, exercises, is_deeper)
            title, minutes, exercises = heading[1], 0.0, 0.0
            is_deeper = cell.id in below
        if cell.cell_type == "markdown":
            exercises += sum(map(int, EXERCISE.findall(cell.source)))
        if not UNCOUNTED & set(cell.metadata.get("tags", [])):
            minutes += _minutes(cell)
    yield Section(title, minutes, exercises, is_deeper)


def _minutes(cell: NotebookNode) -> float:
    if cell.cell_type == "markdown":
        return len(prose_words(cell.source)) / WORDS_A_MINUTE
    return 1.0


class Times(NamedTuple):
    """Minutes of a notebook, reading and exercises: of its core, of the rest."""

    core: int
    core_exercises: int
    rest: int
    rest_exercises: int


def times(notebook: NotebookNode) -> Times:
    """What a notebook's title says of its minutes."""
    found = list(sections(notebook))
    sums = [
        round(sum(getattr(s, what) for s in found if s.deeper == part))
        for part in (False, True)
        for what in ("minutes", "exercises")
    ]
    return Times(*sums)


def sentence(notebook: NotebookNode) -> str:
    """The times as the title says them, up to the seconds to run."""
    core, exercises, rest, more = times(notebook)
    text = f"the core about {core} minutes and {exercises} for its exercises"
    if rest:
        text += f"; *Going deeper* {rest} and {more}"
    return text


def table(notebook: NotebookNode) -> str:
    """The sections as text, with the sums."""
    found = list(sections(notebook))
    core, exercises, rest, more = times(notebook)
    rows = [*found, Section("core", core, exercises)]
    rows += [Section("going deeper", rest, more)] if rest else []
    lines = ["minutes  exercises  section"]
    for row in rows:
        mark = "  · " if row.deeper else "  "
        lines.append(f"{row.minutes:7.0f}  {row.exercises:9.0f}{mark}{row.title}")
    return "\n".join(lines)
