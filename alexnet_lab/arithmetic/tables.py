"""The ledger as aligned text and as an HTML table."""

import textwrap
from collections.abc import Sequence
from html import escape

from alexnet_lab.arithmetic.rules import Pair, Row, Shape

_HEADS = ["layer", "", "output", "parameters", "multiply-acc.", "field", "jump", "left"]
_HTML_HEADS = [*_HEADS[:4], "multiply-accumulates", "receptive field", "jump",
               "left over"]  # fmt: skip
_WIDTH = 118
_CELL = "padding: 0.25em 0.5em; vertical-align: top; background: transparent; "
_TOP = "border-top: 1px solid rgba(128, 128, 128, 0.5)"
_SMALL = "font-size: 85%; opacity: 0.7"
_UNBROKEN = "white-space: nowrap"
_LONG = 36  # characters: a longer piece of a working may break anywhere


def text(rows: Sequence[Row], caption: str) -> str:
    """Return the ledger as text: a line of figures a layer, its working below it."""
    table = [_HEADS, *map(_cells, rows), _total(rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [_line(cells, widths) for cells in table]
    rule = "─" * (sum(widths) + 2 * (len(widths) - 1))
    body = []
    for line, row in zip(lines[1:-1], rows, strict=True):
        body += [line, *_workings(row, " " * (widths[0] + 2))]
    return "\n".join([lines[0], rule, *body, rule, lines[-1], caption])


def html(rows: Sequence[Row], caption: str) -> str:
    """Return the ledger as an HTML table that suits light and dark pages.

    Where room is short, a working breaks before its result: 900 pixels hold a table.
    """
    body = [_html_row(row) for row in rows]
    last = _html_cells("td", ["<b>total</b>", *_total(rows)[1:]], left=1)
    return (
        '<table style="border-collapse: collapse; font-variant-numeric: tabular-nums">'
        '\n<colgroup><col span="5"/><col span="3" style="width: 1%"/></colgroup>'
        f"\n<thead><tr>{_html_cells('th', _HTML_HEADS)}</tr></thead>\n<tbody>\n"
        + "\n".join([*body, f'<tr style="{_TOP}">{last}</tr>'])
        + f'\n</tbody>\n</table>\n<p style="margin: 0.4em 0; opacity: 0.75">'
        f"{escape(caption)}</p>"
    )


def shape_text(shape: Shape) -> str:
    """Return a shape as it stands in a table: `96×55×55`, or `9,216`."""
    return f"{shape[0]:,}" if len(shape) == 1 else "×".join(f"{n}" for n in shape)


def _cells(row: Row) -> list[str]:
    left = row.leftover if row.formula else None
    ways = map(_ways, (row.receptive_field, row.jump, left))
    counts = _count(row.parameters), _count(row.macs)
    return [row.name, row.layer, shape_text(row.output_shape), *counts, *ways]


def _total(rows: Sequence[Row]) -> list[str]:
    counts = sum(row.parameters for row in rows), sum(row.macs for row in rows)
    return ["total", "", "", *map(_count, counts), "", "", ""]


def _line(cells: list[str], widths: list[int]) -> str:
    left = [cell.ljust(width) for cell, width in zip(cells[:2], widths, strict=False)]
    right = [c.rjust(width) for c, width in zip(cells[2:], widths[2:], strict=True)]
    return "  ".join(left + right).rstrip()


def _workings(row: Row, margin: str) -> list[str]:
    """Return the workings side by side, or below one another where they're too long."""
    parts = [part for part in _formulas(row) if part]
    joined = margin + "   ".join(parts)
    if len(joined) <= _WIDTH:
        return [joined] if parts else []
    wrap = textwrap.TextWrapper(_WIDTH, margin, margin + "  ")
    return [line for part in parts for line in wrap.wrap(part)]


def _formulas(row: Row) -> tuple[str, str, str]:
    return row.formula, row.parameters_formula, row.macs_formula


def _html_row(row: Row) -> str:
    cells = [escape(cell) for cell in _cells(row)]
    cells[:2] = f"<b>{cells[0]}</b>", f'<span style="{_UNBROKEN}">{cells[1]}</span>'
    for index, working in enumerate(_formulas(row), start=2):
        for line in working.split("; ") if working else []:
            cells[index] += f'<br/><span style="{_SMALL}">{_html_working(line)}</span>'
    return f'<tr style="{_TOP}">{_html_cells("td", cells)}</tr>'


def _html_working(line: str) -> str:
    """Return a working that breaks, where it must, only before its result."""
    left, equals, result = line.rpartition(" = ")
    pieces = [left, f"= {result}"] if equals else [line]
    return " ".join(
        escape(piece)
        if len(piece) > _LONG
        else f'<span style="{_UNBROKEN}">{escape(piece)}</span>'
        for piece in pieces
    )


def _html_cells(tag: str, cells: Sequence[str], left: int = 2) -> str:
    """Return cells, of which the first `left` are aligned to the left."""
    sides = ["left"] * left + ["right"] * (len(cells) - left)
    return "".join(
        f'<{tag} style="{_CELL}text-align: {side}">{cell}</{tag}>'
        for side, cell in zip(sides, cells, strict=True)
    )


def _count(number: int) -> str:
    return f"{number:,}" if number else ""


def _ways(value: int | Pair | None) -> str:
    ways = value if isinstance(value, tuple) else (value,)
    return "" if value is None else "×".join(f"{way:,}" for way in ways)
