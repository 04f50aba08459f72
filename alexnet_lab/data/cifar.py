"""CIFAR-10, whole: six sheets of pictures that ship, proven, unpacked, held in memory.

Unpacked, they are the six files of the original's binary version: 10,000 records of a
label and 3,072 pixels, one byte each, first all red ones, then green, then blue. The
SHA-256 are theirs, so pixels and labels are proven together. Source: A. Krizhevsky,
*Learning multiple layers of features from tiny images*, 2009.
"""

from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from alexnet_lab.data.batches import Splits
from alexnet_lab.data.idx import Images, put, sha256, splits, whole
from alexnet_lab.data.place import DataFileError, damaged, data_folder

CLASSES: tuple[str, ...] = ("airplane", "automobile", "bird", "cat", "deer")
CLASSES += ("dog", "frog", "horse", "ship", "truck")
FILES = (*(f"data_batch_{n}" for n in range(1, 6)), "test_batch")
SHA256 = (
    "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
    "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
    "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
    "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
    "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
    "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
)
ACROSS = 100  # pictures in a sheet's row, and rows
# Mean and standard deviation of the 50,000 training images, pixels in 0..1, as
# published everywhere (tests/test_cifar.py recomputes them).
MEAN = (0.49139968, 0.48215841, 0.44653091)
DEVIATION = (0.24703223, 0.24348513, 0.26158784)


def cifar10(image_size: int = 32, batch_size: int = 128, **options: Any) -> Splits:
    """Small colour photographs: 45,000 training, 5,000 validation, 10,000 test images.

    Ten classes, float32 (B, 3, image_size, image_size) and int64 (B,). Takes the
    options of :func:`fashion_mnist`; and ``held_out=0`` trains on all 50,000, as the
    published results do. ``mean_image=True`` gives the images as Krizhevsky's networks
    read them: pixels of 0..255 minus the mean image of the 50,000. ``classes``, names
    in the order of their labels, leaves the others' images out. Taught in 03.

    If the data folder holds the original's Python version in ``cifar-10-batches-py``
    and not the sheets, torchvision reads that, after comparing each file's MD5.

    Raises:
        ValueError: a size or count that cannot be, or no such class.
        DataFileError: a sheet is missing, truncated or altered.
    """
    train, test = pictures()
    statistics: Any = (MEAN, DEVIATION)
    if options.pop("mean_image", False):
        parts = train[0].split(5_000)  # all at once would take 600 MB
        means = torch.stack([part.float().mean(dim=0) for part in parts])
        options["mean_image"] = means.mean(dim=0) / 255
        statistics = (0.0, 1 / 255)
    if wanted := tuple(options.pop("classes", ())):
        train, test = (_only(part, wanted) for part in (train, test))
    options |= {"image_size": image_size, "batch_size": batch_size}
    return splits(train, test, statistics, **options)


def _only(part: Images, wanted: tuple[str, ...]) -> Images:
    """The images of some classes, whose labels are their places in ``wanted``."""
    images, labels, classes = part
    if unknown := sorted({*wanted} - {*classes}):
        raise ValueError(f"no class {unknown[0]!r}; there are {', '.join(classes)}")
    place = [wanted.index(name) if name in wanted else -1 for name in classes]
    labels = torch.tensor(place)[labels]
    return images[labels >= 0], labels[labels >= 0], wanted


def pictures() -> tuple[Images, Images]:
    """All images for training and for test, proven; errors as in `cifar10`."""
    root = data_folder()
    python_version = root / "cifar-10-batches-py"
    if python_version.is_dir() and not (root / "CIFAR10").is_dir():
        return _from_torchvision(root)
    records = torch.empty(60_000, 3_073, dtype=torch.uint8)
    for part, content in zip(records.split(10_000), _unpacked(root), strict=True):
        part.copy_(torch.frombuffer(content, dtype=torch.uint8).view_as(part))
    labels, pixels = records[:, 0].long(), records[:, 1:].unflatten(1, (3, 32, 32))
    of_train, of_test = labels.split([50_000, 10_000])
    test = pixels[50_000:].contiguous()  # a copy lets go of the whole table
    return (pixels[:50_000], of_train, CLASSES), (test, of_test, CLASSES)


def _unpacked(root: Path) -> Iterator[bytearray]:
    """What the six files hold, each written from its sheet unless it is there whole."""
    for number, (name, wanted) in enumerate(zip(FILES, SHA256, strict=True)):
        path = root / "CIFAR10" / "unpacked" / f"{name}.bin"
        content = whole(path, wanted)
        if content is None:
            content = _original(root / "CIFAR10", number, wanted)
            with suppress(OSError):  # read-only, or full
                put(path, content)
        yield bytearray(content)  # which PyTorch may share


def _original(folder: Path, number: int, wanted: str) -> bytes:
    sheet, labels = folder / f"{FILES[number]}.webp", folder / "labels.bin"
    try:
        chosen = labels.read_bytes()[number * 10_000 : (number + 1) * 10_000]
    except OSError as error:
        raise damaged(labels, f"cannot be read ({error})") from error
    try:
        content = records_of(sheet, chosen)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise damaged(sheet, f"cannot be read ({error})") from error
    if sha256(content) != wanted:
        problem = f"with {labels.name} is not the original: SHA-256 {sha256(content)}"
        raise damaged(sheet, f"{problem}, expected {wanted}")
    return content


def records_of(sheet: Path, labels: bytes) -> bytes:
    """A sheet's pictures with their labels, as the original's binary version has them.

    ValueError: another number of pictures or labels.
    """
    with Image.open(sheet, formats=["WEBP"]) as opened:
        if opened.size != (32 * ACROSS, 32 * ACROSS):
            raise ValueError(f"a sheet of {opened.size} pixels")  # before it is decoded
        pixels = np.asarray(opened.convert("RGB"))
    tiles = pixels.reshape(ACROSS, 32, ACROSS, 32, 3).transpose(0, 2, 4, 1, 3)
    column = np.frombuffer(labels, np.uint8).reshape(ACROSS**2, 1)
    return np.hstack([column, tiles.reshape(ACROSS**2, -1)]).tobytes()


@cache
def _from_torchvision(root: Path) -> tuple[Images, Images]:
    from torchvision import datasets

    try:
        found = [datasets.CIFAR10(root, train=train) for train in (True, False)]
    except RuntimeError as error:
        raise DataFileError(
            f"{root / 'cifar-10-batches-py'} is not the original: {error} Its files "
            "are those of cifar-10-python.tar.gz."
        ) from error
    train, test = (
        (
            torch.from_numpy(part.data).permute(0, 3, 1, 2).contiguous(),
            torch.tensor(part.targets),
            CLASSES,
        )
        for part in found
    )
    return train, test
