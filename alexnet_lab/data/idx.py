"""MNIST and Fashion-MNIST, whole: found, checked, unpacked, split, held in memory.

Both together are 110 MB, so no worker processes are needed. The files lie in
torchvision's layout (``data/MNIST/raw/train-images-idx3-ubyte`` …), and it reads them.
"""

import gzip
import hashlib
import tempfile
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from alexnet_lab.data.batches import Batches, Normalisation, Splits, check_positive
from alexnet_lab.data.place import damaged, data_folder
from alexnet_lab.runtime import whole_file

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
MOST_BYTES = 50_000_000  # in a file, unpacked; the largest has 47,040,016
VALIDATION_IMAGES = 5_000
# Mean and standard deviation of all 60,000 training images, pixels in 0..1
# (tests/test_data.py recomputes them).
STATISTICS = {"MNIST": (0.1307, 0.3081), "FashionMNIST": (0.2860, 0.3530)}
# images, uint8 (N, C, H, W), their labels, int64 (N,), and the names of the classes
Images = tuple[Tensor, Tensor, tuple[str, ...]]


def mnist(image_size: int = 28, batch_size: int = 128, **options: Any) -> Splits:
    """Handwritten digits: 55,000 training, 5,000 validation, 10,000 test images.

    Takes the options of :func:`fashion_mnist`. The inputs of LeCun et al. (1998),
    32×32 with background −0.1 and foreground 1.175, are
    ``mnist(padding=2, value_range=(-0.1, 1.175))``. Taught in 02.
    """
    return _shipped("MNIST", image_size, batch_size, **options)


def fashion_mnist(
    image_size: int = 28, batch_size: int = 128, **options: Any
) -> Splits:
    """Zalando's clothes: 55,000 training, 5,000 validation, 10,000 test images.

    Three disjoint :class:`Batches`, float32 (B, 1, image_size, image_size) and int64
    (B,); each batch is resized, if need be (bilinear). Taught in 02.

    Options: ``train_images``, so many of the shuffled training images, while validation
    and test stay the same; ``seed`` (0) of the split and the order; ``value_range``,
    what stands for black and white, where by default images are standardised;
    ``augment``, for training batches only; ``held_out`` (5,000), the validation images;
    ``padding`` and ``device``, see :class:`Passes`.

    Raises:
        ValueError: a size, count or range that cannot be.
        DataFileError: a data file is missing, truncated or altered.
    """
    return _shipped("FashionMNIST", image_size, batch_size, **options)


def _shipped(dataset: str, size: int, batch_size: int, **options: Any) -> Splits:
    from torchvision import datasets

    kind, folder = getattr(datasets, dataset), unpacked(dataset)
    # MNIST's are called "0 - zero" …
    classes = tuple(name.split(" - ")[0] for name in kind.classes)
    parts = (kind(folder, train=train) for train in (True, False))
    train, test = ((p.data.unsqueeze(1), p.targets, classes) for p in parts)
    options |= {"image_size": size, "batch_size": batch_size}
    return splits(train, test, STATISTICS[dataset], **options)


def splits(
    train: Images,
    test: Images,
    statistics: Normalisation,
    *,
    train_images: int | None = None,
    seed: int = 0,
    value_range: tuple[float, float] | None = None,
    held_out: int = VALIDATION_IMAGES,
    **options: Any,
) -> Splits:
    """Hold training images out; for the options see :func:`fashion_mnist`."""
    images, labels, classes = train
    if not 0 <= held_out < len(labels):
        raise ValueError(f"held_out={held_out}: use 0 to {len(labels) - 1:,}")
    most = len(labels) - held_out
    train_images = most if train_images is None else train_images
    check_positive("train_images", train_images, most)
    if value_range:
        black, white = value_range
        if black == white:
            raise ValueError(f"value_range={value_range}: black and white must differ")
        statistics = -black / (white - black), 1 / (white - black)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    kept, chosen = order.tensor_split([held_out])
    chosen = chosen[:train_images]
    options |= {"normalise": statistics, "seed": seed}
    return Splits(
        Batches(images[chosen], labels[chosen], classes, shuffle=True, **options),
        Batches(images[kept], labels[kept], classes, **options),
        Batches(*test, **options),
    )


def unpacked(dataset: str) -> Path:
    """What torchvision's ``"MNIST"`` and ``"FashionMNIST"`` take as their root.

    Files that are missing, or differ from their SHA-256, are unpacked from the ``.gz``
    beside them; if the data folder is read-only, into one that goes when Python ends.
    Taught in 02.

    Raises:
        DataFileError: a file is missing, or what is there is not the original.
    """
    root = data_folder()
    try:
        return _unpack_all(dataset, root, root)
    except OSError:  # read-only, or full
        return _unpack_all(dataset, root, Path(_temporary_folder().name))


def _unpack_all(dataset: str, root: Path, target: Path) -> Path:
    for name, wanted in zip(FILES, SHA256[dataset], strict=True):
        file = target / dataset / "raw" / name
        if whole(file, wanted) is None:
            put(file, _original(root / dataset / "raw" / f"{name}.gz", wanted))
    return target


def put(file: Path, content: bytes) -> None:
    """Write an unpacked file, never through a link, which could lead to any file."""
    if file.is_symlink():
        file.unlink()
    with whole_file(file, len(content)) as opened:
        opened.write(content)


def whole(file: Path, wanted: str) -> bytes | None:
    """What a file holds, if it can be read and has the SHA-256 wanted; else None."""
    try:
        content = file.read_bytes()
    except OSError:  # missing, or one that this user may not read
        return None
    return content if sha256(content) == wanted else None


@cache
def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder that goes when Python ends."""
    return tempfile.TemporaryDirectory("-alexnet_lab", ignore_cleanup_errors=True)


def _original(packed: Path, wanted: str) -> bytes:
    """What a shipped file holds, unpacked."""
    try:
        with gzip.open(packed) as file:
            content = file.read(MOST_BYTES)  # a damaged one could unpack without end
    except (EOFError, OSError, zlib.error) as error:
        raise damaged(packed, f"cannot be read ({error})") from error
    found = sha256(content)
    if found != wanted:
        raise damaged(
            packed, f"is not the original file: SHA-256 {found}, expected {wanted}"
        )
    return content


def sha256(content: bytes) -> str:
    """The SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
