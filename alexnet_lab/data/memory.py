"""MNIST and Fashion-MNIST held in memory as bytes, served a batch at a time.

Both data sets together are 110 MB, so no worker processes are needed: a batch is
picked, resized, augmented and normalised on the device, all images at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F

from alexnet_lab.data.idx import read_idx
from alexnet_lab.data.passes import Passes, check_positive

Augmentation = Callable[[torch.Tensor, torch.Generator], torch.Tensor]

VALIDATION_IMAGES = 5_000
MNIST_CLASSES = tuple("0123456789")
FASHION_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
# Mean and standard deviation of all 60,000 training images, pixels in 0..1
# (tests/test_data.py recomputes them).
MNIST_STATISTICS = (0.1307, 0.3081)
FASHION_STATISTICS = (0.2860, 0.3530)


class Batches(Passes):
    """Images and labels on a device; iterating gives (images, labels) batches.

    Each batch goes: bytes → 0..1 → resized → augmented → padded → normalised.
    Every pass over shuffled batches has its own order, fixed by (seed, epoch), and
    every batch its own generator for augmentation, so a pass can be resumed anywhere.

    Args:
        images: uint8, (N, C, H, W).
        labels: int64, (N,).
        classes: the class names.
        batch_size: images in a batch; the last one may be smaller.
        image_size: height and width after resizing; None leaves them alone.
        padding: pixels of black added on each side after resizing.
        normalise: (mean, standard deviation) of pixels in 0..1.
        shuffle: a new order in every pass.
        augment: called with float images in 0..1, (B, C, H, W), and a generator.
        seed: of the order and of the augmentation.
        device: where everything lives; by default :func:`alexnet_lab.device`.
    """

    def __init__(
        self,
        images: torch.Tensor,
        labels: torch.Tensor,
        classes: tuple[str, ...],
        *,
        batch_size: int = 128,
        image_size: int | None = None,
        padding: int = 0,
        normalise: tuple[float, float] = (0.0, 1.0),
        shuffle: bool = False,
        augment: Augmentation | None = None,
        seed: int = 0,
        device: torch.device | str | None = None,
    ) -> None:
        if image_size is not None:
            check_positive("image_size", image_size)
        super().__init__(
            labels, batch_size=batch_size, shuffle=shuffle, seed=seed, device=device
        )
        self.images = images.to(self.device)
        self.labels = labels.to(self.device)
        self.classes = classes
        self.image_size = image_size
        self.padding = padding
        self.normalise = normalise
        self.augment = augment

    def __repr__(self) -> str:
        channels, height, width = self.image_shape
        return (
            f"{self.count:,} images of {channels}×{height}×{width} in {len(self):,} "
            f"batches of {self.batch_size}, on {self.device}"
        )

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of an image as a network gets it, unless ``augment`` crops it."""
        channels, height, width = self.images.shape[1:]
        if self.image_size:
            height = width = self.image_size
        return channels, height + 2 * self.padding, width + 2 * self.padding

    def batches_from(self, start: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """The pass from batch number ``start`` on: what an exact resume needs."""
        epoch, self.epoch = self.epoch, self.epoch + 1
        for number, chosen in enumerate(self._chosen(start, epoch), start):
            generator = self._generator(epoch, number) if self.augment else None
            chosen = chosen.to(self.device)
            yield self.prepare(self.images[chosen], generator), self.labels[chosen]

    def prepare(
        self, images: torch.Tensor, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        """uint8 (B, C, H, W) to what a network gets: float32, sized, normalised."""
        x = images.to(self.device).float().div_(255)
        if self.image_size and x.shape[-2:] != (self.image_size, self.image_size):
            size = (self.image_size, self.image_size)
            # antialias matters only when shrinking, and is slow
            x = F.interpolate(
                x, size, mode="bilinear", antialias=self.image_size < x.shape[-1]
            )
        if self.augment and generator is not None:
            x = self.augment(x, generator)
        if self.padding:
            x = F.pad(x, [self.padding] * 4)
        mean, deviation = self.normalise
        return x.sub_(mean).div_(deviation)


class Splits(NamedTuple):
    """Three disjoint sets. Choose by ``validation``; touch ``test`` once."""

    train: Batches
    validation: Batches
    test: Batches


def mnist(image_size: int = 28, batch_size: int = 128, **options) -> Splits:
    """Handwritten digits: 55,000 training, 5,000 validation, 10,000 test images.

    Takes the options of :func:`fashion_mnist`. The inputs of LeCun et al. (1998),
    32×32 with background −0.1 and foreground 1.175, are
    ``mnist(padding=2, value_range=(-0.1, 1.175))``.
    """
    return _splits(
        "MNIST", MNIST_CLASSES, MNIST_STATISTICS, image_size, batch_size, **options
    )


def fashion_mnist(image_size: int = 28, batch_size: int = 128, **options) -> Splits:
    """Zalando's clothes: 55,000 training, 5,000 validation, 10,000 test images.

    Args:
        image_size: 28 as shipped; otherwise each batch is resized (bilinear).
        batch_size: images in a batch.
        train_images: use only the first so many of the shuffled training images;
            validation and test stay the same.
        seed: chooses the validation images and the order of training.
        padding: pixels of black added on each side, after resizing.
        value_range: the numbers that stand for black and white; by default the
            images are standardised with the training set's mean and deviation.
        augment: applied to training batches only, see :class:`Batches`.
        device: where the images live; by default :func:`alexnet_lab.device`.
        root: the data folder; by default the course's own.

    Returns:
        ``train, validation, test``: three disjoint :class:`Batches`, (B, 1, H, W)
        float32 and (B,) int64. The same seed gives the same split.

    Raises:
        ValueError: a size, count or range that cannot be.
        DataFileError: a data file is missing, truncated or altered.
    """
    return _splits(
        "FashionMNIST",
        FASHION_CLASSES,
        FASHION_STATISTICS,
        image_size,
        batch_size,
        **options,
    )


def _splits(
    dataset: str,
    classes: tuple[str, ...],
    statistics: tuple[float, float],
    image_size: int,
    batch_size: int,
    *,
    train_images: int | None = None,
    seed: int = 0,
    padding: int = 0,
    value_range: tuple[float, float] | None = None,
    augment: Augmentation | None = None,
    device: torch.device | str | None = None,
    root: Path | None = None,
) -> Splits:
    images, labels = _read(dataset, "train", root)
    most = len(labels) - VALIDATION_IMAGES
    if train_images is None:
        train_images = most
    if not 1 <= train_images <= most:
        raise ValueError(
            f"train_images={train_images:,}: there are 1 to {most:,} training images "
            f"({VALIDATION_IMAGES:,} of {len(labels):,} are held out for validation)"
        )
    if padding < 0:
        raise ValueError(f"padding={padding}: use 0 or more pixels")
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    held_out, rest = order[:VALIDATION_IMAGES], order[VALIDATION_IMAGES:]
    chosen = rest[:train_images]
    shared = dict(
        batch_size=batch_size,
        image_size=None if image_size == images.shape[-1] else image_size,
        padding=padding,
        normalise=_as_normalisation(value_range) if value_range else statistics,
        seed=seed,
        device=device,
    )
    return Splits(
        Batches(
            images[chosen],
            labels[chosen],
            classes,
            shuffle=True,
            augment=augment,
            **shared,
        ),
        Batches(images[held_out], labels[held_out], classes, **shared),
        Batches(*_read(dataset, "t10k", root), classes, **shared),
    )


def _read(
    dataset: str, part: str, root: Path | None
) -> tuple[torch.Tensor, torch.Tensor]:
    images = read_idx(dataset, f"{part}-images-idx3-ubyte", root).unsqueeze(1)
    return images, read_idx(dataset, f"{part}-labels-idx1-ubyte", root).long()


def _as_normalisation(value_range: tuple[float, float]) -> tuple[float, float]:
    """(mean, deviation) that send 0 to the first value and 1 to the second."""
    black, white = value_range
    if black == white:
        raise ValueError(f"value_range={value_range}: black and white must differ")
    return -black / (white - black), 1 / (white - black)
