"""The notebooks as slides, for any browser, without a network: `make slides`.

    python tools/decks.py [04 …]     writes build/slides/04.html …, and index.html

A slide begins where a cell's mark says so. What reads well on paper may be taller than
a screen: slides/deck.js measures each block in the browser that shows it, and lays out
as many pages as it takes. This file says what a slide holds, in order:

- neither setup, proofs, checks, solutions nor the cells in which a guess is typed
- a fragment is a step; so is the output of the code that answers a prediction
- *Going deeper* stands below one slide, the core beside one another
- the minutes of tools/notebook_minutes.py, and the notes of teaching/notes/NN.md
"""

from __future__ import annotations

import argparse
import copy
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import nbformat
from jinja2 import Environment, FileSystemLoader
from nbconvert.exporters import HTMLExporter
from nbconvert.filters import markdown2html
from nbformat import NotebookNode
from notebook_folding import COVER, deeper
from notebook_minutes import EXERCISE, HEADING, Section, sections, times
from notebook_outputs import ROOT
from notebook_pages import (
    Library,
    copy_library,
    empty_folder,
    pictures_as_files,
    relink,
)
from solutions import has_tag

NOTEBOOKS = ROOT / "notebooks"
OUT = ROOT / "build" / "slides"
PARTS = Path(__file__).parent / "slides"
NOTES = ROOT / "teaching" / "notes"
OWN = ("deck.css", "deck.js")
LIBRARIES = {
    "reveal": Library(
        "sphinx-revealjs",
        "_static/revealjs",
        ("LICENSE", "dist/reveal.css", "dist/reveal.js", "plugin/notes/notes.js",
         "dist/theme/fonts/source-sans-pro/*.woff",
         "dist/theme/fonts/source-sans-pro/LICENSE"),
    ),
    "mathjax": Library("sphinx-mathjax-offline", "static/mathjax", ("tex-svg.js",)),
    "dejavu": Library(
        "matplotlib", "mpl-data/fonts/ttf", ("DejaVuSansMono.ttf", "LICENSE_DEJAVU")
    ),
}  # fmt: skip
LICENCES = {
    "reveal": "reveal.js, MIT, and Source Sans Pro, SIL Open Font License 1.1",
    "mathjax": "MathJax, Apache License 2.0",
    "dejavu": "DejaVu Sans Mono, a licence of its own",
}
HIDDEN = ("proof", "check", "solution", "versions")
GUESSES = re.compile(r"(?:^(?:predict\(|from |import |#).*\n?|^\n)+", re.MULTILINE)
# of a page with scripts: its caption, and the loader with the title and the document
LIVE = re.compile(r"<figcaption>(?:(?!</?figcaption).)*</figcaption></figure>\s*"
                  r"<script>.*?const \[title, page\] = (\[.*?\]);\n.*?</script>",
                  re.DOTALL)  # fmt: skip
ALIVE = '</figure><script type="application/json" class="live">{}</script>'
SCRIPT = re.compile(r"<script>.*?</script>", re.DOTALL)
NOTE = re.compile(r"(?m)^## +(\S+)[ \t]*$")


# ------------------------------------------------------------------- what is on a slide
def shown(cell: NotebookNode) -> bool:
    """Whether a cell is projected."""
    mark = cell.metadata.get("slideshow", {}).get("slide_type", "-")
    if mark in ("skip", "notes") or cell.id == "setup":
        return False
    if any(has_tag(cell, tag) for tag in HIDDEN):
        return False
    guess = cell.cell_type == "code" and "predict(" in cell.source
    return not (guess and GUESSES.fullmatch(cell.source))


def prepare(notebook: NotebookNode, notes: dict[str, str]) -> NotebookNode:
    """Return what a deck shows of a notebook, for the template slides/index.html.j2.

    Each cell's metadata get a `deck`: where a slide begins, all that its `<section>`
    says; the step that uncovers the cell, if one does, and the step of its outputs.
    """
    deck = nbformat.v4.new_notebook(metadata=notebook.metadata)
    below = {cell.id for cell in deeper(notebook)}
    section_of = dict(_section_of_cells(notebook))
    cells = [copy.deepcopy(cell) for cell in notebook.cells if shown(cell)]
    starts = [cell for cell in cells if _starts(cell)] or cells[:1]
    for cell in cells:
        mark = cell.metadata.get("slideshow", {}).get("slide_type", "-")
        step = cell.id if mark == "fragment" else ""
        answer = has_tag(cell, "answer")
        marks: dict[str, Any] = {"step": step, "answer": answer}
        marks["outputs"] = f"{cell.id}-answer" if answer else step
        if cell in starts:
            head, section = section_of[cell.id]
            same = [c for c in starts if section_of[c.id][0] == head]
            marks["opens"] = {
                "first": cell is starts[0],
                "id": cell.id,
                "column": "going-deeper" if cell.id in below else cell.id,
                "seconds": _seconds(cell, section, same),
                "note": _note(section, notes.get(head, "")),
            }
        cell.metadata["deck"] = marks
        if cell.cell_type == "markdown":
            cell.source = relink(cell.source, _address)
        else:
            cell.outputs = [
                _still(output) for output in cell.outputs if output != COVER
            ]
    deck.cells = cells
    return deck


def _starts(cell: NotebookNode) -> bool:
    return cell.metadata.get("slideshow", {}).get("slide_type") in ("slide", "subslide")


def _section_of_cells(
    notebook: NotebookNode,
) -> Iterator[tuple[str, tuple[str, Section]]]:
    """For each cell's id the id of its section's heading, and the section."""
    found = iter(sections(notebook))
    head, section = notebook.cells[0].id, Section("", 0.0, 0.0)
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and HEADING.search(cell.source):
            head, section = cell.id, next(found)
        yield cell.id, (head, section)


def _seconds(cell: NotebookNode, section: Section, slides: list[NotebookNode]) -> int:
    """A slide's time: an exercise's own; the others of a section share its minutes."""
    exercise = EXERCISE.search(cell.source)
    if exercise:
        return 60 * int(exercise[1])
    others = sum(not EXERCISE.search(other.source) for other in slides)
    return round(60 * section.minutes / max(others, 1))


def _note(section: Section, note: str) -> str:
    minutes = f"{max(1, round(section.minutes))} minutes"
    if section.exercises:
        minutes += f" and {section.exercises:.0f} for exercises"
    title = re.sub(r"[*`]", "", section.title)
    return markdown2html(f"**{title}: {minutes}**\n\n{note}")


def _address(target: str) -> str | None:
    """Where a link of a notebook leads in the decks: decks and the formula sheet."""
    number = re.fullmatch(r"(\d\d)_\w+\.ipynb(#.*)?", target)
    if number:
        return f"{number[1]}.html"
    return target if target == "formula_sheet.html" else None


def _still(output: NotebookNode) -> NotebookNode:
    """Of a page with scripts its still picture; deck.js brings the page by a button."""
    if "<script" in output.get("data", {}).get("text/html", ""):
        html = LIVE.sub(lambda found: ALIVE.format(found[1]), output.data["text/html"])
        output.data["text/html"] = SCRIPT.sub("", html)
    return output


def read_notes(number: str, folder: Path = NOTES) -> dict[str, str]:
    """The speaker's notes of a notebook, Markdown by the id of a section's heading."""
    file = folder / f"{number}.md"
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    _, *parts = NOTE.split(text)
    return dict(zip(parts[::2], map(str.strip, parts[1::2]), strict=True))


# ---------------------------------------------------------------------------- the files
def build(paths: Sequence[Path], out: Path = OUT) -> None:
    """Write the decks of some notebooks, their index, and what they need beside them.

    Raises:
        FileNotFoundError: if a package that carries a library is missing.
        FileExistsError: if the folder holds other things.
    """
    empty_folder(out, "lib/deck.js")
    taken = {
        name: copy_library(library, out / "lib" / name)
        for name, library in LIBRARIES.items()
    }
    lines = [f"lib/{name}: {LICENCES[name]}; from {taken[name]}" for name in taken]
    (out / "lib" / "LICENCES.txt").write_text("\n".join(lines) + "\n", "utf-8")
    shutil.copy(PARTS / "LICENSE.APACHE", out / "lib" / "mathjax" / "LICENSE")
    for name in OWN:
        shutil.copy(PARTS / name, out / "lib" / name)
    shutil.copy(NOTEBOOKS / "formula_sheet.html", out)
    rows = [_write(path, out) for path in paths]
    pages = Environment(loader=FileSystemLoader(PARTS), autoescape=True)
    index = pages.get_template("list.html.j2").render(decks=rows)
    (out / "index.html").write_text(index, encoding="utf-8")


def _write(path: Path, out: Path) -> dict[str, Any]:
    """Write one deck; return what the index says of it."""
    notebook = nbformat.read(path, as_version=4)
    number = path.stem[:2]
    title = HEADING.search(notebook.cells[0].source)[1]
    exporter = HTMLExporter(
        template_name="slides",
        extra_template_basedirs=[str(PARTS.parent)],
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
        embed_images=True,
    )
    resources = {"deck_title": title, "metadata": {"path": str(path.parent)}}
    deck = prepare(notebook, read_notes(number))
    html, _ = exporter.from_notebook_node(deck, resources)
    html = pictures_as_files(html, out / "pictures", "pictures")
    (out / f"{number}.html").write_text(html, encoding="utf-8")
    minutes = times(notebook)
    return {"file": f"{number}.html", "title": title, "minutes": minutes}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    from notebooks import select

    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("names", nargs="*", help="numbers of notebooks; all for none")
    parser.add_argument("--out", type=Path, default=OUT, help="default: build/slides")
    options = parser.parse_args(arguments)
    try:
        build(select(options.names), options.out)
    except (FileNotFoundError, FileExistsError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"slides: open {options.out / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
