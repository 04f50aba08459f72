"""A record as a table, in Markdown as README has it, and as a picture."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from alexnet_lab.plots.style import BLUE, VERMILION, new_figure, styled
from benchmarks.recipes import BATCH

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def table(record: dict) -> list[str]:
    """The lines of the table: the steps, then the goals."""
    lines = ["| | textbook's recipe | here | |", "|---|---|---|---|"]
    for name, (plain, note), (ours, our_note), gain in _rows(record):
        published = record["goals"].get(name, {}).get("published")
        label = f"{name} ({published})" if published else name
        cells = label, _seconds(plain) + note, _seconds(ours) + our_note, f"{gain:.3g}×"
        lines.append(f"| {' | '.join(cells)} |")
    return lines


@styled()
def draw(record: dict) -> Figure:
    """Bars of both recipes for each network and goal, on a logarithmic scale."""
    rows = _rows(record)
    figure = new_figure(12, 0.9 + 0.6 * len(rows))
    ax = figure.subplots()
    for name, plain, (ours, note), gain in rows:
        for who, (values, text), colour, hatch in (
            ("textbook", plain, VERMILION, "//"),
            ("ours", (ours, f" ({gain:.3g}×){note}"), BLUE, ""),
        ):
            label, mean = f"{name}, {who}", statistics.mean(values)
            bar = ax.barh(label, mean, color=colour, hatch=hatch, edgecolor="white")
            ax.bar_label(bar, [_seconds(values) + text], padding=4, fontsize=9)
    ax.set_xscale("log")
    ax.set_xlim(right=1000 * ax.get_xlim()[1])  # room for the longest bar's text
    ax.invert_yaxis()
    ax.set_xlabel("seconds, logarithmic")
    ax.set_title("Training by the textbook's recipe and by ours")
    parts = [part for kind in record.values() for part in kind.values()]
    measured = {"{machine}, torch {torch}, {date}".format(**part) for part in parts}
    figure.supxlabel("\n".join(sorted(measured)), fontsize=10)
    return figure


def _rows(record: dict) -> list[tuple]:
    """Name; seconds, of each seed, and a note, of both recipes; how many times."""
    rows = []
    for name, run in record["steps"].items():
        label, share = f"{name}: a step of {BATCH} images", 100 * run["of_ceiling"]
        ours = [run["our_seconds"]], f"; {share:.0f} % of the best matrix product"
        rows.append((label, ([run["plain_seconds"]], ""), ours, run["gain"]))
    for name, run in record["goals"].items():
        wrong, count = "error" in name, len(run["seconds"])
        worst, best = (_percent(f(run["accuracies"]), wrong) for f in (min, max))
        ours = f"; {count} seed{'s' * (count > 1)}, {worst}–{best} %"
        ours += "" if run["reached"] else " (not reached)"
        ends = record["textbook"].get(run["network"])
        plain = f"; ends at {_percent(ends['accuracy'], wrong)} %" if ends else ""
        plain += f"; {_work(run['textbook_flops'])}"
        here = run["seconds"], f"{ours}; {_work(run['flops'])}"
        rows.append((name, ([run["textbook_seconds"]], plain), here, run["gain"]))
    return rows


def _percent(accuracy: float, wrong: bool) -> str:
    return f"{100 * abs(wrong - accuracy):.1f}"


def _work(flops: float) -> str:
    tera = flops / 1e12
    return f"{tera:,.0f} TFLOP" if tera >= 10 else f"{tera:.2g} TFLOP"


def _seconds(values: list[float]) -> str:
    digits = 0 if values[0] >= 100 else 1 if values[0] >= 1 else 3
    spread = f" ± {statistics.stdev(values):.{digits}f}" if values[1:] else ""
    return f"{statistics.mean(values):,.{digits}f}{spread} s"
