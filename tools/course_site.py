"""The course as a site to read, without Python and without a network: `make site`.

    python tools/course_site.py [--out build/site] [--whole]

Sphinx with myst-nb makes pages of the committed notebooks, as they are: nothing runs.
The sources are copies, in which answers and proofs fold, links lead to pages and
pictures to files. Beside them stand the slides, and the course as a zip: without the
three data sets it weighs a tenth; what then does not run stands in READ_ME_FIRST.txt.
`--whole` puts them in, for a host that takes 200 MB.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import decks
import nbformat
import notebook_syllabus
from nbformat import NotebookNode
from notebook_folding import COVER, deeper
from notebook_outputs import ROOT
from notebook_pages import empty_folder, pictures_as_files, relink
from solutions import has_tag

OUT = ROOT / "build" / "site"
PARTS = Path(__file__).parent / "site"
ROOMS = (
    "arithmetic", "models", "data", "training", "plots", "inside", "exercises",
    "studies", "runtime",
)  # fmt: skip
TEXTS = {
    "GLOSSARY.md": "glossary",
    "TEACHING.md": "teaching",
    "data/README.md": "data",
    "CONTRIBUTING.md": "contributing",
}
# What a notebook's tags mean to myst-nb: the tag that folds, and the words to unfold.
FOLDS = {"answer": ("hide-output", "answer"), "proof": ("hide-input", "proof")}
HEADING = re.compile(r"(?m)^(#+ )")
LEFT_OUT = (
    "data/CIFAR10", "data/FashionMNIST/raw", "data/MNIST/raw",
    "data/runs/alexnet_cifar/alexnet_wide.pt",
)  # fmt: skip
READ_ME_FIRST = """\
This zip holds the whole course except three data sets, 144 MB: MNIST, Fashion-MNIST
and CIFAR-10 (and weights that no notebook loads). Without them notebooks 00
and 01 run whole, each of the others up to the cell that loads such data. With a
network, one command fetches them to data/:

    .venv/bin/python -c "from torchvision import datasets as d; \\
        [s('data', download=True) for s in (d.MNIST, d.FashionMNIST, d.CIFAR10)]"

(after `make lab` has made .venv; on Windows .venv\\Scripts\\python). A clone of the
repository has them from the start. README.md says how to begin.
"""


# ------------------------------------------------------------------------------ sources
def write_sources(folder: Path, out: Path) -> None:
    """Write what Sphinx reads into `folder`, and pictures into the site, `out`."""
    paths = sorted((ROOT / "notebooks").glob("*.ipynb"))
    for path in paths:
        notebook = page(nbformat.read(path, as_version=4), path.stem[:2], out)
        nbformat.write(notebook, folder / path.name)
    names = [name for name in TEXTS if (ROOT / name).is_file()]
    for name in names:
        (folder / f"{TEXTS[name]}.md").write_text(text_page(name), encoding="utf-8")
    for room in ROOMS:
        title = f"alexnet_lab.{room}"
        text = f"{title}\n{'=' * len(title)}\n\n.. automodule:: {title}\n"
        (folder / f"{title}.rst").write_text(text, encoding="utf-8")
    rooms = "\n".join(f"alexnet_lab.{room}" for room in ROOMS)
    title = "The package"
    listed = "\n".join(f"   {room}" for room in rooms.split("\n"))
    text = (
        f"{title}\n{'=' * len(title)}\n\n.. automodule:: alexnet_lab\n   :no-members:\n"
    )
    text += f"\n.. toctree::\n\n{listed}\n"
    (folder / "reference.rst").write_text(text, encoding="utf-8")
    pages = [*(TEXTS[name] for name in names), "reference"]
    (folder / "index.md").write_text(front([p.stem for p in paths], pages), "utf-8")


def page(notebook: NotebookNode, number: str, out: Path) -> NotebookNode:
    """Make, in place, a page of a notebook."""
    for cell in deeper(notebook):  # below the first title, not beside it
        if cell.cell_type == "markdown":
            cell.source = HEADING.sub(r"#\1", cell.source)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = relink(cell.source, lambda t: address(f"notebooks/{t}"))
            continue
        for tag, (hidden, word) in FOLDS.items():
            if has_tag(cell, tag):
                cell.metadata.tags.append(hidden)
                prompts = {f"code_prompt_{do}": f"{do} the {word}".capitalize()
                           for do in ("show", "hide")}  # fmt: skip
                cell.metadata["mystnb"] = prompts
        cell.outputs = [output for output in cell.outputs if output != COVER]
        for data in (output.get("data", {}) for output in cell.outputs):
            if "text/html" in data:
                folder, there = out / "slides" / "pictures", "slides/pictures"
                data["text/html"] = pictures_as_files(data["text/html"], folder, there)
    first = notebook.cells[0]
    links = f"[Open its slides](slides/{number}.html) · [Get the course](course.zip)"
    first.source = re.sub(r"\n+", f"\n\n{links}\n\n", first.source, count=1)
    return notebook


def text_page(name: str) -> str:
    """A text of the repository with links that lead to pages."""
    text = (ROOT / name).read_text(encoding="utf-8")
    folder = Path(name).parent
    return relink(text, lambda target: address((folder / target).as_posix()))


def address(target: str) -> str | None:
    """The page to which a path of the repository leads, None if the site has none."""
    target, hash_, anchor = target.partition("#")
    parts: list[str] = []
    for part in target.split("/"):
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    path = "/".join(parts)
    if path in TEXTS and (ROOT / path).is_file():
        return f"{TEXTS[path]}.html{hash_}{anchor}"
    found = re.fullmatch(r"notebooks/(\w+)\.ipynb", path)
    if found:
        return f"{found[1]}.html"
    if path == "notebooks/formula_sheet.html":
        return "formula_sheet.html"
    return "index.html" if path == "README.md" else None


def front(notebooks: Sequence[str], pages: Sequence[str]) -> str:
    """The front page: README's introduction and syllabus."""
    readme = relink((ROOT / "README.md").read_text(encoding="utf-8"), address)
    readme = readme.replace("notebooks/images/", "images/")
    introduction = re.search(r"\A# .*?\n(.*?)(?=^## )", readme, re.DOTALL | re.M)[1]
    _, _, syllabus = readme.partition(notebook_syllabus.START)
    text = (PARTS / "index.md").read_text(encoding="utf-8")
    for mark, words in {
        "INTRODUCTION": introduction.strip(),
        "SYLLABUS": syllabus.partition(notebook_syllabus.END)[0].strip(),
        "NOTEBOOKS": "\n".join(notebooks),
        "PAGES": "\n".join(pages),
    }.items():
        text = text.replace(f"<{mark}>", words)
    return text


# --------------------------------------------------------------------------------- zip
def write_zip(file: Path, whole: bool) -> None:
    """Write the committed course as a zip, with or without the large data sets.

    Raises:
        FileNotFoundError: this is no clone, or git is missing.
    """
    left_out = [] if whole else [f":(exclude){path}" for path in LEFT_OUT]
    command = ["git", "archive", "--format=zip", "--prefix=course/", f"--output={file}"]
    try:
        subprocess.run([*command, "HEAD", "--", ".", *left_out], cwd=ROOT, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        why = "course.zip holds what git has committed: run this in a clone"
        raise FileNotFoundError(f"{why} ({error})") from None
    if not whole:
        with zipfile.ZipFile(file, "a") as archive:
            archive.writestr("course/READ_ME_FIRST.txt", READ_ME_FIRST)


# -------------------------------------------------------------------------------- build
def build(out: Path = OUT, whole: bool = False) -> int:
    """Write the site; return Sphinx's status, 0 if all is well."""
    from sphinx.cmd.build import build_main

    empty_folder(out, "slides/lib/deck.js")
    decks.build(sorted((ROOT / "notebooks").glob("*.ipynb")), out / "slides")
    write_zip(out / "course.zip", whole)
    shutil.copy(ROOT / "notebooks" / "formula_sheet.html", out)
    shutil.copytree(ROOT / "notebooks" / "images", out / "images")
    with tempfile.TemporaryDirectory() as folder:
        sources, trees = Path(folder, "sources"), Path(folder, "trees")
        shutil.copytree(ROOT / "notebooks" / "images", sources / "images")
        write_sources(sources, out)
        options = ["-b", "html", "-W", "--keep-going", "-q", "-d", str(trees)]
        status = build_main([*options, "-c", str(PARTS), str(sources), str(out)])
    for name in (".buildinfo", "objects.inv"):
        (out / name).unlink(missing_ok=True)
    return status


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--out", type=Path, default=OUT, help="default: build/site")
    parser.add_argument("--whole", action="store_true", help="a zip with all data")
    options = parser.parse_args(arguments)
    try:
        status = build(options.out, options.whole)
    except (FileNotFoundError, FileExistsError) as error:
        print(error, file=sys.stderr)
        return 1
    if status == 0:
        print(f"site: open {options.out / 'index.html'}")
    return status


if __name__ == "__main__":
    sys.exit(main())
