"""Pictures in rows that have a name each: images, and maps of them below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from alexnet_lab.plots.images import as_images, scaled, to_numpy
from alexnet_lab.plots.style import ORANGE, SMALL, new_figure, styled, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor


@styled
def labelled_rows(
    rows: Mapping[str, Tensor],
    titles: Sequence[str] | None = None,
    title: str | None = None,
    share: bool = False,
    frames: Mapping[str, Tensor] | None = None,
) -> Figure:
    """Draw rows of pictures, one under the other, the name of each row at its left.

    Every picture fills its own range from black to white, unless `share`; bytes are
    shown as they are. Pictures of a row may be smaller or larger than those of the
    next: all are drawn at one width.

    Args:
        rows: name to N×1×H×W, N×3×H×W or N×H×W; the same N in each row.
        titles: one for each column.
        title: of the figure; by default the names of the rows.
        share: one range for all pictures of a row.
        frames: name of a row to N truth values: these pictures get a thick frame.

    Raises:
        ValueError: no rows, rows of different lengths, other shapes, values that are
            not finite, or the wrong number of titles.
    """
    axis = None if share else (1, 2, 3)
    pictures = {
        name: scaled(as_images(images, f"row {name!r}"), axis)
        for name, images in rows.items()
    }
    count = _common_length(pictures)
    if titles is not None and len(titles) != count:
        raise ValueError(f"{len(titles)} titles for {count} columns")
    heights = [p.shape[1] / p.shape[2] for p in pictures.values()]
    inches = min(1.35, 9.0 / count)  # width of one picture
    top = 0.55 if titles is not None else 0.33
    figure = new_figure(inches * count + 1.3, inches * sum(heights) + top)
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    axes = figure.subplots(
        len(pictures), count, squeeze=False, gridspec_kw={"height_ratios": heights}
    )
    for line, (name, row) in zip(axes, pictures.items(), strict=True):
        marked = (
            to_numpy(frames[name]) if frames and name in frames else [False] * count
        )
        for ax, picture, mark in zip(line, row, marked, strict=True):
            _draw(ax, picture, bool(mark))
        label = {"rotation": 0, "ha": "right", "va": "center", "fontsize": 11}
        line[0].set_ylabel(wrapped(name, 11, 88), **label)
    for ax, text in zip(axes[0], titles or [], strict=False):
        written = wrapped(text, SMALL, inches * 72 - 4)
        ax.set_title(written, fontsize=SMALL, fontweight="normal", loc="center", pad=3)
    figure.suptitle(title or ", ".join(pictures), x=0.01, ha="left")
    return figure


def _common_length(pictures: Mapping[str, np.ndarray]) -> int:
    lengths = {name: len(row) for name, row in pictures.items()}
    if not lengths:
        raise ValueError("there are no rows to draw")
    if len(set(lengths.values())) > 1:
        raise ValueError(f"rows must be equally long, but have {lengths} pictures")
    return next(iter(lengths.values()))


def _draw(ax: Axes, picture: np.ndarray, marked: bool) -> None:
    shown = picture[..., 0] if picture.shape[-1] == 1 else picture
    ax.imshow(shown, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(marked)
    ax.spines[:].set(color=ORANGE, linewidth=4)
