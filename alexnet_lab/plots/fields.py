"""Receptive fields: how much of the input one unit of each layer depends on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alexnet_lab.arithmetic import Ledger
from alexnet_lab.plots.images import one_image
from alexnet_lab.plots.style import GREY, INK, PALE, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor

Pair = tuple[int, int]


@dataclass(frozen=True)
class Field:
    """One layer's receptive field, jump and map, each as (height, width)."""

    name: str
    size: Pair
    jump: Pair
    map: Pair


@styled
def draw_receptive_fields(ledger: Ledger) -> Figure:
    """Draw how the receptive field grows, layer by layer, to scale with the input.

    Left, the fields of one unit in the middle, nested in the input; right, a bar for
    each layer that widens the field. Beside each bar stand the field's size, the jump
    (pixels of the input from one unit to the next) and the size of the map.

    Args:
        ledger: of a network that starts with convolutions or pools.

    Raises:
        ValueError: if no layer has a receptive field.
    """
    fields = growing(ledger)
    if not fields:
        raise ValueError(
            "no layer of this ledger widens the receptive field: it needs a "
            "convolution or a pool before the first flatten"
        )
    height, width = _pair(ledger.input_shape[-2:])
    figure = new_figure(10, max(3.9, 1.7 + 0.4 * len(fields)))
    left, right = figure.subplots(1, 2, width_ratios=[1, 2.1])
    shades = _shades(len(fields))
    _draw_nested(left, (height, width), fields, shades)
    _draw_bars(right, width, fields, shades)
    last = fields[-1]
    sees = f"sees {last.size[0]} × {last.size[1]} pixels"
    title = f"One unit of {last.name} {sees}; the input has {height} × {width}"
    figure.suptitle(title, x=0.01, ha="left")
    return figure


@styled
def draw_field_on_image(
    ledger: Ledger, name: str, image: Tensor, row: int, col: int
) -> Figure:
    """Draw on an image the square that one unit of a layer depends on.

    The square is bright and framed, the rest of the image dimmed. Where padding lets
    the field reach beyond the image, so does the frame: there the layers read zeros.

    Args:
        ledger: of the network, for images of this size.
        name: of the layer, as in `ledger[name]`.
        image: C×H×W, 1×C×H×W or H×W with C = 1 or 3; uint8, or scaled to its range.
        row, col: of the unit in the layer's map, from 0.

    Raises:
        KeyError: no layer of this name.
        ValueError: a layer without a receptive field, an image of another size, or a
            unit outside the map.
    """
    top, left, high, wide = ledger[name].sees(row, col)
    shown = one_image(image)
    if shown.shape[:2] != tuple(ledger.input_shape[-2:]):
        expected = "×".join(map(str, ledger.input_shape[-2:]))
        given = "×".join(map(str, shown.shape[:2]))
        raise ValueError(f"the ledger is for {expected} pixels, the image is {given}")
    figure = new_figure(5.6, 6.0)
    ax = figure.subplots()
    _draw_field(ax, shown, (top, left, high, wide))
    ax.set_title(f"Unit ({row}, {col}) of {name} sees {high} × {wide} pixels")
    return figure


def growing(ledger: Ledger) -> list[Field]:
    """Return the field of each layer that sees more than the layer before it."""
    fields: list[Field] = []
    for row in ledger.rows:
        if row.receptive_field is None or len(row.output_shape) != 3:
            continue
        size = _pair(row.receptive_field)
        if size != (fields[-1].size if fields else (1, 1)):
            sides = _pair(row.output_shape[1:])
            fields.append(Field(row.name, size, _pair(row.jump), sides))
    return fields


def _pair(value: Any) -> Pair:
    """Return a size as (height, width): one number stands for both."""
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))


def _written(pair: Pair) -> str:
    return str(pair[0]) if pair[0] == pair[1] else f"{pair[0]}×{pair[1]}"


def _shades(number: int) -> list[tuple[float, float, float]]:
    """Return `number` blues from dark to light, which are greys from dark to light."""
    dark, light = (0.0, 0.2, 0.36), (0.72, 0.86, 0.95)
    steps = [i / max(1, number - 1) for i in range(number)]
    return [
        tuple(d + t * (p - d) for d, p in zip(dark, light, strict=True)) for t in steps
    ]


def _draw_nested(ax: Axes, size: Pair, fields: list[Field], shades: list) -> None:
    from matplotlib.patches import Rectangle

    height, width = size
    ax.add_patch(Rectangle((0, 0), width, height, facecolor=PALE, edgecolor=GREY))
    for field, shade in reversed(list(zip(fields, shades, strict=True))):
        high, wide = field.size
        corner = ((width - wide) / 2, (height - high) / 2)
        style = {"facecolor": shade, "edgecolor": "white", "linewidth": 1.2}
        ax.add_patch(Rectangle(corner, wide, high, **style))
    beyond = max(0, fields[-1].size[1] - width, fields[-1].size[0] - height) / 2
    margin = beyond + 0.02 * width
    ax.set(xlim=(-margin, width + margin), ylim=(height + margin, -margin))
    ax.set(xticks=[0, width], yticks=[0, height], xlabel="column", ylabel="row")
    ax.set_aspect("equal", anchor="N")
    ax.spines[:].set_visible(False)
    ax.set_title("in the input")


def _draw_field(ax: Axes, image: Any, field: tuple[int, int, int, int]) -> None:
    """Draw an image dimmed outside a field, and a frame that shows on any colour."""
    from matplotlib.patches import Rectangle

    top, left, high, wide = field
    rows, columns = image.shape[:2]
    ax.imshow(
        0.55 + 0.3 * image, cmap="gray", vmin=0, vmax=1, extent=(0, columns, rows, 0)
    )
    zeros = {"facecolor": "white", "edgecolor": GREY, "hatch": "////", "zorder": 0}
    ax.add_patch(Rectangle((left, top), wide, high, **zeros))
    frame = Rectangle((left, top), wide, high, facecolor="none", zorder=3)
    bright = ax.imshow(image, cmap="gray", vmin=0, vmax=1, extent=(0, columns, rows, 0))
    ax.add_patch(frame)
    bright.set_clip_path(frame)
    frame.set(edgecolor="black", linewidth=4)
    style = {"facecolor": "none", "edgecolor": "white", "linewidth": 1.6}
    ax.add_patch(Rectangle((left, top), wide, high, linestyle="--", zorder=4, **style))
    margin = 0.03 * max(rows, columns)
    ax.set_xlim(min(0, left) - margin, max(columns, left + wide) + margin)
    ax.set_ylim(max(rows, top + high) + margin, min(0, top) - margin)
    outside = left < 0 or top < 0 or left + wide > columns or top + high > rows
    ax.set(xlabel="column", ylabel="row")
    if outside:
        ax.set_xlabel("column  (hatched: zeros of the padding)")
    ax.set_aspect("equal")


def _draw_bars(ax: Axes, width: int, fields: list[Field], shades: list) -> None:
    reach = max(width, fields[-1].size[1])
    places = range(len(fields))
    widths = [field.size[1] for field in fields]
    ax.barh(places, widths, height=0.72, color=shades, edgecolor=INK, linewidth=0.8)
    ax.axvline(width, color=INK, linewidth=1.5, linestyle="--")
    right = {"ha": "right", "va": "center"}
    columns = {"field": 1.17, "jump": 1.36, "map": 1.66}
    for place, field in zip(places, fields, strict=True):
        sides = f"{field.map[0]} × {field.map[1]}"
        texts = _written(field.size), _written(field.jump), sides
        for x, text, weight in zip(
            columns.values(), texts, ("bold", "normal", "normal"), strict=True
        ):
            ax.text(reach * x, place, text, fontweight=weight, **right)
    for name, x in columns.items():
        ax.text(reach * x, -0.95, name, color="#555555", **right)
    ax.set_yticks(places, [field.name for field in fields])
    ax.set(xlim=(0, reach * 1.68), ylim=(len(fields) - 0.4, -1.35))
    ticks = [t for t in ax.get_xticks() if t <= 0.85 * width] + [width]
    ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
    ax.set_xlabel("pixels of the input", loc="left")
    ax.spines["bottom"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.set_title("layer by layer")
