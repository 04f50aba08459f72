"""Drawings of whole networks, made from the nn.Sequential itself.

A drawing runs no network and reads no weights: names and kernels come from the layers,
sizes from the ledger. One pixel of a feature map has the same height everywhere in a
drawing, so that networks drawn together can be compared by eye.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import nn

from alexnet_lab.arithmetic.accounting import Row, ledger, named_layers
from alexnet_lab.plots.network_layout import FONT, LINE, PAD, Block, fit
from alexnet_lab.plots.network_pen import SOFT, Pen
from alexnet_lab.plots.style import new_figure, styled, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CAPTION = (
    "Height and depth: pixels, to scale; the dark window is the kernel. "
    "Width: √channels. Height of a bar: √units.\n"
    "Solid lines: a kernel sums over the channels it sees. "
    "Dashed lines: a pool takes each channel by itself."
)


def draw_network(
    net: nn.Sequential,
    input_shape: Sequence[int],
    *,
    name: str | None = None,
    ax: Axes | None = None,
    size: tuple[float, float] = (12.0, 4.0),
    caption: bool = True,
) -> Figure:
    """Draw a network: blocks to scale, sizes written on, towers in two lanes.

    Args:
        net: sequential network of convolutions, pools and linear layers.
        input_shape: (channels, height, width) of one image.
        name: title; the totals of parameters and multiply-accumulates follow it.
        ax: axes to draw in, text shrinking with it; a figure of its own by default.
        size: most inches the drawing may take, width and height. The figure is cut to
            what the drawing needs.
        caption: write below what heights, widths and lines mean.

    Returns:
        The figure.

    Raises:
        ValueError: a layer does not fit, or the network is too long for the size.
    """
    networks = [(name or "", net, input_shape)]
    return draw_networks(networks, ax=ax, size=size, caption=caption)


@styled
def draw_networks(
    networks: Sequence[tuple[str, nn.Sequential, Sequence[int]]],
    *,
    ax: Axes | None = None,
    size: tuple[float, float] = (12.0, 6.0),
    caption: bool = True,
) -> Figure:
    """Draw several networks, one below the other, all at the same scale.

    Args:
        networks: (name, net, input_shape) of each.
        ax, size, caption: as for `draw_network`.

    Returns:
        The figure.

    Raises:
        ValueError: as for `draw_network`, or no networks.
    """
    if not networks:
        raise ValueError(
            "networks is empty: give at least one (name, net, input_shape)"
        )
    read = [
        (network_blocks(net, shape), _title(name, net, shape))
        for name, net, shape in networks
    ]
    broad = min(size[0], 9.0)  # inches for the caption
    words = _caption(broad) if caption else ""
    foot = LINE * (words.count("\n") + 1) + 0.12 if caption else 0.05
    rows = fit(read, size[0], size[1] - foot)
    width = max(broad if caption else 0, *(row.width for row in rows))
    height = sum(row.height for row in rows) + foot
    ax, zoom = _canvas(ax, width, height)
    top = height
    for row in rows:
        Pen(ax, zoom, row, top).draw()
        top -= row.height
    if caption:
        style = {"fontsize": FONT * zoom, "color": SOFT, "gid": "caption"}
        ax.text(PAD, 0.06, words, va="bottom", linespacing=1.25, **style)
    return ax.figure


def _title(name: str, net: nn.Sequential, input_shape: Sequence[int]) -> tuple:
    """Give the two lines of a network's title: its name and its totals."""
    led = ledger(net, tuple(input_shape))
    parameters = f"{led.total_parameters:,} parameters"
    return name, f"{parameters}, {led.total_macs:,} multiply-accumulates"


def _caption(inches: float) -> str:
    """Wrap the caption; 68 points an inch leave room for what hinting adds."""
    broad = 68 * (inches - 2 * PAD)
    return "\n".join(wrapped(line, FONT, broad) for line in CAPTION.split("\n"))


def network_blocks(net: nn.Sequential, input_shape: Sequence[int]) -> list[Block]:
    """List what a drawing shows: input, convolutions, pools and linear layers.

    Layers that keep the size (activations, normalisations, dropout) and padding become
    notes of the block before them. Feature maps on either side of a convolution with
    groups=2, and pools of such maps, have two lanes.

    Args:
        net: sequential network of any depth of nesting.
        input_shape: (channels, height, width) of one image.

    Returns:
        Blocks in the order of execution, the input first.

    Raises:
        ValueError: a layer does not fit (from the ledger); not the shape of an image.
    """
    if len(input_shape) not in (1, 3):
        raise ValueError(
            f"input_shape must be (channels, height, width), not {tuple(input_shape)}"
        )
    blocks, flattened = [Block("input", tuple(input_shape), "input")], None
    rows = ledger(net, tuple(input_shape)).rows
    for row, (_, layer) in zip(rows, named_layers(net), strict=True):
        if isinstance(layer, nn.Flatten):
            flattened = row.output_shape[0]
        elif _is_block(layer, row):
            block = _block(layer, row)
            if flattened:
                block.operation, block.detail = "flatten", f"{flattened:,}"
            blocks.append(block)
            flattened = None
        elif note := _note(layer):
            blocks[-1].notes.append(note)
    _assign_lanes(blocks)
    return blocks


def _is_block(layer: nn.Module, row: Row) -> bool:
    """Tell whether a layer makes a block: a convolution, a pool or a linear layer."""
    if "Pad" in type(layer).__name__:
        return False
    weighs = hasattr(layer, "in_channels") or isinstance(layer, nn.Linear)
    return weighs or row.input_shape != row.output_shape


def _block(layer: nn.Module, row: Row) -> Block:
    """Describe the block that a layer makes."""
    if len(row.output_shape) == 1:
        return Block(row.name, row.output_shape, "dense")
    kind = "conv" if hasattr(layer, "in_channels") else "pool"
    block = Block(row.name, row.output_shape, kind)
    if row.window:
        down, across = row.window
        block.kernel, stride = (down.size, across.size), down.jump
        block.operation = f"{down.size}×{across.size}"
        block.operation += f" /{stride}" if stride > 1 < row.output_shape[1] else ""
    if kind == "pool":
        names = {"Avg": "average", "Max": "max"}
        block.detail = next((n for k, n in names.items() if k in str(layer)), "")
        return block
    padding = getattr(layer, "padding", 0)
    padding = padding[0] if isinstance(padding, tuple) else padding
    block.detail = f"pad {padding}" if padding else ""
    block.groups = getattr(layer, "groups", 1)
    if block.groups > 2:  # two groups are drawn as two lanes
        block.detail = f"{block.detail} {block.groups} groups".strip()
    return block


def _note(layer: nn.Module) -> str:
    """Name a layer that is not drawn; nothing for one that does nothing."""
    if isinstance(layer, nn.AdaptiveAvgPool2d):
        return "average"
    short = {"LocalResponseNorm": "LRN", "Identity": "", "ZeroPad2d": "zero pad"}
    name = type(layer).__name__
    for family in ("Dropout", "BatchNorm"):
        name = family if name.startswith(family) else name
    return short.get(name, name.lower() if name == "Dropout" else name)


def _assign_lanes(blocks: list[Block]) -> None:
    """Give two lanes to the maps on either side of a convolution with groups=2."""
    maps = [block for block in blocks[1:] if block.kind != "dense"]
    for i, block in enumerate(maps):
        following = next((b for b in maps[i + 1 :] if b.kind == "conv"), None)
        pooled = block.kind == "pool" and i > 0 and maps[i - 1].lanes == 2
        feeds = following is not None and following.groups == 2
        if (block.groups == 2 or feeds or pooled) and block.shape[0] % 2 == 0:
            block.lanes = 2


def _canvas(ax: Axes | None, width: float, height: float) -> tuple[Axes, float]:
    """Prepare axes with an inch of the drawing as unit; return the text's zoom, too."""
    if ax is None:
        figure = new_figure(width, height)
        figure.set_layout_engine("none")
        ax = figure.add_axes((0, 0, 1, 1))
    box = ax.get_window_extent()
    dpi = ax.figure.dpi
    zoom = min(box.width / dpi / width, box.height / dpi / height)
    ax.set(xlim=(0, width), ylim=(0, height), aspect="equal")
    ax.axis("off")
    return ax, zoom
