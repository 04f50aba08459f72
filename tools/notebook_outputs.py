"""What a notebook's outputs are: made the same everywhere, and compared.

`normalise` takes from an executed notebook all that depends on when and where it ran.
`compare` tells an author or a test what differs between two executions.
"""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from notebook_folding import COVER
from notebook_text import METADATA

ROOT = Path(__file__).resolve().parents[1]
VARY = "outputs-vary"
WIDGET = "application/vnd.jupyter.widget-view+json"
# a picture as plots.show writes it
PNG = re.compile(r'<img\b[^>]* src="data:image/png;base64,([^"]*)"[^>]*>')
DRAWN = re.compile(r' (?:src|width)="[^"]*"')  # differ between machines: fonts, trained
FIGURE_REPR = re.compile(r"<Figure size [^>]*>")
ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
MOST_DIFF_LINES = 40


# ------------------------------------------------------------------------ normalise
def normalise(notebook: NotebookNode) -> None:
    """Remove, in place, what depends on the time and the machine of an execution.

    Keeps of a cell's metadata its slide mark and tags; renumbers execution from 1;
    joins streams and plays carriage returns; drops widgets; writes the repository's
    folder as ``.`` and the home folder as ``~``.
    """
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    count = 0
    for cell in notebook.cells:
        kept = {k: v for k, v in cell.metadata.items() if k in ("slideshow", "tags")}
        cell.metadata = nbformat.from_dict(kept)
        if cell.cell_type != "code":
            continue
        if cell.execution_count is not None:
            count += 1
            cell.execution_count = count
        cell.outputs = _normal_outputs(cell.outputs, cell.execution_count)


def _normal_outputs(outputs: list[NotebookNode], count: int | None) -> list:
    kept: list[NotebookNode] = []
    for output in outputs:
        last = kept[-1] if kept else {}
        if output.output_type == "stream":
            if last.get("output_type") == "stream" and last.name == output.name:
                last.text += output.text
            else:
                kept.append(output)
        elif output.output_type in ("display_data", "execute_result"):
            output.data.pop(WIDGET, None)
            for kind, value in output.data.items():
                if kind.startswith("text/"):
                    output.data[kind] = hide_paths(value)
            if "execution_count" in output:
                output.execution_count = count
            if output.data:
                kept.append(output)
        else:
            kept.append(output)
    for output in kept:
        if output.output_type == "stream":
            output.text = hide_paths(play_carriage_returns(output.text))
    return kept


def play_carriage_returns(text: str) -> str:
    """What a terminal would show: a carriage return begins the line anew."""
    lines = []
    for line in text.replace("\r\n", "\n").split("\n"):
        shown = ""
        for part in line.split("\r"):
            shown = part + shown[len(part) :]
        lines.append(shown.rstrip() if "\r" in line else line)
    return "\n".join(lines)


def hide_paths(text: str) -> str:
    """Write the repository's folder as ``.`` and the home folder as ``~``."""
    folders = {os.fspath(ROOT): "."}
    home = os.path.expanduser("~")
    if len(Path(home).parts) > 1:
        folders.setdefault(home, "~")
    for folder in sorted(folders, key=len, reverse=True):
        pattern = rf"(?<![\w.~-]){re.escape(folder)}(?![\w-])"
        text = re.sub(pattern, folders[folder], text)
    return text


# -------------------------------------------------------------------------- compare
def text_outputs(cell: NotebookNode) -> list[tuple[str, str]]:
    """A code cell's outputs as a list that can be compared.

    Returns:
        pairs of a kind and its content: ("text", …) for what was printed or shown as
        text, ("html", …), ("image", …) for a picture, with its alternative text but
        without its pixels, ("error", "NameError: …").
        Standard error is left out, and so is the text that stands for a figure.
    """
    found: list[tuple[str, str]] = []
    for output in cell.get("outputs", []):
        if output == COVER:
            continue
        if output.output_type == "stream":
            if output.name == "stdout":
                found.append(("text", output.text))
        elif output.output_type == "error":
            found.append(("error", f"{output.ename}: {output.evalue}"))
        else:
            found.extend(_shown(output.data))
    return found


def _shown(data: NotebookNode) -> list[tuple[str, str]]:
    found = []
    plain = data.get("text/plain", "")
    if plain and not FIGURE_REPR.fullmatch(plain.strip()):
        found.append(("text", plain))
    html = data.get("text/html", "")
    if PNG.search(html):
        found.append(("image", DRAWN.sub("", html)))
    elif html:
        found.append(("html", html))
    found += [("image", "") for kind in sorted(data) if kind.startswith("image/")]
    return found


def pictures(output: NotebookNode) -> list[str]:
    """The PNGs that an output shows, in base64, be they in HTML or on their own."""
    data = output.get("data", {})
    alone = [data["image/png"]] if "image/png" in data else []
    return PNG.findall(data.get("text/html", "")) + alone


def compare(committed: NotebookNode, executed: NotebookNode, name: str) -> list[str]:
    """Compare a notebook's outputs as committed and as executed now.

    Args:
        committed: the notebook in the repository.
        executed: the same notebook, executed and normalised.
        name: what to call it in messages.

    Returns:
        one readable text for each difference. In cells tagged ``outputs-vary`` only
        the kinds of output are compared, image or text.
    """
    was = {cell.id: cell for cell in committed.cells if cell.cell_type == "code"}
    now = {cell.id: cell for cell in executed.cells if cell.cell_type == "code"}
    found = [f"{name}, cell {i}: not executed" for i in was if i not in now]
    found += [f"{name}, cell {i}: not committed" for i in now if i not in was]
    for cell_id in [i for i in was if i in now]:
        difference = _difference(was[cell_id], now[cell_id])
        if difference:
            found.append(f"{name}, cell {cell_id}: {difference}")
    return found


def _difference(was: NotebookNode, now: NotebookNode) -> str | None:
    if was.source != now.source:
        return "the source changed"
    before, after = text_outputs(was), text_outputs(now)
    errors = [content for kind, content in after if kind == "error"]
    if errors:
        return errors[0]
    if VARY in was.metadata.get("tags", []):
        kinds = _kinds(before), _kinds(after)
        if kinds[0] != kinds[1]:
            return f"the kinds of output changed from {kinds[0]} to {kinds[1]}"
        return None
    if before == after:
        return None
    lines = list(
        difflib.unified_diff(
            _as_lines(before), _as_lines(after), "committed", "executed", "", "", 1, ""
        )
    )
    if len(lines) > MOST_DIFF_LINES:
        left = len(lines) - MOST_DIFF_LINES
        lines = [*lines[:MOST_DIFF_LINES], f"… {left} more lines"]
    return "the outputs changed\n" + "\n".join(lines)


def _kinds(outputs: list[tuple[str, str]]) -> str:
    kinds = {"image" if kind == "image" else "text" for kind, _ in outputs}
    return " and ".join(sorted(kinds)) or "nothing"


def _as_lines(outputs: list[tuple[str, str]]) -> list[str]:
    """Outputs as lines for a diff, each output under a line with its kind."""
    lines = []
    for kind, content in outputs:
        lines.append(f"[{kind}]")
        lines += content.split("\n") if content else []
    return lines
