"""Minutes for each section of a notebook, for whoever plans a lecture.

An estimate, the same for all notebooks: 100 words of prose a minute, 6 lines of code a
minute, half a minute to look at a picture, 4 minutes for an exercise. A reader who
solves all exercises needs about the sum; a lecturer leaves some for home.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from nbformat import NotebookNode
from notebook_form import prose_words
from notebook_outputs import pictures

WORDS_A_MINUTE = 100
LINES_A_MINUTE = 6
MINUTES_A_PICTURE = 0.5
MINUTES_AN_EXERCISE = 4
HEADING = re.compile(r"(?m)^##? (.+)$")


class Section(NamedTuple):
    """A heading and the minutes until the next one, exercises counted apart."""

    title: str
    minutes: float
    exercises: float


def sections(notebook: NotebookNode) -> Iterator[Section]:
    """The sections of a notebook: from each # or ## heading to the next."""
    title, minutes, exercises = "", 0.0, 0.0
    for cell in notebook.cells:
        heading = HEADING.search(cell.source) if cell.cell_type == "markdown" else None
        if heading:
            if title:
                yield Section(title, minutes, exercises)
            title, minutes, exercises = heading[1], 0.0, 0.0
        tags = cell.metadata.get("tags", [])
        if "exercise" in tags:
            exercises += MINUTES_AN_EXERCISE
        elif not {"check", "solution", "versions"} & set(tags):
            minutes += _minutes(cell)
    yield Section(title, minutes, exercises)


def _minutes(cell: NotebookNode) -> float:
    if cell.cell_type == "markdown":
        return len(prose_words(cell.source)) / WORDS_A_MINUTE
    lines = sum(1 for line in cell.source.splitlines() if line.strip())
    shown = sum(len(pictures(output)) for output in cell.outputs)
    return lines / LINES_A_MINUTE + shown * MINUTES_A_PICTURE


def table(notebook: NotebookNode) -> str:
    """The sections as text, with the sum."""
    found = list(sections(notebook))
    reading, solving = sum(s.minutes for s in found), sum(s.exercises for s in found)
    rows = [*found, Section("together", reading, solving)]
    lines = ["minutes  exercises  section"]
    for row in rows:
        lines.append(f"{row.minutes:7.0f}  {row.exercises:9.0f}  {row.title}")
    return "\n".join(lines)
