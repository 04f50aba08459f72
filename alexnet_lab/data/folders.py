"""Photographs in folders of classes: ImageNet, Imagenette, or your own.

torchvision lists the files and transforms the pictures; here the sets are split, and a
folder that is not as it should be is explained.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from alexnet_lab.data.batches import Augmentation, Splits, check_count, check_positive
from alexnet_lab.data.pictures import FolderBatches, Listing
from alexnet_lab.data.place import DataFileError, data_folder

# Mean and standard deviation of ImageNet's RGB values in 0..1, those of torchvision's
# published weights.
IMAGENET_STATISTICS = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
IMAGENETTE = {"imagenette2-320": "320px", "imagenette2": "full"}
IMAGENETTE |= {"imagenette2-160": "160px"}  # folder → size, as torchvision names them
EXTENSIONS: tuple[str, ...] = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png")
EXTENSIONS += (".ppm", ".tif", ".tiff", ".webp")
VALIDATION_NAMES = ("val", "validation", "valid")
SPLIT_NAMES = {"train", "training", *VALIDATION_NAMES, "test", "testing"}
MOST_HELD_OUT = 10_000
WORTH_WORKERS = 500  # pictures; starting workers takes longer than reading fewer


def image_folder(
    path: str | Path,
    image_size: int = 224,
    batch_size: int = 128,
    *,
    train_images: int | None = None,
    seed: int = 0,
    num_workers: int | None = None,
    augment: Augmentation | None = None,
    **options: Any,
) -> Splits:
    """Photographs in folders, one folder a class, in batches for training.

    Three layouts are understood::

        path/train/CLASS/*.jpg   path/val/CLASS/*.jpg   path/test/CLASS/*.jpg
        path/train/CLASS/*.jpg   path/val/CLASS/*.jpg          (ImageNet, Imagenette)
        path/CLASS/*.jpg

    In the second one ``val``, on which published figures are measured, becomes
    ``test``, and ``validation`` is a tenth of each training class (10,000 pictures at
    most in all). In the third, validation and test are a tenth of each class.

    Training pictures are treated as in the paper: the shorter side is resized (to 256
    for crops of 224 and 227; else to 8/7 of the crop), the central square cut out, then
    a random crop, mirrored in half of the cases. Others: resized, central crop.

    Args:
        image_size: height and width of the crops.
        train_images: use only so many training pictures.
        seed: of the split, the order and the augmentation.
        num_workers: processes that read pictures. By default one for each processor,
            8 at most, and none for fewer than 500 pictures. A script needs the usual
            ``if __name__ == "__main__":`` for them on macOS and Windows.
        augment: of training batches, on the device, such as :class:`ColourNoise`.
        options: ``normalise`` and ``device`` of :class:`Passes`.

    Returns:
        three :class:`FolderBatches`: float32 (B, 3, image_size, image_size), int64 (B,)

    Raises:
        DataFileError: a folder that is not as above, or a class that is too small.
        ValueError: a size or count that cannot be.
    """
    from torchvision.transforms import v2

    check_positive("image_size", image_size)
    side = 256 if 224 <= image_size <= 227 else math.ceil(image_size * 8 / 7)
    train, *others = _parts(Path(path), seed)
    count = len(train.labels)
    if train_images is not None:
        check_count(train_images, count)
        generator = torch.Generator().manual_seed(seed)
        train = train.only(torch.randperm(count, generator=generator)[:train_images])
    if num_workers is None:
        num_workers = _cores() if len(train.labels) >= WORTH_WORKERS else 0
    square = [v2.Resize(side, antialias=True), v2.CenterCrop(side)]
    random = [*square, v2.RandomCrop(image_size), v2.RandomHorizontalFlip()]
    central = v2.Compose([square[0], v2.CenterCrop(image_size)])
    options = {"normalise": IMAGENET_STATISTICS, "seed": seed, **options}
    options |= {"batch_size": batch_size, "num_workers": num_workers}
    training = {"shuffle": True, "augment": augment, **options}
    return Splits(
        FolderBatches(train, v2.Compose(random), image_size, side, **training),
        *(FolderBatches(part, central, image_size, side, **options) for part in others),
    )


def imagenette(
    image_size: int = 224,
    batch_size: int = 128,
    *,
    download: bool = False,
    **options: Any,
) -> Splits:
    """Imagenette: ten classes of ImageNet, 9,469 training and 3,925 test photographs.

    It does not ship with the course: 326 MB with a shorter side of 320 pixels, 94 MB
    with 160. Made by J. Howard, <https://github.com/fastai/imagenette>. Looked for in
    the course's data folder; with ``download``, torchvision fetches it if it is not
    there. Takes the options of :func:`image_folder`, which reads it from anywhere.

    Raises:
        DataFileError: it is not there; the text says how to get it.
    """
    from torchvision.datasets import Imagenette

    root = data_folder()
    there = [name for name in IMAGENETTE if (root / name / "train").is_dir()]
    if not there and not download:
        raise DataFileError(
            f"Imagenette is not in {root}. With a network, get it (326 MB) by\n"
            "    imagenette(download=True)\n"
            "or unpack imagenette2-320.tgz or imagenette2-160.tgz from "
            "https://github.com/fastai/imagenette there, or name its folder: "
            "image_folder(path)."
        )
    name = there[0] if there else "imagenette2-320"
    found = Imagenette(root, "train", IMAGENETTE[name], download=not there)
    splits = image_folder(root / name, image_size, batch_size, **options)
    for part in splits:
        part.classes = tuple(names[0] for names in found.classes)  # in English
    return splits


def _parts(path: Path, seed: int) -> list[Listing]:
    """Training, validation and test pictures, in whichever layout they lie."""
    names = class_folders(path)
    others = [n for n in VALIDATION_NAMES if n in names][:1]
    others += ["test"] if "test" in names else []
    if "train" in names and others:
        train = list_pictures(path / "train")
        parts = [list_pictures(path / name, train.classes) for name in others]
        if len(parts) == 1:
            validation, train = _held_out(train, 1 / 10, seed)
            parts.insert(0, validation)
        return [train, *parts]
    if "train" in names:
        raise DataFileError(
            f"{path} has a folder train but neither val nor test. To have validation "
            f"and test pictures chosen out of it, name {path / 'train'} itself."
        )
    if others or names and {name.casefold() for name in names} <= SPLIT_NAMES:
        raise DataFileError(
            f"{path} has no folder train, but {', '.join(others or names)}, which are "
            "no classes: call the folders train, and val or test"
        )
    if len(names) == 1:
        raise DataFileError(
            f"{path} has a single folder, {names[0]}, and one class cannot be learned. "
            f"Did you mean {path / names[0]}?"
        )
    test, rest = _held_out(list_pictures(path), 1 / 10, seed)
    validation, train = _held_out(rest, 1 / 9, seed + 1)
    return [train, validation, test]


def class_folders(folder: Path) -> list[str]:
    """The names of the visible folders in ``folder``, sorted; else DataFileError."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:  # not there, a file, or not allowed
        parent = next(p for p in folder.absolute().parents if p.is_dir())
        raise DataFileError(
            f"no folder of classes: {folder} ({error.strerror}). In {parent} there are "
            f"the folders {_some(class_folders(parent)) or '(none)'}"
        ) from error
    return [e.name for e in entries if e.is_dir() and not _hidden(e.name)]


def list_pictures(folder: Path, classes: tuple[str, ...] | None = None) -> Listing:
    """List ``folder/CLASS/…/picture``, sorted, with no look inside of the files.

    Hidden files and folders are passed over. Files with another extension, or of zero
    bytes, are ignored, and named. Every class must be one of ``classes``, if given.

    Raises:
        DataFileError: no such folder, no class folders, an empty or an unknown class.
    """
    from torchvision.datasets.folder import make_dataset

    found = class_folders(folder)
    classes = classes or tuple(found)
    unknown = [name for name in found if name not in classes]
    if unknown:
        raise DataFileError(
            f"{folder} has classes that the training set does not have: "
            f"{_some(unknown)}. The training classes are {_some(classes)}."
        )
    advice = (
        f"Each class needs a folder of its own with pictures ({', '.join(EXTENSIONS)}) "
        f"in it: {folder.name}/cat/1.jpg, {folder.name}/dog/1.jpg"
    )
    if not found:
        raise DataFileError(f"{folder} holds no folders. {advice}")
    ignored: dict[str, str] = {}

    def is_picture(file: str) -> bool:
        name = Path(file).relative_to(folder).as_posix()
        problem = _problem(file)
        hidden = any(map(_hidden, name.split("/")))
        if problem and not hidden:
            ignored[name] = problem
        return not problem and not hidden

    labels = {name: classes.index(name) for name in found}
    try:
        samples = make_dataset(str(folder), labels, is_valid_file=is_picture)
    except FileNotFoundError as error:  # an empty class
        strays = [f"{name} ({why})" for name, why in ignored.items()]
        raise DataFileError(
            f"{folder}: {error}{advice}. Files that are no pictures: "
            f"{_some(strays) or 'none'}"
        ) from error
    files = [os.fsencode(Path(s[0]).relative_to(folder).as_posix()) for s in samples]
    numbers = torch.tensor([label for _, label in samples])
    return Listing(folder, classes, np.array(files), numbers, ignored)


def _hidden(name: str) -> bool:
    return name[0] == "." or name in ("__MACOSX", "__pycache__")


def _problem(file: str) -> str:
    """Why a file is no picture, or nothing."""
    if not file.lower().endswith(EXTENSIONS):
        return "not a picture's extension"
    try:
        return "" if os.path.getsize(file) else "the file is empty"
    except OSError as error:  # a link that leads nowhere
        return error.strerror or "unreadable"


def _held_out(listing: Listing, fraction: float, seed: int) -> tuple[Listing, Listing]:
    """A part of every class, chosen at random, and the rest; of each, one at least."""
    generator = torch.Generator().manual_seed(seed)
    fraction = min(fraction, MOST_HELD_OUT / len(listing.labels))
    held, rest = [], []
    for label, name in enumerate(listing.classes):
        members = (listing.labels == label).nonzero()[:, 0]
        if len(members) < 2:
            raise DataFileError(
                f"class {name} of {listing.folder} has too few pictures to be split"
            )
        members = members[torch.randperm(len(members), generator=generator)]
        count = min(max(1, round(fraction * len(members))), len(members) - 1)
        held.append(members[:count])
        rest.append(members[count:])
    return listing.only(torch.cat(held)), listing.only(torch.cat(rest))


def _cores() -> int:
    """The processors that this process may use, 8 at most."""
    if hasattr(os, "sched_getaffinity"):
        return min(8, len(os.sched_getaffinity(0)))
    return min(8, os.cpu_count() or 1)


def _some(names: Sequence[str], most: int = 6) -> str:
    """A list of names for a message, not all of a thousand."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
