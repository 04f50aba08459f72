"""The ledger as aligned text and as an HTML table."""

from __future__ import annotations

import textwrap
from html import escape
from typing import TYPE_CHECKING

from alexnet_lab.arithmetic import advice

if TYPE_CHECKING:
    from alexnet_lab.arithmetic.accounting import Ledger, Row

_HEADS = ["layer", "", "output", "parameters", "multiply-acc.", "field", "jump", "left"]
_WIDTH = 118


def text(led: Ledger) -> str:
    """Return the ledger as text: a line of figures a layer, its working below it."""
    table = [_HEADS, *(_cells(row) for row in led.rows)]
    totals = ["total", "", "", _count(led.total_parameters), _count(led.total_macs)]
    table.append(totals + [""] * (len(_HEADS) - len(totals)))
    widths = [max(len(cells[i]) for cells in table) for i in range(len(_HEADS))]
    rule = "─" * (sum(widths) + 2 * (len(widths) - 1))
    lines = [_line(_HEADS, widths), rule]
    for cells, row in zip(table[1:-1], led.rows, strict=True):
        lines.append(_line(cells, widths))
        lines += _working_lines(row, indent=widths[0] + 2)
    return "\n".join([*lines, rule, _line(totals, widths), caption(led)])


def html(led: Ledger) -> str:
    """Return the ledger as an HTML table that suits light and dark pages."""
    heads = "".join(
        f'<th style="{_LEFT if i < 2 else _RIGHT}">{head}</th>'
        for i, head in enumerate(_HTML_HEADS)
    )
    body = "\n".join(_html_row(row) for row in led.rows)
    totals = ["<b>total</b>", "", "", _count(led.total_parameters),
              _count(led.total_macs), "", "", ""]  # fmt: skip
    last = "".join(f'<td style="{_RIGHT}">{cell}</td>' for cell in totals[1:])
    return (
        '<table style="border-collapse: collapse; font-variant-numeric: tabular-nums">'
        f'\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}\n<tr style="{_TOP}">'
        f'<td style="{_LEFT}">{totals[0]}</td>{last}</tr>\n</tbody>\n</table>\n'
        f'<p style="margin: 0.4em 0; opacity: 0.75">{escape(caption(led))}</p>'
    )


def caption(led: Ledger) -> str:
    """Return the input, the totals, and the smallest square that does, in one line.

    `minimum_input` is true of the image layers; the linear layers behind them want one
    number of features, and so take few sizes only.
    """
    parts = [
        f"Input {_shape(led.input_shape)}",
        f"{led.total_parameters:,} parameters",
        f"{led.total_macs:,} multiply-accumulates",
    ]
    parts += _least(led)
    return " · ".join(parts)


def _least(led: Ledger) -> list[str]:
    from alexnet_lab.arithmetic.accounting import (
        named_layers,  # which imports this module
    )

    side = led.minimum_input
    if side is None or side == 1:
        return []
    end = advice.end_of_image([layer for _, layer in named_layers(led.net)])
    if end is None:
        return [f"smallest square input {side}"]
    return [f"at least {side}×{side} to reach the {type(end).__name__}"]


def _cells(row: Row) -> list[str]:
    windowed = row.leftover is not None and row.formula
    return [
        row.name,
        row.layer,
        _shape(row.output_shape),
        _count(row.parameters),
        _count(row.macs),
        _ways(row.receptive_field),
        _ways(row.jump),
        _ways(row.leftover) if windowed else "",
    ]


def _line(cells: list[str], widths: list[int]) -> str:
    padded = [
        cell.ljust(width) if i < 2 else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(cells, widths))  # noqa: B905
    ]
    return "  ".join(padded).rstrip()


def _working_lines(row: Row, indent: int) -> list[str]:
    """Return the workings side by side, or below one another where they're too long."""
    parts = [row.formula, row.parameters_formula, row.macs_formula]
    parts = [part for part in parts if part]
    joined = " " * indent + "   ".join(parts)
    if len(joined) <= _WIDTH:
        return [joined] if parts else []
    margin = " " * indent
    return [
        line
        for part in parts
        for line in textwrap.wrap(
            part, _WIDTH, initial_indent=margin, subsequent_indent=margin + "  "
        )
    ]


_HTML_HEADS = ["layer", "", "output", "parameters", "multiply-accumulates",
               "receptive field", "jump", "left over"]  # fmt: skip
_TOP = "border-top: 1px solid rgba(128, 128, 128, 0.5)"
_CELL = "padding: 0.25em 0.8em; vertical-align: top; background: transparent; "
_LEFT = _CELL + "text-align: left"
_RIGHT = _CELL + "text-align: right"
_SMALL = "font-size: 85%; opacity: 0.7; white-space: nowrap"


def _html_row(row: Row) -> str:
    cells = [escape(cell) for cell in _cells(row)]
    cells[0] = f"<b>{cells[0]}</b>"
    workings = {2: row.formula, 3: row.parameters_formula, 4: row.macs_formula}
    for index, working in workings.items():
        for line in working.split("; ") if working else []:
            cells[index] += f'<br/><span style="{_SMALL}">{escape(line)}</span>'
    line = "".join(
        f'<td style="{_LEFT if i < 2 else _RIGHT}">{cell}</td>'
        for i, cell in enumerate(cells)
    )
    return f'<tr style="{_TOP}">{line}</tr>'


def _count(number: int) -> str:
    return f"{number:,}" if number else ""


def _shape(shape: tuple[int, ...]) -> str:
    return f"{shape[0]:,}" if len(shape) == 1 else "×".join(f"{n}" for n in shape)


def _ways(value: int | tuple[int, int] | None) -> str:
    if value is None:
        return ""
    return (
        "×".join(f"{v:,}" for v in value) if isinstance(value, tuple) else f"{value:,}"
    )
