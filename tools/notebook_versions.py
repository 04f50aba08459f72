"""Which notebooks the tests read: the committed ones, whatever a student has solved.

A student who fills in an answer and saves changes a file of the course; that must not
fail its tests. With ``MINE=1`` in the environment, as an author wants it, the files are
tested as they lie there, and so they are where there is no git.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from notebook_outputs import ROOT

FOLDER = ROOT / "notebooks"


class Versions:
    """The notebooks of a folder as the tests should see them.

    Attributes:
        paths: the notebooks to test, by name; a file need not be there any more.
        changed: names of those that are tested as committed, since the file differs.
        new: names of notebooks that are not committed, and are left alone.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self.folder = folder
        self.paths = sorted(folder.glob("*.ipynb"))
        self.changed: list[str] = []
        self.new: list[str] = []
        committed = [] if os.environ.get("MINE") else self._names("ls-tree", "HEAD")
        if committed:
            self.new = [p.name for p in self.paths if p.name not in committed]
            different = self._names("diff", "--no-renames", "HEAD", "--", ".")
            self.changed = [name for name in committed if name in different]
            self.paths = [folder / name for name in committed]

    def read(self, path: Path) -> NotebookNode:
        """A notebook of ``paths``, format 4: from git if its file differs."""
        if path.name not in self.changed:
            return nbformat.read(path, as_version=4)
        text = self._git("show", f"HEAD:./{path.name}")
        return nbformat.reads(text, as_version=4)

    def notice(self) -> str:
        """What a reader of the tests' result should know; empty on a clean clone."""
        said = []
        if self.changed:
            said.append(f"tested as committed, not as saved: {', '.join(self.changed)}")
        if self.new:
            said.append(f"not committed, not tested: {', '.join(self.new)}")
        advice = "make test MINE=1 tests the files as they are"
        return "; ".join([*said, advice]) if said else ""

    def _names(self, command: str, *arguments: str) -> list[str]:
        """Notebooks in the folder that git names; none without git."""
        files = self._git(command, "--name-only", "-z", *arguments).split("\0")
        return sorted(Path(f).name for f in files if f.endswith(".ipynb"))

    def _git(self, *arguments: str) -> str:
        try:
            result = subprocess.run(
                ["git", *arguments], cwd=self.folder, capture_output=True
            )
        except OSError:  # git is not installed
            return ""
        return result.stdout.decode("utf-8") if result.returncode == 0 else ""


VERSIONS = Versions()
