"""Several views of each test image, and the mean of what the network says to them.

The 2012 paper (section 4.1) tests with ten: four corners and the centre, each with its
mirror image, and averages the *probabilities*, not the logits.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from alexnet_lab.data.shapes import crop_room
from alexnet_lab.training.evaluation import (
    Predictions,
    Score,
    device_of,
    evaluation_mode,
)
from alexnet_lab.training.precision import Precision, choose_precision

VIEWS = (1, 2, 5, 10)


def centre_crop(images: torch.Tensor, size: int) -> torch.Tensor:
    """The middle of each image: (B, C, H, W) to (B, C, size, size).

    Where it cannot be quite in the middle it lies half a pixel up and to the left.

    Raises:
        ValueError: the crop is larger than the images.
    """
    rows, columns = crop_room(images, size)
    top, left = (rows - 1) // 2, (columns - 1) // 2
    return images[..., top : top + size, left : left + size]


def five_crop(images: torch.Tensor, size: int) -> torch.Tensor:
    """Corners and centre: (B, C, H, W) to (5, B, C, size, size).

    In this order: top left, top right, bottom left, bottom right, centre.

    Raises:
        ValueError: the crop is larger than the images.
    """
    rows, columns = crop_room(images, size)
    bottom, right = rows - 1, columns - 1
    corners = ((0, 0), (0, right), (bottom, 0), (bottom, right))
    cut = [images[..., y : y + size, x : x + size] for y, x in corners]
    return torch.stack([*cut, centre_crop(images, size)])


def ten_crop(images: torch.Tensor, size: int) -> torch.Tensor:
    """The five crops, then their mirror images: (10, B, C, size, size).

    Raises:
        ValueError: the crop is larger than the images.
    """
    five = five_crop(images, size)
    return torch.cat([five, five.flip(-1)])


def predict_crops(
    net: nn.Module,
    batches: Iterable[tuple[torch.Tensor, torch.Tensor]],
    size: int,
    *,
    views: int = 10,
    precision: str | Precision = "float32",
) -> Predictions:
    """Predict each image from several crops; probabilities are averaged over them.

    Args:
        net: (N, C, size, size) to logits (N, classes). It is left in its mode.
        batches: pairs of images (N, C, H, W), larger than ``size``, and labels (N,).
        size: of the crops.
        views: 1, the centre; 2, the centre and its mirror image; 5, corners and
            centre; 10, these and their mirror images, as in the paper.
        precision: as in :func:`alexnet_lab.training.evaluate`.

    Returns:
        the class of the highest mean probability, the labels, the mean probabilities.

    Raises:
        ValueError: another number of views, a crop that does not fit, no images.
    """
    if views not in VIEWS:
        raise ValueError(f"views={views!r}: use 1, 2, 5 or 10")
    where = device_of(net)
    chosen = choose_precision(precision, net, where)
    means, truths = [], []
    with evaluation_mode(net), torch.inference_mode():
        for images, labels in batches:
            total = 0.0
            # one view after another: ten at once would need ten times the memory
            for view in _views(images.to(where), size, views):
                with chosen.autocast():
                    logits = net(view)
                total = total + logits.float().softmax(dim=1)
            means.append((total / views).cpu())
            truths.append(labels.cpu())
    if not means:
        raise ValueError("nothing to predict: the batches hold no images")
    probabilities, labels = torch.cat(means), torch.cat(truths)
    return Predictions(probabilities.argmax(dim=1), labels, probabilities)


def evaluate_crops(
    net: nn.Module,
    batches: Iterable[tuple[torch.Tensor, torch.Tensor]],
    size: int,
    *,
    views: int = 10,
    precision: str | Precision = "float32",
) -> Score:
    """Accuracy over several crops an image, and the loss −ln(mean probability).

    Takes what :func:`predict_crops` takes.
    """
    found = predict_crops(net, batches, size, views=views, precision=precision)
    right = found.probabilities.gather(1, found.labels[:, None]).double()
    loss = -right.clamp(min=torch.finfo(torch.float32).tiny).log().mean().item()
    correct = (found.predicted == found.labels).sum().item()
    images = len(found.labels)
    return Score(loss, correct / images, correct, images)


def _views(images: torch.Tensor, size: int, views: int) -> list[torch.Tensor]:
    cut = five_crop(images, size) if views >= 5 else centre_crop(images, size)[None]
    mirrored = [view.flip(-1) for view in cut] if views in (2, 10) else []
    return [*cut, *mirrored]
