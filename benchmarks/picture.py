"""The picture of a record: seconds a step, and seconds to the published accuracy."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from alexnet_lab.plots.style import BLUE, VERMILION, new_figure, styled
from benchmarks.recipes import BATCH

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@styled()
def draw(record: dict) -> Figure:
    """Bars of both recipes for each network, on logarithmic scales."""
    figure = new_figure(9.5, 5.6 if record["accuracy"] else 3.2)
    axes = figure.subplots(2 if record["accuracy"] else 1, squeeze=False)[:, 0]
    steps = {
        name: (step["plain_seconds"], step["our_seconds"], step["gain"])
        for name, step in record["steps"].items()
    }
    _bars(axes[0], steps, f"A training step of {BATCH} images")
    if record["accuracy"]:
        runs = {
            _goal(name, run): (
                run["plain_seconds"],
                statistics.median(run["seconds"]),
                run["gain"],
            )
            for name, run in record["accuracy"].items()
        }
        _bars(axes[1], runs, "Training to the published accuracy")
    figure.supxlabel(f"{record['machine']}, {record['date']}", fontsize=10)
    return figure


def _goal(name: str, run: dict) -> str:
    """What a pair of bars is about, and whether our recipe arrived there."""
    worst = "" if run["reached"] else f" (ours: {min(run['accuracies']):.1%})"
    return f"{name} to {run['published']:.1%}{worst}"


def _bars(ax: Axes, rows: dict[str, tuple[float, float, float]], title: str) -> None:
    for name, (plain, ours, gain) in rows.items():
        for label, seconds, colour, hatch in (
            (f"{name}, textbook", plain, VERMILION, "//"),
            (f"{name}, ours", ours, BLUE, ""),
        ):
            bar = ax.barh(label, seconds, color=colour, hatch=hatch, edgecolor="white")
            text = f"{seconds:,.3g} s" if seconds < 1000 else f"{seconds:,.0f} s"
            if hatch == "":
                text += f"  ({gain:.{0 if gain >= 10 else 1}f}× faster)"
            ax.bar_label(bar, [text], padding=4)
    ax.set_xscale("log")
    ax.margins(x=0.6)
    ax.invert_yaxis()
    ax.set_xlabel("seconds, logarithmic")
    ax.set_title(title)
