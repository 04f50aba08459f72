"""Measured time of each layer, counted work, and the roof that a machine sets.

Source of the model: S. Williams, A. Waterman, D. Patterson, *Roofline: an insightful
visual performance model for multicore architectures*, Communications of the ACM 52 (4),
2009. A layer does some operations, and moves some bytes between memory and processor.
The machine can do so many of either in a second; the slower of the two is the bound.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn

from alexnet_lab.arithmetic import Row, ledger, named_layers
from alexnet_lab.inside.hooks import hooked
from alexnet_lab.training.evaluation import evaluation_mode, training_mode

FLOAT = 4  # bytes of a float32 number


# ----------------------------------------------------------------------- measured time
def layer_seconds(
    net: nn.Sequential, images: Tensor, repeats: int = 5
) -> dict[str, float]:
    """Measure the forward pass of each layer. Taught in 10.

    The least of `repeats` passes counts, after one that warms up: other work on the
    machine only ever adds time. Dropout is off, nothing is kept for a backward pass.

    Args:
        net: the network, on the same device as the images.
        images: one batch, (N, channels, height, width).
        repeats: timed passes.

    Returns:
        seconds for the whole batch by the layers' names, in the ledger's order.

    Raises:
        ValueError: repeats below 1, or a net that doesn't run its layers in order.
    """
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, not {repeats}")
    layers = dict(named_layers(net))
    best = [float("inf")] * len(layers)
    laps: list[float] = []
    started: list[float] = []

    def start(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        started.append(_now(inputs[0].device))

    def stop(layer: nn.Module, inputs: tuple, output: Tensor) -> None:
        laps.append(_now(output.device) - started.pop())

    clocks = hooked(layers.values(), before=start, after=stop)
    with evaluation_mode(net), torch.inference_mode(), clocks:
        for number in range(repeats + 1):
            laps.clear()
            net(images)
            if len(laps) != len(layers):
                raise ValueError(
                    f"{len(layers)} layers, but {len(laps)} of them ran: the net must "
                    "run each layer once, in order, as nn.Sequential does"
                )
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


# ------------------------------------------------------------------- kept for backward
def kept_bytes(net: nn.Sequential, images: Tensor) -> dict[str, int]:
    """Measure what each layer keeps of a forward pass for the backward pass.

    autograd is asked, through `torch.autograd.graph.saved_tensors_hooks`. Parameters
    and buffers don't count: they are there anyway. Memory that two layers keep counts
    once, for the first of them. The net is in training mode meanwhile. What is kept
    depends on PyTorch's version and device. Taught in 10.

    Args:
        net: the network, on the same device as the images.
        images: one batch, (N, channels, height, width).

    Returns:
        bytes by the layers' names, for the whole batch, in the ledger's order.
    """
    layers = dict(named_layers(net))
    kept = dict.fromkeys(layers, 0)
    there = (*net.parameters(), *net.buffers())
    seen = {tensor.untyped_storage().data_ptr() for tensor in there}
    alive = []  # held until the end, so that no address is used twice
    current = iter(kept)
    here: list[str] = []

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if here and storage.data_ptr() not in seen:
            seen.add(storage.data_ptr())
            alive.append(tensor)
            kept[here[0]] += storage.nbytes()
        return tensor

    def enter(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        here[:] = [next(current)]

    saving = torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor)
    entering = hooked(layers.values(), before=enter)
    with training_mode(net), torch.enable_grad(), entering, saving:
        net(images)
    return kept


# ------------------------------------------------------------------------ counted work
@dataclass(frozen=True)
class Point:
    """A layer under the roof, for one batch.

    Attributes:
        name: the layer's name, as in the ledger.
        operations: additions, multiplications, comparisons, powers: each counts one.
        bytes: input, output and parameters, each moved once: the least possible.
        seconds: measured time, or None.
    """

    name: str
    operations: int
    bytes: int
    seconds: float | None = None

    @property
    def intensity(self) -> float:
        """Operations a byte."""
        return self.operations / self.bytes if self.bytes else 0.0

    @property
    def speed(self) -> float | None:
        """Operations a second, as measured; None where nothing was."""
        return self.operations / self.seconds if self.seconds else None


def layer_points(
    net: nn.Sequential,
    input_shape: Sequence[int],
    batch: int = 1,
    seconds: dict[str, float] | None = None,
) -> list[Point]:
    """Count operations and bytes of every layer, by the ledger's rows. Taught in 10.

    Args:
        net: the network; its tensors are not looked at, the meta device will do.
        input_shape: (channels, height, width), without the batch.
        batch: images in the batch. Weights are moved once a batch.
        seconds: measured times by name, from `layer_seconds`.

    Returns:
        a point for each layer that computes something; Flatten, Dropout (off) and
        Identity are left out.

    Raises:
        ValueError: a batch below 1.
    """
    if batch < 1:
        raise ValueError(f"a batch has at least 1 image, not {batch}")
    rows = ledger(net, tuple(input_shape)).rows
    points = []
    for row, (name, layer) in zip(rows, named_layers(net), strict=True):
        if isinstance(layer, (nn.Flatten, nn.Dropout, nn.Identity)):
            continue
        moved = batch * (prod(row.input_shape) + prod(row.output_shape))
        work, size = batch * operations(row, layer), FLOAT * (moved + row.parameters)
        points.append(Point(name, work, size, (seconds or {}).get(name)))
    return points


def operations(row: Row, layer: nn.Module) -> int:
    """Operations of a layer for one image.

    Two for each multiply-accumulate; for each output of a pool one for each number in
    its window; of response normalisation one square, `size` sums, a product, a sum, a
    power and a division; one for each output of any other layer without weights.
    """
    if row.macs:
        return 2 * row.macs
    outputs = prod(row.output_shape)
    if isinstance(layer, (nn.MaxPool2d, nn.AvgPool2d)):
        size = layer.kernel_size
        return outputs * (size**2 if isinstance(size, int) else prod(size))
    if isinstance(layer, nn.LocalResponseNorm):
        return outputs * (layer.size + 5)
    return outputs


# -------------------------------------------------------------------------- the machine
@dataclass(frozen=True)
class Machine:
    """What a machine does at best: `peak` operations and `bandwidth` bytes a second."""

    peak: float
    bandwidth: float

    @property
    def ridge(self) -> float:
        """Operations a byte at which computing takes as long as moving."""
        return self.peak / self.bandwidth

    def attainable(self, intensity: float) -> float:
        """The roof: operations a second at a given intensity (operations a byte)."""
        return min(self.peak, intensity * self.bandwidth)

    def seconds(self, point: Point) -> float:
        """The least time that a layer can take."""
        return max(point.operations / self.peak, point.bytes / self.bandwidth)


def measure_machine(
    device: torch.device | str = "cpu", size: int = 1024, megabytes: int = 128
) -> Machine:
    """Measure a machine's peak by a matrix product, its bandwidth by a large copy.

    Both in float32, the course's type on CPUs; a bfloat16 product takes seconds on a
    processor without units for it. The best of ten counts: about a second on a CPU.

    Args:
        device: where to measure.
        size: side of the two square matrices.
        megabytes: size of what is copied; more than the processor's cache holds, or
            it is the cache that is measured.

    Raises:
        ValueError: a size below 1.
    """
    if size < 1 or megabytes < 1:
        raise ValueError(f"size {size} and megabytes {megabytes} must be at least 1")
    device = torch.device(device)
    a = torch.ones(size, size, device=device)
    product = torch.empty_like(a)
    there = torch.ones(megabytes * 250_000, device=device)
    here = torch.empty_like(there)
    with torch.inference_mode():
        compute = least_seconds(lambda: torch.mm(a, a, out=product), device)
        copy = least_seconds(lambda: here.copy_(there), device)
    # each number of a copy is read once and written once
    return Machine(2 * size**3 / compute, 2 * FLOAT * there.numel() / copy)
