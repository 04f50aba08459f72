"""README's syllabus, from the notebooks' own titles: aim, minutes, picture."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from nbformat import NotebookNode
from notebook_pictures import CHOSEN

START = "<!-- from here on by: tools/notebooks.py syllabus -->"
END = "<!-- up to here -->"
HEAD = """\
| | notebook | what you can do after it | minutes to read + exercises; to run |
|---|---|---|---|"""
AIM = re.compile(r"\*\*After this notebook you can\*\* (.+?)\.(?= \*|\n|$)")
TIME = re.compile(
    r"about (\d+) minutes to read, (\d+) more for the exercises, "
    r"(?:about |less than )?(.+?) to run on two CPU cores"
)


class Title(NamedTuple):
    """What a notebook's first cell promises; minutes of reading and of exercises."""

    aim: str
    reading: int
    exercises: int
    running: str


def title_of(notebook: NotebookNode) -> Title:
    """Read the first cell.

    Raises:
        ValueError: it does not say the aim or the times in the usual words.
    """
    text = notebook.cells[0].source
    aim, time = AIM.search(text), TIME.search(text)
    if not aim or not time:
        raise ValueError(
            f"the title says no aim or no times in the usual words: {text}"
        )
    return Title(aim[1], int(time[1]), int(time[2]), time[3])


def row(path: Path, notebook: NotebookNode) -> str:
    """A notebook's row of the syllabus."""
    number, name = path.stem[:2], path.stem[3:]
    title = title_of(notebook)
    image = f"notebooks/images/{number}.png"
    picture = f'<img src="{image}" width="180" alt="{CHOSEN[number].alt}">'
    link = f"{number} · [{name}](notebooks/{path.name})"
    minutes = f"{title.reading} + {title.exercises} min; {title.running}"
    return f"| {picture} | {link} | {title.aim} | {minutes} |"


def syllabus(notebooks: Iterable[tuple[Path, NotebookNode]], readme: str) -> str:
    """README's text with the syllabus written anew between its two marks."""
    rows = "\n".join(row(path, notebook) for path, notebook in notebooks)
    before, _, rest = readme.partition(START)
    after = rest.partition(END)[2]
    return f"{before}{START}\n\n{HEAD}\n{rows}\n\n{END}{after}"
