"""Effects with their error bars, and accuracy against what a network costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from alexnet_lab.plots.style import (
    BLUE,
    GREY,
    INK,
    SMALL,
    VERMILION,
    new_figure,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Effect(NamedTuple):
    """One comparison.

    Attributes:
        name: what was changed.
        difference: mean of the changed network minus mean of the baseline.
        error: half the width of its interval, in the same unit.
        paper: what the paper reports for the same change, or None.
    """

    name: str
    difference: float
    error: float
    paper: float | None = None


class Cost(NamedTuple):
    """One network: what it costs and how well it does.

    Attributes:
        name: of the network.
        parameters, macs: what it costs.
        accuracy, spread: mean and standard deviation over the seeds, in %.
    """

    name: str
    parameters: int
    macs: int
    accuracy: float
    spread: float


@styled
def draw_effects(effects: Sequence[Effect], title: str, label: str) -> Figure:
    """Draw each difference as a dot with its interval, and the paper's as a diamond.

    A dot is filled where the interval leaves zero out.

    Args:
        effects: from top to bottom.
        title: of the figure.
        label: of the axis, with its unit.

    Raises:
        ValueError: no effect.
    """
    if not effects:
        raise ValueError("draw_effects needs at least one effect")
    figure = new_figure(9.5, 0.36 * len(effects) + 1.6)
    ax = figure.subplots()
    ax.axvline(0, color=GREY, linewidth=1)
    for row, effect in enumerate(effects):
        clear = abs(effect.difference) > effect.error
        ax.errorbar(
            effect.difference, row, xerr=effect.error, fmt="o", color=BLUE, capsize=4,
            markerfacecolor=BLUE if clear else "white", markersize=8, linewidth=1.6,
        )  # fmt: skip
        if effect.paper is not None:
            ax.plot(
                effect.paper, row, "D", color=VERMILION, markersize=8,
                markerfacecolor="none", markeredgewidth=2,
            )  # fmt: skip
    ax.plot([], [], "o", color=BLUE, label="here: interval without zero")
    ax.plot(
        [], [], "o", color=BLUE, markerfacecolor="white", label="interval with zero"
    )
    if any(effect.paper is not None for effect in effects):
        ax.plot(
            [], [], "D", color=VERMILION, markerfacecolor="none", markeredgewidth=2,
            label="the paper, ImageNet top-1",
        )  # fmt: skip
    ax.set_yticks(range(len(effects)), [effect.name for effect in effects])
    ax.tick_params(axis="y", length=0)
    ax.set(ylim=(len(effects) - 0.4, -0.6), xlabel=label)
    ax.set_title(title, pad=32)
    ax.grid(axis="x", alpha=0.6)
    ax.legend(
        ncols=3, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2,
        columnspacing=1.2, handletextpad=0.3,
    )  # fmt: skip
    return figure


@styled
def draw_costs(costs: Sequence[Cost], title: str) -> Figure:
    """Draw accuracy against parameters and against work, as one path of numbered steps.

    Args:
        costs: the networks in order; number 1 is the first.
        title: of the figure.

    Raises:
        ValueError: no network.
    """
    if not costs:
        raise ValueError("draw_costs needs at least one network")
    from matplotlib.ticker import LogLocator, NullLocator

    figure = new_figure(10.5, 4.6)
    axes = figure.subplots(1, 2, sharey=True)
    panels = [
        (axes[0], [c.parameters for c in costs], "parameters"),
        (axes[1], [c.macs for c in costs], "multiply-accumulates per image"),
    ]
    accuracies = [c.accuracy for c in costs]
    for ax, amounts, label in panels:
        ax.plot(amounts, accuracies, ":", color=GREY, linewidth=1.6)
        ax.errorbar(
            amounts, accuracies, yerr=[c.spread for c in costs], fmt="o", color=BLUE,
            capsize=4, markersize=15, markeredgecolor=INK,
        )  # fmt: skip
        for number, (x, y) in enumerate(zip(amounts, accuracies, strict=True), start=1):
            ax.text(
                x, y, str(number), ha="center", va="center_baseline", color="white",
                fontsize=SMALL, fontweight="bold",
            )  # fmt: skip
        ax.set(xscale="log", xlabel=label, xlim=(min(amounts) / 2, max(amounts) * 2))
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(lambda value, _: _short(value))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.grid(alpha=0.6)
    axes[0].set_ylabel("validation accuracy, %")
    figure.suptitle(title, x=0.01, ha="left")
    for number, cost in enumerate(costs, start=1):
        axes[1].plot([], [], " ", label=f"{number}  {cost.name}")
    axes[1].legend(
        loc="center left", bbox_to_anchor=(1.0, 0.5), handlelength=0, labelspacing=0.9
    )
    return figure


def _short(number: float) -> str:
    """A tick's label: 200 k, 5 M."""
    if number < 1e6:
        return f"{number / 1e3:g} k"
    return f"{number / 1e6:g} M"
