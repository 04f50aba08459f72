"""Counting what a network gets right: images are counted, never batches averaged."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import nn

from alexnet_lab.training.distributed import Team
from alexnet_lab.training.given import (
    are_splits,
    check_batches,
    check_mean,
    check_network,
    check_outputs,
    check_pair,
    refuse,
)
from alexnet_lab.training.precision import Precision, choose_precision

Batch = tuple[torch.Tensor, torch.Tensor]  # images (N, C, H, W), int64 labels (N,)


class Score(NamedTuple):
    """The result of :func:`evaluate`; loss in nats an image, accuracy in 0..1."""

    loss: float
    accuracy: float
    correct: int
    images: int

    def __str__(self) -> str:
        return (
            f"{self.correct:,} of {self.images:,} correct = {self.accuracy:.2%}, "
            f"loss {self.loss:.4f}"
        )


class Predictions(NamedTuple):
    """The result of :func:`predictions`, one entry an image, in order, on the CPU."""

    predicted: torch.Tensor  # int64 (N,)
    labels: torch.Tensor  # int64 (N,)
    probabilities: torch.Tensor  # float32 (N, classes)


class TenViews(nn.Module):
    """A network that looks at each image ten times: the paper's test. Taught in 06.

    Four corners and the centre, and their mirror images; the ten *probabilities* are
    averaged, and their logarithm stands for the logits.

    Args:
        net: the trained network.
        size: height and width of a view in pixels.
        padding: rows and columns of 0 that widen the image first, where a view is as
            large; in standardised images 0 is the mean colour, not black.
    """

    def __init__(self, net: nn.Module, size: int, padding: int = 0) -> None:
        super().__init__()
        self.net, self.size, self.padding = net, size, padding

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) to (N, classes)."""
        from torchvision.transforms.v2 import functional as transforms

        wide = nn.functional.pad(x, [self.padding] * 4)
        views = transforms.ten_crop(wide, [self.size, self.size])
        seen = [self.net(view).float().softmax(dim=1) for view in views]
        return torch.stack(seen).mean(dim=0).log()


def evaluate(
    net: nn.Module,
    batches: Iterable[Batch],
    loss: nn.Module | None = None,
    precision: str | Precision = "float32",
    team: Team | None = None,
) -> Score:
    """Mean loss and accuracy over all images of ``batches``. Taught in 02.

    ``net`` maps (N, C, H, W) to logits (N, classes) and is left in the mode it was in;
    ``loss`` gives the mean of a batch, by default cross-entropy; ``precision`` is as in
    :func:`alexnet_lab.training.fit`. Each process of a ``team`` evaluates its share.
    ValueError: there are no images, or what came is no network or no batches.
    """
    loss = loss or nn.CrossEntropyLoss()
    loss_sum, correct, images = 0.0, 0.0, 0.0
    for logits, labels in _forward(net, batches, precision):
        check_mean(mean := loss(logits, labels))
        loss_sum += mean.item() * len(labels)
        correct += (logits.argmax(dim=1) == labels).sum().item()
        images += len(labels)
    if team:
        loss_sum, correct, images = team.sums(loss_sum, correct, images)
    if not images:
        raise ValueError("nothing to evaluate: the batches hold no images")
    return Score(loss_sum / images, correct / images, round(correct), round(images))


def predictions(net: nn.Module, batches: Iterable[Batch]) -> Predictions:
    """The class that the network gives each image; arguments as :func:`evaluate`."""
    parts = [
        (logits.softmax(dim=1).cpu(), labels.cpu())
        for logits, labels in _forward(net, batches, "float32")
    ]
    if not parts:
        raise ValueError("nothing to predict: the batches hold no images")
    probabilities, labels = map(torch.cat, zip(*parts, strict=True))
    return Predictions(probabilities.argmax(dim=1), labels, probabilities)


def _forward(
    net: nn.Module, batches: Iterable[Batch], precision: str | Precision
) -> Iterator[Batch]:
    """float32 logits and labels, a batch at a time."""
    check_network(net)
    if are_splits(batches):
        refuse("these are all three splits, which are scored apart", "splits.test")
    check_batches(batches, "what came")
    where = device_of(net)
    chosen = choose_precision(precision, net, where)
    with evaluation_mode(net), torch.inference_mode():
        for batch in batches:
            check_pair(batch)
            images, labels = batch
            with chosen.autocast():
                logits = net(images.to(where))
            check_outputs(logits, len(labels))
            yield logits.float(), labels.to(where)


def length_of(batches: Any, name: str) -> int:
    """How many batches there are; ValueError if one cannot say, or there are none."""
    if are_splits(batches):
        raise ValueError(
            f"fit got all three splits as its {name} set; unpack them: "
            "fit(net, splits.train, splits.validation)"
        )
    try:
        length = len(batches)
    except TypeError:  # an iterator, or a DataLoader of an IterableDataset
        length = 0
    if not length:
        raise ValueError(f"the {name} set needs a length of at least one batch")
    return length


def device_of(net: nn.Module) -> torch.device:
    """Where a network's weights are; the CPU if it has none."""
    return next((p.device for p in net.parameters()), torch.device("cpu"))


@contextmanager
def _mode(net: nn.Module, training: bool) -> Iterator[None]:
    """Dropout and running statistics on or off; each layer's own mode back after."""
    modes = {module: module.training for module in net.modules()}
    net.train(training)
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


evaluation_mode = partial(_mode, training=False)
training_mode = partial(_mode, training=True)
