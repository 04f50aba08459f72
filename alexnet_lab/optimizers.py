"""What the weights are moved by: the optimizer, and a loss for large logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

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
        return torch.optim.SGD(groups, lr=rate, momentum=settings["momentum"])
    if wanted == "adamw":
        return torch.optim.AdamW(groups, lr=rate)
    raise ValueError(
        f"optimizer={wanted!r}; use sgd, adamw, or a function from parameter groups "
        "to an optimizer"
    )
