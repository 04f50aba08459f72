"""Drawings of whole networks, made from the ledger: no network runs, no weight is read.

One pixel of a feature map has the same height everywhere in a drawing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import nn

from alexnet_lab.arithmetic import ledger
from alexnet_lab.plots.style import INK, Axes, new_figure, styled, text_width

if TYPE_CHECKING:
    from matplotlib.figure import Figure


Point = tuple[float, float]
CAPTION = (
    "Height and depth: pixels, to scale; the dark window is the kernel. Width: "
    "√channels. Height of a bar: √units.\nSolid lines: a kernel sums over the channels "
    "it sees. Dashed lines: a pool takes each channel by itself."
)
FONT, SOFT, THREAD = 10.5, "#444444", "#546e7a"  # points; lesser texts; lines
# Inches: the tallest input, a bar, the least gap, room around a label, a line of text.
TALLEST, BAR, GAP, PAD, LINE = 2.1, 0.06, 0.34, 0.11, 0.175
# Pixels of a map: how far to the right and up one pixel of depth goes; width of a block
# of one channel, where n channels are √n as wide.
DEPTH, CHANNEL = (0.40, 0.25), 3.0
KINDS = {  # front, top, side: they differ in lightness, not in hue alone
    "input": ("#ffffff", "#f4f4f4", "#e2e2e2"),
    "conv": ("#8fb8de", "#c4dcf1", "#5f8fbd"),
    "pool": ("#e3edf7", "#f3f8fc", "#bed3e8"),
    "dense": ("#37474f", "#37474f", "#37474f"),
}
NOTES = {"LocalResponseNorm": "LRN", "Dropout": "dropout", "MaxPool": "max"}
NOTES |= {"AvgPool": "average", "AdaptiveAvgPool": "average", "AdaptiveMaxPool": "max"}


@dataclass
class Block:
    """One drawn layer, a feature map or a bar of units; below it, size and `notes`."""

    name: str
    shape: tuple[int, ...]
    kind: str
    scale: float  # inches a pixel
    step: str = ""  # how it is made, written above the gap before it
    kernel: tuple[int, ...] = ()
    groups: int = 1
    lanes: int = 1
    notes: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What is written below: the size, as in 96×55×55, and the notes."""
        return "\n".join(["×".join(f"{n:,}" for n in self.shape), *self.notes])

    @property
    def front(self) -> Point:
        """Width and height of one lane's front."""
        root = (self.shape[0] / self.lanes) ** 0.5 * self.scale
        if len(self.shape) == 1:
            return BAR, max(root, 0.02)
        return CHANNEL * root, self.shape[1] * self.scale

    @property
    def depth(self) -> Point:
        """How far a block's back is to the right of its front, and above it."""
        columns = self.shape[2] if len(self.shape) == 3 else 0
        return columns * DEPTH[0] * self.scale, columns * DEPTH[1] * self.scale

    @property
    def body(self) -> Point:
        """Width and height of one lane with its depth."""
        return self.front[0] + self.depth[0], self.front[1] + self.depth[1]


def draw_network(net: nn.Module, input_shape: Sequence[int], name: str = "") -> Figure:
    """Draw a network: blocks to scale, sizes written on, towers in two lanes.

    `net` is a sequential network of convolutions, pools and linear layers,
    `input_shape` the (channels, height, width) of one image, and `name` a title, which
    the totals of parameters and multiply-accumulates follow. Errors are `ledger`'s.
    """
    return draw_networks([(name, net, input_shape)])


@styled()
def draw_networks(networks: Sequence[tuple[str, nn.Module, Sequence[int]]]) -> Figure:
    """Draw several networks, each (name, net, input_shape), all at one scale.

    Errors as for `draw_network`, and a ValueError for no networks.
    """
    if not networks:
        raise ValueError("networks is empty: give at least one (name, net, shape)")
    tallest = max(shape[1] if len(shape) == 3 else 1 for *_, shape in networks)
    scale = min(0.04, TALLEST / tallest)  # more would make a small network clumsy
    read = ((name, network_blocks(net, shape, scale)) for name, net, shape in networks)
    drawings = [Drawing(name, *parts) for name, parts in read]
    caption = CAPTION if any(len(drawing.blocks) > 2 for drawing in drawings) else ""
    width = max(9.0 * bool(caption), *(drawing.width for drawing in drawings))
    height = sum(d.top - d.bottom for d in drawings) + 3 * LINE * bool(caption)
    figure = new_figure(width, height)
    figure.set_layout_engine("none")
    bottom = 1.0
    for drawing in drawings:
        share = (drawing.top - drawing.bottom) / height
        bottom -= share
        ax = figure.add_axes((0, bottom, 1, share))
        ax.set(xlim=(0, width), ylim=(drawing.bottom, drawing.top))
        ax.axis("off")
        drawing.draw(ax)
    figure.text(PAD / width, 0.06 / height, caption, fontsize=FONT, color=SOFT)
    return figure


def network_blocks(
    net: nn.Module, input_shape: Sequence[int], scale: float
) -> tuple[str, list[Block]]:
    """Return the network's totals in words, and what a drawing shows, input first.

    Layers that keep the size, and padding, become notes of the block before them.
    """
    book = ledger(net, tuple(input_shape))
    blocks = [Block("input", tuple(input_shape), "input", scale)]
    for row in book.rows:
        layer = row.module
        kind = type(layer).__name__.removesuffix("2d").removesuffix("1d")
        weighs = hasattr(layer, "in_channels") or isinstance(layer, nn.Linear)
        if "Pad" in kind or not (weighs or row.input_shape != row.output_shape):
            blocks[-1].notes += [NOTES.get(kind, kind)] * (kind != "Identity")
        elif kind != "Flatten":
            drawn = "conv" if weighs else "pool"
            block = Block(row.name, row.output_shape, drawn, scale)
            block.step = f"{row.layer.partition(' ')[2]}\n{NOTES.get(kind, '')}"
            block.kernel = tuple(way.size for way in row.window or ())
            block.groups = getattr(layer, "groups", 1)
            if len(row.output_shape) == 1:
                first = len(blocks[-1].shape) > 1
                block.kind = "dense"
                block.step = f"flatten\n{row.input_shape[0]:,}" if first else ""
            blocks.append(block)
    _assign_lanes(blocks)
    parameters = f"{book.total_parameters:,} parameters"
    return f"{parameters}, {book.total_macs:,} multiply-accumulates", blocks


def _assign_lanes(blocks: list[Block]) -> None:
    """Give two lanes to maps on either side of groups=2, and to pools of such maps."""
    maps = [block for block in blocks[1:] if block.kind != "dense"]
    for i, block in enumerate(maps):
        following = next((b for b in maps[i + 1 :] if b.kind == "conv"), block)
        pooled = block.kind == "pool" and i > 0 and maps[i - 1].lanes == 2
        split = pooled or 2 in (block.groups, following.groups)
        block.lanes = 2 if split and block.shape[0] % 2 == 0 else 1


class Drawing:
    """One network, placed so that nothing touches: inches, from the middle line up."""

    def __init__(self, name: str, totals: str, blocks: list[Block]) -> None:
        self.name, self.totals, self.blocks = name, totals, blocks
        towers = (block.body[1] for block in blocks if block.lanes == 2)
        self.lane = max(towers, default=0) / 2 + 0.05  # from the middle to a tower's
        first, *rest = (b.body[1] / 2 + self.lane * (b.lanes - 1) for b in blocks)
        most = max(rest, default=0)
        self.above = most + 0.06 + 2 * LINE  # where the steps are written
        self.below = [-first - 0.05] + [-most - 0.05] * len(rest)  # the blocks' names
        self.top = max(self.above, first + 0.05) + LINE * (3 if name else 1.6)
        lines = [2.3 + len(block.notes) for block in blocks]
        self.bottom = min(y - LINE * n for y, n in zip(self.below, lines, strict=True))
        self.lefts: list[float] = []
        self._place()

    def _place(self) -> None:
        """Find the blocks' left sides, and the width of the drawing."""
        right = middle = centre = under = over = 0.0
        for block in self.blocks:
            wide = block.body[0]
            own = max(_inches(block.name, "bold"), _inches(block.text))
            step = _inches(block.step)
            left = max(
                right + (GAP if len(self.lefts) > 1 else step + PAD),  # a tall input
                middle + (under + own) / 2 + PAD - wide / 2,
                2 * centre + over + step + 2 * PAD - right,
            )
            left = left if self.lefts else PAD + max(0, own - wide) / 2
            self.lefts.append(left)
            centre, over = (right + left) / 2, step
            right, middle, under = left + wide, left + wide / 2, own
        title = 1.25 * max(_inches(self.name, "bold"), _inches(self.totals))
        self.width = max(right, middle + under / 2, PAD + title) + PAD

    def draw(self, ax: Axes) -> None:
        """Draw blocks, the steps between them and all labels."""
        self.ax = ax
        for i, block in enumerate(self.blocks):
            for lane in range(block.lanes):
                self._box(i, lane)
            middle = self.lefts[i] + block.body[0] / 2
            self._text(middle, self.below[i], block.name, fontweight="bold")
            self._text(middle, self.below[i] - LINE, block.text)
            if i:
                self._step(i)
        lower = LINE * 1.4 if self.name else 0
        style = {"ha": "left", "fontsize": FONT + 2.5, "fontweight": "bold"}
        self._text(PAD, self.top - 0.05, self.name, **style)
        self._text(PAD, self.top - 0.05 - lower, self.totals, ha="left")

    def _text(self, x: float, y: float, text: str, **style: Any) -> None:
        style = {"fontsize": FONT, "ha": "center", "va": "top", "zorder": 99, **style}
        self.ax.text(x, y, text, **style)

    def _polygon(self, points: list[Point], zorder: float, **style: Any) -> None:
        style = {"edgecolor": INK, "linewidth": 0.6, "joinstyle": "round", **style}
        style["linestyle"] = "-"  # else older Matplotlib takes the next of the cycle
        self.ax.fill(*zip(*points, strict=True), zorder=zorder, **style)

    def _corner(self, i: int, lane: int) -> Point:
        """Lower left corner of a lane's front."""
        shift = (1 - 2 * lane) * self.lane * (self.blocks[i].lanes - 1)
        return self.lefts[i], shift - self.blocks[i].body[1] / 2

    def _box(self, i: int, lane: int) -> None:
        """Draw one lane of a block: front, top and side."""
        block, (x, y) = self.blocks[i], self._corner(i, lane)
        (wide, high), (dx, dy) = block.front, block.depth
        right, top, back, roof = x + wide, y + high, x + wide + dx, y + high + dy
        faces = [[(x, y), (right, y), (right, top), (x, top)]]
        faces += [[(x, top), (right, top), (back, roof), (x + dx, roof)]]
        faces += [[(right, y), (back, y + dy), (back, roof), (right, top)]]
        for face, colour in zip(faces, KINDS[block.kind], strict=True):
            self._polygon(face, 2 * i, facecolor=colour, gid=f"{block.name}:{lane}")
        channels = f"{block.shape[0] // block.lanes}"
        if block.lanes == 2 and high > 0.11 and wide > 0.8 * _inches(channels) + 0.02:
            self._text(x + wide / 2, y + high / 2, channels, va="center_baseline")

    def _step(self, i: int) -> None:
        """Write how block i is made, and join it to the lanes that it reads."""
        before, block = self.blocks[i - 1], self.blocks[i]
        middle = (self.lefts[i - 1] + before.body[0] + self.lefts[i]) / 2
        self._text(middle, self.above, block.step)
        tower = block.kind == "pool" or block.groups == 2  # reads its own lane only
        for lane in range(before.lanes):
            for target in range(block.lanes):
                if lane == target or not (tower and before.lanes == block.lanes == 2):
                    self._join(i, lane, target)

    def _join(self, i: int, lane: int, target: int) -> None:
        """Draw the kernel on the side of block i − 1, and lines to where it goes."""
        before, block = self.blocks[i - 1], self.blocks[i]
        (x, y), (wide, high) = self._corner(i - 1, lane), before.front
        dx, dy = before.depth
        sides = zip(block.kernel or before.shape[1:], before.shape[1:], strict=True)
        tall, deep = [min(kernel / size, 1) for kernel, size in sides] or (1, 1)
        right = x + wide + dx * (1 + deep) / 2
        foot = y + (high * (1 - tall) + dy * (1 + deep)) / 2
        start = [(right, foot), (right, foot + high * tall)]
        (end, low), height = self._corner(i, target), block.front[1]
        ends = [(end, low + height / 2)] * 2
        if block.kind == "dense":  # it joins everything before with every unit
            ends = [(end, low), (end, low + height)]
            style = {"facecolor": "#90a4ae", "alpha": 0.3, "linewidth": 0}
            self._polygon([*start, *ends[::-1]], 2 * i - 0.5, **style)
        else:  # a kernel as large as the map is an outline: the map stays in sight
            left = [(right - dx * deep, up - dy * deep) for _, up in start[::-1]]
            style = {"facecolor": INK, "linewidth": 0.3, "gid": "kernel"}
            if tall * deep > 0.7:
                style |= {"facecolor": "none", "linewidth": 1.8}
            self._polygon([*start, *left], 2 * i - 0.5, **style)
        line = {"linestyle": "--" if block.kind == "pool" else "-", "linewidth": 0.7}
        for (x0, y0), (x1, y1) in zip(start, ends, strict=True):
            self.ax.plot((x0, x1), (y0, y1), color=THREAD, zorder=2 * i - 0.4, **line)


def _inches(text: str, weight: str = "normal") -> float:
    """Width of a text; hinting makes it up to 6 % wider than its outlines."""
    widths = [text_width(line, FONT, weight) for line in text.split("\n")]
    return 1.06 * max(widths) / 72
