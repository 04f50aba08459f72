"""Where something goes, layer by layer or kind by kind: shares of a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from alexnet_lab.plots.style import (
    BLUE,
    INK,
    ORANGE,
    PALE,
    SKY,
    SMALL,
    VERMILION,
    new_figure,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# fill, hatch and colour of the figures on it: no two alike in grey print either
FILLS = [
    (BLUE, "", "white"),
    (SKY, "//", INK),
    (PALE, "", INK),
    (ORANGE, "..", INK),
    (VERMILION, "xx", INK),
    ("white", "\\\\", INK),
]


@styled
def layer_shares(panels: Mapping[str, Mapping[str, float]]) -> Figure:
    """Draw one panel for each quantity, with a bar for each layer: its share in %.

    Args:
        panels: title of the panel → name of the layer → amount, in any unit. The
            first panel's layers are the rows; one that a panel lacks counts 0.

    Raises:
        ValueError: no panel, or a panel whose amounts add up to nothing.
    """
    if not panels:
        raise ValueError("layer_shares needs at least one panel")
    names = list(next(iter(panels.values())))
    figure = new_figure(2.4 * len(panels) + 0.9, 0.27 * len(names) + 1.2)
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for ax, (title, amounts) in zip(axes, panels.items(), strict=True):
        shares = [100 * share for share in _shares(title, amounts, names)]
        bars = ax.barh(names, shares, color=SKY, edgecolor=INK, linewidth=0.6)
        labels = [f"{share:.0f}" if share >= 0.5 else "" for share in shares]
        ax.bar_label(bars, labels, padding=3, fontsize=SMALL)
        ax.set(xlim=(0, 1.25 * max(shares)), xlabel="% of all", title=title)
        ax.tick_params(axis="y", length=0, labelsize=SMALL)
    axes[0].set_ylim(len(names) - 0.4, -0.6)
    return figure


@styled
def kind_shares(rows: Mapping[str, Mapping[str, float]], title: str) -> Figure:
    """Draw one stacked bar of 100 % for each quantity, divided by kinds of layer.

    Args:
        rows: name of the quantity → kind of layer → amount, in any unit. At most six
            kinds; those of the first row, in its order.
        title: of the figure.

    Raises:
        ValueError: no row, more than six kinds, or a row that adds up to nothing.
    """
    kinds = list(next(iter(rows.values()))) if rows else []
    if not 0 < len(kinds) <= len(FILLS):
        raise ValueError(f"one to {len(FILLS)} kinds of layers can be told apart")
    figure = new_figure(9.5, 0.62 * len(rows) + 1.7)
    ax = figure.subplots()
    left = [0.0] * len(rows)
    table = [_shares(name, amounts, kinds) for name, amounts in rows.items()]
    for kind, (fill, hatch, ink), *column in zip(kinds, FILLS, *table, strict=False):
        wide = [100 * share for share in column]
        bars = ax.barh(
            list(rows), wide, 0.68, left, color=fill, hatch=hatch, edgecolor=INK,
            linewidth=0.7, label=kind,
        )  # fmt: skip
        box = {"facecolor": fill, "edgecolor": "none", "pad": 3}
        for text, width in zip(
            ax.bar_label(
                bars, [f"{w:.0f}" if w >= 4 else "" for w in wide],
                label_type="center", color=ink, fontsize=11,
            ),
            wide,
            strict=True,
        ):  # fmt: skip
            if width >= 4 and hatch:
                text.set_bbox(box)
        left = [a + b for a, b in zip(left, wide, strict=True)]
    ax.set(xlim=(0, 100), ylim=(len(rows) - 0.45, -0.55), xlabel="% of the network")
    ax.set_title(title, pad=34)
    ax.tick_params(axis="y", length=0)
    ax.legend(
        ncols=len(kinds), loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2,
        columnspacing=1.2, handletextpad=0.5,
    )  # fmt: skip
    return figure


def _shares(
    title: str, amounts: Mapping[str, float], names: Sequence[str]
) -> list[float]:
    """The share of each name in the sum of all."""
    column = [float(amounts.get(name, 0)) for name in names]
    total = sum(column)
    if total <= 0:
        raise ValueError(f"{title!r} adds up to {total}: nothing to share")
    return [amount / total for amount in column]
