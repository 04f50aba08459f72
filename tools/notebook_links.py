"""Links from a notebook's bold terms to the glossary, each at its first use."""

from __future__ import annotations

import re

from nbformat import NotebookNode

ENTRY = re.compile(r'<a id="([a-z0-9-]+)"></a>\*\*(.+?)\*\*')
ALREADY = re.compile(r"GLOSSARY\.md#([a-z0-9-]+)")


def terms(glossary: str) -> dict[str, str]:
    """Anchors by term, in small letters, its plural and its parts alike.

    "multiply-accumulate, MAC" is found as "multiply-accumulate", as "MAC", and in the
    plural.
    """
    found = {}
    for anchor, names in ENTRY.findall(glossary):
        for name in re.split(r", | or ", names):
            found |= {name.casefold(): anchor, f"{name}s".casefold(): anchor}
    return found


def link(notebook: NotebookNode, glossary: str) -> None:
    """Link, in place, each bold term at its first use in the notebook."""
    known = terms(glossary)
    cells = [cell for cell in notebook.cells if cell.cell_type == "markdown"]
    seen = {a for cell in cells for a in ALREADY.findall(cell.source)}

    def linked(bold: re.Match[str]) -> str:
        anchor = known.get(bold[1].casefold())
        if anchor is None or anchor in seen:
            return bold[0]
        seen.add(anchor)
        return f"[{bold[0]}](../GLOSSARY.md#{anchor})"

    for cell in cells:
        # not inside a link, and not in a table's code
        cell.source = re.sub(r"(?<!\[)\*\*([^*\n]+)\*\*(?!\])", linked, cell.source)
