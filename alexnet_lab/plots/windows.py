"""Pictures of a window sliding over its input: where it stops, what it never reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from alexnet_lab.arithmetic.sizes import Padding
from alexnet_lab.plots.sliding import Sliding
from alexnet_lab.plots.style import (
    BLUE,
    GREY,
    INK,
    MINUS,
    SMALL,
    new_figure,
    styled,
    text_width,
    tick_step,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_CELLS = 36  # that many fit across a slide with a label each
_BREAK = 0.05  # width of the gap where cells are left out, as a part of the whole


@dataclass(frozen=True)
class View:
    """Which windows and which stretches of cells are drawn, and where.

    `first` windows at the start and `last` at the end; `stretches` are half-open
    ranges of cell indices, drawn side by side with a gap between.
    """

    first: int
    last: int
    stretches: tuple[tuple[int, int], ...]

    @property
    def width(self) -> float:
        """Width of the drawing, in cells."""
        cells = sum(stop - start for start, stop in self.stretches)
        return cells + self.gap * (len(self.stretches) - 1)

    @property
    def gap(self) -> float:
        """Width of the gap between stretches, in cells."""
        return _BREAK * sum(stop - start for start, stop in self.stretches)

    def left(self, index: int) -> float:
        """Return where the left side of cell `index` is drawn."""
        at = 0.0
        for start, stop in self.stretches[:-1]:
            if index < stop:
                return at + index - start
            at += stop - start + self.gap
        return at + index - self.stretches[-1][0]

    def right(self, index: int) -> float:
        """Return where the right side of cell `index` is drawn."""
        return self.left(index) + 1


def _view(*many: Sliding) -> View:
    """Return the view that shows the first and last windows of each of `many`."""
    begin = min(s.start(0) for s in many)
    end = max(s.end for s in many)
    most = max(s.positions for s in many)
    whole = ((begin, end),)
    if end - begin <= _MOST_CELLS:
        first, last = (most, 0) if most <= 8 else (4, 3)
        return View(first, last, whole)
    for group in (3, 2, 1):
        if 2 * group >= most:
            continue
        left = max(s.stop(group - 1) for s in many)
        right = min(s.start(s.positions - group) for s in many)
        view = View(group, group, ((begin, left), (right, end)))
        if right - left > 2 and (view.width <= _MOST_CELLS or group == 1):
            return view
    return View(most, 0, whole) if most <= 8 else View(4, 3, whole)


@styled
def draw_windows(
    size: int,
    kernel_size: int,
    stride: int = 1,
    padding: Padding = 0,
    *,
    dilation: int = 1,
    ceil_mode: bool = False,
    ax: Axes | None = None,
) -> Figure:
    """Draw each window of a convolution or pool below the row of cells it reads.

    One side of the input is a row of cells, padding hatched. Cells at the end that no
    window reads are crossed and counted; with `ceil_mode` the last window may hang
    over the edge. Of a long input the first and last windows are shown.

    Args:
        size: pixels along this side of the input, without padding.
        kernel_size, stride, padding, dilation, ceil_mode: as in `output_size`; padding
            may be a pair, (before, after).
        ax: axes to draw in; a new figure without it.

    Raises:
        ValueError, TypeError: those of `output_size`.
    """
    s = Sliding(size, kernel_size, stride, padding, dilation, ceil_mode)
    view = _view(s)
    if ax is None:
        ax = new_figure(10, _height(s, view)).subplots()
    _draw_row(ax, s, view)
    ax.set_title(wrapped(f"{s.words}: {s.working}", 14, 640))
    return ax.figure


@styled
def compare_floor_and_ceil(
    size: int, kernel_size: int, stride: int, padding: Padding = 0
) -> Figure:
    """Draw the same windows twice: rounded down (floor), and rounded up (ceiling).

    Args and errors as for `draw_windows`.
    """
    both = [
        Sliding(size, kernel_size, stride, padding, 1, ceil) for ceil in (False, True)
    ]
    view = _view(*both)
    heights = [_height(s, view) for s in both]
    figure = new_figure(10, 0.4 + sum(heights))
    pair = figure.subplots(2, height_ratios=heights)
    for ax, s in zip(pair, both, strict=True):
        _draw_row(ax, s, view)
        how = "ceiling" if s.ceil_mode else "floor"
        ax.set_title(wrapped(f"{how}: {s.working}", 14, 640))
    same = both[0].positions == both[1].positions
    verdict = "no difference" if same else f"{both[0].positions} or {both[1].positions}"
    figure.suptitle(f"{both[0].words}: {verdict}", x=0.01, ha="left")
    return figure


def _height(s: Sliding, view: View) -> float:
    rows = min(s.positions, view.first + view.last) + (view.last > 0)
    return 1.75 + 0.3 * rows


def _draw_row(ax: Axes, s: Sliding, view: View) -> None:
    """Draw the cells, and below them one line for each window shown."""
    shown = list(range(min(view.first, s.positions)))
    tail = range(max(s.positions - view.last, len(shown)), s.positions)
    wide = max(view.width, 16)
    points = 9.1 * 72 / wide  # width of a cell
    _draw_cells(ax, s, view, points)
    rows = {output: row + 1.35 for row, output in enumerate(shown)}
    bottom = len(shown) + 1.35
    if tail:
        between = tail[0] - len(shown)
        if between:
            ax.text(wide / 2, bottom + 0.3, _more(between), ha="center", va="center")
            bottom += 0.9
        rows |= {output: bottom + row for row, output in enumerate(tail)}
        bottom += len(tail)
    for output, y in rows.items():
        _draw_window(ax, s, view, output, y, points)
    if 1 in rows:
        _draw_stride(ax, s, view, rows[1], points)
    _label_the_end(ax, s, view, bottom, points)
    ax.set(xlim=(-0.3, wide + 0.3), ylim=(bottom + 0.9, -0.1))
    ax.set_yticks([y + 0.4 for y in rows.values()], [f"{o:,}" for o in rows])
    ax.set_ylabel("output")
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.tick_params(length=0)


def _more(number: int) -> str:
    return f"⋮   {number:,} more " + ("window" if number == 1 else "windows") + "   ⋮"


def _draw_cells(ax: Axes, s: Sliding, view: View, points: float) -> None:
    from matplotlib.patches import Rectangle

    line = 0.8 if points > 8 else 0.3
    for start, stop in view.stretches:
        for index in range(start, min(stop, s.end)):
            x = view.left(index)
            style = s.cell_style(index)
            ax.add_patch(Rectangle((x, 0), 1, 1, linewidth=line, **style))
            if points > 12 and not 0 <= index < s.size and index < s.edge:
                box = {"facecolor": "white", "edgecolor": "none", "pad": 1}
                ax.text(x + 0.5, 0.5, "0", ha="center", va="center", bbox=box)
    for one, two in zip(view.stretches, view.stretches[1:], strict=False):
        middle = (view.right(one[1] - 1) + view.left(two[0])) / 2
        ax.text(middle, 0.5, "⋯", ha="center", va="center", fontsize=16)
    ticks = _ticks(s, view, points)
    ax.set_xticks([view.left(i) + 0.5 for i in ticks], [str(i) for i in ticks])
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    marks = ["hatched: zeros of the padding"] * (s.before + s.after > 0)
    marks += ["crossed: never read"] * (not all(map(s.reads, range(s.size))))
    ax.set_xlabel(
        "pixel" + (f"  ({'; '.join(marks)})" if marks else ""), loc="left", labelpad=6
    )


def _ticks(s: Sliding, view: View, points: float) -> list[int]:
    """Return the pixels that get a label: as many as fit, the last one always."""
    room = text_width("0" * len(str(s.size - 1)), 11) + 5
    step = tick_step(points, room)
    ticks: list[int] = []
    for number, (start, stop) in enumerate(view.stretches):
        pixels = range(max(start, 0), min(stop, s.size))
        if number == 0 and len(view.stretches) > 1:
            ticks += [i for i in pixels if i % step == 0]
        elif number == 0:
            ticks += [i for i in pixels[:-1] if i % step == 0 and i + step < s.size]
            ticks += pixels[-1:]
        else:
            ticks += pixels[::-1][::step]
    return ticks


def _draw_window(
    ax: Axes, s: Sliding, view: View, output: int, y: float, points: float
) -> None:
    """Draw one window as a bar, and in it the cells that it covers."""
    from matplotlib.patches import Rectangle

    start, stop = s.start(output), s.stop(output)
    left = view.left(start)
    bar = {"facecolor": BLUE, "edgecolor": "white", "linewidth": 0.8}
    if s.dilation > 1:
        flat = {"solid_capstyle": "butt"}
        ax.plot([left, left + s.span], [y + 0.4] * 2, color=BLUE, linewidth=2, **flat)
        for tap in range(s.kernel_size):
            ax.add_patch(Rectangle((left + tap * s.dilation, y), 1, 0.8, **bar))
        return
    inside = min(stop, s.edge) - start
    ax.add_patch(Rectangle((left, y), inside, 0.8, **bar))
    if stop > s.edge:
        beyond = {"facecolor": "white", "edgecolor": BLUE, "hatch": "\\\\\\\\"}
        over = stop - s.edge
        ax.add_patch(Rectangle((left + inside, y), over, 0.8, linewidth=0.8, **beyond))
    reads = f"{start} … {min(stop, s.edge) - 1}".replace("-", MINUS)
    if text_width(reads, SMALL) + 6 < inside * points:
        middle = {"x": left + inside / 2, "y": y + 0.42, "ha": "center", "va": "center"}
        ax.text(s=reads, color="white", fontsize=SMALL, **middle)


def _draw_stride(ax: Axes, s: Sliding, view: View, y: float, points: float) -> None:
    """Draw how far the second window lies from the first, if there is room to say."""
    begin, end = view.left(s.start(0)), view.left(s.start(1))
    words = [f"stride {s.stride}", f"+{s.stride}"]
    fitting = [w for w in words if text_width(w, SMALL) + 14 < s.stride * points]
    if not fitting:
        return
    arrow = {"arrowstyle": "<->", "color": GREY, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", (end, y + 0.4), (begin, y + 0.4), arrowprops=arrow)
    box = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    at = {"ha": "center", "va": "center", "fontsize": SMALL, "bbox": box}
    ax.text((begin + end) / 2, y + 0.4, fitting[0], **at)


def _label_the_end(
    ax: Axes, s: Sliding, view: View, bottom: float, points: float
) -> None:
    """Say what is left over, or how far the last window hangs over the edge."""
    end = view.right(s.end - 1)
    if s.leftover:
        begin = view.left(s.edge - s.leftover)
        ax.fill_between([begin, end], 1, bottom, color="#F6D5C3", alpha=0.6, zorder=0)
        words, colour = s.left_over_words, "#A34500"
    elif s.overhang:
        begin = view.right(s.edge - 1)
        ax.plot([begin, begin], [-0.05, bottom], color=INK, linewidth=2)
        words, colour = f"{s.overhang} over the edge", BLUE
    else:
        return
    # right-aligned, unless that would start left of the first cell
    fits = text_width(words, 13) < end * points
    x, align = (end, "right") if fits else (begin, "left")
    at = {"ha": align, "va": "center", "fontweight": "bold", "color": colour}
    ax.text(x, bottom + 0.45, words, **at)
