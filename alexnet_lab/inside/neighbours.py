"""Which images lie nearest to each other, in pixels or in a layer's features."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Neighbours(NamedTuple):
    """The result of :func:`nearest_neighbours`, nearest first."""

    indices: Tensor  # int64 (Q, k), rows of the features
    distances: Tensor  # float32 (Q, k), Euclidean


def nearest_neighbours(
    features: Tensor, queries: Tensor, k: int = 5, *, chunk: int = 64
) -> Neighbours:
    """For each query the k nearest rows of `features`, by Euclidean distance.

    Leave the queries themselves out of `features`, else each finds itself first.

    Args:
        features: (N, …), flattened to (N, D); images do as well as features.
        queries: (Q, …) of the same D.
        k: neighbours a query, 1 to N.
        chunk: queries at a time.

    Raises:
        ValueError: k out of range, sizes that differ, nothing to compare.
    """
    if not len(features) or not len(queries):
        raise ValueError("features and queries need at least one row each")
    features, queries = features.flatten(1).float(), queries.flatten(1).float()
    if features.shape[1] != queries.shape[1]:
        raise ValueError(
            f"queries have {queries.shape[1]:,} numbers each, features "
            f"{features.shape[1]:,}: take both from the same layer"
        )
    if isinstance(k, bool) or not 1 <= k <= len(features):
        raise ValueError(f"k={k}: there are 1 to {len(features):,} neighbours")
    # exact differences: the faster |a|² + |b|² − 2ab loses digits for near twins
    exact = "donot_use_mm_for_euclid_dist"
    found = [
        torch.cdist(part, features.to(part.device), compute_mode=exact).topk(
            k, largest=False
        )
        for part in queries.split(chunk)
    ]
    indices = torch.cat([part.indices for part in found]).cpu()
    return Neighbours(indices, torch.cat([part.values for part in found]).cpu())
