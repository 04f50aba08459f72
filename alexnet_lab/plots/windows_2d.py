"""The same window in two dimensions: a square that slides over a padded square."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alexnet_lab.arithmetic.sizes import Padding
from alexnet_lab.plots.sliding import BEYOND, NEVER_READ, PADDING, PIXEL, Sliding
from alexnet_lab.plots.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
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
    from matplotlib.patches import Patch

_MOST_CELLS = 24  # a larger grid gets a second panel, which zooms into the corner


@styled
def draw_windows_2d(
    size: int,
    kernel_size: int,
    stride: int,
    padding: Padding = 0,
    ceil_mode: bool = False,
) -> Figure:
    """Draw the first, second and last window on a padded `size` × `size` input.

    The border that no window reads is crossed. Of a large input a second panel shows
    the bottom right corner, where the last window ends, cell by cell.

    Args:
        size: pixels of one side of the input, without padding.
        kernel_size, stride, padding, ceil_mode: as in `output_size`, the same for
            height and width.

    Raises:
        ValueError, TypeError: those of `output_size`.
    """
    s = Sliding(size, kernel_size, stride, padding, 1, ceil_mode)
    whole = (-s.before, s.end)
    large = s.end + s.before > _MOST_CELLS
    figure = new_figure(10.4 if large else 6.5, 6.2)
    if large:
        left, right = figure.subplots(1, 2, width_ratios=[0.86, 1])
        corner = (max(-s.before, s.start(s.positions - 1) - 1), s.end)
        _draw_square(right, s, corner, cells=True)
        right.set_title("the bottom right corner")
        _frame(left, corner)
    else:
        left = figure.subplots()
    _draw_square(left, s, whole, cells=not large)
    left.set_title("the whole input")
    handles = _legend(s)
    columns = (len(handles) + 1) // 2
    figure.legend(handles=handles, loc="outside lower left", ncols=columns)
    wide = 690 if large else 440
    sides = f"{s.positions} × {s.positions} = {s.positions**2:,} windows"
    title = [f"{s.words}: {sides}", s.working]
    title = "\n".join(wrapped(line, 15, wide) for line in title)
    figure.suptitle(title, x=0.01, ha="left")
    return figure


def _windows(s: Sliding) -> dict[str, tuple[int, int, dict]]:
    """Return the windows to outline: name → row, column, how to draw the outline."""
    last = s.positions - 1
    found = {"first": (0, 0, {"edgecolor": BLUE, "linestyle": "-"})}
    if last >= 1:
        found["second"] = (0, 1, {"edgecolor": GREEN, "linestyle": "--"})
        found["last"] = (last, last, {"edgecolor": INK, "linestyle": "-."})
    return found


def _legend(s: Sliding) -> list[Patch]:
    """Return a sample of everything that is drawn, with its name."""
    from matplotlib.patches import Patch

    handles = [
        Patch(
            facecolor="none",
            linewidth=2.5,
            label=f"{name} window ({row}, {column})",
            **style,
        )
        for name, (row, column, style) in _windows(s).items()
    ]
    if s.before or s.after:
        handles.append(Patch(label="zeros of the padding", **PADDING))
    if s.leftover:
        label = f"{s.left_over_words}, each way"
        handles.append(Patch(label=label, **NEVER_READ))
    if s.overhang:
        label = f"{s.overhang} over the edge, each way"
        handles.append(Patch(label=label, **BEYOND))
    return handles


def _draw_square(ax: Axes, s: Sliding, shown: tuple[int, int], cells: bool) -> None:
    """Draw the part of the square whose rows and columns lie in `shown`."""
    from matplotlib.patches import Rectangle

    def square(start: int, stop: int, **style) -> None:
        ax.add_patch(Rectangle((start, start), stop - start, stop - start, **style))

    if s.overhang:
        square(-s.before, s.end, **BEYOND)
    square(-s.before, s.edge, **PADDING)
    square(0, s.size, **PIXEL)
    if s.leftover:
        begin, side = s.edge - s.leftover, s.edge + s.before
        never = {**NEVER_READ, "linewidth": 0}
        ax.add_patch(Rectangle((begin, -s.before), s.leftover, side, **never))
        ax.add_patch(
            Rectangle((-s.before, begin), side - s.leftover, s.leftover, **never)
        )
    if cells:
        _draw_cells(ax, s, shown)
    for number, (row, column, style) in enumerate(_windows(s).values()):
        at = (s.start(column), s.start(row))
        shape = {"width": s.span, "height": s.span, "zorder": 4 - 0.1 * number}
        ax.add_patch(Rectangle(at, facecolor="none", linewidth=2.5, **shape, **style))
        light = style["edgecolor"]
        ax.add_patch(Rectangle(at, facecolor=light, alpha=0.12, **shape))
    margin = 0.02 * (shown[1] - shown[0])
    ax.set(xlim=(shown[0] - margin, shown[1] + margin))
    ax.set(ylim=(shown[1] + margin, shown[0] - margin))
    ax.set_aspect("equal", anchor="N")
    ax.set(xlabel="column", ylabel="row")
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    if cells:
        _number(ax, s, shown)


def _draw_cells(ax: Axes, s: Sliding, shown: tuple[int, int]) -> None:
    """Draw the lines between cells, and the zeros outside the image."""
    begin, end = shown
    at = range(begin, end + 1)
    ax.vlines(at, begin, end, color=GREY, linewidth=0.6)
    ax.hlines(at, begin, end, color=GREY, linewidth=0.6)
    inside = range(s.size)
    for row in range(begin, end):
        for column in range(begin, end):
            if row not in inside or column not in inside:
                box = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
                where = (column + 0.5, row + 0.5)
                middle = {"ha": "center", "va": "center", "fontsize": SMALL}
                ax.text(*where, "0", zorder=6, bbox=box, **middle)


def _number(ax: Axes, s: Sliding, shown: tuple[int, int]) -> None:
    """Number the pixels, from the last one back, as many as fit."""
    begin, end = shown
    points = 4.24 * 72 / (end - begin)  # the panel is about 4.24 inches wide
    pixels = list(range(max(begin, 0), min(end, s.size)))[::-1]
    wide, high = text_width(str(s.size - 1), SMALL) + 6, SMALL + 3
    for axis, room in ((ax.xaxis, wide), (ax.yaxis, high)):
        step = tick_step(points, room)
        axis.set_ticks([i + 0.5 for i in pixels[::step]], map(str, pixels[::step]))
    ax.tick_params(labelsize=SMALL)


def _frame(ax: Axes, corner: tuple[int, int]) -> None:
    from matplotlib.patches import Rectangle

    side = corner[1] - corner[0]
    style = {"facecolor": "none", "edgecolor": INK, "linewidth": 1, "linestyle": ":"}
    ax.add_patch(Rectangle((corner[0], corner[0]), side, side, zorder=5, **style))
