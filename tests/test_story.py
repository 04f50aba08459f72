"""The course in one table, from the recorded runs."""

import pytest

from alexnet_lab.studies import story
from alexnet_lab.studies.story import CHAPTERS


def test_the_story_grows_and_the_error_falls() -> None:
    lines = story().split("\n")
    assert len(lines) == 1 + len(CHAPTERS)
    for notebook in ("02", "03", "07", "10"):
        told = story(notebook).split("\n")
        assert told == lines[: len(told)]
    errors = [float(line[28:].split("%")[0]) for line in lines[1:]]
    assert errors[0] > 55 and errors[-1] < 10
    assert all(len(line) <= 88 for line in lines)


def test_no_story_before_02() -> None:
    with pytest.raises(ValueError, match="begins in 02"):
        story("01")
