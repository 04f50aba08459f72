"""What moves the weights: an optimizer, its rate over a run, recipes, a loss.

A schedule is a function of progress, 0 at the first step and 1 after the last, to a
fraction of the peak rate.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from numbers import Real
from typing import Any

import torch
from torch import nn

from alexnet_lab.training.precision import is_large, require

MakeOptimizer = Callable[[list[dict]], torch.optim.Optimizer]
Schedule = Callable[[float], float]


class TemperedCrossEntropy(nn.Module):
    """Cross-entropy of logits (N, classes) divided by a temperature. Taught in 02.

    For outputs that differ by much, as the squared distances of the 1998 LeNet-5: their
    softmax is nearly 0 or 1, and training would rest on the few images that are wrong.
    """

    def __init__(self, temperature: float) -> None:
        super().__init__()
        require("temperature", temperature, temperature > 0, "a number above 0")
        self.temperature = temperature

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The mean loss in nats; labels are int64 (N,)."""
        return nn.functional.cross_entropy(logits / self.temperature, labels)

    def extra_repr(self) -> str:
        """The temperature, by which a checkpoint knows the loss."""
        return f"{self.temperature:g}"


def check_rates(rate: float, momentum: float, weight_decay: float) -> dict[str, float]:
    """The three as plain numbers; ValueError for what cannot be."""
    fine = isinstance(rate, Real) and 0 < rate < math.inf
    require("learning_rate", rate, fine, "a number above 0")
    require("momentum", momentum, 0 <= momentum < 1, "a number from 0 to below 1")
    require("weight_decay", weight_decay, weight_decay >= 0, "0 or more")
    names = ("learning_rate", "momentum", "weight_decay")
    return dict(zip(names, map(float, (rate, momentum, weight_decay)), strict=True))


def make_optimizer(
    net: nn.Module,
    wanted: str | MakeOptimizer = "sgd",
    *,
    learning_rate: float,
    momentum: float = 0.9,
    weight_decay: float = 5e-4,
) -> torch.optim.Optimizer:
    """The optimizer of that name, or the one that the function makes of the groups.

    Weights decay; biases and one-dimensional scales do not, as the 2012 code's files
    have ``wc=0`` for biases. ValueError: no such name, or nothing to train.
    """
    trained = [p for p in net.parameters() if p.requires_grad]
    if not trained:
        raise ValueError("the network has no parameters that require a gradient")
    weights = [p for p in trained if p.dim() > 1]
    others = [p for p in trained if p.dim() <= 1]
    pairs = ((weights, weight_decay), (others, 0.0))
    groups = [{"params": some, "weight_decay": w} for some, w in pairs if some]
    use = "sgd, adamw, or a function from parameter groups to an optimizer"
    if callable(wanted):
        made = wanted(groups)
        if not isinstance(made, torch.optim.Optimizer):
            raise ValueError(f"optimizer(groups) returns {made!r}; use {use}")
        return made
    fused = _fused(net)
    if wanted == "sgd":
        return torch.optim.SGD(groups, learning_rate, momentum, fused=fused)
    require("optimizer", wanted, wanted == "adamw", use)
    return torch.optim.AdamW(groups, learning_rate, fused=fused)


def _fused(net: nn.Module) -> bool | None:
    """Whether a step is one pass over the weights; None leaves it to PyTorch.

    For a large network on a CPU that takes a third of the time: weights, gradients and
    momentum do not fit the caches. On a CUDA GPU it is one kernel, which a graph can
    hold.
    """
    kinds = {p.device.type for p in net.parameters()}
    return True if kinds == {"cuda"} or kinds == {"cpu"} and is_large(net) else None


def set_rates(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the rate of all groups, each times its ``rate_factor`` if it has one."""
    for group in optimizer.param_groups:
        own = rate * group.get("rate_factor", 1.0)
        if isinstance(group["lr"], torch.Tensor):  # of a recorded step
            group["lr"].fill_(own)
        else:
            group["lr"] = own


def load_state(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Go on with the velocities of ``state``; the settings are this run's own.

    If they are not of the same weights, as when layers were frozen since, they start
    at 0.
    """
    weights = [p for group in optimizer.param_groups for p in group["params"]]
    sizes, old = (
        [len(group["params"]) for group in groups]
        for groups in (optimizer.param_groups, state["param_groups"])
    )
    kept = [
        value.shape == weights[number].shape
        for number, values in state["state"].items()
        for value in values.values()
        if sizes == old and isinstance(value, torch.Tensor) and value.dim()
    ]
    if sizes != old or not all(kept):
        return
    own = [
        {key: value for key, value in group.items() if key != "params"}
        for group in optimizer.param_groups
    ]
    optimizer.load_state_dict(state)
    for group, settings in zip(optimizer.param_groups, own, strict=True):
        group.update(settings)


def one_cycle(progress: float, warm_up: float = 0.25) -> float:
    """Up from 1/25, then down to 0 (after Smith, 2018)."""
    if progress < warm_up:
        return 1 / 25 + (1 - 1 / 25) * progress / warm_up
    return (1 - progress) / (1 - warm_up)


def steps(progress: float) -> float:
    """Divided by 10 after each quarter; the paper chose the times."""
    return 10.0 ** -min(3, int(4 * progress))


SCHEDULES: dict[str, Schedule] = {
    "constant": lambda progress: 1.0,
    # Loshchilov and Hutter, 2017, without restarts
    "cosine": lambda progress: 0.5 * (1 + math.cos(math.pi * progress)),
    "one-cycle": one_cycle,
    "steps": steps,
}


def choose_schedule(wanted: str | Schedule) -> Schedule:
    """The schedule of that name, or the function itself; ValueError if it is none."""
    if callable(wanted):
        fraction = wanted(0.0)
        number = isinstance(fraction, (Real, torch.Tensor))
        require("schedule(0.0)", fraction, number, "a function that returns a number")
        return wanted
    use = f"one of {', '.join(SCHEDULES)}, or a function of progress in 0..1"
    require("schedule", wanted, wanted in SCHEDULES, use)
    return SCHEDULES[wanted]


# How Krizhevsky trained his networks for CIFAR-10: the `layer-params-….cfg` of the
# 2012 code. Their rates are for a loss that is the mean of 128 images, as ours is.
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

    ``fit(net, cifar10(mean_image=True).train, **recipe("80sec", net))``

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
    return torch.optim.SGD(own, RATE, momentum=0.9, fused=_fused(net))


def _cut(progress: float, at: list[float]) -> float:
    """A tenth of the rate after each of the cuts, which are parts of the whole."""
    return 10.0 ** -sum(progress >= cut for cut in at)
