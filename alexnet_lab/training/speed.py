"""How fast a network trains on this machine: what ``doctor`` measures."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import nn

from alexnet_lab.training.optimizers import make_optimizer
from alexnet_lab.training.precision import choose_precision


def images_per_second(
    build: Callable[[], nn.Module],
    shape: tuple[int, int, int],
    batch: int,
    where: torch.device,
    seconds: float = 1.0,
) -> tuple[float, str]:
    """Measured training speed on random images, data and transfers left out.

    Args:
        build: makes the network; it is called once.
        shape: of one image, (channels, height, width).
        batch: images a step.
        where: the device.
        seconds: how long to measure, at least one step after one to warm up.

    Returns:
        Images a second, and the type that was computed in.
    """
    net = build().to(where).train()
    precision = choose_precision("auto", net, where)
    layout = precision.layout()
    net.to(memory_format=layout)
    optimizer = make_optimizer(net, learning_rate=1e-3)
    images = torch.randn(batch, *shape, device=where).contiguous(memory_format=layout)
    labels = torch.zeros(batch, dtype=torch.long, device=where)

    def step() -> None:
        with precision.autocast():
            logits = net(images)
        nn.functional.cross_entropy(logits.float(), labels).backward()
        optimizer.step()
        optimizer.zero_grad()
        if where.type != "cpu":
            labels.sum().item()  # wait for the device

    step()  # warms up
    steps, start = 0, time.perf_counter()
    while steps == 0 or time.perf_counter() - start < seconds:
        step()
        steps += 1
    return steps * batch / (time.perf_counter() - start), precision.name
