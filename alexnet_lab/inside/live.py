"""A network that lives in a page: it reads there what one draws, rubs out or moves."""

from base64 import b64encode
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from alexnet_lab.arithmetic import Ledger, Row, ledger
from alexnet_lab.arithmetic.layers import pair
from alexnet_lab.data import Batches
from alexnet_lab.inside.hooks import activations
from alexnet_lab.models import MapNorm
from alexnet_lab.models.lenet import (
    EuclideanRBF,
    PartialConv2d,
    ScaledTanh,
    Subsampling,
)
from alexnet_lab.plots import labelled_rows
from alexnet_lab.plots.page import Page

SCRIPTS = ("live.css", "live.html", "network.js", "live.js")
DIGITS = tuple("0123456789")
Told = dict[str, Any]  # what the page is told of a layer


def live(
    net: nn.Sequential, images: Batches, *, count: int = 20, draw: bool | None = None
) -> Page:
    """A page in which a trained network runs, in JavaScript, from 16-bit weights.

    One draws a digit or picks a picture, rubs out a part of it or moves it, and sees
    all maps, the answers, and what a unit reads. Taught in 02 and 08.

    Args:
        net: small and straight: convolutions, pools, the course's activations, Flatten,
            Linear, dropout (which does nothing here), MapNorm, the layers of 1998. It
            stays as it is; logits differ from its own as 16-bit weights from 32-bit.
        images: batches from memory, such as `mnist().test`: the pictures to pick from,
            and how their pixels become numbers.
        count: so many pictures, the first of each class in turn.
        draw: whether one can draw, on black paper, framed as MNIST was; by default if
            the classes are the ten digits.

    Raises:
        ValueError: a layer that the page cannot run, an output that is no row of
            numbers, one a class, weights beyond 16 bits, images that are resized, or
            to be drawn on in colour. The ledger's, if net and images do not fit.
    """
    book, numbers = ledger(net, images.image_shape), _Numbers()
    last = book.rows[-1].output_shape
    if len(last) != 1:
        raise ValueError(f"the network must end in a row of logits, not in {last}")
    classes = images.classes or tuple(str(number) for number in range(last[0]))
    if len(classes) != last[0]:
        raise ValueError(
            f"the network has {last[0]} outputs for {len(classes)} classes"
        )
    if draw is None:
        draw = images.classes == DIGITS
    chosen = _spread(images.labels.cpu(), count)
    pixels = images.images[chosen].cpu()
    data = {
        "title": f"{len(book)} layers, {book.total_parameters:,} parameters",
        "classes": classes,
        "draw": draw,
        # the 84 numbers from which the distances are taken are a picture
        "drawn": [12, 7] if isinstance(book.rows[-1].module, EuclideanRBF) else [],
        "input": _input(images, draw),
        "layers": [_told(row, numbers) for row in book],
        "weights": numbers.text(),
        "pictures": _text(pixels),
        "truths": images.labels[chosen].tolist(),
    }
    still, alt = _still(net, images, book, chosen, classes)
    return Page("A living network", SCRIPTS, data, still, alt)


def _spread(labels: Tensor, count: int) -> Tensor:
    """The numbers of `count` images: the first of each class, then the second."""
    turns = torch.zeros_like(labels)
    for label in labels.unique():
        here = labels == label
        turns[here] = torch.arange(int(here.sum()))
    return (turns * (labels.max() + 1) + labels).argsort()[:count]


def _input(images: Batches, draw: bool) -> Told:
    """How pixels, bytes C×H×W, become what the network reads."""
    channels, *size = images.images.shape[1:]
    if images.image_size and size != [images.image_size] * 2:
        have = f"{size[0]}×{size[1]}"
        raise ValueError(f"the page shows images as they are stored: image_size={have}")
    if channels not in (1, 3):
        raise ValueError(f"the page shows pictures in grey or RGB, not {channels} maps")
    if draw and channels > 1:
        raise ValueError("draw=True needs grey images: ink is the only colour")
    less = images.mean_image
    return {
        "shape": [channels, *size],
        "padding": images.padding,
        "mean": images.mean.flatten().expand(channels).tolist(),
        "deviation": images.deviation.flatten().expand(channels).tolist(),
        "less": _text(less.float().cpu()) if less is not None else "",
    }


class _Numbers:
    """All weights of a network in one row, as 16-bit floats."""

    def __init__(self) -> None:
        self.parts: list[Tensor] = []
        self.count = 0

    def add(self, name: str, values: Tensor) -> tuple[int, int]:
        """Take these in; return where they begin and end."""
        part = values.detach().cpu().flatten().half()
        if not part.isfinite().all():
            raise ValueError(f"{name} has weights that 16 bits cannot hold")
        self.parts.append(part)
        self.count += len(part)
        return self.count - len(part), self.count

    def text(self) -> str:
        """As base64."""
        return _text(torch.cat(self.parts)) if self.parts else ""


def _text(values: Tensor) -> str:
    return b64encode(values.contiguous().numpy().tobytes()).decode("ascii")


def _told(row: Row, numbers: _Numbers) -> Told:
    """What network.js must know of a layer: its kind, its sizes, its weights."""
    told: Told = {
        "name": row.name,
        "layer": row.layer or type(row.module).__name__,
        "working": row.formula,
        "shape": _maps(row.output_shape),
        "window": row.window,
        "field": row.field,
    }
    describe = _KINDS.get(type(row.module))
    if describe is None:
        can = ", ".join(kind.__name__ for kind in _KINDS)
        what = f"{row.name} is a {type(row.module).__name__}, which the page cannot run"
        raise ValueError(f"{what}. It runs {can}")
    try:
        found = describe(row.module)
    except ValueError as error:
        raise ValueError(f"{row.name} ({told['layer']}): {error}") from None
    if isinstance(row.module, nn.Linear) and len(row.input_shape) > 1:
        raise ValueError(f"{row.name} reads maps: the page wants an nn.Flatten before")
    for key, value in found.items():
        here = isinstance(value, Tensor)
        told[key] = numbers.add(f"{row.name}.{key}", value) if here else value
    return told


def _maps(shape: tuple[int, ...]) -> list[int]:
    """A row of n numbers as n maps of one number."""
    return [*shape] if len(shape) == 3 else [shape[0], 1, 1]


def _weighed(
    weight: Tensor, bias: Tensor | None, groups: int = 1, dilation: Any = 1
) -> Told:
    """A layer of weights (out, in, height, width)."""
    return {
        "kind": "weigh",
        "kernel": weight.shape[2:],
        "dilation": pair(dilation),
        "groups": groups,
        "weight": weight,
        "bias": torch.zeros(len(weight)) if bias is None else bias,
    }


def _conv(layer: nn.Conv2d) -> Told:
    if layer.padding_mode != "zeros":
        raise ValueError(f"pads by {layer.padding_mode}; the page pads by zeros")
    return _weighed(layer.weight, layer.bias, layer.groups, layer.dilation)


def _subsampling(layer: Subsampling) -> Told:
    """A convolution of each map for itself, whose four weights are one number."""
    weight = layer.coefficient.view(-1, 1, 1, 1).expand(-1, 1, 2, 2)
    return _weighed(weight, layer.bias, layer.channels)


def _flatten(layer: nn.Flatten) -> Told:
    if (layer.start_dim, layer.end_dim) not in ((1, -1), (1, 3)):
        raise ValueError("the page flattens all of a picture, nn.Flatten()")
    return {"kind": "same"}


def _average(layer: nn.AvgPool2d) -> Told:
    own = {"divisor": layer.divisor_override, "padded": layer.count_include_pad}
    return {"kind": "average", "kernel": pair(layer.kernel_size), **own}


def _maximum(layer: nn.MaxPool2d) -> Told:
    return {
        "kind": "max",
        "kernel": pair(layer.kernel_size),
        "dilation": pair(layer.dilation),
    }


def _map_norm(layer: MapNorm) -> Told:
    size = layer.size
    own = {"alpha": layer.alpha / size**2, "beta": layer.beta}
    return {"kind": "norm", "kernel": [size, size], **own}


_KINDS: dict[type[nn.Module], Callable[[Any], Told]] = {
    nn.Conv2d: _conv,
    nn.Linear: lambda layer: _weighed(layer.weight[..., None, None], layer.bias),
    nn.MaxPool2d: _maximum,
    nn.AvgPool2d: _average,
    nn.ReLU: lambda layer: {"kind": "relu"},
    nn.Tanh: lambda layer: {"kind": "tanh", "factors": [1, 1]},
    nn.Sigmoid: lambda layer: {"kind": "sigmoid"},
    nn.Flatten: _flatten,
    nn.Dropout: lambda layer: {"kind": "same"},
    nn.Identity: lambda layer: {"kind": "same"},
    MapNorm: _map_norm,
    ScaledTanh: lambda layer: {"kind": "tanh", "factors": [1.7159, 2 / 3]},
    Subsampling: _subsampling,
    PartialConv2d: lambda layer: _weighed(layer.dense_weight(), layer.bias),
    EuclideanRBF: lambda layer: {"kind": "distance", "weight": layer.prototypes},
}


def _still(
    net: nn.Sequential, images: Batches, book: Ledger, chosen: Tensor, classes: Any
) -> tuple[Any, str]:
    """What stands where no script runs: pictures, and what layers make of the first."""
    pictures = images.images[chosen]
    made = activations(net, images.prepare(pictures[:1]))
    maps = [row for row in book if len(row.output_shape) == 3]
    maps = [row for row in maps if row.output_shape[1] > 1]
    moved = [row for row in maps if row.window and row.window[0].size > 1]
    shapes = [row.output_shape[0] for row in moved]
    columns = min(8, len(pictures), *shapes)
    rows = {"pictures": pictures[:columns].cpu()}
    rows |= {row.name: made[row.name][0, :columns] for row in moved}
    frames = {"pictures": torch.arange(columns) == 0}
    answer, truth = (
        classes[int(number)]
        for number in (made[book.rows[-1].name][0].argmax(), images.labels[chosen[0]])
    )
    says = f"The network reads the framed picture, {truth}, and answers: {answer}"
    still = labelled_rows(rows, title=says, frames=frames)
    names = ", ".join(row.name for row in moved)
    below = f" Below the pictures stand maps of {names}." if moved else ""
    return still, f"{says}.{below}"
