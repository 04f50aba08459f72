"""Plots of notebook 07: they draw the numbers they get, and say what fails."""

from __future__ import annotations

import math

import pytest
from matplotlib.figure import Figure

from alexnet_lab import plots
from alexnet_lab.plots.style import cut_off, overlapping
from alexnet_lab.training.history import EpochRecord, History

LOSSES = {"rate 0.1": [2.5, 2.0, 1.5], "rate 1.0": [5.0, 450.0, math.nan]}


def sound(figure: Figure) -> bool:
    return not overlapping(figure) and not cut_off(figure)


def lines(ax, length: int) -> list[list[float]]:
    """The heights of all lines of so many points."""
    drawn = [list(line.get_ydata()) for line in ax.lines]
    return [heights for heights in drawn if len(heights) == length]


def record(epochs: int, batches: int, validated: bool = True) -> History:
    """A run whose loss falls from 2 to 1 in each epoch."""
    history = History()
    for epoch in range(1, epochs + 1):
        history.batch_losses += [2 - k / (batches - 1) for k in range(batches)]
        history.epochs.append(
            EpochRecord(
                epoch=epoch,
                images=55_000,
                train_loss=1.5,
                train_accuracy=0.5,
                validation_loss=1.5 if validated else None,
                validation_accuracy=0.8 + epoch / 100 if validated else None,
                learning_rate=0.1,
                seconds=1.0,
            )
        )
    return history


def test_losses_step_by_step_with_a_cross_where_they_end() -> None:
    figure = plots.draw_losses(LOSSES, "Two rates", level=math.log(10), zoom=(1, 4))
    (ax,) = figure.axes
    assert sound(figure) and ax.get_ylim() == (1, 4)
    assert lines(ax, 3)[0] == LOSSES["rate 0.1"]
    crosses = [line for line in ax.lines if line.get_marker() == "X"]
    assert [list(cross.get_xydata()[0]) for cross in crosses] == [[1, 450]]
    assert [round(h[0], 3) for h in lines(ax, 2)] == [2.303]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(LOSSES)


def test_losses_whole_has_a_logarithmic_panel_and_an_enlarged_one() -> None:
    figure = plots.draw_losses(LOSSES, "Two rates", zoom=(1, 4), whole=True)
    left, right = figure.axes
    assert sound(figure)
    assert (left.get_yscale(), right.get_yscale()) == ("log", "linear")
    assert left.get_ylim()[1] > 450 and right.get_ylim() == (1, 4)


def test_range_test_marks_the_rate_and_says_where_each_seed_begins() -> None:
    rates = [1e-4, 1e-2, 1.0]
    tests = [(rates, [5.64, 2.3, 2.9]), (rates, [3.0, 2.2, 30.0])]
    figure = plots.draw_range_test(tests, "Range test", chosen=0.02, level=2.3)
    (ax,) = figure.axes
    assert sound(figure) and ax.get_xscale() == "log"
    assert lines(ax, 3) == [losses for _, losses in tests]
    assert [text.get_text() for text in ax.texts] == ["0.02"]
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["seed 0\n(begins at 5.6)", "seed 1\n(begins at 3.0)"]


def test_schedules_run_from_start_to_end() -> None:
    figure = plots.draw_schedules({"a": [0.1, 0.01, 0.001], "b": [0.1] * 5}, "Rates")
    (ax,) = figure.axes
    assert sound(figure) and ax.get_yscale() == "log"
    assert [list(line.get_xdata()) for line in ax.lines] == [
        [0, 50, 100],
        [0, 25, 50, 75, 100],
    ]


def test_silent_units_in_per_cent_one_bar_per_network_and_layer() -> None:
    shares = {"good": {"relu1": 0.0, "relu2": 0.1}, "bad": {"relu1": 0.5, "relu2": 1.0}}
    figure = plots.draw_silent(shares, "Silent")
    (ax,) = figure.axes
    assert sound(figure)
    assert [bar.get_height() for bar in ax.patches] == [0, 10, 50, 100]
    middles = [bar.get_x() + bar.get_width() / 2 for bar in ax.patches]
    assert middles[0] + middles[2] == pytest.approx(0)
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["relu1", "relu2"]


def test_long_runs_average_batches_and_show_each_epoch() -> None:
    runs = {"long": record(3, 200), "short": record(1, 400)}
    figure = plots.draw_long_runs(runs, "Records", window=100)
    left, right = figure.axes
    assert sound(figure)
    assert [len(line.get_xdata()) for line in left.lines] == [6, 4]
    assert list(left.lines[0].get_xdata()[:2]) == [0.25, 0.75]
    assert left.lines[0].get_ydata()[0] > left.lines[0].get_ydata()[1]
    assert list(right.lines[0].get_ydata()) == pytest.approx([81, 82, 83])
    assert left.get_xlim() == right.get_xlim() == (0, 3.2)


def test_long_runs_may_lack_validation() -> None:
    figure = plots.draw_long_runs({"a": record(2, 200, validated=False)}, "Records")
    assert len(figure.axes[1].lines[0].get_ydata()) == 0


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plots.draw_losses({}, "a"), "0 losses given: 1 to 6"),
        (lambda: plots.draw_losses({"x": [math.nan]}, "a"), "'x' holds no finite"),
        (lambda: plots.draw_range_test([], "a", chosen=1), "0 tests given"),
        (
            lambda: plots.draw_schedules({str(k): [1.0, 1.0] for k in range(7)}, "a"),
            "7 rates given",
        ),
        (lambda: plots.draw_silent({}, "a"), "0 networks given: 1 to 4"),
        (lambda: plots.draw_silent({"x": {"r": 0}, "y": {}}, "a"), "the same layers"),
        (lambda: plots.draw_long_runs({}, "a"), "0 runs given"),
        (
            lambda: plots.draw_long_runs({"x": record(1, 50)}, "a"),
            "50 batches, but the window is 100",
        ),
    ],
)
def test_plots_say_what_is_wrong(draw, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw()
