"""Grids of images, filters and feature maps.

Every picture is drawn from a copy: no tensor that is handed in is changed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from alexnet_lab.plots.style import (
    MINUS,
    SMALL,
    new_figure,
    styled,
    text_width,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor

_GAP = 0.08  # between images, as a part of an image's width


@styled
def image_grid(
    images: Tensor,
    titles: Sequence[str] | None = None,
    columns: int = 8,
    cmap: str = "gray",
    title: str | None = None,
) -> Figure:
    """Draw a batch of images in rows of `columns`.

    Args:
        images: N×1×H×W, N×3×H×W or N×H×W; uint8 (0 to 255), or any other type, which
            is scaled to 0…1 by the least and the greatest value of the whole batch.
            N×H×W is N grey images: write `image[None]` for a single colour image.
        titles: one for each image; long ones are broken into lines that fit.
        columns: images a row.
        cmap: Matplotlib's colour map for images of one channel.
        title: of the figure; by default it says how many images there are.

    Raises:
        ValueError: for another shape, no images, values that aren't finite, or the
            wrong number of titles.
    """
    array = scaled(as_images(images))
    if titles is not None and len(titles) != len(array):
        raise ValueError(f"{len(titles)} titles for {len(array)} images")
    title = title or (f"{len(array):,} images" if len(array) > 1 else "1 image")
    figure, _ = _grid(array, titles, columns, cmap, title)
    return figure


@styled
def filters(
    weight: Tensor,
    columns: int = 16,
    channel: int | None = None,
    title: str | None = None,
) -> Figure:
    """Draw the filters of a convolution, all on one scale, from a copy of `weight`.

    Filters that read three channels are shown in colour, others one input channel at
    a time, in grey. Zero is middle grey; the greatest magnitude is black or white.

    Args:
        weight: out_channels × in_channels × height × width.
        columns: filters a row.
        channel: the input channel to show; needed unless there are 1 or 3.
        title: of the figure; by default the shape and the scale.

    Raises:
        ValueError: if `weight` doesn't have four dimensions or `channel` isn't one.
    """
    array = to_numpy(weight)
    if array.ndim != 4:
        raise ValueError(
            f"filters wants a convolution's weight, N×C×H×W, not {shape_of(array)}"
        )
    count, channels, height, width = array.shape
    if channel is None and channels not in (1, 3):
        raise ValueError(
            f"each filter reads {channels} channels: say which one to show, "
            f"channel=0 to {channels - 1}"
        )
    if channel is not None and not 0 <= channel < channels:
        raise ValueError(f"channel={channel}: there are 0 to {channels - 1}")
    words = f"{count} filters {channels}×{height}×{width}"
    if channel is not None:
        array, words = array[:, [channel]], f"{words}, input channel {channel}"
    bound = float(np.abs(_finite(array)).max()) or 1.0
    shown = np.moveaxis(array / (2 * bound) + 0.5, 1, -1)
    title = title or f"{words}: black {MINUS}{bound:.2g}, white +{bound:.2g}"
    figure, _ = _grid(shown, None, columns, "gray", title)
    return figure


@styled
def feature_maps(
    activation: Tensor,
    columns: int = 8,
    limit: int = 32,
    cmap: str = "gray",
    title: str | None = None,
) -> Figure:
    """Draw what a layer makes of one image: each channel's map, numbered, on one scale.

    Args:
        activation: C×H×W, or 1×C×H×W.
        columns: maps a row.
        limit: draw only the first so many channels.
        cmap: Matplotlib's colour map.
        title: of the figure; by default the shape.

    Raises:
        ValueError: for another shape, or more than one image.
    """
    array = to_numpy(activation)
    if array.ndim == 4 and array.shape[0] == 1:
        array = array[0]
    if array.ndim != 3:
        raise ValueError(
            "feature_maps wants the maps of one image, C×H×W or 1×C×H×W, "
            f"not {shape_of(array)}"
        )
    part = _finite(array[:limit])
    words = f"Feature maps {shape_of(array)}"
    if len(part) < len(array):
        words += f", the first {len(part)}"
    low, high = float(part.min()), float(part.max())
    numbers = [str(channel) for channel in range(len(part))]
    figure, ax = _grid(scaled(part[..., None]), numbers, columns, cmap, title or words)
    _scale_bar(figure, ax, cmap, low, high)
    return figure


def _grid(
    array: np.ndarray,
    titles: Sequence[str] | None,
    columns: int,
    cmap: str,
    title: str,
) -> tuple[Figure, Axes]:
    """Draw N×H×W×C values from 0 to 1 (C = 1 or 3) in rows, on one pair of axes."""
    if columns < 1:
        raise ValueError(f"columns={columns}: at least 1")
    count, height, width, channels = array.shape
    columns = min(columns, count)
    rows = math.ceil(count / columns)
    inches = min(10.0, max(4.5, 1.3 * columns)) / (columns * (1 + _GAP))
    inches = min(inches, 3.0)  # width of one image
    texts, size = _fit(titles, inches * 72)
    lines = max((text.count("\n") + 1 for text in texts), default=0)
    high = height / width
    head = lines * size * 1.25 / 72 / inches + (0.06 if lines else 0)
    pitch = high + head + _GAP
    page = max(columns * (1 + _GAP) * inches + 0.3, text_width(title, 14.5) / 72 + 0.3)
    figure = new_figure(page, rows * pitch * inches + 0.55)
    ax = figure.subplots()
    shown = array[..., 0] if channels == 1 else array
    for number, image in enumerate(shown):
        row, column = divmod(number, columns)
        x, y = column * (1 + _GAP), row * pitch + head
        box = (x, x + 1, y + high, y)
        ax.imshow(image, cmap=cmap, vmin=0, vmax=1, extent=box, interpolation="nearest")
        if texts:
            at = {"ha": "center", "va": "bottom", "fontsize": size, "linespacing": 1.1}
            ax.text(x + 0.5, y - 0.03, texts[number], **at)
    ax.set(xlim=(0, columns * (1 + _GAP) - _GAP), ylim=(rows * pitch, 0))
    ax.set_aspect("equal", anchor="NW")
    ax.set_axis_off()
    ax.set_title(title, loc="left")
    return figure, ax


def _fit(titles: Sequence[str] | None, width: float) -> tuple[list[str], float]:
    """Return titles broken into lines of `width` points, and the size to write them.

    The largest size of 12, 11 and 10.5 at which none needs more than two lines.
    """
    if titles is None:
        return [], SMALL
    for size in (12, 11, SMALL):
        texts = [wrapped(title, size, width) for title in titles]
        if all(text.count("\n") < 2 and "…" not in text for text in texts):
            break
    return texts, size


def _scale_bar(figure: Figure, ax: Axes, cmap: str, low: float, high: float) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    scale = ScalarMappable(Normalize(low, high if high > low else low + 1), cmap)
    bar = figure.colorbar(scale, ax=ax, shrink=0.8, aspect=25, pad=0.02)
    bar.set_label("activation")
    bar.outline.set_visible(False)


def as_images(images: Tensor, what: str = "images") -> np.ndarray:
    """Return images as N×H×W×C, C = 1 or 3; `what` is named in an error."""
    array = to_numpy(images)
    if array.ndim == 3:
        array = array[:, None]
    if array.ndim != 4 or array.shape[1] not in (1, 3) or 0 in array.shape:
        raise ValueError(
            f"{what} must be N×1×H×W, N×3×H×W or N×H×W, with at least one image; "
            f"got {shape_of(array)}"
        )
    return np.moveaxis(array, 1, -1)


def one_image(image: Tensor) -> np.ndarray:
    """Return one image as H×W (grey) or H×W×3, values from 0 to 1, on a copy.

    Raises:
        ValueError: unless it is C×H×W, 1×C×H×W or H×W, with C = 1 or 3.
    """
    array = to_numpy(image)
    array = array[0] if array.ndim == 4 and len(array) == 1 else array
    array = array[None] if array.ndim == 2 else array
    if array.ndim != 3 or len(array) not in (1, 3):
        raise ValueError(
            f"one image is C×H×W, 1×C×H×W or H×W, C = 1 or 3; got {shape_of(array)}"
        )
    array = scaled(np.moveaxis(array, 0, -1))
    return array[..., 0] if array.shape[-1] == 1 else array


def scaled(array: np.ndarray, axis: tuple[int, ...] | None = None) -> np.ndarray:
    """Return a copy with values from 0 to 1: uint8 by 255, others by their range.

    The range is that of all values, or along `axis`, as in (1, 2, 3) for each image.
    """
    if array.dtype == np.uint8:
        return array / np.float32(255)
    values = _finite(array.astype(np.float32))
    low, high = (f(axis=axis, keepdims=True) for f in (values.min, values.max))
    return (values - low) / np.where(high > low, high - low, 1)


def _finite(array: np.ndarray) -> np.ndarray:
    wrong = int((~np.isfinite(array)).sum())
    if wrong:
        raise ValueError(f"{wrong:,} of {array.size:,} values are NaN or infinite")
    return array


def to_numpy(values: Any) -> np.ndarray:
    """Return tensor, array or list as a NumPy array; drawing never writes into it."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        if values.is_floating_point():
            values = values.float()  # NumPy knows no bfloat16
        return values.numpy()
    return np.asarray(values)


def shape_of(array: np.ndarray) -> str:
    """Return a shape as `N×C×H×W`, for messages and titles."""
    return "×".join(map(str, array.shape)) or "a single number"
