"""README's syllabus and the notebooks' titles say the same, and say what the tool does.

The running times are measured by hand; that they agree is all that a test can ask.
"""

from __future__ import annotations

import re

import notebook_minutes
import pytest
from notebook_outputs import ROOT
from notebook_versions import VERSIONS

README = (ROOT / "README.md").read_text(encoding="utf-8")
PATHS = VERSIONS.paths
TIME = re.compile(
    r"about (\d+) minutes to read, (\d+) more for the exercises, "
    r"(?:about |less than )?(.+?) to run on two CPU cores"
)


def times(path) -> tuple[int, int, str]:
    title = VERSIONS.read(path).cells[0].source
    found = TIME.search(title)
    assert found, f"the title says no times in the usual words: {title!r}"
    return int(found[1]), int(found[2]), found[3]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_syllabus_has_picture_and_minutes(path):
    reading, solving, running = times(path)
    number, name = path.stem[:2], path.stem[3:]
    row = next(
        row
        for row in README.splitlines()
        if f"({path.name})" in row or (f"(notebooks/{path.name})" in row)
    )
    assert f"notebooks/images/{number}.png" in row and name in row
    assert (ROOT / "notebooks" / "images" / f"{number}.png").is_file()
    assert f"{reading} + {solving} min" in row
    assert running in row


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_title_agrees_with_the_estimate(path):
    reading, solving, _ = times(path)
    found = list(notebook_minutes.sections(VERSIONS.read(path)))
    assert reading == pytest.approx(sum(s.minutes for s in found), rel=0.15, abs=3)
    assert solving == pytest.approx(sum(s.exercises for s in found), abs=3)


def test_every_notebook_is_on_the_map():
    map_of_00 = next(c for c in VERSIONS.read(PATHS[0]).cells if c.id == "map")
    assert [p.name for p in PATHS if f"({p.name})" not in map_of_00.source] == [
        PATHS[0].name
    ]
