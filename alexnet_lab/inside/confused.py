"""Which classes are taken for which, and in which images."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Confused(NamedTuple):
    """One kind of mistake: images of class `true` that were called `said`."""

    true: int
    said: int
    images: Tensor  # int64 (count,), numbers of the images, in their order


def confused_pairs(predicted: Tensor, labels: Tensor, k: int = 4) -> list[Confused]:
    """The k most frequent mistakes, the most frequent first.

    Args:
        predicted: int64 (N,), the classes answered.
        labels: int64 (N,), the true classes.
        k: mistakes at most; there are fewer if fewer kinds were made.

    Raises:
        ValueError: lengths that differ, or k below 1.
    """
    if predicted.shape != labels.shape or labels.dim() != 1:
        raise ValueError(
            f"give one answer for each label, (N,) both, not "
            f"{tuple(predicted.shape)} and {tuple(labels.shape)}"
        )
    if isinstance(k, bool) or k < 1:
        raise ValueError(f"k={k}: ask for 1 or more")
    predicted, labels = predicted.cpu(), labels.cpu()
    wrong = (predicted != labels).nonzero()[:, 0]
    both = torch.stack([labels[wrong], predicted[wrong]], dim=1)
    kinds, kind, counts = both.unique(dim=0, return_inverse=True, return_counts=True)
    most = counts.argsort(descending=True, stable=True)[:k]
    return [Confused(*kinds[i].tolist(), wrong[kind == i]) for i in most]
