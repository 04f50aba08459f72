"""How training goes: losses of batches, range tests, schedules, silent units, records.

`curves` draws what happens from epoch to epoch; here it is batch by batch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from alexnet_lab.plots.curves import series
from alexnet_lab.plots.style import (
    GREY,
    INK,
    LINES,
    ORANGE,
    PALE,
    SKY,
    SMALL,
    new_figure,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from alexnet_lab.training.history import History

BARS = [("white", ""), (ORANGE, "//"), (SKY, "xx"), (PALE, "..")]


@styled
def draw_losses(
    losses: Mapping[str, Sequence[float]],
    title: str,
    level: float | None = None,
    zoom: tuple[float, float] | None = None,
    whole: bool = False,
) -> Figure:
    """Draw the loss of each step of several runs.

    A run whose last loss is no finite number ends in a cross, or above the picture.

    Args:
        losses: name → the loss in nats at each step from 0 on; at most six runs.
        title: of the figure.
        level: a loss to compare with, drawn as a grey line.
        zoom: the lowest and the highest loss of the picture.
        whole: add a panel on the left that shows all losses, on a logarithmic axis.

    Raises:
        ValueError: no run, too many, or one with no finite loss.
    """
    _check_runs(losses, "losses")
    figure = new_figure(9.5 if whole else 9, 4)
    if whole:
        left, ax = figure.subplots(1, 2, width_ratios=(1, 1.6))
        _draw_steps(left, losses, level)
        left.set_yscale("log")
        left.set_title("All losses, logarithmic")
        ax.set_title("The lower end, enlarged")
        figure.suptitle(title, x=0.01, ha="left")
    else:
        ax = figure.subplots()
        ax.set_title(title)
    _draw_steps(ax, losses, level)
    if zoom:
        ax.set_ylim(*zoom)
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


@styled
def draw_range_test(
    tests: Sequence[tuple[Sequence[float], Sequence[float]]],
    title: str,
    chosen: float,
    level: float | None = None,
    zoom: tuple[float, float] = (2.0, 3.2),
) -> Figure:
    """Draw the losses of range tests against the learning rate.

    The legend says where each test begins, which may lie above the picture.

    Args:
        tests: rates and losses in nats of each test, one test per seed; at most six.
        title: of the figure.
        chosen: the rate to mark.
        level: a loss to compare with, drawn as a grey line.
        zoom: the lowest and the highest loss of the picture.

    Raises:
        ValueError: no test, or too many.
    """
    _check_runs(dict(enumerate(losses for _, losses in tests)), "tests")
    figure = new_figure(9, 4)
    ax = figure.subplots()
    for seed, ((rates, losses), style) in enumerate(zip(tests, LINES, strict=False)):
        colour, line, _ = style
        label = f"seed {seed}\n(begins at {losses[0]:.1f})"
        ax.semilogx(rates, losses, color=colour, ls=line, lw=2, label=label)
    if level is not None:
        ax.axhline(level, color=GREY, lw=1)
    ax.axvline(chosen, color=INK, lw=1.2, ls=(0, (1, 2)))
    ax.text(chosen * 1.06, zoom[1], f"{chosen:g}", va="top", fontsize=SMALL)
    ax.set(ylim=zoom, xlabel="learning rate", ylabel="loss of the batch, nats")
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.set_title(title)
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


@styled
def draw_schedules(rates: Mapping[str, Sequence[float]], title: str) -> Figure:
    """Draw learning rates over a run, on a logarithmic axis.

    Args:
        rates: name → the rate at equal distances from a run's start to its end, all
            above 0; at most six.
        title: of the figure.

    Raises:
        ValueError: no schedule, or too many.
    """
    _check_runs(rates, "rates")
    figure = new_figure(9, 3.6)
    ax = figure.subplots()
    for (name, values), (colour, line, _) in zip(rates.items(), LINES, strict=False):
        progress = [100 * k / (len(values) - 1) for k in range(len(values))]
        ax.semilogy(progress, values, color=colour, ls=line, lw=2, label=name)
    ax.set(xlabel="progress of the run, %", ylabel="learning rate")
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.grid(axis="y")
    ax.set_title(title)
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


@styled
def draw_silent(shares: Mapping[str, Mapping[str, float]], title: str) -> Figure:
    """Draw the share of silent units of each layer, one bar per network.

    Args:
        shares: network → layer → share between 0 and 1; the same layers in each, and
            at most four networks.
        title: of the figure.

    Raises:
        ValueError: no network, too many, or different layers.
    """
    if not 1 <= len(shares) <= len(BARS):
        raise ValueError(f"{len(shares)} networks given: 1 to {len(BARS)} can be drawn")
    layers = list(next(iter(shares.values())))
    if any(list(found) != layers for found in shares.values()):
        raise ValueError("all networks need the same layers in the same order")
    figure = new_figure(9.5, 3.8)
    ax = figure.subplots()
    width = 0.84 / len(shares)
    for k, ((name, found), (colour, hatch)) in enumerate(
        zip(shares.items(), BARS, strict=False)
    ):
        places = [i + width * (k - (len(shares) - 1) / 2) for i in range(len(layers))]
        heights = [100 * share for share in found.values()]
        ax.bar(
            places, heights, 0.94 * width, label=name, facecolor=colour, hatch=hatch,
            edgecolor=INK,
        )  # fmt: skip
    ax.set_xticks(range(len(layers)), layers)
    ax.set(ylim=(0, 100), ylabel="silent units, %")
    ax.set_title(title)
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


@styled
def draw_long_runs(
    histories: Mapping[str, History], title: str, window: int = 100
) -> Figure:
    """Draw training loss and validation accuracy against passes over the images.

    Args:
        histories: runs by name, all on the same images; at most six.
        title: of the figure.
        window: batches to average the loss over.

    Raises:
        ValueError: no run, too many, or one with fewer batches than the window.
    """
    _check_runs({n: record.batch_losses for n, record in histories.items()}, "runs")
    figure = new_figure(10, 4.2)
    axes = figure.subplots(1, 2)
    for (name, record), (colour, line, mark) in zip(
        histories.items(), LINES, strict=False
    ):
        style = {"color": colour, "ls": line, "lw": 2, "label": name}
        means = _means(record.batch_losses, window)
        batches = len(record.batch_losses) / len(record.epochs)
        passes = [(k * window + window / 2) / batches for k in range(len(means))]
        axes[0].plot(passes, means, **style)
        epochs, scores = series(record, "validation_accuracy")
        axes[1].plot(epochs, scores, marker=mark, **style)
    axes[0].set(ylabel="loss, nats", ylim=(0, None))
    axes[0].set_title("Training loss")
    axes[1].set(ylabel="correct, %")
    axes[1].set_title("Validation accuracy")
    longest = max(len(record.epochs) for record in histories.values())
    for ax in axes:
        ax.set(xlabel="passes over the images", xlim=(0, longest + 0.2))
        ax.grid(axis="y")
    axes[1].legend(loc="lower right")
    figure.suptitle(title, x=0.01, ha="left")
    return figure


def _check_runs(runs: Mapping[object, Sequence[float]], what: str) -> None:
    if not 1 <= len(runs) <= len(LINES):
        raise ValueError(f"{len(runs)} {what} given: 1 to {len(LINES)} can be drawn")
    for name, values in runs.items():
        if not any(math.isfinite(value) for value in values):
            raise ValueError(f"{name!r} holds no finite number: nothing to draw")


def _draw_steps(
    ax: Axes, losses: Mapping[str, Sequence[float]], level: float | None
) -> None:
    for (name, values), (colour, line, mark) in zip(
        losses.items(), LINES, strict=False
    ):
        every = max(1, len(values) // 8)
        ax.plot(
            values, color=colour, ls=line, lw=2, label=name, marker=mark,
            markevery=every, markersize=6, markeredgecolor="white",
        )  # fmt: skip
        finite = [k for k, value in enumerate(values) if math.isfinite(value)]
        if finite[-1] < len(values) - 1:
            last = finite[-1]
            ax.plot(last, values[last], "X", color=colour, ms=11, mec=INK)
    if level is not None:
        ax.axhline(level, color=GREY, lw=1)
    ax.set(xlabel="step", ylabel="loss of the batch, nats")


def _means(values: Sequence[float], window: int) -> list[float]:
    """The means of whole windows, one after the other."""
    if len(values) < window:
        raise ValueError(f"{len(values)} batches, but the window is {window}")
    starts = range(0, len(values) - window + 1, window)
    return [sum(values[k : k + window]) / window for k in starts]
