"""Draws one placed network: blocks, kernels, towers, and what is written on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alexnet_lab.plots.network_layout import FONT, LINE, Row, text_width
from alexnet_lab.plots.style import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SOFT = "#444444"  # what is written by the way
THREAD = "#546e7a"  # the lines from a kernel to its output
KINDS = {  # front, top, side: they differ in lightness, not in hue alone
    "input": ("#ffffff", "#f4f4f4", "#e2e2e2"),
    "conv": ("#8fb8de", "#c4dcf1", "#5f8fbd"),
    "pool": ("#e3edf7", "#f3f8fc", "#bed3e8"),
    "dense": ("#37474f", "#37474f", "#37474f"),
}


class Pen:
    """Draws one placed network."""

    def __init__(self, ax: Axes, zoom: float, row: Row, top: float) -> None:
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

        style = {"edgecolor": INK, "linewidth": 0.6, "joinstyle": "round"} | style
        self.ax.add_patch(Polygon(points, closed=True, gid=gid, zorder=z, **style))

    def text(self, x: float, y: float, text: str, gid: str, **style) -> None:
        """Write a text; its size follows the drawing's."""
        style = {"fontsize": FONT, "ha": "center", "va": "top", "zorder": 99} | style
        style["fontsize"] *= self.zoom
        if text:
            self.ax.text(x, y, text, gid=gid, **style)

    def box(self, i: int, lane: int) -> None:
        """Draw one lane of a block: front, top and side."""
        block = self.row.blocks[i]
        (x, y), (w, h) = self.corner(i, lane), self.row.face(block)
        (dx, dy), colours = self.row.depth(block), KINDS[block.kind]
        gid = f"block:{block.name}:{lane}"
        front = [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]
        self.polygon(front, gid, 2 * i, facecolor=colours[0])
        if not dx:
            return
        rise = h + dy
        up = [(x, y + h), (x + w, y + h), (x + w + dx, y + rise), (x + dx, y + rise)]
        side = [
            (x + w, y),
            (x + w + dx, y + dy),
            (x + w + dx, y + rise),
            (x + w, y + h),
        ]
        self.polygon(up, gid + ":top", 2 * i, facecolor=colours[1])
        self.polygon(side, gid + ":side", 2 * i, facecolor=colours[2])
        channels = str(block.shape[0] // block.lanes)
        if block.lanes == 2 and h > 0.11 and w > 0.85 * text_width(channels) + 0.02:
            gid = f"lane:{block.name}:{lane}"
            style = {"va": "center_baseline", "fontsize": FONT - 1.5}
            self.text(x + w / 2, y + h / 2, channels, gid, **style)

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
        # A kernel as large as the map is an outline, so that the map stays in sight.
        style = {"facecolor": INK, "linewidth": 0.3}
        if high * deep > 0.7:
            style = {"facecolor": "none", "linewidth": 1.8}
        self.polygon(points, "kernel", 2 * i - 0.5, **style)
        end = self.corner(i, target)
        end = (end[0], end[1] + self.row.face(block)[1] / 2)
        style = "--" if block.kind == "pool" else "-"
        for start in (points[1], points[2]):
            xs, ys = zip(start, end, strict=True)
            self.ax.plot(xs, ys, style, color=THREAD, lw=0.7, zorder=2 * i - 0.4)

    def fan(self, i: int, lane: int) -> None:
        """Shade what a linear layer joins: everything before with every unit."""
        before, block = self.row.blocks[i - 1], self.row.blocks[i]
        (x, y), (w, h) = self.corner(i - 1, lane), self.row.face(before)
        dx, dy = self.row.depth(before)
        (bar, low), tall = self.corner(i, 0), self.row.face(block)[1]
        edge, foot = x + w + dx, y + dy
        points = [(edge, foot), (bar, low), (bar, low + tall), (edge, foot + h)]
        style = {"facecolor": "#90a4ae", "alpha": 0.3, "linewidth": 0}
        self.polygon(points, "fan", 2 * i - 0.5, **style)
        for start, end in ((points[0], points[1]), (points[3], points[2])):
            xs, ys = zip(start, end, strict=True)
            self.ax.plot(xs, ys, "-", color=THREAD, lw=0.7, zorder=2 * i - 0.4)

    def label_block(self, i: int) -> None:
        """Write name, size and notes below a block."""
        row, block = self.row, self.row.blocks[i]
        x, y = row.middle(i), self.zero + (row.label_y if i else row.input_y)
        self.text(x, y, block.name, f"name:{block.name}", fontweight="bold")
        self.text(x, y - LINE, block.size, f"size:{block.name}")
        for line, note in enumerate(block.notes, start=2):
            self.text(x, y - line * LINE, note, f"note:{block.name}", color=SOFT)

    def label_step(self, i: int) -> None:
        """Write kernel and stride above the gap before block i."""
        row, block = self.row, self.row.blocks[i]
        x, y = (row.right(i - 1) + row.lefts[i]) / 2, self.zero + row.above
        self.text(x, y + LINE, block.operation, f"step:{block.name}", va="bottom")
        style = {"va": "bottom", "color": SOFT}
        self.text(x, y, block.detail, f"detail:{block.name}", **style)

    def label_network(self) -> None:
        """Write the network's name and its totals at the top, right of the input."""
        row = self.row
        x, y = row.lefts[min(1, len(row.blocks) - 1)], self.zero + row.top - 0.05
        style = {"ha": "left", "fontsize": FONT + 2.5, "fontweight": "bold"}
        self.text(x, y, row.title[0], "title", **style)
        y -= 1.3 * LINE if row.title[0] else 0
        self.text(x, y, row.title[1], "totals", ha="left")
