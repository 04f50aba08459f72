"""What pictures a folder of class folders holds, and how they are split.

Only names and file sizes are read here, so that a million files take seconds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from alexnet_lab.data.idx import DataFileError

EXTENSIONS = (
    ".bmp",
    ".gif",
    ".jpeg",
    ".jpg",
    ".pgm",
    ".png",
    ".ppm",
    ".tif",
    ".tiff",
    ".webp",
)
VALIDATION_NAMES = ("val", "validation", "valid")
SPLIT_NAMES = {"train", "training", *VALIDATION_NAMES, "test", "testing"}
NOT_CLASSES = ("__MACOSX", "__pycache__")
HELD_OUT = 0.1  # of each class, where validation or test have no folder of their own
MOST_HELD_OUT = 10_000


@dataclass(frozen=True)
class Listing:
    """The pictures of one folder of classes.

    Attributes:
        folder: what the files are relative to.
        classes: the names, in alphabetical order; a label is a place in it.
        files: relative paths with ``/``, class by class, in alphabetical order.
        labels: int64 (N,).
        ignored: files that are no pictures, and why.
    """

    folder: Path
    classes: tuple[str, ...]
    files: list[str]
    labels: torch.Tensor
    ignored: dict[str, str]


def list_pictures(folder: Path, classes: tuple[str, ...] | None = None) -> Listing:
    """List ``folder/CLASS/…/picture``, sorted, so that every machine agrees.

    Hidden files and folders are passed over. Files with another extension, or of zero
    bytes, are ignored, and named.

    Args:
        folder: holds one folder for each class.
        classes: those of the training set; every class here must be one of them.

    Raises:
        DataFileError: no such folder, no class folders, an empty or an unknown class.
    """
    found = class_folders(folder)
    if not found:
        raise DataFileError(_no_classes(folder))
    if classes is None:
        classes = tuple(found)
    unknown = [name for name in found if name not in classes]
    if unknown:
        raise DataFileError(
            f"{folder} has classes that the training set does not have: "
            f"{_some(unknown)}. The training classes are {_some(list(classes))}."
        )
    files, labels, ignored = [], [], {}
    for name in found:
        before, strays = len(files), {}
        for relative, problem in _files(folder, name):
            if problem:
                strays[relative] = problem
            else:
                files.append(relative)
        if len(files) == before:
            raise DataFileError(_empty_class(folder, name, strays))
        labels += [classes.index(name)] * (len(files) - before)
        ignored.update(strays)
    return Listing(folder, classes, files, torch.tensor(labels), ignored)


def class_folders(folder: Path) -> list[str]:
    """The names of the visible folders in ``folder``, sorted.

    Raises:
        DataFileError: there is no such folder, or it may not be read.
    """
    if folder.is_file():
        raise DataFileError(
            f"{folder} is a file; name the folder that holds the class folders"
        )
    try:
        with os.scandir(folder) as entries:
            return sorted(
                e.name
                for e in entries
                if e.is_dir() and e.name[0] != "." and e.name not in NOT_CLASSES
            )
    except FileNotFoundError:
        raise DataFileError(_no_folder(folder)) from None
    except OSError as error:
        raise DataFileError(f"{folder} cannot be read: {error.strerror}") from error


def hold_out(
    labels: torch.Tensor, fraction: float, seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Choose a part of every class at random: indices held out, and the rest.

    At least one picture of each class is held out and one is left.

    Raises:
        ValueError: a class has fewer than two pictures.
    """
    generator = torch.Generator().manual_seed(seed)
    held, rest = [], []
    for members in torch.argsort(labels, stable=True).split(
        torch.bincount(labels).tolist()
    ):
        if not len(members):
            continue
        if len(members) < 2:
            raise ValueError(f"class {labels[members[0]]} has one picture")
        members = members[torch.randperm(len(members), generator=generator)]
        count = min(max(1, round(fraction * len(members))), len(members) - 1)
        held.append(members[:count])
        rest.append(members[count:])
    return torch.cat(held), torch.cat(rest)


def _files(folder: Path, name: str) -> Iterator[tuple[str, str]]:
    """(relative path, "" or why it is no picture) of all visible files of a class."""

    def stop(error: OSError) -> None:
        raise DataFileError(f"{error.filename} cannot be read: {error.strerror}")

    for where, folders, names in os.walk(folder / name, onerror=stop):
        folders[:] = sorted(f for f in folders if f[0] != "." and f not in NOT_CLASSES)
        for file in sorted(names):
            if file[0] == ".":
                continue
            path = Path(where, file)
            yield path.relative_to(folder).as_posix(), _problem(path)


def _problem(path: Path) -> str:
    if path.suffix.lower() not in EXTENSIONS:
        return "not a picture's extension"
    try:
        return "" if path.stat().st_size else "the file is empty"
    except OSError as error:  # a link that leads nowhere
        return error.strerror or "unreadable"


def _no_folder(folder: Path) -> str:
    parent = next(p for p in folder.absolute().parents if p.is_dir())
    there = sorted(p.name for p in parent.iterdir() if p.is_dir() and p.name[0] != ".")
    return (
        f"there is no folder {folder}. In {parent} there are the folders: "
        f"{_some(there) or 'none'}"
    )


def _no_classes(folder: Path) -> str:
    pictures = sum(p.suffix.lower() in EXTENSIONS for p in folder.iterdir())
    what = f"{pictures:,} pictures but no folders" if pictures else "no folders"
    return (
        f"{folder} holds {what}. Each class needs a folder of its own: "
        f"{folder.name}/cat/1.jpg, {folder.name}/dog/1.jpg, …"
    )


def _empty_class(folder: Path, name: str, strays: dict[str, str]) -> str:
    others = ""
    if strays:
        named = [f"{Path(file).name} ({why})" for file, why in strays.items()]
        others = f" (only {_some(named)})"
    return (
        f"the class folder {folder / name} holds no pictures{others}. Put pictures "
        f"into it ({', '.join(EXTENSIONS)}), or remove it."
    )


def _some(names: list[str], most: int = 6) -> str:
    """A list of names for a message, not all of a thousand."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
