"""What came of training: curves, and which classes are taken for which."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from alexnet_lab.plots import style as look
from alexnet_lab.plots.images import shape_of, to_numpy
from alexnet_lab.training.comparing import interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

    from alexnet_lab.training import History

_UNITS = {"train_loss": ", nats", "validation_loss": ", nats", "seconds": " an epoch"}
_UNITS |= {"train_accuracy": ", %", "validation_accuracy": ", %", "learning_rate": ""}


@look.styled()
def curves(history: History) -> Figure:
    """Draw loss and accuracy after each epoch: training dashed, validation solid.

    The legend gives the last values. Without validation, training stands alone.
    Raises ValueError if no epoch has been finished. Taught in 02.
    """
    figure = look.new_figure(10, 4.2)
    for ax, what in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for part, style in zip(("validation", "train"), look.LINES, strict=False):
            _line(ax, part, history, f"{part}_{what}", style)
        ax.set_title(what.capitalize())
        ax.set_ylabel("cross-entropy, nats" if what == "loss" else "correct, %")
        ax.legend()
    figure.suptitle("Training", x=0.01, ha="left")
    return figure


@look.styled()
def compare_curves(
    histories: Mapping[str, History],
    quantity: str = "validation_accuracy",
    title: str | None = None,
) -> Figure:
    """Draw one quantity of several runs, each with its own colour, line and marker.

    `histories` are one to six runs by name, `quantity` is a field of `EpochRecord`.
    Raises ValueError for another quantity or number of runs, or a run without it.
    """
    if quantity not in _UNITS:
        raise ValueError(f"quantity {quantity!r}: choose one of {', '.join(_UNITS)}")
    if not 1 <= len(histories) <= len(look.LINES):
        raise ValueError(f"{len(histories)} runs: 1 to {len(look.LINES)} can be drawn")
    figure = look.new_figure(9, 4.2)
    ax: look.Axes = figure.subplots()
    for (name, history), style in zip(histories.items(), look.LINES, strict=False):
        if not _line(ax, name, history, quantity, style):
            raise ValueError(f"run {name!r} has recorded no {quantity}")
    name = quantity.replace("train_", "training_").replace("_", " ")
    ax.set_ylabel(name + _UNITS[quantity])
    ax.set_title(title or f"{name.capitalize()}: {', '.join(histories)}")
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def _line(
    ax: look.Axes, name: str, history: History, quantity: str, style: tuple
) -> bool:
    """Draw the finite values of one quantity, accuracies in %; False for none."""
    from matplotlib.ticker import MaxNLocator

    if not history.epochs:
        raise ValueError("this history has no finished epoch: nothing to draw")
    scale, form = (100, "{:.1f} %") if "accuracy" in quantity else (1, "{:.3g}")
    pairs = [(epoch.epoch, getattr(epoch, quantity)) for epoch in history.epochs]
    pairs = [(e, scale * v) for e, v in pairs if v is not None and math.isfinite(v)]
    if pairs:
        options = dict(zip(("color", "ls", "marker"), style, strict=True))
        options |= {"mec": "white", "markevery": max(1, len(pairs) // 12)}
        label = f"{name} {form.format(pairs[-1][1])}"
        ax.plot(*zip(*pairs, strict=True), lw=2, ms=6, label=label, **options)
    ax.set_xlabel("epoch")
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    ax.grid(axis="y")
    ax.set_axisbelow(True)
    return bool(pairs)


@look.styled()
def confusion_matrix(
    predicted: Tensor, labels: Tensor, classes: Sequence[str]
) -> Figure:
    """Draw how often each class was taken for each other.

    The diagonal, what is right, is dark; elsewhere the shade grows with the number of
    mistakes. At the right stands each class's share that was recognised. `predicted`
    and `labels` are N class numbers each, `classes` the names; a ValueError says if the
    sizes don't agree, or a number has no name. Taught in 02.
    """
    counts = _counts(to_numpy(predicted), to_numpy(labels), len(classes))
    side = max(0.62, 1.8 / len(classes))  # of a cell, in inches
    figure = look.new_figure(side * len(classes) + 3.2, side * len(classes) + 1.7)
    ax: look.Axes = figure.subplots()
    column = len(classes) - 0.1 + 0.4 / side  # where the shares stand
    _draw_counts(ax, counts)
    for row, number in enumerate(counts.sum(axis=1)):
        if number:
            share = f"{100 * counts[row, row] / number:.1f} %"
            ax.text(column, row, share, ha="center", va="center", color=look.BLUE)
    names, places = list(classes), range(len(classes))
    turned = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}
    ax.set_xticks([*places, column], [*names, "recognised"], **turned)
    ax.get_xticklabels()[-1].set_color(look.BLUE)
    ax.set_yticks(places, names)
    ax.set(xlim=(-0.5, column + 0.4 / side), ylim=(len(names) - 0.5, -0.5))
    ax.set(xlabel="predicted", ylabel="true class")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    right, total = int(np.trace(counts)), int(counts.sum())
    ax.set_title(f"{right:,} of {total:,} correct ({100 * right / total:.2f} %)")
    return figure


def _counts(predicted: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Return classes × classes counts, row = true class, column = prediction."""
    if predicted.shape != labels.shape or labels.ndim != 1 or not labels.size:
        shapes = f"{shape_of(predicted)} and {shape_of(labels)}"
        raise ValueError(f"predicted and labels must be N class numbers, not {shapes}")
    low, high = (f(f(predicted), f(labels)) for f in (min, max))
    if not 0 <= low <= high < classes:
        raise ValueError(f"class numbers {low} to {high}, but {classes} names")
    counts = np.bincount(labels * classes + predicted, minlength=classes**2)
    return counts.reshape(classes, classes)


def _draw_counts(ax: look.Axes, counts: np.ndarray) -> None:
    wrong = counts * (1 - np.eye(len(counts), dtype=counts.dtype))
    # half of the map: the darkest mistake stays lighter than the diagonal
    ax.imshow(wrong, cmap="Greys", vmin=0, vmax=2.2 * max(1, wrong.max()))
    frame = {"facecolor": "#003E63", "edgecolor": "black", "linewidth": 1.5}
    for row, column in np.ndindex(*counts.shape):
        number = f"{counts[row, column]:,}"
        style = {"color": look.INK, "fontsize": 11}
        if row == column:
            look.rectangle(ax, column - 0.5, row - 0.5, 1, 1, **frame)
            style |= {"color": "white", "fontweight": "bold"}
        if row == column or counts[row, column]:
            ax.text(column, row, number, ha="center", va="center", **style)


@look.styled()
def draw_effects(
    effects: Mapping[str, Sequence[float]],
    title: str,
    xlabel: str = "points",
    published: Mapping[str, float] | None = None,
) -> Figure:
    """Draw paired differences: a bar a seed, the mean, its 95 % interval. Taught in 03.

    Args:
        effects: the differences of one effect, a seed each, by name; drawn from above.
        title: of the figure.
        xlabel: what was subtracted, and its unit.
        published: what others found, a diamond each, for some of the names.

    A full dot: the interval leaves out zero. Raises ValueError if nothing is given.
    """
    if not effects:
        raise ValueError("no effect to draw")
    figure = look.new_figure(9, 1.4 + 0.42 * len(effects))
    ax: look.Axes = figure.subplots()
    ax.axvline(0, color=look.GREY, linewidth=1)
    for name, seeds in effects.items():
        found = interval(seeds)
        ax.plot(seeds, [name] * len(seeds), "|", color=look.GREY, markersize=11)
        face = look.BLUE if found.shows else "white"
        ax.errorbar(
            found.mean, [name], xerr=found.half, fmt="o", color=look.BLUE,
            markerfacecolor=face, markersize=8, capsize=4,
        )  # fmt: skip
    others = published or {}
    ax.plot(
        list(others.values()), list(others), "D", color=look.VERMILION,
        markerfacecolor="none", markeredgewidth=2,
    )  # fmt: skip
    ax.set_title(title)
    ax.set_xlabel(xlabel)
    ax.set_ylim(len(effects) - 0.5, -0.5)  # the first above, half a row of air
    return figure
