"""Other people's networks and data: what `fit` looks at before it trains.

What can't be trained on is a ValueError, what is only suspicious a warning. Each says
what came and what would be right, and ends in the line that mends it.
"""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from alexnet_lab.arithmetic import ledger
from alexnet_lab.arithmetic.straight import run_aside
from alexnet_lab.training.checkpoints import batches_from
from alexnet_lab.training.evaluation import device_of
from alexnet_lab.training.given import (
    check_batches,
    check_network,
    check_outputs,
    check_pair,
    refuse,
)
from alexnet_lab.training.precision import Precision

Layout = torch.memory_format


def check_arguments(net: Any, train: Any, validation: Any, loss: Any) -> None:
    """Raise ValueError unless these are a network, batches, and a loss."""
    check_network(net)
    if loss is not None and not isinstance(loss, nn.Module):
        name = getattr(loss, "__name__", type(loss).__name__)
        mend = (
            f"loss={name}()" if isinstance(loss, type) else "loss=nn.CrossEntropyLoss()"
        )
        refuse(f"loss={name} is no module that was built", mend)
    for name, batches in (("training", train), ("validation", validation)):
        check_batches(batches, f"the {name} set", "batch_size=64, shuffle=True")


def examine(
    net: nn.Module, batch: Any, batches: Any, precision: Precision, layout: Layout
) -> tuple[int, Layout]:
    """Return how many outputs a net has, and the layout of images that it takes.

    ValueError if it can't be trained on this batch, the first of `batches`.
    """
    check_pair(batch)
    if not len(batch[1]):  # a team's share of a batch may be empty
        return 0, layout
    _check_images(batch[0], net)
    outputs, layout = _try_out(net, batch[0][:2], batches, precision, layout)
    _check_outputs(outputs, batch[1], getattr(batches, "dataset", batches))
    return outputs.shape[1], layout


def _check_images(images: Tensor, net: nn.Module) -> None:
    weights = next((p.dtype for p in net.parameters() if p.is_floating_point()), None)
    if weights not in (None, images.dtype):
        mend = "images.float()" + " / 255" * (not images.is_floating_point())
        refuse(f"images are {images.dtype}, the network's weights {weights}", mend)
    if not images.isfinite().all():
        came = "the first batch has images that are not finite (NaN or infinite)"
        refuse(came, "images.nan_to_num(0, 0, 0), or mend what divides by 0")
    some = images[:16].float().transpose(0, 1).flatten(1)
    if some.min() >= 0 and some.max() > 16:
        came = f"values go up to {some.max():.0f}; those near 0 train best"
        _warn(came, "images / 255")
    elif (spread := some.std(dim=1).max()) < 0.02:
        came = f"images are nearly of one colour (deviation {spread:.1g})"
        _warn(came, "a mean and a deviation of pixels in 0…1, and normalise once")


def _try_out(
    net: nn.Module, images: Tensor, batches: Any, precision: Precision, layout: Layout
) -> tuple[Any, Layout]:
    """Run a net on two images; on contiguous ones, if it rejects another layout."""
    plain, outputs = torch.contiguous_format, None
    try:
        with precision.autocast():
            laid = images.to(device_of(net)).contiguous(memory_format=layout)
            for count in (1, 2) if _last_size(batches) == 1 else (2,):
                outputs = run_aside(net, laid[:count])
        return outputs, layout
    except Exception as error:  # somebody's forward may raise anything
        if layout != plain:
            plain_net = net.to(memory_format=plain)
            return _try_out(plain_net, images, batches, precision, plain)
        why, shape = str(error), tuple(images.shape[1:])
        if "more than 1 value per channel" in why:
            came = "the last batch has one image, too few for batch norm"
            refuse(came, "drop_last=True in the DataLoader, or another batch_size")
        try:
            ledger(net, shape)
        except (TypeError, ValueError) as found:
            why = str(found)
        raise ValueError(f"images of {shape} do not go through: {why}") from error


def _last_size(batches: Any) -> int:
    """Images in the last batch of a pass, as far as one can say; else 0."""
    if isinstance(batches, (list, tuple)):
        return len(batches[-1][1])
    size, count = getattr(batches, "batch_size", 0), getattr(batches, "count", 0)
    if hasattr(batches, "dataset") and not batches.drop_last:
        count = len(batches.dataset)
    return (count - 1) % size + 1 if size and isinstance(count, int) else 0


def _check_outputs(outputs: Any, labels: Tensor, data: Any) -> None:
    """See that a net gives each of two images one logit a class."""
    check_outputs(outputs, min(2, len(labels)))
    classes, width = len(getattr(data, "classes", ())), outputs.shape[1]
    low, high = int(labels.min()), int(labels.max())
    need = max(high + 1, classes, 2)
    if low == 1 and high == width:
        refuse(f"labels go from 1 to {high}; the first class is 0", "labels - 1")
    if low < 0 or width < need:
        came = f"{width} outputs do not serve labels from {low} to {high}"
        refuse(came, f"labels from 0 on, and a last layer nn.Linear(…, {need})")
    if classes and width > classes:
        _warn(f"{width:,} outputs for {classes} classes", f"nn.Linear(…, {classes})")


def spoilt(name: str, batches: Any, epoch: int, number: int | None = None) -> str:
    """Say which batch holds images that are not finite; empty if none does.

    The batch of that number; of data that cannot be taken up anywhere, or without a
    number, any of the first thousand.
    """
    exact = number is not None and hasattr(batches, "batches_from")
    start, count = (number or 0, 1) if exact else (0, 1_000)
    with suppress(Exception):  # training stops in any case
        rest = islice(batches_from(batches, epoch, start), count)
        for place, (images, _) in enumerate(rest, start + 1):
            if not images.isfinite().all():
                text = (
                    f"Batch {place:,} of the {name} set has images that are not finite"
                )
                return f"{text} (NaN or infinite): is something divided by 0?"
    return ""


def verdict(losses: list[float], outputs: int) -> str:
    """What an epoch's losses say if the training does not move."""
    chance = math.log(outputs)
    if losses[0] < 1e-5:
        return "the loss is 0 from the start: are all images of one class?"
    if len(losses) < 10 or max(abs(x / chance - 1) for x in losses[-10:]) > 0.02:
        return ""
    return (
        f"the loss stays at ln({outputs}) = {chance:.3f}, that of guessing: is the "
        "learning rate too small or too large, do the labels belong to the images, is "
        "there a softmax at the end?"
    )


@contextmanager
def unchanged_by_errors(net: nn.Module) -> Iterator[None]:
    """After an error a net's device, memory layout and modes are what they were."""
    modes = {module: module.training for module in net.modules()}
    places = [(t.device, t.stride()) for t in (*net.parameters(), *net.buffers())]
    try:
        yield
    except BaseException:
        for module, mode in modes.items():
            module.training = mode
        tensors = (*net.parameters(), *net.buffers())
        for now, (device, strides) in zip(tensors, places, strict=True):
            old = torch.empty_strided(
                now.shape, strides, dtype=now.dtype, device=device
            )
            now.data = old.copy_(now.data)
        raise


def _warn(came: str, mend: str) -> None:
    warnings.warn(f"{came}. Write {mend}", stacklevel=6)
