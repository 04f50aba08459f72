"""The arithmetic and the record of ``make bench``; its times are the machine's."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from benchmarks import measure
from benchmarks.measure import Timing, interleaved
from benchmarks.picture import draw

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"
RECORDS = sorted(RESULTS.rglob("bench.json"))


def test_recipes_take_turns_and_the_first_rounds_do_not_count(monkeypatch):
    clock, order = [0.0], []
    monkeypatch.setattr(measure.time, "perf_counter", lambda: clock[0])

    def recipe(name, cost):
        def run(count):
            order.append(name)
            warming = order.count(name) <= measure.WARM_UP
            clock[0] += count * (100 if warming else cost)

        return run

    timed = {"plain": recipe("plain", 6.0), "ours": recipe("ours", 2.0)}
    seconds = interleaved(timed, 3, {"plain": 1, "ours": 5})
    assert seconds == {"plain": [6.0] * 3, "ours": [2.0] * 3}
    assert order == ["plain", "ours"] * (measure.WARM_UP + 3)


def test_timing_gives_median_and_quarters():
    assert Timing.of([4.0]) == (4.0, 4.0, 4.0)
    assert Timing.of([5.0, 1.0, 3.0, 2.0, 4.0]) == (3.0, 2.0, 4.0)
    assert str(Timing(0.0123, 0.01, 0.02)) == "12.3 ms (10–20)"


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.parent.name)
def test_picture_says_what_was_not_reached(path):
    record = json.loads(path.read_text(encoding="utf-8"))
    figure = draw(record)
    labels = [tick.get_text() for ax in figure.axes for tick in ax.get_yticklabels()]
    for name, run in record["accuracy"].items():
        goal = [label for label in labels if label.startswith(f"{name} to ")]
        assert len(goal) == 2
        assert all(("(ours: " in label) is not run["reached"] for label in goal)
        assert run["reached"] == (min(run["accuracies"]) >= run["published"])
    plt.close(figure)
