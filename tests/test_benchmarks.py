"""The arithmetic and the record of ``make bench``; its times are the machine's."""

import json
import statistics
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


def test_readme_tells_the_record():
    readme = (RESULTS.parents[1] / "README.md").read_text(encoding="utf-8")
    rows = [line for line in readme.splitlines() if line.startswith("|")]
    record = json.loads((RESULTS / "bench.json").read_text(encoding="utf-8"))
    step, goals = record["steps"]["AlexNet"], record["accuracy"]
    seconds = {name: statistics.median(run["seconds"]) for name, run in goals.items()}
    told = [
        [f"{step['plain_seconds']:.1f} s", f"{step['our_seconds']:.1f} s"]
        + [f"{step['gain']:.1f}×; {100 * step['of_ceiling']:.0f} % of"],
        [f"{goals['LeNet-5']['plain_seconds']:.0f} s", f"{seconds['LeNet-5']:.1f} s"]
        + [f"{goals['LeNet-5']['gain']:.0f}×", "77.9 %"],
        [f"{goals['AlexNet']['plain_seconds']:,.0f} s", f"{seconds['AlexNet']:.0f} s"]
        + [f"{goals['AlexNet']['gain']:.0f}×", "88.3 %"]
        + [f"we got {100 * goals['AlexNet']['accuracies'][0]:.1f} %"],
    ]
    for figures in told:
        assert any(all(figure in row for figure in figures) for row in rows), figures
    assert all(run["reached"] for run in goals.values())
