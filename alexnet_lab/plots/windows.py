"""Pictures of a window sliding over its input: where it stops, what it never reads."""

from __future__ import annotations

import math
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, cast

from alexnet_lab.arithmetic.sizes import Padding, Sweep
from alexnet_lab.plots import style as look

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NEVER_READ = {"facecolor": "#F6D5C3", "edgecolor": look.VERMILION, "hatch": "xxxx"}
PADDING = {"facecolor": "white", "edgecolor": look.GREY, "hatch": "////"}
BEYOND = {"facecolor": "white", "edgecolor": look.BLUE, "linestyle": ":"}
PIXEL = {"facecolor": look.PALE, "edgecolor": look.GREY}
MIDDLE = {"ha": "center", "va": "center"}
ON_WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 1}
MOST_CELLS = 36  # that many fit across a slide with a label each
MOST_SQUARES = 24  # of a larger square, the bottom right corner is shown


class Sliding(Sweep):
    """A window's way along one side of an input, its cells numbered as pixels."""

    @property
    def edge(self) -> int:
        """The first index beyond the padded input."""
        return self.size + self.after

    @property
    def end(self) -> int:
        """The first index beyond everything that is drawn."""
        return self.edge + self.overhang

    def start(self, output: int) -> int:
        """Return the index of the first cell that window `output` covers."""
        return output * self.stride - self.before

    @cached_property
    def read(self) -> frozenset[int]:
        """The cells that some window reads."""
        pairs = product(range(self.positions), range(self.kernel_size))
        return frozenset(self.start(o) + tap * self.dilation for o, tap in pairs)

    def cell_style(self, *indices: int) -> dict[str, str]:
        """Return how to draw the cell at an index, or at a row and a column."""
        if max(indices) >= self.edge:
            return BEYOND
        if not self.read.issuperset(indices):
            return NEVER_READ
        return PIXEL if 0 <= min(indices) <= max(indices) < self.size else PADDING

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


class View:
    """What is drawn: windows at both ends, and one or two stretches of cells."""

    def __init__(self, *many: Sliding) -> None:
        one, begin, end = many[0], many[0].start(0), max(s.end for s in many)
        most = max(s.positions for s in many)
        group = 2 if 2 * (one.stride + one.span) < MOST_CELLS else 1
        cut = one.start(group - 1) + one.span
        resumes = min(s.start(s.positions - group) for s in many)
        self.first, self.last = (most, 0) if most <= 8 else (4, 3)
        self.stretches = [(begin, end)]
        if end - begin > MOST_CELLS and resumes - cut > 2:
            self.first = self.last = group
            self.stretches = [(begin, cut), (resumes, end)]
        cells = sum(stop - start for start, stop in self.stretches)
        self.gap = 0.05 * cells
        self.width = max(16, cells + self.gap * (len(self.stretches) - 1))  # in cells
        self.points = 9.1 * 72 / self.width  # of a cell, in 9.1 inches
        self.inches = 1.75 + 0.3 * (min(most, self.first + self.last) + (self.last > 0))

    def left(self, index: int) -> float:
        """Return where the left side of cell `index` is drawn."""
        (begin, cut), (resumes, _) = self.stretches[0], self.stretches[-1]
        if index <= cut:
            return index - begin
        return cut - begin + self.gap + index - resumes


@look.styled
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
    windows are shown. Taught in 01.

    Args:
        size: pixels along this side of the input, without padding.
        kernel_size, stride, padding, dilation, ceil_mode: as in `output_size`.
        ax: axes to draw in; a new figure without it.

    Raises:
        ValueError, TypeError: those of `output_size`.
    """
    s = Sliding(size, kernel_size, stride, padding, dilation, ceil_mode)
    view = View(s)
    if ax is None:
        ax = look.new_figure(10, view.inches).subplots()
    _draw_row(ax, s, view, f"{s.words}: {s.working}")
    return cast("Figure", ax.figure)


@look.styled
def compare_floor_and_ceil(
    size: int, kernel_size: int, stride: int, padding: Padding = 0
) -> Figure:
    """Draw the same windows twice: rounded down (floor), and rounded up (ceiling).

    Args and errors as for `draw_windows`. Taught in 01.
    """
    settings = size, kernel_size, stride, padding, 1
    floor, ceiling = Sliding(*settings, False), Sliding(*settings, True)
    view = View(floor, ceiling)
    figure = look.new_figure(10, 0.4 + 2 * view.inches)
    upper, lower = figure.subplots(2)
    _draw_row(upper, floor, view, f"floor: {floor.working}")
    _draw_row(lower, ceiling, view, f"ceiling: {ceiling.working}")
    title = f"{floor.words}: {floor.positions} or {ceiling.positions}"
    figure.suptitle(title, x=0.01, ha="left")
    return figure


def _draw_row(ax: look.Axes, s: Sliding, view: View, title: str) -> None:
    """Draw the cells, and below them one line for each window shown."""
    _draw_cells(ax, s, view)
    last = max(s.positions - view.last, view.first)
    shown = [*range(min(s.positions, view.first)), *range(last, s.positions)]
    between = s.positions - len(shown)
    rows = [1.35 + k + (k >= view.first and between > 0) for k in range(len(shown))]
    for output, y in zip(shown, rows, strict=True):
        _draw_window(ax, s, view, s.start(output), y)
    if between:
        more = f"⋮   {between:,} more   ⋮"
        ax.text(view.width / 2, 1.8 + view.first, more, **MIDDLE)
    if len(rows) > 1 and view.first > 1:
        _draw_stride(ax, s, view, rows[1] + 0.4)
    bottom = rows[-1] + 1
    _draw_rest(ax, s, view, bottom)
    ax.set(xlim=(-0.3, view.width + 0.3), ylim=(bottom + 0.9, -0.1), ylabel="output")
    ax.set_yticks([y + 0.4 for y in rows], [f"{output:,}" for output in shown])
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.tick_params(length=0)
    ax.set_title(look.wrapped(title, 14, 680))


def _draw_cells(ax: look.Axes, s: Sliding, view: View) -> None:
    """Draw the cells of the input, the numbers of its pixels above them."""
    ticks: list[int] = []
    step = _label_every(view.points, s.size)
    for number, (start, stop) in enumerate(view.stretches):
        for i in range(start, min(stop, s.end)):
            look.rectangle(ax, view.left(i), 0, 1, 1, **s.cell_style(i))
            if view.points > 12 and (i < 0 or s.size <= i < s.edge):
                ax.text(view.left(i) + 0.5, 0.5, "0", bbox=ON_WHITE, **MIDDLE)
        pixels = range(max(start, 0), min(stop, s.size))
        ticks += pixels[::-step] if number else pixels[::step]
        if number:
            ax.text(view.left(start) - view.gap / 2, 0.5, "⋯", fontsize=16, **MIDDLE)
    ax.set_xticks([view.left(i) + 0.5 for i in ticks], map(str, ticks))
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    ax.set_xlabel(_legend(s, "pixel"), loc="left", labelpad=6)


def _label_every(points: float, size: int) -> int:
    """Return how many cells of `points` there are to a label."""
    return math.ceil((look.text_width(str(size - 1), 11) + 5) / points)


def _legend(s: Sliding, name: str) -> str:
    """Return an axis label that explains the hatching."""
    marks = ["hatched: zeros of the padding"] * (s.before + s.after > 0)
    marks += ["crossed: never read"] * (not s.read.issuperset(range(s.size)))
    return f"{name}  ({'; '.join(marks)})" if marks else name


def _draw_window(ax: look.Axes, s: Sliding, view: View, start: int, y: float) -> None:
    """Draw one window as a bar, and write in it which cells it reads."""
    left, bar = view.left(start), {"facecolor": look.BLUE, "edgecolor": "white"}
    if s.dilation > 1:
        ax.hlines(
            y + 0.4, left + 0.5, left + s.span - 0.5, color=look.BLUE, linewidth=2
        )
        for tap in range(s.kernel_size):
            look.rectangle(ax, left + tap * s.dilation, y, 1, 0.8, **bar)
        return
    inside = min(s.span, s.edge - start)
    look.rectangle(ax, left, y, inside, 0.8, **bar)
    if inside < s.span:
        beyond = {"facecolor": "white", "edgecolor": look.BLUE, "hatch": "\\\\\\\\"}
        look.rectangle(ax, left + inside, y, s.span - inside, 0.8, **beyond)
    reads = f"{start} … {start + inside - 1}".replace("-", "−")
    if look.text_width(reads, look.SMALL) + 6 < inside * view.points:
        middle = left + inside / 2, y + 0.42
        ax.text(*middle, reads, color="white", fontsize=look.SMALL, **MIDDLE)


def _draw_stride(ax: look.Axes, s: Sliding, view: View, y: float) -> None:
    """Draw how far the second window lies from the first, if there is room to say."""
    for words in (f"stride {s.stride}", f"+{s.stride}"):
        if look.text_width(words, look.SMALL) + 14 < s.stride * view.points:
            begin, end = view.left(s.start(0)), view.left(s.start(1))
            arrow = {
                "arrowstyle": "<->",
                "color": look.GREY,
                "shrinkA": 0,
                "shrinkB": 0,
            }
            ax.annotate("", (end, y), (begin, y), arrowprops=arrow)
            middle = (begin + end) / 2
            ax.text(middle, y, words, fontsize=look.SMALL, bbox=ON_WHITE, **MIDDLE)
            break


def _draw_rest(ax: look.Axes, s: Sliding, view: View, bottom: float) -> None:
    """Show what is left over, or how far the last window hangs over the edge."""
    end, colour = view.left(s.end - 1) + 1, look.BLUE
    if s.leftover:
        colour = "#A34500"
        span = [end - s.leftover, end]
        ax.fill_between(span, 1, bottom, color="#F6D5C3", alpha=0.6, zorder=0)
    elif s.overhang:
        ax.vlines(view.left(s.edge - 1) + 1, -0.05, bottom, color=look.INK, linewidth=2)
    x = max(
        end, look.text_width(s.rest, 13) / view.points
    )  # never left of the first cell
    style = {"ha": "right", "va": "center", "color": colour}
    ax.text(x, bottom + 0.45, s.rest, fontweight="bold", **style)


@look.styled
def draw_windows_2d(
    size: int, kernel_size: int, stride: int, padding: Padding = 0
) -> Figure:
    """Draw the first, second and last window on a padded `size` × `size` input.

    What no window reads is crossed. Of a large input, the bottom right corner is
    shown, where the last window ends. Taught in 01.

    Args and errors as for `draw_windows`, the same for height and width.
    """
    s = Sliding(size, kernel_size, stride, padding)
    begin, last = max(-s.before, s.end - MOST_SQUARES), s.positions - 1
    figure = look.new_figure(6.5, 6.2)
    ax = figure.subplots()
    for row, column in product(range(begin, s.end), repeat=2):
        look.rectangle(ax, column, row, 1, 1, **s.cell_style(row, column))
    for name, row, column, colour, line in (
        ("first", 0, 0, look.BLUE, "-"),
        ("second", 0, 1, look.GREEN, "--"),
        ("last", last, last, look.INK, "-."),
    ):
        if column <= last and s.start(row) >= begin:
            style = {"edgecolor": colour, "linestyle": line, "linewidth": 2.5}
            style |= {"facecolor": colour + "1F", "zorder": 4}
            style["label"] = f"{name} window ({row}, {column})"
            look.rectangle(ax, s.start(column), s.start(row), s.span, s.span, **style)
    figure.legend(loc="outside lower left", ncols=2)
    step = _label_every(4.2 * 72 / (s.end - begin), size)
    ticks = range(max(begin, 0), size)[::-step]
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_ticks([i + 0.5 for i in ticks], map(str, ticks), fontsize=look.SMALL)
    margin = 0.02 * (s.end - begin)
    ends = begin - margin, s.end + margin
    ax.set(xlim=ends, ylim=ends[::-1], xlabel=_legend(s, "column"), ylabel="row")
    ax.set_aspect("equal", anchor="N")
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    ax.set_title("the bottom right corner" if s.start(0) < begin else "the whole input")
    sides = f"{s.positions} × {s.positions} = {s.positions**2:,} windows"
    figure.suptitle(f"{s.words}\n{s.working}\n{sides}", x=0.01, ha="left")
    return figure
