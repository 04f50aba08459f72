"""Where the course's data are, and how a file of them comes back.

The data ship with the course, beside the package. A package that was installed
(``pip install .``, as Binder does) no longer lies beside them: then they are looked
for from the current folder upward, which finds them from a notebook.
"""

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

    Raises:
        DataFileError: none of these holds the course.
    """
    named = os.environ.get(DATA_VARIABLE, "").strip()
    if named:
        return Path(named)
    here = Path.cwd()
    for folder in (BESIDE, here, *here.parents):
        data, code = folder / "data", folder / "alexnet_lab"
        if (data / "MNIST").is_dir() and (data / "photos").is_dir():
            return data
        if code.is_dir() and (folder / "pyproject.toml").is_file():
            return data  # a checkout that leaves the data out
    raise DataFileError(
        f"The course's data are neither beside the package, in {BESIDE}, nor in "
        f"{here} or a folder above it. Start Python in the course's folder, or set "
        f"{DATA_VARIABLE} to its data folder."
    )


def damaged(path: Path, problem: str) -> DataFileError:
    """The error for a shipped file: its name, the problem, and what brings it back."""
    return DataFileError(
        f"{path} {problem}. It ships with the course. {_how_to_restore(path.resolve())}"
    )


def _how_to_restore(path: Path) -> str:
    """A command of git, if it knows the file; in a zip: get the course again."""
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
    command = ["git", "-C", root, "checkout", "--", name]
    if state == "S":
        command[3:] = ["sparse-checkout", "add", name.rpartition("/")[0]]
    as_line = subprocess.list2cmdline if os.name == "nt" else shlex.join
    return f"Get it back with\n    {as_line(command)}"


def _git(folder: Path, *arguments: str) -> str:
    """What git prints in a folder; nothing where it fails or is missing."""
    command = ["git", "-C", str(folder), "--literal-pathspecs", *arguments]
    try:
        printed = subprocess.run(command, capture_output=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return printed.stdout.decode("utf-8", errors="replace")
