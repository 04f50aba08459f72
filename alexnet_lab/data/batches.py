"""Batches of images with labels: their order, their shares, their way to the network.

Notebook 02 measures what batches from memory are worth.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field
from numbers import Integral
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from alexnet_lab.runtime import device as best_device

Batch = tuple[Tensor, Tensor]
# float images (B, C, H, W) in 0..1 and a generator, to images that may be smaller
Augmentation = Callable[[Tensor, Generator], Tensor]
# mean and standard deviation of pixels in 0..1: a number each, or one a channel
Normalisation = tuple[float, float] | tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(eq=False, repr=False)
class Passes:
    """Images with labels, served a batch at a time, pass after pass.

    The order of a shuffled pass is fixed by (seed, epoch), and each batch has its own
    generator for augmentation, so that a pass can be taken up anywhere.
    """

    labels: Tensor  # int64 (N,)
    classes: tuple[str, ...] = ()  # their names
    _: KW_ONLY
    batch_size: int = 128  # images in a batch; the last one may be smaller
    image_size: int | None = None  # height and width to resize to; None: as they are
    padding: int = 0  # pixels of black added on each side, after augmentation
    normalise: Normalisation = (0.0, 1.0)
    mean_image: Tensor | None = None  # (C, H, W) in 0..1, subtracted before all else
    shuffle: bool = False  # this is for training: a new order in every pass,
    augment: Augmentation | None = None  # and augmentation
    seed: int = 0  # of order and augmentation
    device: torch.device = field(default_factory=best_device)  # where the batches go
    image_shape: tuple[int, int, int] = field(init=False)  # unless augment crops it

    def __post_init__(self) -> None:
        check_positive("batch_size", self.batch_size)
        if self.image_size is not None:
            check_positive("image_size", self.image_size)
        if self.padding < 0:
            raise ValueError(f"padding={self.padding}: use 0 or more pixels")
        self.device = torch.device(self.device)  # from a name, too
        self.mean, self.deviation = (
            torch.tensor(values, device=self.device).view(-1, 1, 1)
            for values in self.normalise
        )
        if max(self.mean.max(), self.deviation.max()) > 1:
            why = "pixels are 0…1 here. Divide mean and deviation by 255"
            raise ValueError(f"normalise={self.normalise}: {why}")
        if self.mean_image is not None:  # once, not with each batch
            self.mean_image = self.mean_image.to(self.device)
        self.epoch, self.rank, self.shares = 0, 0, 1

    @property
    def count(self) -> int:
        """Number of images."""
        return len(self.labels)

    def __len__(self) -> int:
        """Number of batches in a pass."""
        return math.ceil(self.count / self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        return self.batches_from(0)

    def batches_from(self, start: int) -> Iterator[Batch]:
        """The pass from batch number ``start`` on: float32 (B, C, H, W), int64 (B,).

        Exact resume needs it. Empty shares of a batch are served in training only.
        """
        epoch, self.epoch = self.epoch, self.epoch + 1
        fetched = self._fetch(self._chosen(start, epoch), epoch)
        for number, (images, labels) in enumerate(fetched, start):
            if len(labels) or self.shuffle:
                training = self.augment and self.shuffle
                generator = self._generator(epoch, number) if training else None
                yield self.prepare(images, generator), labels.to(self.device)

    def _fetch(self, chosen: Sequence[Tensor], epoch: int) -> Iterator[Batch]:
        """The images, uint8 (B, C, H, W), and labels of each batch's numbers (B,)."""
        raise NotImplementedError

    def set_epoch(self, epoch: int) -> None:
        """Make the next pass the given one (it fixes order and augmentation)."""
        self.epoch = epoch

    def share(self, rank: int, shares: int) -> Passes:
        """The same batches, of which this one serves only every ``shares``-th image.

        The batches of all ranks together are those of one process: the sizes, the
        order and the number of batches stay the same. Augmentation differs by rank.
        """
        part = copy.copy(self)
        part.rank, part.shares = rank, shares
        return part

    def prepare(self, images: Tensor, generator: Generator | None = None) -> Tensor:
        """Bytes, uint8 (B, C, H, W), to float32 that a network gets.

        In this order: 0..1, less the mean image if there is one, resized, augmented
        (only with a generator), padded, normalised.
        """
        x = images.to(self.device, non_blocking=True).float().div_(255)
        if self.mean_image is not None:
            x.sub_(self.mean_image)
        size = self.image_size
        if size and x.shape[-2:] != (size, size):
            # antialias matters only when shrinking, and is slow
            shrinks = size < x.shape[-1]
            x = F.interpolate(x, (size, size), mode="bilinear", antialias=shrinks)
        if self.augment and generator is not None:
            x = self.augment(x, generator)
        if self.padding:
            x = F.pad(x, [self.padding] * 4)
        return x.sub_(self.mean).div_(self.deviation)

    def _chosen(self, start: int, epoch: int) -> list[Tensor]:
        """This share's image numbers in each batch from ``start`` on."""
        order = torch.arange(self.count)
        if self.shuffle:
            generator = Generator().manual_seed(mix_seeds(self.seed, epoch))
            order = torch.randperm(self.count, generator=generator)
        whole = order.split(self.batch_size)[start:]
        return [batch[self.rank :: self.shares] for batch in whole]

    def _generator(self, epoch: int, number: int, where: str = "") -> Generator:
        """The generator for the augmentation of one batch; by default on its device."""
        seed = mix_seeds(self.seed, epoch, number + 1, self.rank)
        return Generator(device=where or self.device).manual_seed(seed)


class Batches(Passes):
    """All images, uint8 (N, C, H, W), and labels, int64 (N,), in a device's memory.

    A batch is picked, resized, augmented and normalised at once, on the device. Takes
    the options of :class:`Passes`.
    """

    def __init__(
        self, images: Tensor, labels: Tensor, classes: tuple[str, ...], **options: Any
    ) -> None:
        super().__init__(labels, classes, **options)
        self.images, self.labels = images.to(self.device), labels.to(self.device)
        border = 2 * self.padding
        height, width = (self.image_size or side for side in images.shape[-2:])
        self.image_shape = (images.shape[1], height + border, width + border)

    def _fetch(self, chosen: Sequence[Tensor], epoch: int) -> Iterator[Batch]:
        # All numbers go there at once: each transfer would wait for a GPU's last step.
        sizes = [len(numbers) for numbers in chosen]
        order = torch.cat([*chosen, torch.arange(0)]).to(self.device)
        for here in order.split(sizes):
            yield self.images[here], self.labels[here]


class Splits(NamedTuple):
    """Three disjoint sets. Choose by ``validation``; touch ``test`` once."""

    train: Passes
    validation: Passes
    test: Passes


def check_positive(name: str, value: int, most: int | None = None) -> None:
    """Raise ValueError unless ``value`` is a whole number from 1 to ``most``."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name}={value!r}: use a whole number of at least 1")
    if most is not None and value > most:
        held_out = "the others are held out for validation"
        raise ValueError(f"{name}={value:,}: use 1 to {most:,}; {held_out}")


def mix_seeds(*parts: int) -> int:
    """One seed from several numbers, well apart for neighbours (a 63-bit LCG step)."""
    mixed = 0
    for part in parts:
        mixed = (mixed * 6364136223846793005 + part + 1442695040888963407) % (2**63)
    return mixed
