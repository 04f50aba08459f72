"""Grids of images, filters and maps, drawn from copies of the tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from alexnet_lab.plots import style as look

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

GAP = 0.08  # between pictures, as a part of a picture's width
SIZE, NAME = 11, 1.25  # points of names and titles; inches for the name of a row


class Line(NamedTuple):
    """Pictures side by side, N×H×W×C from 0 to 1, and what is written at them."""

    pictures: np.ndarray
    titles: Sequence[str] = ()
    name: str = ""
    framed: Sequence[bool] | np.ndarray = ()


@look.styled()
def image_grid(
    images: Tensor,
    titles: Sequence[str] | None = None,
    columns: int = 8,
    cmap: str = "gray",
    title: str | None = None,
) -> Figure:
    """Draw a batch of images in rows of `columns`.

    `images` are N×1×H×W, N×3×H×W or N×H×W; bytes, or any other type, which is scaled by
    the least and the greatest value of the whole batch. `titles`, one for each image,
    are broken into lines that fit; `cmap` is Matplotlib's colour map for one channel;
    `title` is the figure's, by default the number of images. ValueError for another
    shape, values that aren't finite, or too few titles.
    """
    array = as_images(images, "images")
    if titles is not None and len(titles) != len(array):
        raise ValueError(f"{len(titles)} titles for {len(array)} images")
    titles, starts = titles or (), range(0, len(array), columns)
    lines = [Line(array[i : i + columns], titles[i : i + columns]) for i in starts]
    return _draw(lines, title or f"Images: {len(array):,}", cmap)


@look.styled()
def labelled_rows(
    rows: Mapping[str, Tensor],
    titles: Sequence[str] | None = None,
    title: str | None = None,
    frames: Mapping[str, Tensor] | None = None,
) -> Figure:
    """Draw rows of pictures, one under the other, the name of each row at its left.

    Every picture fills its own range from black to white; bytes are shown as they are.
    `rows` are images as in `image_grid`, the same number in each row, `titles` those of
    the columns, `title` that of the figure (by default, the names of the rows).
    `frames` gives rows N truth values each: where true, a picture gets a thick frame.
    Errors are those of `image_grid`, and a ValueError for rows of different lengths.
    """
    pictures = {n: as_images(row, f"row {n!r}", (1, 2, 3)) for n, row in rows.items()}
    lengths = {name: len(row) for name, row in pictures.items()}
    if len(set(lengths.values())) != 1:
        raise ValueError(f"rows must be equally long, and not none: got {lengths}")
    count = max(lengths.values())
    if titles is not None and len(titles) != count:
        raise ValueError(f"{len(titles)} titles for {count} columns")
    lines: list[Line] = []
    for name, row in pictures.items():
        framed = to_numpy((frames or {}).get(name, ()))
        lines.append(Line(row, () if lines else titles or (), name, framed))
    return _draw(lines, title or ", ".join(pictures))


def _draw(lines: list[Line], title: str, cmap: str = "gray") -> Figure:
    """Draw lines of pictures on one pair of axes, a picture's width as unit."""
    columns = len(lines[0].pictures)
    inches = min(2.0 if columns < 4 else 1.3, 9.3 / columns)
    left = -NAME / inches if lines[0].name else 0.0
    right = columns * (1 + GAP) - GAP
    figure = look.new_figure(1, 1)
    ax: Any = figure.subplots()
    y, options = 0.0, {"vmin": 0, "vmax": 1, "interpolation": "nearest"}
    above = {"ha": "center", "va": "bottom", "linespacing": 1.1, "fontsize": SIZE}
    beside = {"ha": "right", "va": "center", "fontsize": SIZE}
    frame = {"facecolor": "none", "edgecolor": look.ORANGE, "linewidth": 4}
    for line in lines:
        texts = [look.wrapped(text, SIZE, inches * 72) for text in line.titles]
        rows = max((text.count("\n") + 1 for text in texts), default=0)
        y += (rows * SIZE * 1.25 + 4) / 72 / inches if rows else 0
        high = line.pictures.shape[1] / line.pictures.shape[2]
        places = [column * (1 + GAP) for column in range(len(line.pictures))]
        for x, picture in zip(places, line.pictures, strict=True):
            shown = picture[..., 0] if picture.shape[-1] == 1 else picture
            ax.imshow(shown, cmap, extent=(x, x + 1, y + high, y), **options)
        for marked in np.flatnonzero(line.framed):
            look.rectangle(ax, places[marked], y, 1, high, **frame)
        for x, text in zip(places, texts, strict=False):
            ax.text(x + 0.5, y - 0.03, text, **above)
        name = look.wrapped(line.name, SIZE, 72 * NAME - 6)
        ax.text(-0.06, y + high / 2, name, **beside)
        y += high + GAP
    ax.set(xlim=(left, right), ylim=(y, 0))
    ax.set_aspect("equal", anchor="NW")
    ax.set_axis_off()
    ax.set_title(title, loc="left")
    width = max((right - left) * inches, look.text_width(title, 14.5) / 72) + 0.3
    figure.set_size_inches(width, y * inches + 0.55)
    return figure


def as_images(
    images: Any, what: str, axis: tuple[int, ...] | None = None
) -> np.ndarray:
    """Return images as N×H×W×C, C = 1 or 3, values from 0 to 1; a copy.

    Bytes are divided by 255, other types scaled by the range of all values, or along
    `axis`, as in (1, 2, 3) for each image. `what` is named in an error.
    """
    array = to_numpy(images)
    if array.ndim == 3:
        array = array[:, None]
    if array.ndim != 4 or array.shape[1] not in (1, 3) or 0 in array.shape:
        shapes = "N×1×H×W, N×3×H×W or N×H×W, with at least one image"
        raise ValueError(f"{what} must be {shapes}; got {shape_of(array)}")
    array = np.moveaxis(array, 1, -1)
    if array.dtype == np.uint8:
        return array / np.float32(255)
    values = array.astype(np.float32)
    wrong = int((~np.isfinite(values)).sum())
    if wrong:
        raise ValueError(f"{wrong:,} of {array.size:,} values are NaN or infinite")
    low, high = (f(axis=axis, keepdims=True) for f in (values.min, values.max))
    return (values - low) / np.where(high > low, high - low, 1)


def to_numpy(values: Any) -> np.ndarray:
    """Return a tensor or a list as a NumPy array; drawing never writes into it."""
    tensor = torch.as_tensor(values).detach().cpu()
    if tensor.is_floating_point():
        tensor = tensor.float()  # NumPy knows no bfloat16
    return tensor.numpy()


def shape_of(array: np.ndarray) -> str:
    """Return a shape as `N×C×H×W`, for messages and titles."""
    return "×".join(map(str, array.shape)) or "a single number"
