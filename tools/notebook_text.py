"""A notebook as a Python script with cells, for editing: jupytext's percent format.

    # %% [markdown] id="title" slide="slide"
    # %% id="setup" slide="-" tags=["outputs-vary"]

It holds what an author writes: kinds, ids, slide marks, tags and sources. VS Code,
PyCharm and Spyder know the cells. jupytext itself keeps no ids, and its way of writing
a slide mark is long: `unpack` and `pack` translate both. Outputs stay in the notebook
and survive where the source did not change.
"""

from __future__ import annotations

import copy
import re

import jupytext
import nbformat
from nbformat import NotebookNode
from notebook_folding import fold

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
ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
FORMAT = "py:percent"


class TextFormError(ValueError):
    """The text is not a notebook in text form."""


def unpack(notebook: NotebookNode) -> str:
    """Write a notebook as text.

    Raises:
        ValueError: if a cell holds what the text form cannot: raw cells, attachments.
    """
    written = copy.deepcopy(notebook)
    written.metadata = {"jupytext": {"notebook_metadata_filter": "-all"}}
    for cell in written.cells:
        if cell.cell_type not in ("code", "markdown") or cell.get("attachments"):
            raise ValueError(
                f"cell {cell.id}: raw cells and attachments have no text form"
            )
        slide = cell.metadata.get("slideshow", {}).get("slide_type") or "-"
        marks = {"id": cell.id, "slide": slide, "tags": cell.metadata.get("tags")}
        cell.metadata = {key: value for key, value in marks.items() if value}
    return jupytext.writes(written, fmt=FORMAT)


def pack(text: str, earlier: NotebookNode | None = None) -> NotebookNode:
    """Read a notebook from its text form.

    Args:
        text: the text form.
        earlier: the notebook as it was; a code cell with the same id and source keeps
            its outputs and execution count.

    Raises:
        TextFormError: a cell without an id, an id twice, or an unknown slide mark.
    """
    known = {cell.id: cell for cell in earlier.cells} if earlier else {}
    seen: set[str] = set()
    notebook = new_notebook(jupytext.reads(text, fmt=FORMAT).cells)
    for cell in notebook.cells:
        name, slide = cell.metadata.get("id", ""), cell.metadata.get("slide", "-")
        if not ID.fullmatch(name) or name in seen:
            why = (
                "has the id of another" if name in seen else "has no id of a-z, 0-9, -"
            )
            raise TextFormError(
                f"the cell that begins with {cell.source[:40]!r} {why}: {name!r}. "
                'Write # %% id="a-name" slide="-"'
            )
        if slide not in SLIDES:
            choices = ", ".join(SLIDES)
            raise TextFormError(
                f"cell {name}: slide is one of {choices}, not {slide!r}"
            )
        seen.add(name)
        cell["id"] = name
        tags = cell.metadata.get("tags")
        cell.metadata = nbformat.from_dict({"slideshow": {"slide_type": slide}})
        if tags:
            cell.metadata["tags"] = tags
        before = known.get(name)
        if before and before.cell_type == "code" and before.source == cell.source:
            cell.outputs = before.outputs
            cell.execution_count = before.execution_count
    fold(notebook)
    return notebook


def new_notebook(cells: list[NotebookNode]) -> NotebookNode:
    """A notebook of format 4.5 with the metadata that all of the course's have."""
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=METADATA)
    notebook.nbformat_minor = 5
    return notebook
