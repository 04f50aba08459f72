"""Where the blocks and labels of a drawn network go: sizes and places in inches."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

# Lengths in pixels of a feature map.
DEPTH = (0.40, 0.25)  # where one pixel of depth goes: right and up
CHANNEL = 3.0  # width of a block of one channel; n channels are √n as wide
# Lengths in inches.
BAR, GAP, PAD, LINE = 0.06, 0.34, 0.11, 0.175
FONT = 10.5  # points


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
        return "×".join(f"{n:,}" for n in self.shape)


@dataclass
class Row:
    """One network, placed.

    All lengths are in inches; y is measured from the row's middle line.
    """

    blocks: list[Block]
    title: tuple[str, str]
    scale: float  # inches a pixel
    lefts: list[float] = field(default_factory=list)

    def face(self, block: Block) -> tuple[float, float]:
        """Width and height of one lane's front face."""
        if len(block.shape) == 1:
            return BAR, max(block.shape[0] ** 0.5 * self.scale, 0.02)
        width = CHANNEL * (block.shape[0] / block.lanes) ** 0.5 * self.scale
        return width, block.shape[1] * self.scale

    def depth(self, block: Block) -> tuple[float, float]:
        """How far a block's back is to the right of and above its front."""
        columns = block.shape[2] if len(block.shape) == 3 else 0
        return columns * DEPTH[0] * self.scale, columns * DEPTH[1] * self.scale

    def body(self, block: Block) -> tuple[float, float]:
        """Width and height of one lane with its depth."""
        face, depth = self.face(block), self.depth(block)
        return face[0] + depth[0], face[1] + depth[1]

    def place(self) -> None:
        """Set every block's place so that neither blocks nor labels touch."""
        lanes = [b for b in self.blocks if b.lanes == 2]
        self.lane = max((self.body(b)[1] for b in lanes), default=0) / 2 + 0.05
        spread = [
            self.body(b)[1] / 2 + (self.lane if b.lanes == 2 else 0)
            for b in self.blocks
        ]
        self.above = max(spread[1:], default=0) + 0.06
        # The title stands beside a tall input, or above a small one.
        lines = 4.8 if self.title[0] else 3.4
        self.top = max(self.above + lines * LINE, spread[0] + 0.05)
        self.label_y = -max(spread[1:], default=0) - 0.05
        self.input_y = -spread[0] - 0.05
        lines = 2 + max(len(b.notes) for b in self.blocks)
        own = 2 + len(self.blocks[0].notes)
        self.bottom = min(self.label_y - lines * LINE, self.input_y - own * LINE) - 0.05
        first = self.under(0) / 2 - self.body(self.blocks[0])[0] / 2
        self.lefts = [PAD + max(0, first)]
        for i in range(1, len(self.blocks)):
            self.lefts.append(self._next_left(i, beside=spread[0] > self.above))

    def _next_left(self, i: int, beside: bool) -> float:
        """Least x of block i that keeps it and its labels clear of those before it."""
        right, over = self.right(i - 1), self.over(i)
        apart = (self.under(i - 1) + self.under(i)) / 2 + PAD
        middle = self.middle(i - 1) + apart
        left = max(right + GAP, middle - self.body(self.blocks[i])[0] / 2)
        if i > 1:
            before = (self.right(i - 2) + self.lefts[i - 1]) / 2
            apart = (self.over(i - 1) + over) / 2 + PAD
            left = max(left, 2 * (before + apart) - right)
        elif beside:  # the label stands beside the tall input, not over it
            left = max(left, right + over + 2 * PAD)
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
        plain = [block.size, *block.notes]
        return max(text_width(block.name, True), *(text_width(t) for t in plain))

    def over(self, i: int) -> float:
        """Width of the label of the step into block i."""
        return max(
            text_width(t) for t in (self.blocks[i].operation, self.blocks[i].detail)
        )

    @property
    def width(self) -> float:
        """Inches from the left margin to the right."""
        last = len(self.blocks) - 1
        right = max(self.right(last), self.middle(last) + self.under(last) / 2)
        title = max(text_width(line, True) for line in self.title) * 1.25
        return max(right, self.lefts[min(1, last)] + title) + PAD

    @property
    def height(self) -> float:
        """Inches from the bottom of the labels to the top."""
        return self.top - self.bottom


@functools.cache
def text_width(text: str, bold: bool = False) -> float:
    """Width of a text in inches, from the font's own outlines."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    if not text:
        return 0.0
    font = FontProperties(weight="bold" if bold else "normal", size=FONT)
    # hinting to whole pixels makes a drawn text up to 6 % wider than its outlines
    return 1.06 * TextPath((0, 0), text, prop=font).get_extents().width / 72


def fit(networks: list[tuple], width: float, height: float) -> list[Row]:
    """Place all networks at the largest scale that fits the size."""
    scale = 0.05  # inches a pixel: more would make a small network clumsy
    while scale > 2e-4:
        rows = [Row(blocks, title, scale) for blocks, title in networks]
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
        f"{longest} blocks and their labels do not fit {width:g} × {height:g} inches: "
        "give a larger size"
    )
