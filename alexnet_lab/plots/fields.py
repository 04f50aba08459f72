"""Receptive fields: how much of the input one unit of each layer depends on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alexnet_lab.plots.style import GREY, INK, PALE, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from alexnet_lab.accounting import Ledger, Row


@styled
def draw_receptive_fields(ledger: Ledger) -> Figure:
    """Draw how the receptive field grows, layer by layer, to scale with the input.

    Left, the fields of one unit in the middle as nested squares in the input; right,
    a bar for each layer that widens the field, with its size and the jump.

    Args:
        ledger: of a network that starts with convolutions or pools.

    Raises:
        ValueError: if no layer has a receptive field.
    """
    size = _input_size(ledger)
    steps = _steps(ledger)
    if not steps:
        raise ValueError("no layer of this ledger has a receptive field to draw")
    figure = new_figure(10, max(3.6, 1.6 + 0.42 * len(steps)))
    left, right = figure.subplots(1, 2, width_ratios=[1, 2])
    shades = _shades(len(steps))
    _draw_nested(left, size, [field for _, field, *_ in steps], shades)
    _draw_bars(right, size, steps, shades)
    last = steps[-1]
    figure.suptitle(
        f"One unit of {last[0]} sees {last[1]} × {last[1]} of {size} × {size} pixels",
        x=0.01,
        ha="left",
    )
    return figure
