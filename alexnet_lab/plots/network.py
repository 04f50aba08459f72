"""Drawings of whole networks, made from the nn.Sequential itself.

A drawing runs no network and reads no weights: names and kernels come from the layers,
sizes from the ledger. One pixel of a feature map has the same height everywhere in a
drawing, so that networks drawn together can be compared by eye.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torch import nn

from alexnet_lab.accounting import ledger

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CAPTION = (
    "Height of a block: its rows of pixels, to scale; width: √channels. Bar: √units, the "
    "side of a square map with as many numbers.\nSmall dark window: the kernel, to scale. "
    "Solid lines: sums over channels. Dashed lines: pooling, each channel by itself."
)

# Lengths in pixels of a feature map.
_DEPTH = (0.40, 0.25)  # where one pixel of depth goes: right and up
_CHANNEL = 2.0  # width of a block of one channel; n channels are √n as wide
# Lengths in inches.
_BAR, _GAP, _PAD, _LINE = 0.06, 0.34, 0.09, 0.145
_FONT = 8.5  # points
_KINDS = {  # front, top, side: they differ in lightness, not in hue alone
    "input": ("#ffffff", "#f4f4f4", "#e2e2e2"),
    "conv": ("#8fb8de", "#c4dcf1", "#5f8fbd"),
    "pool": ("#e3edf7", "#f3f8fc", "#bed3e8"),
    "dense": ("#37474f", "#37474f", "#37474f"),
}


@dataclass
class Block:
    """One drawn layer: a feature map, or a bar of units."""

    name: str
    shape: tuple[int, ...]
    kind: str
    operation: str = ""
    detail: str = ""
    kernel: tuple[int, int] | None = None
    groups: int = 1
    lanes: int = 1
    notes: list[str] = field(default_factory=list)

    @property
    def size(self) -> str:
        """Output size as written on the drawing, for example 96×55×55."""
        return "×".join(str(n) for n in self.shape)


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
        ValueError: a layer does not fit (from the ledger).
    """
    blocks = [Block("input", tuple(input_shape), "input")]
    before, flattened = tuple(input_shape), None
    for row in ledger(net, tuple(input_shape)).rows:
        layer, shape = net.get_submodule(row.name), tuple(row.output_shape)
        if isinstance(layer, nn.Flatten):
            flattened = shape[0]
        elif _is_block(layer, before, shape):
            block = _block(row.name, layer, shape)
            if flattened:
                block.operation, block.detail = "flatten", f"{flattened:,}"
            blocks.append(block)
            flattened = None
        elif note := _note(layer):
            blocks[-1].notes.append(note)
        before = shape
    _assign_lanes(blocks)
    return blocks


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


def draw_networks(
    networks: Sequence[tuple[str, nn.Sequential, Sequence[int]]],
    *,
    ax: Axes | None = None,
    size: tuple[float, float] = (12.0, 5.5),
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
    totals = [ledger(net, tuple(shape)) for _, net, shape in networks]
    titles = [
        (
            name,
            f"{t.total_parameters:,} parameters, {t.total_macs:,} multiply-accumulates",
        )
        for (name, _, _), t in zip(networks, totals, strict=True)
    ]
    lists = [network_blocks(net, shape) for _, net, shape in networks]
    room = size[1] - (0.45 if caption else 0.05)
    rows = _fit([list(pair) for pair in zip(lists, titles, strict=True)], size[0], room)
    width = max(row.width for row in rows)
    height = sum(row.height for row in rows) + (0.45 if caption else 0.05)
    ax, zoom = _canvas(ax, width, height)
    top = height
    for row in rows:
        _Pen(ax, zoom, row, top).draw()
        top -= row.height
    if caption:
        style = {"fontsize": 7.5 * zoom, "color": "#444444", "gid": "caption"}
        ax.text(_PAD, 0.06, CAPTION, va="bottom", linespacing=1.25, **style)
    return ax.figure


# ------------------------------------------------------------ reading the network


def _is_block(layer: nn.Module, before: tuple, after: tuple) -> bool:
    """Tell whether a layer makes a block: it has a kernel or changes the size."""
    if "Pad" in type(layer).__name__:
        return False
    if hasattr(layer, "kernel_size") or isinstance(layer, nn.Linear):
        return True
    return before != after


def _block(name: str, layer: nn.Module, shape: tuple[int, ...]) -> Block:
    """Describe the block that a layer makes."""
    if len(shape) == 1:
        return Block(name, shape, "dense")
    pool = "Pool" in type(layer).__name__ or not hasattr(layer, "out_channels")
    block = Block(name, shape, "pool" if pool else "conv")
    block.groups = getattr(layer, "groups", 1)
    if hasattr(layer, "kernel_size"):
        block.kernel = _two(layer.kernel_size)
        stride, padding = _two(layer.stride), _two(getattr(layer, "padding", 0))
        block.operation = f"{block.kernel[0]}×{block.kernel[1]}"
        block.operation += f" /{stride[0]}" if stride[0] != 1 else ""
        block.detail = f"pad {padding[0]}" if padding[0] else ""
    if pool:
        average = "Avg" in type(layer).__name__
        maximum = "Max" in type(layer).__name__
        block.detail = "average" if average else "max" if maximum else block.detail
    if block.groups > 1:
        block.detail = f"{block.detail} {block.groups} groups".strip()
    return block


def _two(value: int | str | Sequence[int]) -> tuple[int | str, int | str]:
    """Give a layer's argument for rows and columns."""
    return (value, value) if isinstance(value, int | str) else tuple(value)[:2]


def _note(layer: nn.Module) -> str:
    """Name a layer that is not drawn; nothing for one that does nothing."""
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


# ------------------------------------------------------------ placing the blocks


@dataclass
class _Row:
    """One network, placed: x and y of the blocks in inches, 0 the row's middle line."""

    blocks: list[Block]
    title: tuple[str, str]
    scale: float  # inches a pixel
    lefts: list[float] = field(default_factory=list)

    def face(self, block: Block) -> tuple[float, float]:
        """Width and height of one lane's front face."""
        if len(block.shape) == 1:
            return _BAR, max(block.shape[0] ** 0.5 * self.scale, 0.02)
        width = _CHANNEL * (block.shape[0] / block.lanes) ** 0.5 * self.scale
        return width, block.shape[1] * self.scale

    def depth(self, block: Block) -> tuple[float, float]:
        """How far a block's back is to the right of and above its front."""
        columns = block.shape[2] if len(block.shape) == 3 else 0
        return columns * _DEPTH[0] * self.scale, columns * _DEPTH[1] * self.scale

    def body(self, block: Block) -> tuple[float, float]:
        """Width and height of one lane with its depth."""
        face, depth = self.face(block), self.depth(block)
        return face[0] + depth[0], face[1] + depth[1]

    def place(self) -> None:
        """Set the x of every block so that neither blocks nor labels touch."""
        lanes = [b for b in self.blocks if b.lanes == 2]
        self.lane = max((self.body(b)[1] for b in lanes), default=0) / 2 + 0.05
        spread = [
            self.body(b)[1] / 2 + (self.lane if b.lanes == 2 else 0)
            for b in self.blocks
        ]
        self.above = max(spread[1:], default=0) + 0.06
        top = max(self.above + 2 * _LINE, spread[0]) + 0.05
        # A title stands beside a tall input, or above a small one.
        self.top = max(top, self.above + 4.6 * _LINE)
        self.label_y = -max(spread[1:], default=0) - 0.05
        self.input_y = -spread[0] - 0.05
        self.bottom = min(self.label_y - 3 * _LINE, self.input_y - 3 * _LINE) - 0.04
        self.lefts = [
            max(_PAD, _PAD + (self.under(0) - self.body(self.blocks[0])[0]) / 2)
        ]
        for i in range(1, len(self.blocks)):
            self.lefts.append(self._next_left(i, spread))

    def _next_left(self, i: int, spread: list[float]) -> float:
        """Least x of block i that keeps it and its labels clear of what is before it."""
        right, over = self.right(i - 1), self.over(i)
        left = right + _GAP
        half = self.body(self.blocks[i])[0] / 2
        if i > 1:
            apart = (self.under(i - 1) + self.under(i)) / 2 + _PAD
            left = max(left, self.middle(i - 1) + apart - half)
            apart = (self.over(i - 1) + over) / 2 + _PAD
            before = (self.right(i - 2) + self.lefts[i - 1]) / 2
            left = max(left, 2 * (before + apart) - right)
        elif spread[0] > self.above:  # the label stands beside the input, not over it
            left = max(left, right + over + 2 * _PAD)
        return left

    def right(self, i: int) -> float:
        """Right end of block i."""
        return self.lefts[i] + self.body(self.blocks[i])[0]

    def middle(self, i: int) -> float:
        """Middle of block i, where its label stands."""
        return self.lefts[i] + self.body(self.blocks[i])[0] / 2

    def under(self, i: int) -> float:
        """Width of the label below block i."""
        block = self.blocks[i]
        lines = [
            (block.name, True),
            (block.size, False),
            (", ".join(block.notes), False),
        ]
        return max(_text_width(text, bold) for text, bold in lines)

    def over(self, i: int) -> float:
        """Width of the label of the step into block i."""
        return max(
            _text_width(t) for t in (self.blocks[i].operation, self.blocks[i].detail)
        )

    @property
    def width(self) -> float:
        """Inches from the left margin to the right."""
        last = len(self.blocks) - 1
        right = max(self.right(last), self.middle(last) + self.under(last) / 2)
        title = max(_text_width(line, True) for line in self.title) * 1.15
        return max(right, self.lefts[min(1, last)] + title) + _PAD

    @property
    def height(self) -> float:
        """Inches from the bottom of the labels to the top."""
        return self.top - self.bottom


def _text_width(text: str, bold: bool = False) -> float:
    """Width of a text in inches, from the font's own outlines."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    if not text:
        return 0.0
    font = FontProperties(weight="bold" if bold else "normal", size=_FONT)
    return TextPath((0, 0), text, prop=font).get_extents().width / 72


def _fit(networks: list[list], width: float, height: float) -> list[_Row]:
    """Place all networks at the largest scale that fits the size."""
    scale = 0.05  # inches a pixel: more would make a small network clumsy
    while scale > 2e-4:
        rows = [_Row(blocks, title, scale) for blocks, title in networks]
        for row in rows:
            row.place()
        if (
            max(r.width for r in rows) <= width
            and sum(r.height for r in rows) <= height
        ):
            return rows
        scale *= 0.97
    longest = max(len(blocks) for blocks, _ in networks)
    raise ValueError(
        f"{longest} blocks and their labels do not fit {width:g} inches: give a larger size"
    )


# ------------------------------------------------------------ drawing


def _canvas(ax: Axes | None, width: float, height: float) -> tuple[Axes, float]:
    """Prepare axes whose unit is an inch of the drawing; return also the text's zoom."""
    from matplotlib import pyplot as plt

    if ax is None:
        figure = plt.figure(figsize=(width, height), dpi=110)
        ax = figure.add_axes((0, 0, 1, 1))
    box = ax.get_window_extent()
    dpi = ax.figure.dpi
    zoom = min(box.width / dpi / width, box.height / dpi / height)
    ax.set(xlim=(0, width), ylim=(0, height), aspect="equal")
    ax.axis("off")
    return ax, zoom


class _Pen:
    """Draws one placed network."""

    def __init__(self, ax: Axes, zoom: float, row: _Row, top: float) -> None:
        self.ax, self.zoom, self.row = ax, zoom, row
        self.zero = top - row.top

    def draw(self) -> None:
        """Draw blocks, the steps between them, and all labels."""
        for i, block in enumerate(self.row.blocks):
            for lane in range(block.lanes):
                self.box(i, lane)
            self.label_block(i)
            if i:
                self.label_step(i)
                self.connect(i)
        self.label_network()

    def corner(self, i: int, lane: int) -> tuple[float, float]:
        """Lower left corner of a lane's front face."""
        row, block = self.row, self.row.blocks[i]
        shift = (row.lane, -row.lane)[lane] if block.lanes == 2 else 0
        return row.lefts[i], self.zero + shift - row.body(block)[1] / 2

    def polygon(self, points: list, gid: str, z: float, **style) -> None:
        """Add a filled outline."""
        from matplotlib.patches import Polygon

        style = {"edgecolor": "#263238", "linewidth": 0.6, "joinstyle": "round"} | style
        self.ax.add_patch(Polygon(points, closed=True, gid=gid, zorder=z, **style))

    def text(self, x: float, y: float, text: str, gid: str, **style) -> None:
        """Write a text; its size follows the drawing's."""
        style = {"fontsize": _FONT, "ha": "center", "va": "top", "zorder": 99} | style
        style["fontsize"] *= self.zoom
        if text:
            self.ax.text(x, y, text, gid=gid, **style)

    def box(self, i: int, lane: int) -> None:
        """Draw one lane of a block: front, top and side."""
        block = self.row.blocks[i]
        (x, y), (w, h) = self.corner(i, lane), self.row.face(block)
        (dx, dy), colours = self.row.depth(block), _KINDS[block.kind]
        gid = f"block:{block.name}:{lane}"
        front = [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]
        self.polygon(front, gid, 2 * i, facecolor=colours[0])
        if not dx:
            return
        up = [
            (x, y + h),
            (x + w, y + h),
            (x + w + dx, y + h + dy),
            (x + dx, y + h + dy),
        ]
        side = [
            (x + w, y),
            (x + w + dx, y + dy),
            (x + w + dx, y + dy + h),
            (x + w, y + h),
        ]
        self.polygon(up, gid + ":top", 2 * i, facecolor=colours[1])
        self.polygon(side, gid + ":side", 2 * i, facecolor=colours[2])
        channels = str(block.shape[0] // block.lanes)
        if block.lanes == 2 and h > 0.11 and w > _text_width(channels) * 0.85 + 0.02:
            style = {"va": "center_baseline", "fontsize": 7}
            self.text(
                x + w / 2, y + h / 2, channels, f"lane:{block.name}:{lane}", **style
            )

    def connect(self, i: int) -> None:
        """Draw the step into block i, from every lane that it reads."""
        before, block = self.row.blocks[i - 1], self.row.blocks[i]
        straight = block.lanes == before.lanes == 2
        straight = straight and (block.kind == "pool" or block.groups == 2)
        for lane in range(before.lanes):
            targets = [lane] if straight else range(block.lanes)
            for target in targets:
                if block.kind == "dense":
                    self.fan(i, lane)
                else:
                    self.window(i, lane, target)

    def window(self, i: int, lane: int, target: int) -> None:
        """Draw the kernel on the side of block i − 1, and lines to where it goes."""
        before, block = self.row.blocks[i - 1], self.row.blocks[i]
        (x, y), (w, h) = self.corner(i - 1, lane), self.row.face(before)
        (dx, dy), kernel = self.row.depth(before), block.kernel or before.shape[1:]
        high = min(kernel[0] / before.shape[1], 1)
        deep = min(kernel[1] / before.shape[2], 1)
        left, right = x + w + dx * (1 - deep) / 2, x + w + dx * (1 + deep) / 2
        low, lift = y + h * (1 - high) / 2 + dy * (1 - deep) / 2, dy * deep
        points = [(left, low), (right, low + lift)]
        points += [(right, low + lift + h * high), (left, low + h * high)]
        self.polygon(points, "kernel", 2 * i - 0.5, facecolor="#263238", linewidth=0.3)
        end = self.corner(i, target)
        end = (end[0], end[1] + self.row.face(block)[1] / 2)
        style = "--" if block.kind == "pool" else "-"
        for start in (points[1], points[2]):
            xs, ys = zip(start, end, strict=True)
            self.ax.plot(xs, ys, style, color="#546e7a", lw=0.7, zorder=2 * i - 0.4)

    def fan(self, i: int, lane: int) -> None:
        """Shade what a linear layer joins: everything before with every unit."""
        before, block = self.row.blocks[i - 1], self.row.blocks[i]
        (x, y), (w, h) = self.corner(i - 1, lane), self.row.face(before)
        dx, dy = self.row.depth(before)
        (bar, low), tall = self.corner(i, 0), self.row.face(block)[1]
        points = [
            (x + w + dx, y + dy),
            (bar, low),
            (bar, low + tall),
            (x + w + dx, y + dy + h),
        ]
        style = {"facecolor": "#90a4ae", "alpha": 0.3, "linewidth": 0}
        self.polygon(points, "fan", 2 * i - 0.5, **style)
        for start, end in ((points[0], points[1]), (points[3], points[2])):
            xs, ys = zip(start, end, strict=True)
            self.ax.plot(xs, ys, "-", color="#546e7a", lw=0.7, zorder=2 * i - 0.4)

    def label_block(self, i: int) -> None:
        """Write name, size and notes below a block."""
        row, block = self.row, self.row.blocks[i]
        x, y = row.middle(i), self.zero + (row.label_y if i else row.input_y)
        self.text(x, y, block.name, f"name:{block.name}", fontweight="bold")
        self.text(x, y - _LINE, block.size, f"size:{block.name}")
        style = {"fontsize": 7, "color": "#444444"}
        notes = ", ".join(block.notes)
        self.text(x, y - 2 * _LINE, notes, f"notes:{block.name}", **style)

    def label_step(self, i: int) -> None:
        """Write kernel and stride above the gap before block i."""
        row, block = self.row, self.row.blocks[i]
        x, y = (row.right(i - 1) + row.lefts[i]) / 2, self.zero + row.above
        style = {"va": "bottom"}
        self.text(x, y + _LINE, block.operation, f"step:{block.name}", **style)
        style = {"va": "bottom", "fontsize": 7, "color": "#444444"}
        self.text(x, y, block.detail, f"detail:{block.name}", **style)

    def label_network(self) -> None:
        """Write the network's name and its totals at the top, right of the input."""
        row = self.row
        x, y = row.lefts[min(1, len(row.blocks) - 1)], self.zero + row.top - 0.05
        style = {"ha": "left", "fontsize": _FONT + 2, "fontweight": "bold"}
        self.text(x, y, row.title[0], "title", **style)
        y -= 1.3 * _LINE if row.title[0] else 0
        self.text(x, y, row.title[1], "totals", ha="left")
