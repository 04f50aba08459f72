"""What the weights are moved by: the optimizer, and a loss for large logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from alexnet_lab.training.precision import is_large

MakeOptimizer = Callable[[list[dict]], torch.optim.Optimizer]


class TemperedCrossEntropy(nn.Module):
    """Cross-entropy of logits that are divided by a temperature first.

    For outputs whose differences grow large, such as the squared distances of the 1998
    LeNet-5 once it draws: undivided, their softmax is nearly 0 or 1, and the training
    rests on the few images that are wrong.
    """

    def __init__(self, temperature: float) -> None:
        super().__init__()
        if not temperature > 0:
            raise ValueError(f"temperature={temperature}; use a number above 0")
        self.temperature = temperature

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """(N, classes) and (N,) to the mean loss in nats."""
        return nn.functional.cross_entropy(logits / self.temperature, labels)

    def extra_repr(self) -> str:
        return f"{self.temperature:g}"


def parameter_groups(net: nn.Module, weight_decay: float) -> list[dict]:
    """Weights with decay; biases and one-dimensional scales without.

    The 2012 code's configuration files have ``wc=0`` for biases.
    """
    weights = [p for p in net.parameters() if p.requires_grad and p.dim() > 1]
    others = [p for p in net.parameters() if p.requires_grad and p.dim() <= 1]
    groups = [
        {"params": weights, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def _fused(net: nn.Module) -> bool | None:
    """Whether one pass over the weights should do all of a step's arithmetic.

    For a large network on a CPU that takes a third of the time, since weights,
    gradients and momentum do not fit the caches. Elsewhere PyTorch chooses.
    """
    on_cpu = all(p.device.type == "cpu" for p in net.parameters())
    return True if on_cpu and is_large(net) else None


def load_state(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Go on from ``state``, computed as this machine computes it.

    Momentum and rates are the run's; whether a step is fused is the machine's, and may
    differ from where the state was saved.
    """
    how = [
        {key: group[key] for key in ("fused", "foreach") if key in group}
        for group in optimizer.param_groups
    ]
    optimizer.load_state_dict(state)
    for group, mine in zip(optimizer.param_groups, how, strict=True):
        group.update(mine)


def make_optimizer(
    net: nn.Module, settings: dict[str, Any], wanted: str | MakeOptimizer
) -> torch.optim.Optimizer:
    """The optimizer of that name, or the one that the function makes.

    Raises:
        ValueError: no optimizer has that name, or there is nothing to train.
    """
    groups = parameter_groups(net, settings["weight_decay"])
    if not groups:
        raise ValueError("the network has no parameters that require a gradient")
    rate = settings["learning_rate"]
    if callable(wanted):
        return wanted(groups)
    if wanted == "sgd":
        return torch.optim.SGD(
            groups, lr=rate, momentum=settings["momentum"], fused=_fused(net)
        )
    if wanted == "adamw":
        return torch.optim.AdamW(groups, lr=rate, fused=_fused(net))
    raise ValueError(
        f"optimizer={wanted!r}; use sgd, adamw, or a function from parameter groups "
        "to an optimizer"
    )
