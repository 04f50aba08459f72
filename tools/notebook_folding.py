"""What a notebook shows folded, written into its cells' metadata from its tags.

- a cell tagged ``answer`` follows *Predict before you run*: its output is folded, and
  running the cell shows it
- a cell tagged ``proof`` guards the prose: its source is folded
- each section of *Going deeper* is folded by its heading

JupyterLab and VS Code read these marks; `write` sets them, so an author only tags.
JupyterLab shows the first line of what it folds, which may be the answer itself, so a
line of its own stands before it in the committed notebook.
"""

from __future__ import annotations

import copy
import re

from nbformat import NotebookNode
from nbformat.v4 import new_output

DEEPER = "going-deeper"  # the id of the cell with the heading
AFTER = ("discuss", "references")  # ids: here the notebook goes on unfolded
COLLAPSED = "jp-MarkdownHeadingCollapsed"
SECTION = re.compile(r"## ")
COVER = new_output("display_data", data={"text/plain": "The answer:"})
FOLDED = {"answer": {"outputs_hidden": True}, "proof": {"source_hidden": True}}


def fold(notebook: NotebookNode) -> None:
    """Set, in place, which outputs, sources and sections are shown folded."""
    for cell in notebook.cells:
        cell.metadata.pop("jupyter", None)
        cell.metadata.pop(COLLAPSED, None)
        if cell.cell_type != "code":
            continue
        cell.outputs = [output for output in cell.outputs if output != COVER]
        for tag in cell.metadata.get("tags", []):
            if tag in FOLDED:
                cell.metadata["jupyter"] = NotebookNode(FOLDED[tag])
            if tag == "answer" and cell.outputs:
                cell.outputs.insert(0, copy.deepcopy(COVER))
    for cell in deeper(notebook):
        if cell.cell_type == "markdown" and SECTION.match(cell.source):
            cell.metadata[COLLAPSED] = True


def deeper(notebook: NotebookNode) -> list[NotebookNode]:
    """The cells of *Going deeper*, its own heading first; none if there is none."""
    found: list[NotebookNode] = []
    for cell in notebook.cells:
        if cell.id in AFTER and found:
            break
        if found or cell.id == DEEPER:
            found.append(cell)
    return found
