"""Where the course's data are, and how a file of them comes back.

The data ship with the course, beside the package. A package that was installed
(``pip install .``, as Binder does) no longer lies beside them: then they are looked
for from the current folder upward, which finds them from a notebook.
"""

import json
import os
import shlex
import subprocess
import zipfile
from pathlib import Path

DATA_VARIABLE = "ALEXNET_LAB_DATA"
BESIDE = Path(__file__).resolve().parents[2]  # what holds the package: the course


# what a recorded run consists of, besides a checkpoint, which does not ship
RECORD = ("result.json", "history.json", "runs.jsonl", "weights.pt")
# the records that ship; all have a result.json
RUNS = {
    "ablations_long": "runs.jsonl",
    "ablations_short": "runs.jsonl",
    "alexnet_2012_fashion_mnist": "history.json",
    "alexnet_cifar": "runs.jsonl alexnet.pt alexnet_wide.pt lenet5.pt",
    "alexnet_mini_fashion_mnist": "history.json weights.pt",
    "alexnet_ten_minutes": "runs.jsonl",
    "figure1": "runs.jsonl",
    "krizhevsky_18pct": "runs.jsonl",
    "krizhevsky_80sec": "runs.jsonl",
    "krizhevsky_quick": "80sec.pt runs.jsonl",
    "lenet5_1998_mnist": "history.json weights.pt",
    "lrn": "runs.jsonl",
    "seven_classes": "runs.jsonl alexnet.pt",
}


class DataFileError(RuntimeError):
    """A data file is missing, truncated or altered; the text says how to mend it."""


def data_folder() -> Path:
    """The course's ``data/`` folder; ``ALEXNET_LAB_DATA`` names another one.

    Raises:
        DataFileError: none of these holds the course.
    """
    named = os.environ.get(DATA_VARIABLE, "").strip()
    if named:
        return Path(os.path.expanduser(named))  # Path's raises where no such user is
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


def check_runs() -> None:
    """Raise DataFileError unless all records that ship are there and can be read."""
    for name, files in RUNS.items():
        for file in ("result.json", *files.split()):
            path = data_folder() / "runs" / name / file
            try:
                if path.suffix == ".pt" and not zipfile.is_zipfile(path):
                    path.read_bytes()  # says why, if it cannot be read at all
                    raise ValueError("no file of weights, or not a whole one")
                if path.suffix != ".pt":
                    text = path.read_text(encoding="utf-8")
                    lines = path.suffix == ".jsonl"
                    list(map(json.loads, text.splitlines() if lines else [text]))
            except (OSError, ValueError) as error:
                raise damaged(path, f"cannot be read ({error})") from error


def ships(folder: Path) -> bool:
    """Whether a folder is a record of the course, in ``runs``: of `RUNS`, or in git."""
    try:
        folder, runs = folder.resolve(), (data_folder() / "runs").resolve()
    except DataFileError:  # no course is near
        return False
    if not folder.is_relative_to(runs):
        return False
    known = any(folder.is_relative_to(runs / name) for name in RUNS)
    return known or bool(_git(runs, "ls-files", "--", str(folder)))


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
    """What git prints in a folder; nothing where it fails or is missing.

    A repository may name a program that git starts to ask what has changed: not here.
    """
    safe = ["-c", "core.fsmonitor=false", "--literal-pathspecs"]
    command = ["git", "-C", str(folder), *safe, *arguments]
    try:
        printed = subprocess.run(command, capture_output=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return printed.stdout.decode("utf-8", errors="replace")
