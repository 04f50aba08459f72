"""Writes the students' edition, build/student/: the course without what gives it away.

    python tools/student_edition.py              build/student/
    python tools/student_edition.py --nbgrader   build/nbgrader/, for those who have it

The notebooks have no solutions, and what follows *Predict before you run* has no output
until it is run. With them come the package, the data, the glossary and a README; no
tests, no tools, and nothing of teaching/. The data are linked, not copied, where the
disk can; so the folder is ready at once, and is whole when it is copied or zipped.

The package is the whole one: checks compare with answers that it computes. Whoever
reads alexnet_lab/exercises finds them.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from notebook_outputs import ROOT
from solutions import has_tag

KEPT = ("alexnet_lab", "data", "notebooks", "GLOSSARY.md", "LICENSE", "CITATION.cff",
        "pyproject.toml", "requirements.txt", ".gitattributes")  # fmt: skip
TARGETS = ("$(READY)", "lab", "doctor", "clean", ".PHONY")
ABOUT_SOLUTIONS = re.compile(r" ?The solution is folded below the check\.")


def without_solutions(notebook: NotebookNode) -> None:
    """Take out, in place, the solutions and the outputs that answer predictions."""
    notebook.cells = [cell for cell in notebook.cells if not has_tag(cell, "solution")]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = ABOUT_SOLUTIONS.sub("", cell.source)
        elif has_tag(cell, "answer"):
            cell.outputs, cell.execution_count = [], None
            cell.metadata.pop("jupyter", None)  # nothing is left to be folded


NBGRADER = """import os

c = get_config()
c.CourseDirectory.course_id = "alexnet"
c.ClearSolutions.enabled = False  # the blanks are ours
c.ExecutePreprocessor.timeout = 600  # seconds a cell
os.environ["ALEXNET_LAB_STRICT"] = "1"  # in autograde a wrong answer is an error
"""


def for_nbgrader(notebook: NotebookNode) -> None:
    """Tell nbgrader, in place, which cells are answers and which one grades them."""
    for cell in notebook.cells:
        answer, check = has_tag(cell, "exercise"), has_tag(cell, "check")
        if answer or check:
            role = {"solution": answer, "grade": check, "locked": check, "task": False}
            points = {"points": 1} if check else {}
            known = {"schema_version": 3, "grade_id": cell.id}
            cell.metadata["nbgrader"] = NotebookNode(known | role | points)


def build_for_nbgrader(out: Path) -> None:
    """A folder that nbgrader takes for a course: an assignment a notebook."""
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        without_solutions(notebook)
        for_nbgrader(notebook)
        folder = out / "source" / path.stem[:2]
        folder.mkdir(parents=True)
        nbformat.write(notebook, folder / path.name)
    (out / "nbgrader_config.py").write_text(NBGRADER, encoding="utf-8")


def makefile(text: str) -> str:
    """The Makefile with the targets that a student needs."""
    kept = []
    for part in text.split("\n\n"):
        lines = [line for line in part.split("\n") if not line.startswith("# ")]
        target = re.match(r"([\w.$()]+):(?!=)", lines[0] if lines else "")
        if not target or target[1] in TARGETS:
            kept.append("\n".join(lines))
    text = "\n\n".join(part for part in kept if part.strip()).rstrip("\n") + "\n"
    return re.sub(r"(?m)^\.PHONY:.*$", ".PHONY: lab doctor clean moved", text)


def build(out: Path) -> None:
    """Write the edition into a folder that does not exist yet.

    Raises:
        FileExistsError: it does.
        RuntimeError: git, which knows what belongs to the course, does not answer.
    """
    out.mkdir(parents=True)
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--", *KEPT]
    listed = subprocess.run(command, capture_output=True, text=True)
    if listed.returncode or not listed.stdout:
        raise RuntimeError(f"no checkout of git's in {ROOT}: {listed.stderr.strip()}")
    for name in listed.stdout.rstrip("\0").split("\0"):
        source, target = ROOT / name, out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".ipynb":
            notebook = nbformat.read(source, as_version=4)
            without_solutions(notebook)
            nbformat.validate(notebook)
            nbformat.write(notebook, target)
        elif name.startswith("data/"):
            link_or_copy(source, target)
        else:
            shutil.copy2(source, target)
    shutil.copy2(ROOT / "tools" / "student" / "README.md", out / "README.md")
    text = makefile((ROOT / "Makefile").read_text(encoding="utf-8"))
    (out / "Makefile").write_text(text, encoding="utf-8", newline="\n")


def link_or_copy(source: Path, target: Path) -> None:
    """A second name of the file, or a copy on a different disk."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


if __name__ == "__main__":
    name, make = "student", build
    if sys.argv[1:] == ["--nbgrader"]:
        name, make = "nbgrader", build_for_nbgrader
    out = ROOT / "build" / name
    if out.exists():
        shutil.rmtree(out)
    make(out)
    print(f"{out.relative_to(ROOT)}: to be copied or zipped")
