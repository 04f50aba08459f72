"""Photographs in folders of classes: ImageNet, Imagenette, or your own.

How the pictures are read and served is in ``folder_batches.py``.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

import torch

from alexnet_lab.data.folder_batches import (
    IMAGENET_STATISTICS,
    FolderBatches,
    Transform,
)
from alexnet_lab.data.listing import (
    HELD_OUT,
    MOST_HELD_OUT,
    SPLIT_NAMES,
    VALIDATION_NAMES,
    Listing,
    class_folders,
    hold_out,
    list_pictures,
)
from alexnet_lab.data.memory import Augmentation, Splits
from alexnet_lab.data.passes import check_positive
from alexnet_lab.data.place import DataFileError, data_folder

WORTH_WORKERS = 500  # pictures; starting workers takes longer than reading fewer

# WordNet's names of the folders of Imagenette: ten easy classes of ImageNet.
IMAGENETTE_CLASSES = {
    "n01440764": "tench",
    "n02102040": "English springer",
    "n02979186": "cassette player",
    "n03000684": "chain saw",
    "n03028079": "church",
    "n03394916": "French horn",
    "n03417042": "garbage truck",
    "n03425413": "gas pump",
    "n03445777": "golf ball",
    "n03888257": "parachute",
}
IMAGENETTE_FOLDERS = ("imagenette2-320", "imagenette2", "imagenette2-160")


def image_folder(
    path: str | Path,
    image_size: int = 224,
    batch_size: int = 128,
    *,
    resize: int | None = None,
    train_images: int | None = None,
    seed: int = 0,
    augment: Augmentation | None = None,
    transform: Transform | None = None,
    normalise: tuple = IMAGENET_STATISTICS,
    num_workers: int | None = None,
    device: torch.device | str | None = None,
) -> Splits:
    """Photographs in folders, one folder a class, in batches for training.

    Three layouts are understood::

        path/train/CLASS/*.jpg   path/val/CLASS/*.jpg   path/test/CLASS/*.jpg
        path/train/CLASS/*.jpg   path/val/CLASS/*.jpg          (ImageNet, Imagenette)
        path/CLASS/*.jpg

    In the second one ``val`` is what published figures are measured on. So it becomes
    ``test``, and ``validation`` is a tenth of each training class (10,000 pictures at
    most in all), chosen by ``seed``. In the third, validation and test are a tenth of
    each class. Labels follow the alphabetical order of the training classes.

    Training pictures are treated as in the paper: the shorter side is resized, the
    central square cut out, then a random crop, mirrored in half of the cases. Others:
    resized, central crop. Files are listed here, with no look inside; a picture that
    turns out to be unreadable is replaced (training) or left out, and named: see
    :class:`FolderBatches`.

    In a script, worker processes need the usual ``if __name__ == "__main__":`` on
    macOS and Windows; a notebook needs nothing.

    Args:
        path: the folder. For ImageNet, the one with ``train/n01440764`` and
            ``val/n01440764`` (validation pictures sorted into their classes).
        image_size: height and width of the crops.
        batch_size: images in a batch; the last one may be smaller.
        resize: the shorter side before cropping; by default 256 for crops of 224 and
            227, as in the paper, and 8/7 of the crop for other sizes.
        train_images: use only so many training pictures, chosen by ``seed``.
        seed: of the split, the order and the augmentation.
        augment: applied to training batches on the device, such as
            :class:`alexnet_lab.data.augment.ColourNoise`.
        transform: in place of the training crop and flip; uint8 (3, H, W) to uint8
            (3, image_size, image_size). With workers it must be picklable: no lambda.
        normalise: (mean, standard deviation) of each channel, pixels in 0..1.
        num_workers: processes that read pictures. By default one for each processor,
            8 at most, and none for fewer than 500 pictures.
        device: where the batches go; by default :func:`alexnet_lab.device`.

    Returns:
        ``train, validation, test``: three disjoint :class:`FolderBatches`, (B, 3,
        image_size, image_size) float32 and (B,) int64.

    Raises:
        DataFileError: no such folder, an empty class, classes that don't match, a
            class with too few pictures to be split.
        ValueError: a size or count that cannot be.
    """
    check_positive("image_size", image_size)
    resize = _resize(image_size, resize)
    parts = _parts(Path(path), seed)
    chosen = _limited(parts[0][1], train_images, seed)
    parts = ((parts[0][0], chosen), *parts[1:])
    central = _central(image_size, resize)
    options = dict(
        batch_size=batch_size,
        image_size=image_size,
        normalise=normalise,
        seed=seed,
        num_workers=_workers(num_workers, len(chosen)),
        shorter_side=resize,
        device=device,
    )
    return Splits(
        FolderBatches(
            *parts[0],
            transform or _random(image_size, resize),
            training=True,
            augment=augment,
            **options,
        ),
        FolderBatches(*parts[1], central, **options),
        FolderBatches(*parts[2], central, **options),
    )


def imagenette(
    path: str | Path | None = None,
    image_size: int = 224,
    batch_size: int = 128,
    *,
    download: bool = False,
    **options,
) -> Splits:
    """Imagenette: ten classes of ImageNet, 9,469 training and 3,925 test photographs.

    It does not ship with the course: 326 MB with a shorter side of 320 pixels, 94 MB
    with 160. Made by J. Howard, <https://github.com/fastai/imagenette>.

    Args:
        path: the folder with ``train`` and ``val``; by default ``imagenette2-320``,
            ``imagenette2`` or ``imagenette2-160`` in the course's data folder,
            whichever is there.
        image_size: as in :func:`image_folder`.
        batch_size: as in :func:`image_folder`.
        download: if it is not there, let torchvision fetch the 320-pixel version into
            the data folder, and check it.
        options: those of :func:`image_folder`.

    Returns:
        as :func:`image_folder`, with the classes' English names.

    Raises:
        DataFileError: it is not there; the text says how to get it.
        ValueError: ``path`` and ``download`` together.
    """
    if path is not None and download:
        raise ValueError("download=True fetches into the data folder; leave path out")
    if path is None:
        path = _find_imagenette(data_folder(), download)
    splits = image_folder(path, image_size, batch_size, **options)
    for part in splits:
        part.classes = tuple(IMAGENETTE_CLASSES.get(c, c) for c in part.classes)
    return splits


def _find_imagenette(root: Path, download: bool) -> Path:
    there = [root / n for n in IMAGENETTE_FOLDERS if (root / n / "train").is_dir()]
    if there:
        return there[0]
    if not download:
        raise DataFileError(
            f"Imagenette is not in {root}. With a network, get it (326 MB) by\n"
            "    imagenette(download=True)\n"
            "or unpack imagenette2-320.tgz or imagenette2-160.tgz from "
            "https://github.com/fastai/imagenette there, or name its folder: "
            "imagenette(path)."
        )
    from torchvision.datasets import Imagenette

    Imagenette(root, split="train", size="320px", download=True)
    return root / IMAGENETTE_FOLDERS[0]


def _parts(path: Path, seed: int) -> tuple[tuple[Listing, torch.Tensor], ...]:
    """(listing, indices) of training, validation and test."""
    names = class_folders(path)
    validation = next((n for n in VALIDATION_NAMES if n in names), None)
    if "train" not in names:
        if validation or "test" in names:
            raise DataFileError(
                f"{path} has a folder {validation or 'test'} but no folder train"
            )
        if names and {name.casefold() for name in names} <= SPLIT_NAMES:
            raise DataFileError(
                f"{path} has the folders {', '.join(names)}, which are no classes: "
                "rename them to train, and to val or test"
            )
        return _flat(path, names, seed)
    train = list_pictures(path / "train")
    everything = torch.arange(len(train.files))
    others = [n for n in (validation, "test") if n in names]
    if not others:
        raise DataFileError(
            f"{path} has a folder train but neither val nor test. To have validation "
            f"and test pictures chosen out of it, name {path / 'train'} itself."
        )
    listings = [list_pictures(path / n, train.classes) for n in others]
    if len(listings) == 2:
        first, second = listings
        return (
            (train, everything),
            (first, torch.arange(len(first.files))),
            (second, torch.arange(len(second.files))),
        )
    held, rest = _held_out(train, everything, HELD_OUT, seed)
    test = listings[0]
    return (train, rest), (train, held), (test, torch.arange(len(test.files)))


def _flat(path: Path, names: list[str], seed: int):
    if len(names) == 1:
        raise DataFileError(
            f"{path} has a single folder, {names[0]}, and one class cannot be learned. "
            f"Did you mean {path / names[0]}?"
        )
    listing = list_pictures(path)
    everything = torch.arange(len(listing.files))
    test, rest = _held_out(listing, everything, HELD_OUT, seed)
    validation, train = _held_out(listing, rest, HELD_OUT / (1 - HELD_OUT), seed + 1)
    return (listing, train), (listing, validation), (listing, test)


def _held_out(
    listing: Listing, among: torch.Tensor, fraction: float, seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    labels = listing.labels[among]
    try:
        held, rest = hold_out(labels, min(fraction, MOST_HELD_OUT / len(among)), seed)
    except ValueError:
        counts = torch.bincount(listing.labels)
        least = int(counts.argmin())
        raise DataFileError(
            f"class {listing.classes[least]} of {listing.folder} has too few pictures "
            f"to be split: {int(counts[least])}"
        ) from None
    return among[held], among[rest]


def _limited(chosen: torch.Tensor, most: int | None, seed: int) -> torch.Tensor:
    if most is None:
        return chosen
    if not 1 <= most <= len(chosen):
        raise ValueError(
            f"train_images={most:,}: there are 1 to {len(chosen):,} training pictures"
        )
    generator = torch.Generator().manual_seed(seed)
    return chosen[torch.randperm(len(chosen), generator=generator)[:most]]


def _resize(image_size: int, resize: int | None) -> int:
    if resize is None:
        return 256 if 224 <= image_size <= 227 else math.ceil(image_size * 8 / 7)
    check_positive("resize", resize)
    if resize < image_size:
        raise ValueError(
            f"resize={resize} leaves too little for crops of {image_size}; use at "
            f"least {image_size}"
        )
    return resize


def _workers(wanted: int | None, pictures: int) -> int:
    if wanted is None:
        if pictures < WORTH_WORKERS:
            return 0
        if hasattr(os, "sched_getaffinity"):
            return min(8, len(os.sched_getaffinity(0)))
        return min(8, os.cpu_count() or 1)
    if isinstance(wanted, bool) or not isinstance(wanted, int) or wanted < 0:
        raise ValueError(f"num_workers={wanted!r}: use 0 or more processes")
    return wanted


def _random(size: int, resize: int) -> Transform:
    from torchvision.transforms import v2

    return v2.Compose(
        [
            v2.Resize(resize, antialias=True),
            v2.CenterCrop(resize),  # "the central 256×256 patch"
            v2.RandomCrop(size),
            v2.RandomHorizontalFlip(),
        ]
    )


def _central(size: int, resize: int) -> Transform:
    from torchvision.transforms import v2

    return v2.Compose([v2.Resize(resize, antialias=True), v2.CenterCrop(size)])
