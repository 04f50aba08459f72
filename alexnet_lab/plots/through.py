"""One image on its way through a network: some maps of each layer, in a row each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from alexnet_lab.plots.images import one_image, shape_of, to_numpy
from alexnet_lab.plots.style import SMALL, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor


@styled
def through_layers(
    image: Tensor,
    activations: Mapping[str, Tensor],
    maps: int = 8,
    title: str | None = None,
) -> Figure:
    """Draw the image, then for each layer its most excited maps, or its features.

    A convolutional layer shows the `maps` channels of the largest mean, by falling
    mean, each in its own range with its number above. A fully connected layer shows
    all its features as stripes, side by side, in unit order.

    Args:
        image: C×H×W or 1×C×H×W, to be drawn on top.
        activations: name to 1×C×H×W or 1×F, of this one image.
        maps: channels a layer, at most.
        title: of the figure.

    Raises:
        ValueError: no layers, another shape, more than one image.
    """
    layers = {name: _one(name, values) for name, values in activations.items()}
    if not layers:
        raise ValueError("activations is empty: there is no layer to draw")
    heights = [1.6] + [1.0 if v.ndim == 3 else 0.45 for v in layers.values()]
    figure = new_figure(9.4, 1.02 * sum(heights) + 0.7)
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.02, wspace=0, hspace=0)
    grid = figure.add_gridspec(len(heights), maps, height_ratios=heights)
    ax = figure.add_subplot(grid[0, :2])
    ax.imshow(one_image(image), cmap="gray", vmin=0, vmax=1)
    ax.set_anchor("W")
    _bare(ax, "image")
    for line, (name, values) in enumerate(layers.items(), start=1):
        if values.ndim == 1:
            ax = figure.add_subplot(grid[line, :])
            ax.imshow(values[None], cmap="gray", aspect="auto", interpolation="nearest")
            _bare(ax, f"{name}\n{len(values)}")
            continue
        order = np.argsort(-values.mean(axis=(1, 2)), kind="stable")[:maps]
        for column, channel in enumerate(order):
            ax = figure.add_subplot(grid[line, column])
            ax.imshow(values[channel], cmap="gray", interpolation="nearest")
            _bare(ax, f"{name}\n{shape_of(values)}" if column == 0 else "")
            ax.set_title(str(channel), fontsize=SMALL, fontweight="normal", pad=2)
    figure.suptitle(title or "One image, layer by layer", x=0.01, ha="left")
    return figure


def _one(name: str, values: Tensor) -> np.ndarray:
    array = to_numpy(values)
    if array.ndim not in (2, 4) or len(array) != 1 or not np.isfinite(array).all():
        raise ValueError(
            f"{name} must be finite, 1×C×H×W or 1×F, of one image; "
            f"got {shape_of(array)}"
        )
    return array[0]


def _bare(ax: Axes, label: str) -> None:
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    at = {"rotation": 0, "ha": "right", "va": "center", "fontsize": SMALL}
    ax.set_ylabel(label, **at)
