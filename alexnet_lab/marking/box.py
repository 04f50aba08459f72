"""The box around a pupil: bubblewrap shows it what it needs, and nothing else.

That is Python, the package without the exercises' answers, and the data, all to be read
only, and 64 MiB to write to. There is no network and no other process. What the pupil
may ask of the kernel it limits itself, before a student's code runs. On Linux only: a
`trusted` pupil has no box, and only its limits of time, memory and files.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import alexnet_lab

PACKAGE = Path(alexnet_lab.__file__).resolve().parent
COURSE = PACKAGE.parent
SHOWN = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/ld.so.cache", sys.base_prefix)
FILES = 2**26  # bytes that a pupil can write
READ = 2**24  # bytes of what it says that are read
CLOSED = [
    "bwrap", "--unshare-all", "--unshare-user", "--uid", "65534", "--gid", "65534",
    "--cap-drop", "ALL", "--die-with-parent", "--new-session", "--proc", "/proc",
    "--dev", "/dev",
]  # fmt: skip
for shown in SHOWN:
    CLOSED += ["--ro-bind-try", shown, shown]


@dataclass(frozen=True)
class Box:
    """Starts pupils. `folder` is what they see; `submissions` they must not see."""

    folder: Path
    submissions: Path
    trusted: bool = False

    def fill(self) -> None:
        """Put the package in, all but the files with the questions."""
        left_out = shutil.ignore_patterns("n[0-9][0-9].*")  # compiled, too
        shutil.copytree(PACKAGE, self.folder / "alexnet_lab", ignore=left_out)
        for empty in ("notebooks", "home"):
            (self.folder / empty).mkdir()
        (self.folder / "data").symlink_to(COURSE / "data")
        import matplotlib.font_manager  # which looks for fonts and writes them down

        shutil.copytree(matplotlib.get_cachedir(), self.folder / "fonts")

    def lines(self, job: dict[str, Any], seconds: float) -> list[bytes]:
        """What a pupil says of its job; nothing of it is left after so many seconds."""
        command = [*self._walls(), sys.executable, "-m", "alexnet_lab.marking.pupil"]
        with tempfile.TemporaryFile() as said:
            with suppress(subprocess.TimeoutExpired):
                subprocess.run(
                    command, input=json.dumps(job).encode(), stdout=said,
                    stderr=subprocess.DEVNULL, timeout=seconds,
                    env=self._variables(), cwd=self.folder / "notebooks",
                )  # fmt: skip
            said.seek(0)
            return said.read(READ).splitlines()

    def _walls(self) -> list[str]:
        if self.trusted:
            return []
        words = [*CLOSED]
        for place in (COURSE, self.submissions):  # though it may lie in what is shown
            words += ["--size", "4096", "--tmpfs", str(place)]
        for place in (Path(sys.prefix), COURSE / "data", self.folder):
            words += ["--ro-bind-try", str(place), str(place)]
        words += ["--size", str(FILES), "--tmpfs", str(self.folder / "home")]
        for fixed in ("/dev", "/proc", "/"):  # in /proc root could set up the kernel
            words += ["--remount-ro", fixed]
        return words

    def _variables(self) -> dict[str, str]:
        """The variables of a pupil; it gets no others."""
        home = str(self.folder / "home")
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": home,
            "TMPDIR": home,
            "PYTHONPATH": str(self.folder),
            "OMP_NUM_THREADS": "1",
            "MPLBACKEND": "agg",
            "MPLCONFIGDIR": f"{home}/fonts",
            "ALEXNET_LAB_DATA": str(COURSE / "data"),
            "ALEXNET_LAB_DEVICE": "cpu",  # and thus the quick budget
        }


def closed() -> str:
    """Why a box cannot be closed here; empty if it can."""
    if not shutil.which("bwrap", path=os.defpath):
        return "bubblewrap is missing (on Debian and Ubuntu: apt install bubblewrap)"
    try:
        import pyseccomp  # noqa: F401
    except (ImportError, RuntimeError) as error:
        return f"{error} (pip install pyseccomp, which needs the system's libseccomp)"
    tried = subprocess.run([*CLOSED, "true"], capture_output=True, text=True)
    return "" if tried.returncode == 0 else f"bubblewrap says: {tried.stderr.strip()}"
