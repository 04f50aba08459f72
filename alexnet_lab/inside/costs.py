"""What each layer takes: seconds of its forward pass, bytes kept for the backward."""

import time
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

from alexnet_lab.arithmetic import named_layers
from alexnet_lab.inside.hooks import hooked
from alexnet_lab.training.evaluation import evaluation_mode, training_mode


def layer_seconds(
    net: nn.Sequential, images: Tensor, repeats: int = 5
) -> dict[str, float]:
    """Measure the forward pass of each layer. Taught in 10.

    The least of `repeats` passes counts, after one that warms up: other work on the
    machine only ever adds time. Dropout is off, nothing is kept for a backward pass.
    `images` are one batch, (N, channels, height, width), on the device of `net`.

    Returns seconds for the whole batch by the layers' names, in the ledger's order.
    ValueError for repeats below 1, or a net that doesn't run its layers in order.
    """
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, not {repeats}")
    layers = dict(named_layers(net))
    best = [float("inf")] * len(layers)
    times: list[float] = []  # of the start, and of the end of each layer

    def stop(layer: nn.Module, inputs: tuple, output: Tensor) -> None:
        times.append(_now(output.device))

    with evaluation_mode(net), torch.inference_mode(), hooked(layers.values(), stop):
        for number in range(repeats + 1):
            times[:] = [_now(images.device)]
            net(images)
            laps = [end - start for start, end in pairwise(times)]
            if len(laps) != len(layers):
                ran = f"{len(layers)} layers, but {len(laps)} of them ran"
                must = "run each layer once, in order, as nn.Sequential does"
                raise ValueError(f"{ran}: the net must {must}")
            if number:
                best = [min(pair) for pair in zip(best, laps, strict=True)]
    return dict(zip(layers, best, strict=True))


def least_seconds(
    work: Callable[[], object], device: torch.device | str = "cpu", repeats: int = 10
) -> float:
    """The least seconds that a call takes on a device, after one that warms up."""
    device, best = torch.device(device), float("inf")
    for number in range(repeats + 1):
        start = _now(device)
        work()
        if number:
            best = min(best, _now(device) - start)
    return best


def _now(device: torch.device) -> float:
    """Seconds of the clock, once a GPU has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
    return time.perf_counter()


def kept_bytes(net: nn.Sequential, images: Tensor) -> dict[str, int]:
    """Measure what each layer keeps of a forward pass for the backward pass.

    autograd is asked, through `torch.autograd.graph.saved_tensors_hooks`. Parameters
    and buffers don't count: they are there anyway. Memory that two layers keep counts
    once, for the first of them. The net is in training mode meanwhile. What is kept
    depends on PyTorch's version and device. Taught in 10.

    Arguments as for :func:`layer_seconds`; returns bytes for the whole batch, by layer.
    """
    layers = dict(named_layers(net))
    kept: list[int] = []
    there = (*net.parameters(), *net.buffers())
    seen = {tensor.untyped_storage().data_ptr() for tensor in there}
    alive: list[Tensor] = []  # held until the end, so that no address is used twice

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in seen:
            seen.add(storage.data_ptr())
            alive.append(tensor)
        return tensor

    def leave(layer: nn.Module, inputs: tuple, output: Tensor) -> None:
        total = sum(tensor.untyped_storage().nbytes() for tensor in alive)
        kept.append(total - sum(kept))

    saving = torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor)
    leaving = hooked(layers.values(), leave)
    with training_mode(net), torch.enable_grad(), leaving, saving:
        net(images)
    return dict(zip(layers, kept, strict=True))
