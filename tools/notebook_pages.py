"""What slides and site share: links that lead on, pictures as files, libraries.

Both show the committed notebooks, unchanged and unexecuted, as pages for a browser.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from base64 import b64decode
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from notebook_outputs import PNG
from notebook_prose import LINK

OUTSIDE = re.compile(r"[a-z][a-z0-9+.-]*:|#|$", re.IGNORECASE)
FENCED = re.compile(r"(^(?:```|~~~).*?^(?:```|~~~)[ \t]*$)", re.DOTALL | re.MULTILINE)


class Library(NamedTuple):
    """Files of JavaScript, CSS and fonts that a Python package carries."""

    distribution: str
    folder: str  # how the path of their folder in the package ends
    files: tuple[str, ...]  # what is taken, patterns as of glob


def relink(markdown: str, address: Callable[[str], str | None]) -> str:
    """Give every link of the course a new `address`; None leaves its words alone.

    Links to the network, and fenced code, stay as they are.
    """

    def moved(link: re.Match[str]) -> str:
        image, words, target = link.groups()
        if image or OUTSIDE.match(target):
            return link[0]
        there = address(target)
        return words if there is None else f"[{words}]({there})"

    parts = FENCED.split(markdown)
    parts[::2] = [LINK.sub(moved, part) for part in parts[::2]]
    return "".join(parts)


def pictures_as_files(html: str, folder: Path, address: str) -> str:
    """Write the pictures that stand in `html` into `folder`, and refer to them.

    `address` is the folder's, as seen from the page. Equal pictures are one file.
    """

    def moved(found: re.Match[str]) -> str:
        data = b64decode(found[1])
        name = f"{hashlib.sha256(data).hexdigest()[:16]}.png"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
        inside = f"data:image/png;base64,{found[1]}"
        return found[0].replace(inside, f"{address}/{name}", 1)

    return PNG.sub(moved, html)


def empty_folder(folder: Path, mark: str) -> None:
    """Make an empty folder, or empty one that an earlier run left, known by a file.

    Raises:
        FileExistsError: the folder holds other things.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / mark).exists():
        raise FileExistsError(f"{folder} holds other files: name an empty folder")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def copy_library(library: Library, target: Path) -> str:
    """Copy a library into `target`; return its package's name and version.

    Raises:
        FileNotFoundError: if the package is missing, or does not hold the files.
    """
    try:
        found = metadata.distribution(library.distribution)
    except metadata.PackageNotFoundError:
        raise FileNotFoundError(
            f"{library.distribution} is not installed: `make slides` installs it, or "
            "pip install -r requirements-teach.txt"
        ) from None
    within = {
        name.partition(f"{library.folder}/")[2]: Path(str(file.locate()))
        for file in found.files or []
        if f"{library.folder}/" in (name := file.as_posix())
    }
    for pattern in library.files:
        names = [name for name in within if Path(name).match(pattern)]
        if not names:
            have = f"{library.distribution} {found.version}"
            raise FileNotFoundError(f"{have} holds no {library.folder}/{pattern}")
        for name in names:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes(within[name].read_bytes())
    return f"{library.distribution} {found.version}"
