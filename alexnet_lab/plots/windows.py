"""Pictures of a window sliding over its input: where it stops, what it never reads."""

from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING, Any, cast

from alexnet_lab.arithmetic.sizes import Padding, Sweep
from alexnet_lab.plots import style as look

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NEVER_READ = {"facecolor": "#F6D5C3", "edgecolor": look.VERMILION, "hatch": "xxxx"}
PADDING = {"facecolor": "white", "edgecolor": look.GREY, "hatch": "////"}
BEYOND = {"facecolor": "white", "edgecolor": look.BLUE, "linestyle": ":"}
PIXEL = {"facecolor": look.PALE, "edgecolor": look.GREY}
MIDDLE: dict[str, Any] = {"ha": "center", "va": "center"}
ON_WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 1}
MOST_CELLS = 36  # that many fit across a slide with a label each


class Sliding(Sweep):
    """A window's way along one side of an input, and where its cells are drawn.

    Cells are numbered as pixels. Of a long input two `stretches` are drawn, and of many
    windows those in `shown`, the first and the last.
    """

    def __init__(self, *settings: Any) -> None:
        super().__init__(*settings)
        self.edge = self.size + self.after  # the first index beyond the padded input
        self.end = self.edge + self.overhang  # and beyond everything that is drawn
        outputs, taps = range(self.positions), range(self.kernel_size)
        pairs = product(outputs, taps)
        self.read = {self.start(o) + tap * self.dilation for o, tap in pairs}
        group = 2 if 2 * (self.stride + self.span) < MOST_CELLS else 1
        cut = self.start(group - 1) + self.span
        # in ceil mode the same cells as without, so that the two can be compared
        floor = (self.edge + self.before - self.span) // self.stride + 1
        resumes = self.start(min(floor, self.positions) - group)
        self.stretches = [(-self.before, self.end)]
        self.shown = [*outputs[:4], *outputs[-3:]] if len(outputs) > 8 else [*outputs]
        if self.end + self.before > MOST_CELLS and resumes - cut > 2:
            self.stretches = [(-self.before, cut), (resumes, self.end)]
            self.shown = [*outputs[:group], *outputs[-group:]]
        cells = sum(stop - start for start, stop in self.stretches)
        self.gap = 0.1 * (cut + self.before)  # between the stretches
        self.cells = cells + self.gap * (len(self.stretches) - 1)
        self.width = max(16, self.cells)  # in cells
        self.points = 9.1 * 72 / self.width  # of a cell, in 9.1 inches

    def start(self, output: int) -> int:
        """Return the index of the first cell that window `output` covers."""
        return output * self.stride - self.before

    def left(self, index: int) -> float:
        """Return where the left side of cell `index` is drawn."""
        (begin, cut), (resumes, _) = self.stretches[0], self.stretches[-1]
        skipped = resumes - cut - self.gap if index > cut else 0
        return index - begin - skipped

    def cell_style(self, index: int) -> dict[str, str]:
        """Return how to draw the cell at an index."""
        if index >= self.edge:
            return BEYOND
        if index not in self.read:
            return NEVER_READ
        return PIXEL if 0 <= index < self.size else PADDING

    @property
    def words(self) -> str:
        """The settings, for a title."""
        words = f"{self.size} pixels, kernel {self.kernel_size}, stride {self.stride}"
        if self.before + self.after:
            both = f"{self.before} before, {self.after} after"
            words += f", padding {self.before if self.before == self.after else both}"
        return words + f", dilation {self.dilation}" * (self.dilation > 1)

    @property
    def rest(self) -> str:
        """What happens at the end, such as `left over: 2 pixels, 1 zero`."""
        if self.overhang:
            return f"{self.overhang} over the edge"
        zeros = min(self.leftover, self.after)
        counts = {"pixel": self.leftover - zeros, "zero": zeros}
        parts = [f"{n} {noun}" + "s" * (n > 1) for noun, n in counts.items() if n]
        return f"left over: {', '.join(parts)}" if parts else ""

    @property
    def title(self) -> str:
        """The settings, and the working of the size."""
        return f"{self.words}: {self.working}"

    @property
    def legend(self) -> str:
        """The label of the pixels, which explains the hatching."""
        marks = ["hatched: zeros of the padding"] * (self.before + self.after > 0)
        marks += ["crossed: never read"] * (not self.read.issuperset(range(self.size)))
        return f"pixel  ({'; '.join(marks)})" if marks else "pixel"


@look.styled()
def draw_windows(
    size: int,
    kernel_size: int,
    stride: int = 1,
    padding: Padding = 0,
    *,
    dilation: int = 1,
    ceil_mode: bool = False,
    ax: look.Axes | None = None,
) -> Figure:
    """Draw one row of the input, and a bar for each place where the window stops.

    What no window reads is crossed, padding hatched. Of a long input the first and last
    windows are shown. Arguments and errors are those of `output_size`; `ax` are axes to
    draw in, instead of a new figure. Taught in 01.
    """
    s = Sliding(size, kernel_size, stride, padding, dilation, ceil_mode)
    between, half = s.positions - len(s.shown), (len(s.shown) + 1) // 2
    rows = [1.35 + k + (between > 0 and k >= half) for k in range(len(s.shown))]
    if ax is None:
        height = 1.5 + 0.25 * bool(s.rest) + 0.3 * (len(rows) + (between > 0))
        # a short row makes a narrow figure, in which the title still fits
        texts = look.text_width(s.title, 14, "bold"), look.text_width(s.legend, 13)
        s.width = min(s.width, max(s.cells, max(texts) / s.points))
        ax = look.new_figure(0.9 + s.width * s.points / 72, height).subplots()
    _draw_cells(ax, s)
    for output, y in zip(s.shown, rows, strict=True):
        _draw_window(ax, s, s.start(output), y)
    if between:
        ax.text(s.width / 2, 1.8 + half, f"⋮   {between:,} more   ⋮", **MIDDLE)
    if s.shown[:2] == [0, 1]:
        _draw_stride(ax, s, rows[1] + 0.4)
    _draw_rest(ax, s, rows[-1] + 1)
    bottom = rows[-1] + (1.9 if s.rest else 1.1)
    ax.set(xlim=(-0.3, s.width + 0.3), ylim=(bottom, -0.1), ylabel="output")
    ax.set_yticks([y + 0.4 for y in rows], [f"{output:,}" for output in s.shown])
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0, labelsize=11)
    ax.set_title(look.wrapped(s.title, 14, 680))
    return cast("Figure", ax.figure)


def _draw_cells(ax: look.Axes, s: Sliding) -> None:
    """Draw the cells of the input, the numbers of its pixels above them."""
    ticks: list[int] = []
    step = math.ceil((look.text_width(str(s.size - 1), 11) + 5) / s.points)
    for number, (start, stop) in enumerate(s.stretches):
        for i in range(start, stop):
            look.rectangle(ax, s.left(i), 0, 1, 1, **s.cell_style(i))
            if s.points > 12 and (i < 0 or s.size <= i < s.edge):
                ax.text(s.left(i) + 0.5, 0.5, "0", bbox=ON_WHITE, **MIDDLE)
        pixels = range(max(start, 0), min(stop, s.size))
        ticks += pixels[::-step] if number else pixels[::step]
        if number:
            ax.text(s.left(start) - s.gap / 2, 0.5, "⋯", fontsize=16, **MIDDLE)
    ax.set_xticks([s.left(i) + 0.5 for i in ticks], map(str, ticks))
    ax.tick_params("x", labeltop=True, labelbottom=False)
    ax.xaxis.set_label_position("top")
    ax.set_xlabel(s.legend, loc="left", labelpad=6)


def _draw_window(ax: look.Axes, s: Sliding, start: int, y: float) -> None:
    """Draw one window as a bar, and write in it which cells it reads."""
    left, bar = s.left(start), {"facecolor": look.BLUE, "edgecolor": "white"}
    if s.dilation > 1:
        ends = left + 0.5, left + s.span - 0.5
        ax.hlines(y + 0.4, *ends, color=look.BLUE, linewidth=2)
        for tap in range(s.kernel_size):
            look.rectangle(ax, left + tap * s.dilation, y, 1, 0.8, **bar)
        return
    inside = min(s.span, s.edge - start)
    look.rectangle(ax, left, y, inside, 0.8, **bar)
    if inside < s.span:
        beyond = {"facecolor": "white", "edgecolor": look.BLUE, "hatch": "\\\\\\\\"}
        look.rectangle(ax, left + inside, y, s.span - inside, 0.8, **beyond)
    reads = f"{start} … {start + inside - 1}".replace("-", "−")
    if look.text_width(reads, look.SMALL) + 6 < inside * s.points:
        style = {"color": "white", "fontsize": look.SMALL, **MIDDLE}
        ax.text(left + inside / 2, y + 0.42, reads, **style)


def _draw_stride(ax: look.Axes, s: Sliding, y: float) -> None:
    """Draw how far the second window lies from the first, if there is room to say."""
    for words in (f"stride {s.stride}", f"+{s.stride}"):
        if look.text_width(words, look.SMALL) + 14 < s.stride * s.points:
            arrow = dict(arrowstyle="<->", color=look.GREY, shrinkA=0, shrinkB=0)
            ax.annotate("", (s.stride, y), (0, y), arrowprops=arrow)
            style = {"fontsize": look.SMALL, "bbox": ON_WHITE, **MIDDLE}
            ax.text(s.stride / 2, y, words, **style)
            break


def _draw_rest(ax: look.Axes, s: Sliding, bottom: float) -> None:
    """Show what is left over, or how far the last window hangs over the edge."""
    end, colour = s.left(s.end - 1) + 1, look.BLUE
    if s.leftover:
        colour = "#A34500"
        span = [end - s.leftover, end]
        ax.fill_between(span, 1, bottom, color="#F6D5C3", alpha=0.6, zorder=0)
    elif s.overhang:
        ax.vlines(s.left(s.edge - 1) + 1, -0.05, bottom, color=look.INK, linewidth=2)
    x = max(end, look.text_width(s.rest, 13) / s.points)  # it begins in the picture
    style = {"ha": "right", "va": "center", "fontweight": "bold"}
    ax.text(x, bottom + 0.45, s.rest, color=colour, **style)
