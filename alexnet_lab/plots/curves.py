"""Loss and accuracy as training goes on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from alexnet_lab.plots.style import BLUE, LINES, VERMILION, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from alexnet_lab.training.history import History

_NAMES = {
    "train_loss": "training loss, nats",
    "train_accuracy": "training accuracy, %",
    "validation_loss": "validation loss, nats",
    "validation_accuracy": "validation accuracy, %",
    "learning_rate": "learning rate",
    "seconds": "seconds an epoch",
}


@styled
def curves(history: History, title: str = "Training") -> Figure:
    """Draw loss and accuracy after each epoch: training dashed, validation solid.

    The last value of each curve is written beside it. A run without validation shows
    the training curves alone.

    Raises:
        ValueError: if no epoch has been finished.
    """
    figure = new_figure(10, 4.2)
    for ax, what in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        ends = []
        for part, colour, line, marker in (
            ("train", VERMILION, "--", "s"),
            ("validation", BLUE, "-", "o"),
        ):
            quantity = f"{part}_{what}"
            epochs, values = series(history, quantity)
            if values:
                _line(ax, epochs, values, colour, line, marker)
                name = "train" if part == "train" else "valid."
                text = f"{name} {_written(quantity, values[-1])}"
                ends.append((epochs[-1], values[-1], text, colour))
        _finish(ax, ends)
        ax.set_title("Loss" if what == "loss" else "Accuracy")
        ax.set_ylabel("cross-entropy, nats" if what == "loss" else "correct, %")
    figure.suptitle(title, x=0.01, ha="left")
    return figure


@styled
def compare_curves(
    histories: Mapping[str, History],
    quantity: str = "validation_accuracy",
    title: str | None = None,
) -> Figure:
    """Draw one quantity of several runs, each with its own colour, line and marker.

    Args:
        histories: runs by name, say `{"sigmoid": h1, "ReLU": h2}`; at most six.
        quantity: a field of `EpochRecord`: train_loss, train_accuracy,
            validation_loss, validation_accuracy, learning_rate or seconds.
        title: by default, the quantity and the names.

    Raises:
        ValueError: for an unknown quantity, no runs, more than six, a run without
            records, or one that didn't record this quantity.
    """
    if quantity not in _NAMES:
        raise ValueError(f"quantity {quantity!r}: choose one of {', '.join(_NAMES)}")
    if not 1 <= len(histories) <= len(LINES):
        raise ValueError(
            f"{len(histories)} runs given: compare_curves draws 1 to {len(LINES)}"
        )
    figure = new_figure(9, 4.5)
    ax = figure.subplots()
    ends = []
    for (name, history), style in zip(histories.items(), LINES, strict=False):
        epochs, values = series(history, quantity)
        if not values:
            raise ValueError(f"run {name!r} has recorded no {quantity}")
        _line(ax, epochs, values, *style)
        text = f"{name} {_written(quantity, values[-1])}"
        ends.append((epochs[-1], values[-1], text, style[0]))
    _finish(ax, ends)
    ax.set_ylabel(_NAMES[quantity])
    plain = _NAMES[quantity].split(",")[0]
    ax.set_title(title or f"{plain.capitalize()}: {', '.join(histories)}")
    return figure


def series(history: History, quantity: str) -> tuple[list[int], list[float]]:
    """Return the epochs that have a finite value, and the values; accuracies in %."""
    if not history.epochs:
        raise ValueError("this history has no finished epoch: nothing to draw")
    scale = 100 if quantity.endswith("accuracy") else 1
    pairs = [(record.epoch, getattr(record, quantity)) for record in history.epochs]
    pairs = [(e, v * scale) for e, v in pairs if v is not None and math.isfinite(v)]
    return [e for e, _ in pairs], [v for _, v in pairs]


def _written(quantity: str, value: float) -> str:
    if quantity.endswith("accuracy"):
        return f"{value:.1f} %"
    return f"{value:.3f}" if quantity.endswith("loss") else f"{value:.3g}"


def _line(ax: Axes, epochs, values, colour, line, marker) -> None:
    every = max(1, len(epochs) // 12)
    marks = {"marker": marker, "markersize": 6, "markeredgecolor": "white"}
    ax.plot(
        epochs,
        values,
        color=colour,
        linestyle=line,
        linewidth=2,
        markevery=every,
        **marks,
    )


def _finish(ax: Axes, ends: Sequence[tuple[int, float, str, str]]) -> None:
    """Label the epochs with whole numbers, and each curve at its end."""
    from matplotlib.ticker import MaxNLocator

    ax.set_xlabel("epoch")
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    ax.grid(axis="y")
    ax.set_axisbelow(True)
    ax.margins(y=0.08)
    right = max((x for x, *_ in ends), default=1)
    low, high = ax.get_ylim()
    ax.set_ylim(low, high)
    places = _apart([y for _, y, *_ in ends], low, high, least=0.085)
    for (x, y, text, colour), place in zip(ends, places, strict=True):
        moved = abs(place - y) > 0.02 * (high - low)
        leader = {"arrowstyle": "-", "color": colour, "linewidth": 0.8, "shrinkB": 4}
        ax.annotate(
            text,
            xy=(x, y),
            xytext=(right, place),
            textcoords=_shifted(ax, 16),
            color=colour,
            va="center",
            fontweight="bold",
            annotation_clip=False,
            arrowprops=leader if moved else None,
        )


def _shifted(ax: Axes, points: float):
    """Return the data coordinates of `ax`, moved right by `points`."""
    from matplotlib.transforms import ScaledTranslation

    return ax.transData + ScaledTranslation(points / 72, 0, ax.figure.dpi_scale_trans)


def _apart(heights: list[float], low: float, high: float, least: float) -> list[float]:
    """Return `heights` moved within the range to be `least` of it apart, or more."""
    gap = least * (high - low)
    order = sorted(range(len(heights)), key=heights.__getitem__)
    placed = [heights[i] for i in order]
    for _ in range(200):
        moved = placed[0] < low or placed[-1] > high
        placed[0], placed[-1] = max(placed[0], low), min(placed[-1], high)
        for a in range(len(placed) - 1):
            lacking = gap - (placed[a + 1] - placed[a])
            if lacking > 1e-9 * gap:
                placed[a] -= lacking / 2
                placed[a + 1] += lacking / 2
                moved = True
        if not moved:
            break
    result = [0.0] * len(heights)
    for i, y in zip(order, placed, strict=True):
        result[i] = y
    return result
