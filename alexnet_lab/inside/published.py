"""The published ImageNet weights, if the student has them."""

from __future__ import annotations

import os
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from alexnet_lab.data.folders import IMAGENET_STATISTICS
from alexnet_lab.models import alexnet_torchvision, load_torchvision_weights


def published_alexnet(
    source: str | os.PathLike | Mapping[str, Tensor] | None = None,
) -> nn.Sequential | None:
    """Torchvision's AlexNet trained on ImageNet, or None if its weights are not here.

    Nothing is downloaded. `load_torchvision_weights(net, download=True)` fetches the
    233 MB once; from then on this finds them.

    Args:
        source: as in :func:`load_torchvision_weights`.

    Raises:
        ValueError: the file is there, but is not torchvision's alexnet.
    """
    # on "meta" no weight is drawn that would be overwritten at once
    with torch.device("meta"):
        net = alexnet_torchvision()
    net.to_empty(device="cpu")
    try:
        return load_torchvision_weights(net, source).eval()
    except FileNotFoundError:
        return None


def imagenet_pixels(pictures: Tensor) -> Tensor:
    """uint8 (N, 3, H, W) as the published network reads them: ImageNet's statistics."""
    mean, deviation = (torch.tensor(v).view(3, 1, 1) for v in IMAGENET_STATISTICS)
    return (pictures.float() / 255 - mean) / deviation
