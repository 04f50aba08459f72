"""Which floating-point type to compute in: what this machine is fast at."""

import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache

import torch
from torch import nn

# Below this many multiply-accumulates an image, converting costs more than it saves
# on a CPU (measured with LeNet-5, 0.4 M, and alexnet_mini, a few M).
WORTH_IT_ON_CPU = 30_000_000
WORTH_IT_FROM = 1.3  # times float32's speed


def require(name: str, value: object, fine: bool, use: str) -> None:
    """Raise ValueError, with what to ``use`` instead, unless an option is ``fine``."""
    if not fine:
        raise ValueError(f"{name}={value!r}; use {use}")


@dataclass(frozen=True)
class Precision:
    """A choice of type; weights stay in float32 whatever it is."""

    name: str  # float32, bfloat16 or float16
    device_type: str  # cpu, cuda or mps
    why: str  # half a sentence for the one line that ``fit`` prints

    def __str__(self) -> str:
        return f"{self.name} ({self.why})"

    def autocast(self) -> AbstractContextManager:
        """A context in which the forward pass runs in this type. Taught in 07."""
        if self.name == "float32":
            return nullcontext()
        return torch.autocast(self.device_type, getattr(torch, self.name))

    def scaler(self) -> torch.amp.GradScaler:
        """Scales the loss in float16, whose small gradients would become zero."""
        return torch.amp.GradScaler(self.device_type, enabled=self.name == "float16")

    def layout(self, channels_last: bool | None = None) -> torch.memory_format:
        """How images lie in memory; None for pixel by pixel in 16 bits and on a CPU."""
        if channels_last is None:
            channels_last = self.device_type == "cpu" or self.name != "float32"
        return torch.channels_last if channels_last else torch.contiguous_format


def choose_precision(
    wanted: str | Precision, net: nn.Module, device: torch.device
) -> Precision:
    """``wanted``, or for ``"auto"`` what trains this net fastest here. Taught in 07.

    ValueError: an unknown name, or a type that the device does not have.
    """
    if isinstance(wanted, Precision):
        return wanted
    if wanted == "auto":
        name, why = _fastest(net, device)
        return Precision(name, device.type, why)
    known = wanted in ("float32", "bfloat16", "float16")
    require("precision", wanted, known, "auto, float32, bfloat16 or float16")
    there = wanted != "float16" or device.type == "cuda"
    require("precision", wanted, there, "bfloat16 or float32: it needs a CUDA GPU")
    return Precision(wanted, device.type, "as asked")


def _fastest(net: nn.Module, device: torch.device) -> tuple[str, str]:
    if device.type == "cuda":
        if torch.cuda.get_device_capability(device) >= (8, 0):
            return "bfloat16", "this GPU has bfloat16 units"
        return "float16", "this GPU has float16 but no bfloat16 units"
    if device.type != "cpu":
        return "float32", "the safe choice on this device"
    if not is_large(net):
        return "float32", "the network is small"
    gain = bfloat16_gain()
    if gain >= WORTH_IT_FROM:
        return "bfloat16", f"{gain:.1f}× float32 on this processor"
    return "float32", "bfloat16 is no faster on this processor"


def is_large(net: nn.Module) -> bool:
    """Whether a net has work enough for a type or step of its own to pay on a CPU.

    An estimate, for want of the input's shape: a convolution's weight works 200 times.
    """
    weights = [p for p in net.parameters() if p.dim() > 1]
    work = sum(p.numel() * (200 if p.dim() == 4 else 1) for p in weights)
    return work >= WORTH_IT_ON_CPU


@cache
def bfloat16_gain() -> float:
    """How many times faster a matrix product is in bfloat16 than in float32, here."""
    # a small product first: without bfloat16 units it can be a hundred times slower
    gain = _gain(128)
    return gain if gain < 0.5 else _gain(768)


def _gain(size: int) -> float:
    """The best of interleaved repeats: other work on the machine only adds time."""
    a = torch.ones(size, size)
    best = {torch.float32: float("inf"), torch.bfloat16: float("inf")}
    for _ in range(6):  # the first one warms up
        for x in (a, a.to(torch.bfloat16)):
            start = time.perf_counter()
            torch.mm(x, x)
            best[x.dtype] = min(best[x.dtype], time.perf_counter() - start)
    return best[torch.float32] / best[torch.bfloat16]
