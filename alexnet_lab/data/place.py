"""Where the course's data are, and how a file of them comes back.

The data ship with the course, beside the package. A package that was installed
(``pip install .``, as Binder does) no longer lies beside them: then they are looked
for from the current folder upward, which finds them from a notebook.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

DATA_VARIABLE = "ALEXNET_LAB_DATA"
BESIDE = Path(__file__).resolve().parents[2]  # what holds the package: the course


class DataFileError(RuntimeError):
    """A data file is missing, truncated or altered; the text says how to mend it."""


def data_folder() -> Path:
    """The course's ``data/`` folder; ``ALEXNET_LAB_DATA`` names another one.

    It lies beside the package; else in the current folder or one of those above.

    Raises:
        DataFileError: none of these holds the course.
    """
    named = os.environ.get(DATA_VARIABLE, "").strip()
    if named:
        return Path(named)
    if _holds_course(BESIDE):
        return BESIDE / "data"
    here = Path.cwd()
    for folder in (here, *here.parents):
        if _holds_course(folder):
            return folder / "data"
    raise DataFileError(
        f"The course's data are neither beside the package, in {BESIDE}, nor in "
        f"{here} or a folder above it. Start Python in the course's folder, or set "
        f"{DATA_VARIABLE} to its data folder."
    )


def _holds_course(folder: Path) -> bool:
    """Its data; or its code, in a checkout that leaves the data out."""
    if all((folder / "data" / name).is_dir() for name in ("MNIST", "photos")):
        return True
    return (folder / "pyproject.toml").is_file() and (folder / "alexnet_lab").is_dir()


def how_to_restore(path: Path) -> str:
    """What brings a shipped file back, as a sentence that ends in a command or advice.

    In a git repository that knows the file that is git's own command, which works from
    any folder; in a zip, a copy or where git is missing, to get the course again.
    """
    path = path.resolve()
    folder = next(parent for parent in path.parents if parent.is_dir())
    root = _git(folder, "rev-parse", "--show-toplevel").strip()
    # "H data/…": git knows the file; "S data/…": a sparse checkout leaves it out.
    known = _git(folder, "ls-files", "-tz", "--full-name", "--", str(path)).rstrip("\0")
    if not root or not known:
        return (
            "Get the course again (git clone, or its zip) and set "
            f"{DATA_VARIABLE} to its data folder."
        )
    state, name = known.split(" ", 1)
    if state == "S":
        inner = ["sparse-checkout", "add", name.rpartition("/")[0]]
    else:
        inner = ["checkout", "--", name]
    return f"Get it back with\n    {_command(['git', '-C', root, *inner])}"


def _git(folder: Path, *arguments: str) -> str:
    """What git prints in a folder; nothing where it fails or is missing."""
    try:
        result = subprocess.run(
            ["git", "--literal-pathspecs", *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=20,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout if result.returncode == 0 else ""


def _command(words: list[str]) -> str:
    """The words as one line for this system's shell."""
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)
