"""Photographs in folders of classes: ImageNet, Imagenette, or your own.

torchvision lists the files and transforms the pictures; here the sets are split, and a
folder that is not as it should be is explained.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from alexnet_lab.data.batches import Splits, check_positive
from alexnet_lab.data.idx import DataFileError, data_folder
from alexnet_lab.data.pictures import FolderBatches, Listing

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
    resize: int | None = None,
    train_images: int | None = None,
    seed: int = 0,
    transform: Callable[[Tensor], Tensor] | None = None,
    num_workers: int | None = None,
    augment: Any = None,
    **options: Any,
) -> Splits:
    """Photographs in folders, one folder a class, in batches for training.

    Three layouts are understood::

        path/train/CLASS/*.jpg   path/val/CLASS/*.jpg   path/test/CLASS/*.jpg
        path/train/CLASS/*.jpg   path/val/CLASS/*.jpg          (ImageNet, Imagenette)
        path/CLASS/*.jpg

    In the second one ``val`` is what published figures are measured on. So it becomes
    ``test``, and ``validation`` is a tenth of each training class (10,000 pictures at
    most in all). In the third, validation and test are a tenth of each class. Labels
    follow the alphabetical order of the training classes.

    Training pictures are treated as in the paper: the shorter side is resized, the
    central square cut out, then a random crop, mirrored in half of the cases. Others:
    resized, central crop. In a script, worker processes need the usual
    ``if __name__ == "__main__":`` on macOS and Windows; a notebook needs nothing.

    Args:
        path: the folder.
        image_size: height and width of the crops.
        batch_size: images in a batch; the last one may be smaller.
        resize: the shorter side before cropping; by default 256 for crops of 224 and
            227, as in the paper, and 8/7 of the crop for other sizes.
        train_images: use only so many training pictures.
        seed: of the split, the order and the augmentation.
        transform: in place of the training crop and flip; uint8 (3, H, W) to uint8
            (3, image_size, image_size). With workers it must be picklable: no lambda.
        num_workers: processes that read pictures. By default one for each processor,
            8 at most, and none for fewer than 500 pictures.
        augment: of training batches, on the device, such as :class:`ColourNoise`.
        options: ``normalise`` and ``device`` of :class:`Passes`.

    Returns:
        three disjoint :class:`FolderBatches`, float32 (B, 3, image_size, image_size)
        and int64 (B,).

    Raises:
        DataFileError: no such folder, an empty class, classes that don't match, a
            class with too few pictures to be split.
        ValueError: a size or count that cannot be.
    """
    from torchvision.transforms import v2

    check_positive("image_size", image_size)
    if resize is None:
        resize = 256 if 224 <= image_size <= 227 else math.ceil(image_size * 8 / 7)
    if resize < image_size:
        raise ValueError(
            f"resize={resize} leaves too little for crops of {image_size}; use at "
            f"least {image_size}"
        )
    train, *others = _parts(Path(path), seed)
    train = _limited(train, train_images, seed)
    if num_workers is None:
        num_workers = _cores() if len(train.labels) >= WORTH_WORKERS else 0
    square = [v2.Resize(resize, antialias=True), v2.CenterCrop(resize)]
    random = [*square, v2.RandomCrop(image_size), v2.RandomHorizontalFlip()]
    central = v2.Compose([square[0], v2.CenterCrop(image_size)])
    shared = dict(
        size=image_size,
        batch_size=batch_size,
        shorter_side=resize,
        seed=seed,
        num_workers=num_workers,
        **{"normalise": IMAGENET_STATISTICS, **options},
    )
    training = dict(shuffle=True, augment=augment, **shared)
    return Splits(
        FolderBatches(train, transform or v2.Compose(random), **training),
        *(FolderBatches(part, central, **shared) for part in others),
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
    the course's data folder; :func:`image_folder` reads it from anywhere else.

    Args:
        image_size: as in :func:`image_folder`.
        batch_size: as in :func:`image_folder`.
        download: if it is not there, let torchvision fetch the 320-pixel version.
        options: those of :func:`image_folder`.

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
    except FileNotFoundError:
        parent = next(p for p in folder.absolute().parents if p.is_dir())
        raise DataFileError(
            f"there is no folder {folder}. In {parent} there are the folders: "
            f"{_some(class_folders(parent)) or 'none'}"
        ) from None
    except OSError as error:  # a file, or not allowed
        raise DataFileError(
            f"{folder} cannot be read: {error.strerror}. Name the folder that holds "
            "the class folders."
        ) from error
    return [e.name for e in entries if e.is_dir() and not _hidden(e.name)]


def list_pictures(folder: Path, classes: tuple[str, ...] | None = None) -> Listing:
    """List ``folder/CLASS/…/picture``, sorted, with no look inside of the files.

    Hidden files and folders are passed over. Files with another extension, or of zero
    bytes, are ignored, and named.

    Args:
        folder: holds one folder for each class.
        classes: those of the training set; every class here must be one of them.

    Raises:
        DataFileError: no such folder, no class folders, an empty or an unknown class.
    """
    from torchvision.datasets.folder import make_dataset

    found = class_folders(folder)
    if not found:
        pictures = sum(p.suffix.lower() in EXTENSIONS for p in folder.iterdir())
        what = f"{pictures:,} pictures but no folders" if pictures else "no folders"
        raise DataFileError(
            f"{folder} holds {what}. Each class needs a folder of its own: "
            f"{folder.name}/cat/1.jpg, {folder.name}/dog/1.jpg, …"
        )
    classes = classes or tuple(found)
    unknown = [name for name in found if name not in classes]
    if unknown:
        raise DataFileError(
            f"{folder} has classes that the training set does not have: "
            f"{_some(unknown)}. The training classes are {_some(classes)}."
        )
    ignored: dict[str, str] = {}

    def is_picture(file: str) -> bool:
        name = Path(file).relative_to(folder).as_posix()
        if any(map(_hidden, name.split("/"))):
            return False
        problem = _problem(file)
        if problem:
            ignored[name] = problem
        return not problem

    numbers = {name: classes.index(name) for name in found}
    samples = make_dataset(
        str(folder), numbers, is_valid_file=is_picture, allow_empty=True
    )
    labels = [label for _, label in samples]
    for name in set(numbers).difference(classes[label] for label in labels):
        raise DataFileError(_empty_class(folder / name, ignored))
    files = [
        os.fsencode(Path(file).relative_to(folder).as_posix()) for file, _ in samples
    ]
    return Listing(folder, classes, np.array(files), torch.tensor(labels), ignored)


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


def _empty_class(folder: Path, ignored: dict[str, str]) -> str:
    strays = [
        f"{Path(file).name} ({why})"
        for file, why in ignored.items()
        if file.startswith(f"{folder.name}/")
    ]
    only = f" (only {_some(strays)})" if strays else ""
    return (
        f"the class folder {folder} holds no pictures{only}. Put pictures into it "
        f"({', '.join(EXTENSIONS)}), or remove it."
    )


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


def _limited(listing: Listing, most: int | None, seed: int) -> Listing:
    count = len(listing.labels)
    if most is None:
        return listing
    if not 1 <= most <= count:
        raise ValueError(
            f"train_images={most:,}: there are 1 to {count:,} training pictures"
        )
    generator = torch.Generator().manual_seed(seed)
    return listing.only(torch.randperm(count, generator=generator)[:most])


def _cores() -> int:
    """The processors that this process may use, 8 at most."""
    if hasattr(os, "sched_getaffinity"):
        return min(8, len(os.sched_getaffinity(0)))
    return min(8, os.cpu_count() or 1)


def _some(names: Sequence[str], most: int = 6) -> str:
    """A list of names for a message, not all of a thousand."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
