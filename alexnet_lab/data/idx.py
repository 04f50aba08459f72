"""MNIST and Fashion-MNIST, whole: found, checked, unpacked, split, held in memory.

Both together are 110 MB, so no worker processes are needed. The files lie in
torchvision's layout (``data/MNIST/raw/train-images-idx3-ubyte`` …), and it reads them.
"""

from __future__ import annotations

import atexit
import gzip
import hashlib
import shutil
import tempfile
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from alexnet_lab.data.batches import Augmentation, Batches, Splits, check_count
from alexnet_lab.data.place import DataFileError, data_folder, how_to_restore
from alexnet_lab.files import whole_file

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
# SHA-256 of the unpacked files, in this order.
SHA256 = {
    "MNIST": (
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
    "FashionMNIST": (
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
}
VALIDATION_IMAGES = 5_000
# Mean and standard deviation of all 60,000 training images, pixels in 0..1
# (tests/test_data.py recomputes them).
MNIST_STATISTICS = (0.1307, 0.3081)
FASHION_STATISTICS = (0.2860, 0.3530)


def mnist(image_size: int = 28, batch_size: int = 128, **options: Any) -> Splits:
    """Handwritten digits: 55,000 training, 5,000 validation, 10,000 test images.

    Takes the options of :func:`fashion_mnist`. The inputs of LeCun et al. (1998),
    32×32 with background −0.1 and foreground 1.175, are
    ``mnist(padding=2, value_range=(-0.1, 1.175))``. Taught in 02.
    """
    return _splits("MNIST", MNIST_STATISTICS, image_size, batch_size, **options)


def fashion_mnist(
    image_size: int = 28, batch_size: int = 128, **options: Any
) -> Splits:
    """Zalando's clothes: 55,000 training, 5,000 validation, 10,000 test images.

    Taught in 02.

    Args:
        image_size: 28 as shipped; otherwise each batch is resized (bilinear).
        batch_size: images in a batch.
        options: ``train_images``, so many of the shuffled training images, while
            validation and test stay the same; ``seed`` (0) of the split and the order;
            ``value_range``, what stands for black and white, where by default images
            are standardised; ``augment``, for training batches only; ``padding`` and
            ``device``, see :class:`Passes`; ``root``, another data folder.

    Returns:
        three disjoint :class:`Batches`, float32 (B, 1, H, W) and int64 (B,).

    Raises:
        ValueError: a size, count or range that cannot be.
        DataFileError: a data file is missing, truncated or altered.
    """
    return _splits(
        "FashionMNIST", FASHION_STATISTICS, image_size, batch_size, **options
    )


def _splits(
    dataset: str,
    statistics: Any,  # (mean, standard deviation), see Passes
    image_size: int,
    batch_size: int,
    *,
    train_images: int | None = None,
    seed: int = 0,
    padding: int = 0,
    value_range: tuple[float, float] | None = None,
    augment: Augmentation | None = None,
    root: Path | None = None,
    **options: Any,
) -> Splits:
    folder = unpacked(dataset, root)
    images, labels, classes = _read(dataset, folder, train=True)
    most = len(labels) - VALIDATION_IMAGES
    train_images = most if train_images is None else train_images
    check_count(train_images, most)
    if padding < 0:
        raise ValueError(f"padding={padding}: use 0 or more pixels")
    if value_range:
        statistics = _as_normalisation(value_range)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    held_out, rest = order[:VALIDATION_IMAGES], order[VALIDATION_IMAGES:]
    chosen = rest[:train_images]
    options |= {"batch_size": batch_size, "image_size": image_size}
    options |= {"padding": padding, "normalise": statistics, "seed": seed}
    training = {"shuffle": True, "augment": augment, **options}
    return Splits(
        Batches(images[chosen], labels[chosen], classes, **training),
        Batches(images[held_out], labels[held_out], classes, **options),
        Batches(*_read(dataset, folder, train=False), **options),
    )


def _read(
    dataset: str, folder: Path, train: bool
) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """All images, uint8 (N, 1, 28, 28), their labels (N,) and the class names."""
    from torchvision import datasets

    found = getattr(datasets, dataset)(folder, train=train)
    # MNIST's are called "0 - zero" …
    classes = tuple(name.split(" - ")[0] for name in found.classes)
    return found.data.unsqueeze(1), found.targets, classes


def _as_normalisation(value_range: tuple[float, float]) -> tuple[float, float]:
    """(mean, deviation) that send 0 to the first value and 1 to the second."""
    black, white = value_range
    if black == white:
        raise ValueError(f"value_range={value_range}: black and white must differ")
    return -black / (white - black), 1 / (white - black)


def unpacked(dataset: str, root: Path | None = None) -> Path:
    """What torchvision's ``"MNIST"`` and ``"FashionMNIST"`` take as their root.

    Each file is checked against its SHA-256. One that is not there, or damaged, is
    unpacked from the ``.gz`` beside it, in the data folder ``root``; where that cannot
    be written to, in a temporary folder, which goes when Python ends. Taught in 02.

    Raises:
        DataFileError: a file is missing, or what is there is not the original.
    """
    root = Path(root) if root else data_folder()
    try:
        return _unpack_all(dataset, root, root)
    except OSError:  # read-only, or full
        return _unpack_all(dataset, root, _temporary_folder())


def _unpack_all(dataset: str, root: Path, target: Path) -> Path:
    for name, wanted in zip(FILES, SHA256[dataset], strict=True):
        file = target / dataset / "raw" / name
        if file.is_file() and _sha256(file.read_bytes()) == wanted:
            continue
        packed = root / dataset / "raw" / f"{name}.gz"
        content = _unpack(packed)
        if _sha256(content) != wanted:
            raise DataFileError(_altered(packed, content, wanted))
        with whole_file(file) as opened:
            opened.write(content)
    return target


@cache
def _temporary_folder() -> Path:
    folder = tempfile.mkdtemp(prefix="alexnet_lab-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _unpack(packed: Path) -> bytes:
    if not packed.is_file():
        raise DataFileError(
            f"{packed} is missing. It ships with the course. {how_to_restore(packed)}"
        )
    try:
        return gzip.decompress(packed.read_bytes())
    except (EOFError, OSError, zlib.error) as error:
        raise DataFileError(
            f"{packed} ({packed.stat().st_size:,} bytes) is not a whole gzip file "
            f"({error}). {how_to_restore(packed)}"
        ) from error


def _altered(path: Path, content: bytes, wanted: str) -> str:
    shipped = path.with_name(f"{path.name.removesuffix('.gz')}.gz")  # only these ship
    return (
        f"{path} is not the original file: it holds {len(content):,} bytes with "
        f"SHA-256 {_sha256(content)}, expected {wanted}. {how_to_restore(shipped)}"
    )
