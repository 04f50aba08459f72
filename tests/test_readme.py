"""README's syllabus and the notebooks' titles say the same, and say what the tool does.

The running times are measured by hand; that they agree is all that a test can ask.
"""

from __future__ import annotations

import notebook_minutes
import notebook_syllabus
import pytest
from notebook_outputs import ROOT
from notebook_versions import VERSIONS

README = (ROOT / "README.md").read_text(encoding="utf-8")
PATHS = VERSIONS.paths


def test_syllabus_is_that_of_the_titles():
    texts = [(path, VERSIONS.read(path)) for path in PATHS]
    advice = "stale: tools/notebooks.py syllabus"
    assert notebook_syllabus.syllabus(texts, README) == README, advice
    for path in PATHS:
        assert (ROOT / "notebooks" / "images" / f"{path.stem[:2]}.png").is_file()


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_title_agrees_with_the_estimate(path):
    notebook = VERSIONS.read(path)
    said = notebook_syllabus.title_of(notebook).times
    assert said == pytest.approx(notebook_minutes.times(notebook), abs=2)


def test_every_notebook_is_on_the_map():
    map_of_00 = next(c for c in VERSIONS.read(PATHS[0]).cells if c.id == "map")
    assert [p.name for p in PATHS if f"({p.name})" not in map_of_00.source] == [
        PATHS[0].name
    ]
