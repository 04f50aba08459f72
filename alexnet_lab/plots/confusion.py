"""The confusion matrix: which class is taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from alexnet_lab.plots.images import shape_of, to_numpy
from alexnet_lab.plots.style import BLUE, INK, new_figure, styled, text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@styled
def confusion_matrix(
    matrix: Any, classes: Sequence[str], title: str | None = None
) -> Figure:
    """Draw how often each class was taken for each other.

    The diagonal, what is right, is framed and dark with white figures; elsewhere the
    shade grows with the number of mistakes. At the right stands the share of each class
    that was recognised.

    Args:
        matrix: K×K counts, row = true class, column = prediction; or the tuple
            `(predicted, labels)` of two tensors of N class numbers.
        classes: the K names.
        title: by default, the number of correct images.

    Raises:
        ValueError: if the sizes don't agree.
    """
    counts = _counts(matrix, len(classes))
    total, right = int(counts.sum()), int(np.trace(counts))
    side = max(0.62, 1.8 / len(classes))  # of a cell, in inches
    figure = new_figure(side * len(classes) + 3.2, side * len(classes) + 1.7)
    ax = figure.subplots()
    column = len(classes) - 0.1 + 0.4 / side  # where the shares stand
    _draw_counts(ax, counts, column)
    names = [*map(str, classes), "recognised"]
    places = range(len(classes))
    long = max(text_width(name, 11) for name in names[:-1]) > side * 72 - 6
    turned = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if long else {}
    ax.set_xticks([*places, column], names, **turned)
    ax.get_xticklabels()[-1].set_color(BLUE)
    ax.set_yticks(places, names[:-1])
    ax.set(xlim=(-0.5, column + 0.4 / side), ylim=(len(classes) - 0.5, -0.5))
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set(xlabel="predicted", ylabel="true class")
    share = f" ({right / total:.2%})".replace("%", " %") if total else ""
    ax.set_title(title or f"{right:,} of {total:,} correct{share}")
    return figure


def _counts(matrix: Any, classes: int) -> np.ndarray:
    """Return the K×K counts that `confusion_matrix` was given or can count."""
    if isinstance(matrix, tuple):
        if len(matrix) != 2:
            raise ValueError(f"give (predicted, labels), not {len(matrix)} things")
        predicted, labels = (to_numpy(part) for part in matrix)
        if predicted.shape != labels.shape or labels.ndim != 1:
            raise ValueError(
                "predicted and labels must be one class number an image, both N: "
                f"got {shape_of(predicted)} and {shape_of(labels)}"
            )
        counts = np.zeros((classes, classes), dtype=np.int64)
        both = np.concatenate([predicted, labels]).astype(np.int64)
        if both.size and not 0 <= both.min() <= both.max() < classes:
            raise ValueError(
                f"class numbers {both.min()} to {both.max()}, but {classes} names"
            )
        np.add.at(counts, (labels.astype(np.int64), predicted.astype(np.int64)), 1)
        return counts
    counts = to_numpy(matrix)
    if counts.shape != (classes, classes):
        raise ValueError(
            f"{classes} classes want a {classes}×{classes} matrix, "
            f"not {shape_of(counts)}"
        )
    return counts.astype(np.int64)


def _draw_counts(ax: Axes, counts: np.ndarray, column_of_shares: float) -> None:
    from matplotlib.patches import Rectangle

    wrong = counts * (1 - np.eye(len(counts), dtype=counts.dtype))
    # half of the map: the darkest mistake stays lighter than the diagonal
    ax.imshow(wrong, cmap="Greys", vmin=0, vmax=2.2 * max(1, wrong.max()))
    for row, column in np.ndindex(*counts.shape):
        right, number = row == column, int(counts[row, column])
        if right:
            frame = {"facecolor": "#003E63", "edgecolor": "black", "linewidth": 1.5}
            ax.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, **frame))
        if right or number:
            written = f"{number:,}"
            ax.text(
                column,
                row,
                written,
                ha="center",
                va="center",
                fontsize=11 if len(written) < 6 else 10,
                color="white" if right else INK,
                fontweight="bold" if right else "normal",
            )
    for row, number in enumerate(counts.sum(axis=1)):
        if number:
            share = f"{100 * counts[row, row] / number:.1f} %"
            at = {"ha": "center", "va": "center", "color": BLUE}
            ax.text(column_of_shares, row, share, **at)
