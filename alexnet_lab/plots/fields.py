"""Receptive fields: how much of the input one unit of each layer depends on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alexnet_lab.plots.style import GREY, INK, PALE, Axes, new_figure, rectangle, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from alexnet_lab.arithmetic import Ledger, Row

Pair = tuple[int, int]


@styled
def draw_receptive_fields(ledger: Ledger) -> Figure:
    """Draw how the receptive field grows, layer by layer, to scale with the input.

    Left, the fields of one unit in the middle, nested in the input; right, a bar for
    each layer that widens the field. Beside each bar stand the field's size, the jump
    (pixels of the input from one unit to the next) and the size of the map. Raises
    ValueError if no layer has a receptive field. Taught in 01.
    """
    growing: dict[Pair, Row] = {}  # the first layer of each size
    for row in ledger.rows:
        if row.receptive_field is not None and len(row.output_shape) == 3:
            growing.setdefault(pair(row.receptive_field), row)
    growing.pop((1, 1), None)
    if not growing:
        raise ValueError("no convolution or pool, so no receptive field that grows")
    height, width = ledger.input_shape[-2:]
    figure = new_figure(10, max(3.9, 1.7 + 0.4 * len(growing)))
    left, right = figure.subplots(1, 2, width_ratios=[1, 2.1])
    lightness = [place / len(growing) for place in range(len(growing))]
    blues = [(0.75 * t, 0.2 + 0.7 * t, 0.36 + 0.6 * t) for t in lightness]
    _draw_nested(left, height, width, dict(zip(growing, blues, strict=True)))
    _draw_bars(right, width, growing, blues)
    (high, wide), last = list(growing.items())[-1]
    title = f"One unit of {last.name} sees {high} × {wide} pixels; the input has "
    figure.suptitle(f"{title}{height} × {width}", x=0.01, ha="left")
    return figure


def pair(value: Any) -> Pair:
    """Return a size as (height, width): one number stands for both."""
    return (value, value) if isinstance(value, int) else tuple(value)


def _draw_nested(ax: Axes, height: int, width: int, colours: dict[Pair, Any]) -> None:
    rectangle(ax, 0, 0, width, height, facecolor=PALE, edgecolor=GREY)
    for (high, wide), colour in reversed(colours.items()):
        corner = (width - wide) / 2, (height - high) / 2
        style = {"facecolor": colour, "edgecolor": "white"}
        rectangle(ax, *corner, wide, high, linewidth=1.2, **style)
    ax.autoscale_view()
    ax.invert_yaxis()
    ax.set(xticks=[0, width], yticks=[0, height], xlabel="column", ylabel="row")
    ax.set_aspect("equal", anchor="N")
    ax.spines[:].set_visible(False)
    ax.set_title("in the input")


def _draw_bars(ax: Axes, width: int, rows: dict[Pair, Row], colours: list) -> None:
    names, widths = [row.name for row in rows.values()], [wide for _, wide in rows]
    ax.barh(names, widths, 0.72, color=colours, edgecolor=INK, linewidth=0.8)
    ax.axvline(width, color=INK, linewidth=1.5, linestyle="--")
    reach = max(width, *widths)
    texts = {"field": list(rows), "jump": [pair(row.jump) for row in rows.values()]}
    texts["map"] = [pair(row.output_shape[1:]) for row in rows.values()]
    for (name, sizes), x in zip(texts.items(), (1.17, 1.36, 1.66), strict=True):
        style = {"ha": "right", "va": "center"}
        ax.text(reach * x, -0.95, name, color="#555555", **style)
        for place, (high, wide) in enumerate(sizes):
            text = f"{high} × {wide}" if name == "map" or high != wide else f"{high}"
            ax.text(reach * x, place, text, **style)
    ax.set(xlim=(0, reach * 1.68), ylim=(len(rows) - 0.4, -1.35))
    ticks = [tick for tick in ax.get_xticks() if tick <= 0.85 * width] + [width]
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.set_xlabel("pixels of the input", loc="left")
    ax.spines["bottom"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.set_title("layer by layer")
