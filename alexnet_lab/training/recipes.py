"""How Krizhevsky trained his networks for CIFAR-10: what to give to fit, by name.

    net = krizhevsky_80sec()
    fit(net, cifar10(mean_image=True).train, **recipe("80sec", net))

Source: the `layer-params-….cfg` of the 2012 code. Their rates are for a loss that is
the mean of 128 images, as ours is. Taught in 03.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

RATE, BIAS_RATE = 0.001, 0.002  # epsW, epsB


@dataclass(frozen=True)
class Recipe:
    """Passes, those after which all rates are divided by 10, and decay a layer (wc)."""

    epochs: int
    cuts: tuple[int, ...]
    decay: dict[str, float]


CONVOLUTIONS = {"conv1": 0.004, "conv2": 0.004, "conv3": 0.004}
LOCAL = {"local3": 0.004, "local4": 0.004, "fc10": 0.004}
RECIPES = {
    # "You should reduce the learning rate after 8 epochs by a factor of 10."
    "80sec": Recipe(10, (8,), CONVOLUTIONS | {"fc64": 0.03, "fc10": 0.03}),
    # "Reduce all learning rates by factor of 10 after 120 epochs. Then another factor
    # of 10 after 10 more epochs."
    "18pct": Recipe(140, (120, 130), CONVOLUTIONS | {"fc10": 1.0}),
    # 11pct's file: "about 300 epochs" on four fifths of the images, "about 150 more" on
    # all, then 10 at a tenth of the rate and 10 at a hundredth. Here all images from
    # the start, and a third of the passes.
    "13pct": Recipe(160, (140, 150), LOCAL),
    "11pct": Recipe(160, (140, 150), LOCAL),
}


def recipe(name: str, net: nn.Sequential, epochs: int | None = None) -> dict[str, Any]:
    """The arguments of ``fit`` that train ``net`` as its author did. Taught in 03.

    Args:
        name: "80sec", "18pct", "13pct" or "11pct", a network of Krizhevsky's.
        net: it, or one with the same names of layers.
        epochs: fewer or more passes; the cuts move in proportion.

    Raises:
        ValueError: no such recipe, or ``net`` lacks one of its layers.
    """
    if name not in RECIPES:
        raise ValueError(f"no recipe {name!r}; there are {', '.join(RECIPES)}")
    chosen = RECIPES[name]
    layers = dict(net.named_children())
    if missing := chosen.decay.keys() - layers.keys():
        raise ValueError(f"the recipe {name} is for a network with {min(missing)}")
    return {
        "epochs": epochs or chosen.epochs,
        "learning_rate": RATE,
        "momentum": 0.9,
        "weight_decay": 0.0,  # each group has its own
        "optimizer": partial(_sgd, net=net, decay=chosen.decay),
        "schedule": partial(_cut, at=[cut / chosen.epochs for cut in chosen.cuts]),
    }


def _sgd(
    groups: list[dict], net: nn.Sequential, decay: dict[str, float]
) -> torch.optim.SGD:
    """Plain SGD in groups of his own; those of ``fit`` know no layers."""
    own: list[dict[str, Any]] = []
    for name, layer in net.named_children():
        if getattr(layer, "weight", None) is None:
            continue
        own.append({"params": [layer.weight], "weight_decay": decay.get(name, 0.0)})
        own.append({"params": [layer.bias], "rate_factor": BIAS_RATE / RATE})
    on_gpu = any(parameter.is_cuda for parameter in net.parameters())
    return torch.optim.SGD(own, RATE, momentum=0.9, fused=True if on_gpu else None)


def _cut(progress: float, at: list[float]) -> float:
    """A tenth of the rate after each of the cuts, which are parts of the whole."""
    return 10.0 ** -sum(progress >= cut for cut in at)
