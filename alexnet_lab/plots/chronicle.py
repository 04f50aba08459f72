"""A few years of history, as a line with notes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from alexnet_lab.plots.style import BLUE, INK, SMALL, new_figure, styled, wrapped

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = 10.0  # inches


@styled
def timeline(events: Sequence[tuple[float, str, str]], title: str) -> Figure:
    """Draw events above and below a line of years, in turns.

    Args:
        events: (year, name, what it was), in order. Two neighbours on the same side
            need room: keep the text short.
        title: of the figure.

    Raises:
        ValueError: fewer than two events, or events that are not in order.
    """
    years = [year for year, _, _ in events]
    if len(events) < 2 or years != sorted(years):
        raise ValueError("timeline needs at least two events, in the order of years")
    figure = new_figure(WIDTH, 3.0)
    ax = figure.subplots()
    ax.axhline(0, color=INK, linewidth=2)
    room = 72 * WIDTH / ((len(events) + 1) / 2) - 12  # points for a note
    for place, (year, name, text) in enumerate(events):
        side = 1 if place % 2 == 0 else -1
        ax.plot([place, place], [0, 0.28 * side], color=BLUE, linewidth=1.4)
        ax.plot(place, 0, "o", color=BLUE, markersize=11, markeredgecolor=INK)
        note = f"{year:.0f} · {name}\n{wrapped(text, SMALL, room)}"
        ax.text(
            place, 0.33 * side, note, ha="center",
            va="bottom" if side > 0 else "top", fontsize=SMALL, linespacing=1.25,
        )  # fmt: skip
    ax.set(xlim=(-0.9, len(events) - 0.1), ylim=(-1.25, 1.25))
    ax.set_title(title)
    ax.axis("off")
    return figure
