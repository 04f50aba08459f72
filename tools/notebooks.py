"""Run, check and edit the course's notebooks.

    python tools/notebooks.py run [04 …]       execute in place, normalise the outputs
    python tools/notebooks.py check [04 …]     the form, the solutions, the outputs
    python tools/notebooks.py unpack [04 …]    write build/NAME.py for editing
    python tools/notebooks.py pack FILE …      write notebooks/NAME.ipynb from it
    python tools/notebooks.py minutes [04 …]   minutes for each section, for lecturers
    python tools/notebooks.py picture [04 …]   the small pictures of README's syllabus
    python tools/notebooks.py memory [04 …]    the memory it needs, 2 GiB at most
    python tools/notebooks.py link [04 …]      bold terms to the glossary, at first use
    python tools/notebooks.py syllabus         README's syllabus, from the titles

Without names, all notebooks. The text form is described in notebook_text.py. With
PRETEND=1 in the environment the notebooks run, quick, on a pretended GPU.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from unittest.mock import patch

import nbformat
import notebook_folding
import notebook_links
import notebook_memory
import notebook_minutes
import notebook_pictures
import notebook_syllabus
import notebook_text
import solutions
from ipykernel.kernelspec import write_kernel_spec
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from nbmake.nb_run import NotebookRun
from notebook_form import form_problems
from notebook_outputs import ANSI, ROOT, compare, normalise

from alexnet_lab import environment

FOLDER = ROOT / "notebooks"
TEXTS = ROOT / "build"
PRETENCE = str(ROOT / "tests" / "pretend_cuda.py")
SECONDS_A_CELL = 1800  # a machine may be slow or busy


class NotebookFailure(RuntimeError):
    """A notebook did not run cleanly; the message names the cell and the error."""


# --------------------------------------------------------------------- read and write
def read(path: Path) -> NotebookNode:
    """Read a notebook of format 4."""
    return nbformat.read(path, as_version=4)


def write(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook, wholly or not at all, the same bytes on every system."""
    notebook_folding.fold(notebook)
    nbformat.validate(notebook)
    text = nbformat.writes(notebook).rstrip("\n") + "\n"
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        unfinished.write_bytes(text.encode("utf-8"))
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def select(names: Sequence[str], folder: Path = FOLDER) -> list[Path]:
    """The notebooks of given numbers, names or paths; all of them for no names.

    Raises:
        FileNotFoundError: if a name fits none.
    """
    paths = sorted(folder.glob("*.ipynb"))
    if not names:
        return paths
    chosen = []
    for name in names:
        stem = Path(name).name.removesuffix(".ipynb")
        fitting = [p for p in paths if stem in (p.stem, p.stem.split("_")[0])]
        if not fitting:
            known = ", ".join(p.stem for p in paths) or "none"
            raise FileNotFoundError(f"no notebook {name!r}; there are: {known}")
        chosen += fitting
    return chosen


# ------------------------------------------------------------------------- execution
@contextmanager
def kernel_environment() -> Iterator[None]:
    """Kernels started inside run this Python, this checkout, and no one's settings.

    The kernel spec "python3" of another environment could be found first, so one that
    names this very interpreter is put before it.
    """
    pretends = bool(os.environ.get("PRETEND"))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        write_kernel_spec(
            os.path.join(folder, "kernels", "python3"),
            # else each kernel warns that it talks to this machine unencrypted
            extra_arguments=["--IPKernelApp.log_level=ERROR"],
            python_arguments=[PRETENCE] if pretends else [],
        )
        paths = [str(ROOT), str(ROOT / "tools"), os.environ.get("PYTHONPATH", "")]
        wanted = {
            "JUPYTER_PATH": folder,
            "IPYTHONDIR": os.path.join(folder, "ipython"),
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
            **environment.settings(),
        }
        unwanted = ["MPLBACKEND", "ALEXNET_LAB_STRICT"]
        if pretends:
            wanted["ALEXNET_LAB_BUDGET"] = os.environ.get("ALEXNET_LAB_BUDGET", "quick")
            unwanted.append("ALEXNET_LAB_DEVICE")
        with patch.dict(os.environ, wanted):
            for name in unwanted:
                os.environ.pop(name, None)
            yield


def execute(path: Path) -> NotebookNode:
    """Execute a notebook in a fresh kernel, in its own folder; the file is only read.

    Raises:
        NotebookFailure: with the failing cell's id, source and error.
    """
    with kernel_environment():
        try:
            result = NotebookRun(path, SECONDS_A_CELL).execute()
        except DeadKernelError:
            raise NotebookFailure(f"{path.name}: the kernel died") from None
    if result.error is not None:
        cell = result.nb.cells[result.error.failing_cell_index]
        trace = ANSI.sub("", result.error.trace)
        raise NotebookFailure(f"{path.name}, cell {cell.id}:\n{trace}")
    return result.nb


def run(path: Path) -> None:
    """Execute a notebook in place and normalise its outputs.

    Raises:
        NotebookFailure: if a cell raises or writes to standard error; the file is then
            left as it was.
    """
    notebook = execute(path)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "stream" and output.name == "stderr":
                raise NotebookFailure(
                    f"{path.name}, cell {cell.id} wrote to standard error:\n"
                    f"{ANSI.sub('', output.text)}"
                )
    normalise(notebook)
    write(notebook, path)


def prove(path: Path, folder: Path, committed: NotebookNode | None = None) -> list[str]:
    """Execute a copy of a notebook once, its solutions proven, and compare outputs.

    Args:
        path: the notebook, which is only read.
        folder: an empty folder for the copy.
        committed: the notebook to prove instead of what is in the file.

    Returns:
        the differences from the committed outputs, none if they are current.

    Raises:
        NotebookFailure: if a cell fails, or a check does not accept its solution.
    """
    committed = read(path) if committed is None else committed
    notebook = deepcopy(committed)
    solutions.inject(notebook)
    copy = folder / path.name
    write(notebook, copy)
    executed = execute(copy)
    solutions.drop_injected(executed)
    normalise(executed)
    return compare(committed, executed, path.stem)


# ---------------------------------------------------------------------- command line
def check(path: Path) -> None:
    """Check a notebook as the tests do.

    Raises:
        NotebookFailure: with all that was found.
    """
    problems = form_problems(read(path), path)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            problems += prove(path, Path(folder))
        except (NotebookFailure, ValueError) as failure:
            problems.append(str(failure))
    if problems:
        raise NotebookFailure("\n".join(problems))


def unpack(path: Path) -> None:
    """Write a notebook's text form into build/."""
    TEXTS.mkdir(exist_ok=True)
    text = notebook_text.unpack(read(path))
    (TEXTS / f"{path.stem}.py").write_text(text, encoding="utf-8", newline="\n")


def pack(source: Path, folder: Path = FOLDER) -> Path:
    """Write a notebook from its text form, keeping outputs of unchanged cells.

    Raises:
        TextFormError: beginning with the file.
    """
    target = folder / f"{source.stem}.ipynb"
    earlier = read(target) if target.exists() else None
    try:
        notebook = notebook_text.pack(source.read_text(encoding="utf-8"), earlier)
    except notebook_text.TextFormError as error:
        raise notebook_text.TextFormError(f"{source}: {error}") from None
    write(notebook, target)
    return target


def minutes(path: Path) -> None:
    """Print the minutes that each section takes, and the title's words for them."""
    notebook = read(path)
    print(notebook_minutes.table(notebook))
    print(f"**Time:** {notebook_minutes.sentence(notebook)};")


def link(path: Path) -> None:
    """Link each bold term of the glossary where the notebook uses it first."""
    notebook = read(path)
    glossary = (ROOT / "GLOSSARY.md").read_text(encoding="utf-8")
    notebook_links.link(notebook, glossary)
    write(notebook, path)


def picture(path: Path) -> None:
    """Cut the picture that stands for the notebook in README's syllabus."""
    notebook_pictures.make(path.stem[:2], read(path), FOLDER / "images")


def syllabus() -> None:
    """Write README's syllabus from the notebooks' titles."""
    readme = ROOT / "README.md"
    texts = [(path, read(path)) for path in select([])]
    text = notebook_syllabus.syllabus(texts, readme.read_text(encoding="utf-8"))
    readme.write_text(text, encoding="utf-8", newline="\n")


def memory(path: Path) -> None:
    """Execute a notebook, which stays as it is, and print the most memory it held.

    Raises:
        NotebookFailure: it needs more than a machine with 2 GiB has.
    """
    with notebook_memory.Peak() as peak:
        executed = execute(path)
    for cell_id, mib in peak.steps(executed):
        print(f"{mib:7,.0f} MiB  {cell_id}")
    held = f"{peak.mib:,.0f} MiB at most"
    print(f"{path.stem}: {held}")
    if peak.mib > notebook_memory.MOST_MIB:
        raise NotebookFailure(f"{held}, over {notebook_memory.MOST_MIB:,}")


ACTIONS: dict[str, Callable[[Path], object]] = {
    "run": run,
    "check": check,
    "unpack": unpack,
    "pack": pack,
    "minutes": minutes,
    "link": link,
    "picture": picture,
    "memory": memory,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns 1 if something failed."""
    usage = (__doc__ or "").split("\n\n")[1]
    parser = argparse.ArgumentParser(
        description=usage, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=[*ACTIONS, "syllabus"])
    parser.add_argument("names", nargs="*", help="numbers, names or files")
    options = parser.parse_args(arguments)
    if options.action == "syllabus":
        syllabus()
        return 0
    if options.action == "pack":
        paths = [Path(name) for name in options.names]
    else:
        try:
            paths = select(options.names)
        except FileNotFoundError as error:
            parser.error(str(error))
    if not paths:
        parser.error("nothing to do: no notebooks named or found")

    failed = 0
    for path in paths:
        started = time.perf_counter()
        try:
            ACTIONS[options.action](path)
        except (NotebookFailure, ValueError, OSError) as error:
            failed += 1
            print(f"{path.stem}: failed\n{error}", file=sys.stderr)
        else:
            seconds = time.perf_counter() - started
            print(f"{path.stem}: {options.action} done in {seconds:.1f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
