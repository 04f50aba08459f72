"""A notebook as plain text, for editing.

Each cell begins with a line

    === md ID SLIDE [tag …]        or        === code ID SLIDE [tag …]

where SLIDE is slide, subslide, fragment, skip, notes or -, and its source is what
follows, up to the next such line. Blank lines around a source are dropped. A source
line that itself begins with ``=== `` is written with a backslash before it.

The text holds everything that an author writes: kinds, ids, slide marks, tags and
sources. Outputs stay in the notebook and survive where the source did not change.
"""

from __future__ import annotations

import re

import nbformat
from nbformat import NotebookNode

METADATA = {
    "kernelspec": {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    },
    # What `jupyter nbconvert --to script` needs to write Python, and not a .txt.
    "language_info": {
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "nbconvert_exporter": "python",
    },
}
SLIDES = ("slide", "subslide", "fragment", "skip", "notes", "-")
KINDS = {"md": "markdown", "code": "code"}
ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


class TextFormError(ValueError):
    """The text is not a notebook in text form; the message begins with the line."""


def unpack(notebook: NotebookNode) -> str:
    """Write a notebook as text.

    Raises:
        ValueError: if a cell holds what the text form cannot: raw cells, attachments.
    """
    return "\n\n".join(_unpack_cell(cell) for cell in notebook.cells) + "\n"


def _unpack_cell(cell: NotebookNode) -> str:
    if cell.cell_type not in KINDS.values():
        raise ValueError(f"cell {cell.id}: a {cell.cell_type} cell has no text form")
    if cell.get("attachments"):
        raise ValueError(f"cell {cell.id}: attachments have no text form")
    kind = "code" if cell.cell_type == "code" else "md"
    slide = cell.metadata.get("slideshow", {}).get("slide_type") or "-"
    header = ["===", kind, cell.id, slide, *cell.metadata.get("tags", [])]
    source = re.sub(r"(?m)^(\\*=== )", r"\\\1", cell.source.strip("\n"))
    return " ".join(header) + (f"\n{source}" if source else "")


def pack(text: str, earlier: NotebookNode | None = None) -> NotebookNode:
    """Read a notebook from its text form.

    Args:
        text: the text form.
        earlier: the notebook as it was; a code cell with the same id and source keeps
            its outputs and execution count.

    Raises:
        TextFormError: if a header is malformed or an id occurs twice.
    """
    known = {cell.id: cell for cell in earlier.cells} if earlier else {}
    lines = text.split("\n")
    starts = [n for n, line in enumerate(lines) if line.startswith("=== ")]
    first = starts[0] if starts else len(lines)
    for number, line in enumerate(lines[:first], start=1):
        if line.strip():
            raise TextFormError(f"line {number}: text before the first '=== ' line")

    cells: list[NotebookNode] = []
    line_of: dict[str, int] = {}
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        cell = _cell_from_header(lines[start], start + 1)
        if cell.id in line_of:
            raise TextFormError(
                f"line {start + 1}: the id {cell.id!r} is taken, by line "
                f"{line_of[cell.id]}"
            )
        line_of[cell.id] = start + 1
        source = "\n".join(lines[start + 1 : end]).strip("\n")
        cell.source = re.sub(r"(?m)^\\(\\*=== )", r"\1", source)
        _keep_outputs(cell, known.get(cell.id))
        cells.append(cell)
    return new_notebook(cells)


def new_notebook(cells: list[NotebookNode]) -> NotebookNode:
    """A notebook of format 4.5 with the metadata that all of the course's have."""
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=METADATA)
    notebook.nbformat_minor = 5
    return notebook


def _cell_from_header(line: str, number: int) -> NotebookNode:
    words = line.split()[1:]
    if len(words) < 3:
        raise TextFormError(f"line {number}: expected '=== KIND ID SLIDE [tag …]'")
    kind, cell_id, slide, *tags = words
    if kind not in KINDS:
        raise TextFormError(f"line {number}: a cell is 'md' or 'code', not {kind!r}")
    if not ID.fullmatch(cell_id):
        raise TextFormError(
            f"line {number}: the id {cell_id!r} is not made of a-z, 0-9 and -"
        )
    if slide not in SLIDES:
        known = ", ".join(SLIDES)
        raise TextFormError(
            f"line {number}: the slide is one of {known}: not {slide!r}"
        )
    if kind == "code":
        cell = nbformat.v4.new_code_cell(id=cell_id)
    else:
        cell = nbformat.v4.new_markdown_cell(id=cell_id)
    cell.metadata["slideshow"] = {"slide_type": slide}
    if tags:
        cell.metadata["tags"] = tags
    return cell


def _keep_outputs(cell: NotebookNode, earlier: NotebookNode | None) -> None:
    if earlier is None or cell.cell_type != "code" or earlier.cell_type != "code":
        return
    if cell.source == earlier.source.strip("\n"):
        cell.outputs = earlier.outputs
        cell.execution_count = earlier.execution_count
