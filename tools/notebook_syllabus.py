"""README's syllabus, from the notebooks' own titles: aim, minutes, picture."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from nbformat import NotebookNode
from notebook_minutes import Times
from notebook_pictures import CHOSEN

START = "<!-- from here on by: tools/notebooks.py syllabus -->"
END = "<!-- up to here -->"
HEAD = """\
| | notebook | what you can do after it | minutes: core, going deeper; to run |
|---|---|---|---|"""
AIM = re.compile(r"\*\*After this notebook you can\*\* (.+?)\.(?= \*|\n|$)")
TIME = re.compile(
    r"the core about (\d+) minutes and (\d+) for its exercises"
    r"(?:; \*Going deeper\* (\d+) and (\d+))?; "
    r"(?:about |less than )?(.+?) to run on two CPU cores"
)


class Title(NamedTuple):
    """What a notebook's first cell promises."""

    aim: str
    times: Times
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
    return Title(aim[1], Times(*(int(time[n] or 0) for n in range(1, 5))), time[5])


def row(path: Path, notebook: NotebookNode) -> str:
    """A notebook's row of the syllabus."""
    number, name = path.stem[:2], path.stem[3:]
    title = title_of(notebook)
    image = f"notebooks/images/{number}.png"
    picture = f'<img src="{image}" width="180" alt="{CHOSEN[number].alt}">'
    link = f"{number} · [{name}](notebooks/{path.name})"
    core, exercises, rest, more = title.times
    minutes = f"{core} + {exercises} min"
    minutes += f", {rest} + {more}" if rest else ""
    minutes += f"; {title.running}"
    return f"| {picture} | {link} | {title.aim} | {minutes} |"


# what is read whole, and of what the core only
PATHS = {
    "an evening": (("00", "01"), ("04",)),
    "a weekend": ((), ("01", "02", "03", "04", "07", "08", "11")),
    "all cores, one a lecture": ((), tuple(f"{n:02}" for n in range(12))),
    "the whole course": (tuple(f"{n:02}" for n in range(12)), ()),
}


def paths(times: Mapping[str, Times]) -> str:
    """The paths through the course, with their hours, exercises included."""
    lines = ["| path | notebooks | hours |", "|---|---|---|"]
    for name, (whole, cores) in PATHS.items():
        minutes = sum(sum(times[n]) for n in whole if n in times)
        minutes += sum(sum(times[n][:2]) for n in cores if n in times)
        what = [", ".join(whole)] if 0 < len(whole) < 12 else []
        core = "the core of" if len(cores) == 1 else "the cores of"
        what += [f"{core} {', '.join(cores)}"] if 0 < len(cores) < 12 else []
        said = " and ".join(what) or "00 to 11"
        lines.append(f"| {name} | {said} | {minutes / 60:.1f} |")
    return "\n".join(lines)


def syllabus(notebooks: Iterable[tuple[Path, NotebookNode]], readme: str) -> str:
    """README's text with syllabus and paths written anew between its two marks."""
    listed = list(notebooks)
    rows = "\n".join(row(path, notebook) for path, notebook in listed)
    ways = paths({path.stem[:2]: title_of(notebook).times for path, notebook in listed})
    before, _, rest = readme.partition(START)
    after = rest.partition(END)[2]
    return f"{before}{START}\n\n{HEAD}\n{rows}\n\n{ways}\n\n{END}{after}"
