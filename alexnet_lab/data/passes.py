"""What every source of batches has in common: passes, their order, their shares."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import TypeVar

import torch

from alexnet_lab.runtime import device as best_device

Batch = tuple[torch.Tensor, torch.Tensor]
Self = TypeVar("Self", bound="Passes")


class Passes:
    """Images with labels, served a batch at a time, pass after pass.

    Each pass over shuffled batches has its own order, fixed by (seed, epoch), and each
    batch its own generator for augmentation, so that a pass can be taken up anywhere.

    Args:
        labels: int64 (N,).
        batch_size: images in a batch; the last one may be smaller.
        shuffle: a new order in every pass.
        seed: of the order and of the augmentation.
        device: where the batches go; by default :func:`alexnet_lab.device`.
    """

    def __init__(
        self,
        labels: torch.Tensor,
        *,
        batch_size: int,
        shuffle: bool,
        seed: int,
        device: torch.device | str | None,
    ) -> None:
        check_positive("batch_size", batch_size)
        self.device = torch.device(device) if device else best_device()
        self.labels = labels
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.epoch = 0
        self.rank, self.shares = 0, 1

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
        """The pass from batch number ``start`` on: what an exact resume needs."""
        raise NotImplementedError

    def set_epoch(self, epoch: int) -> None:
        """Make the next pass the given one (it fixes order and augmentation)."""
        self.epoch = epoch

    def share(self: Self, rank: int, shares: int) -> Self:
        """The same batches, of which this one serves only every ``shares``-th image.

        The batches of all ranks together are those of one process: the sizes, the
        order and the number of batches stay the same. Augmentation differs by rank.
        """
        if not 0 <= rank < shares:
            raise ValueError(f"rank={rank}; use 0 to {shares - 1}")
        part = copy.copy(self)
        part.rank, part.shares = rank, shares
        return part

    def _chosen(self, start: int, epoch: int) -> list[torch.Tensor]:
        """This share's image numbers in each batch from ``start`` on."""
        order = torch.arange(self.count)
        if self.shuffle:
            generator = torch.Generator().manual_seed(mix_seeds(self.seed, epoch))
            order = torch.randperm(self.count, generator=generator)
        whole = order.split(self.batch_size)[start:]
        return [batch[self.rank :: self.shares] for batch in whole]

    def _generator(
        self, epoch: int, number: int, device: torch.device | str | None = None
    ) -> torch.Generator:
        """The generator for the augmentation of one batch, where the batches go."""
        seed = mix_seeds(self.seed, epoch, number + 1, self.rank)
        return torch.Generator(device=device or self.device).manual_seed(seed)


def check_positive(name: str, value: int) -> None:
    """Raise ValueError unless ``value`` is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name}={value!r}: use a whole number of at least 1")


def mix_seeds(*parts: int) -> int:
    """One seed from several numbers, well apart for neighbours (a 63-bit LCG step)."""
    mixed = 0
    for part in parts:
        mixed = (mixed * 6364136223846793005 + part + 1442695040888963407) % (2**63)
    return mixed
