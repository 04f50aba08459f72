"""A folder of submissions: whose they are, the table of marks, the class's tally."""

from __future__ import annotations

import csv
import io
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import nbformat

from alexnet_lab.marking.box import COURSE, Box, closed
from alexnet_lab.marking.judge import Limits, Mark, Status, mark
from alexnet_lab.marking.pupil import checks_of

Marks = dict[str, dict[str, Mark]]  # by student, then by exercise


def cells_of(path: Path) -> list[str]:
    """The sources of a notebook's code cells."""
    notebook = nbformat.read(path, as_version=4)
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def submissions(folder: Path) -> Iterator[tuple[str, Path]]:
    """Students and their notebooks: files of the folder, or folders of files in it."""
    for path in sorted(folder.rglob("*.ipynb")):
        parts = path.relative_to(folder).parts
        if ".ipynb_checkpoints" not in parts:
            yield parts[0] if len(parts) > 1 else path.stem, path


def mark_folder(folder: Path, limits: Limits, *, trusted: bool = False) -> Marks:
    """Mark every notebook of a folder, each in a box of its own; prints as it goes.

    Raises:
        ValueError: there are none, or no box can be closed here and the students are
            not `trusted`.
    """
    if os.name == "nt":
        raise ValueError("marking needs Linux, or macOS and --trusted; in Windows WSL")
    if trusted:
        print(f"--trusted: {UNPROTECTED}.", file=sys.stderr)
    elif reason := closed():
        raise ValueError(f"{reason}. {UNPROTECTED}; --trusted marks all the same.")
    course = [cells_of(path) for path in sorted(COURSE.glob("notebooks/*.ipynb"))]
    marks: Marks = {}
    with tempfile.TemporaryDirectory() as temporary:
        box = Box(Path(temporary).resolve(), folder.resolve(), trusted)
        box.fill()
        for student, path in submissions(folder):
            found, asked = marks.setdefault(student, {}), {}
            try:
                asked = expressions(cells := cells_of(path), course)
                if twice := found.keys() & asked:
                    raise ValueError(f"{min(twice)} is answered in a second notebook")
                found |= mark(cells, asked, box, limits) if asked else {}
            except Exception as error:  # one notebook must not stop the others
                print(f"{path.relative_to(folder)}: {error!r}", file=sys.stderr)
                found |= dict.fromkeys(asked, Mark("error", repr(error))) | found
            print(f"{student}: {points(found)} of {len(found)}", flush=True)
    if not marks:
        raise ValueError(f"no notebook (.ipynb) in {folder}")
    return marks


def expressions(cells: list[str], course: list[list[str]]) -> dict[str, str]:
    """What the course's notebook checks that has most cells in common with this one."""
    alike = max(course, key=lambda theirs: len(set(theirs) & set(cells)))
    if not set(alike) & set(cells):
        raise ValueError("it is no notebook of this course")
    return dict(pair for cell in alike for pair in checks_of(cell))


UNPROTECTED = (
    "Without a box students' code runs as you do: it can read your files and the "
    "solutions, delete and send what you can, and start processes that stay"
)


def points(found: dict[str, Mark]) -> int:
    """One for each right answer."""
    return sum(one.status == "right" for one in found.values())


def table(marks: Marks) -> str:
    """The marks as CSV: a line a student, a column an exercise."""
    numbers = _numbers(marks)
    writer = csv.writer(out := io.StringIO(), lineterminator="\n")
    writer.writerow(["student", *numbers, "points"])
    for student, found in marks.items():
        cells = [": ".join(filter(None, found.get(n, ("", "")))) for n in numbers]
        # a spreadsheet would compute what begins like a formula
        name = re.sub(r"^(?=[=+\-@\t\r])", "'", student)
        writer.writerow([name, *cells, points(found)])
    return out.getvalue()


def tally(marks: Marks) -> str:
    """What the class got right, exercise by exercise, and what it did not."""
    lines = []
    for number in _numbers(marks):
        found = Counter(their[number] for their in marks.values() if number in their)
        kinds = Counter(one.status for one in found.elements())
        counts = (f"{kinds[kind]} {kind}" for kind in get_args(Status))
        lines.append(f"{number}: {', '.join(counts)}")
        said = [(count, one.says) for one, count in found.most_common() if one.says]
        lines += [f"  {count:3} × {says}" for count, says in said]
    return "\n".join(lines)


def _numbers(marks: Marks) -> list[str]:
    """All exercises, in their order."""
    numbers = {number for found in marks.values() for number in found}
    return sorted(numbers, key=lambda number: [int(n) for n in number.split(".")])
