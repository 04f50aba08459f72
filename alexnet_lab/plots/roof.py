"""The roofline: how fast each layer ran, under what the machine can do at best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from alexnet_lab.plots.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    PURPLE,
    VERMILION,
    new_figure,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from alexnet_lab.inside.roofline import Machine, Point

MARKERS = [(BLUE, "o"), (VERMILION, "s"), (GREEN, "^"), (PURPLE, "D"), (INK, "v")]


@styled
def draw_roofline(
    points: Mapping[str, Sequence[Point]], machine: Machine, title: str
) -> Figure:
    """Draw measured speed against arithmetic intensity, on logarithmic axes.

    The slanted part of the roof is the memory's bandwidth, the flat part the peak of
    the arithmetic units. How far a point lies below the roof is what its program
    leaves unused.

    Args:
        points: kind of layer → its measured layers; at most five kinds.
        machine: what sets the roof.
        title: of the figure.

    Raises:
        ValueError: more than five kinds, or a layer that was not measured.
    """
    if len(points) > len(MARKERS):
        raise ValueError(f"{len(points)} kinds, but only {len(MARKERS)} can be drawn")
    everyone = [point for kind in points.values() for point in kind]
    if not everyone or any(point.speed is None for point in everyone):
        raise ValueError("draw_roofline needs layers with measured seconds")
    figure = new_figure(9.5, 5)
    ax = figure.subplots()
    left, right = 0.05, 3 * max([machine.ridge, *(p.intensity for p in everyone)])
    roof = [left, machine.ridge, right]
    ax.loglog(roof, [machine.attainable(x) / 1e9 for x in roof], color=INK, lw=2.2)
    ax.axvline(machine.ridge, color=GREY, lw=1, ls=":")
    for (kind, members), (colour, marker) in zip(points.items(), MARKERS, strict=False):
        ax.loglog(
            [p.intensity for p in members], [p.speed / 1e9 for p in members], marker,
            color=colour, markeredgecolor=INK, markersize=9, linestyle="", label=kind,
        )  # fmt: skip
    low = min(p.speed for p in everyone) / 2.5e9
    ax.set(xlim=(left, right), ylim=(low, 2.6 * machine.peak / 1e9))
    ax.text(
        0.85 * machine.ridge, machine.peak / 1e9,
        f"peak: {machine.peak / 1e9:,.0f} billion per second",
        ha="right", va="bottom", fontsize=11,
    )  # fmt: skip
    ax.text(
        1.08 * machine.ridge, 1.25 * low, f"ridge: {machine.ridge:.1f}", fontsize=11
    )
    ax.set_xlabel("arithmetic intensity, operations per byte")
    ax.set_ylabel("speed, billion operations per second")
    ax.set_title(title)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    ax.grid(alpha=0.5)
    return figure
