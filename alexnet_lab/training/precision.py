"""Which floating-point type to compute in: what this machine is fast at."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache

import torch
from torch import nn

# Below this many multiply-accumulates an image, converting costs more than it saves
# on a CPU (measured with LeNet-5, 0.4 M, and alexnet_mini, a few M).
WORTH_IT_ON_CPU = 30_000_000


@dataclass(frozen=True)
class Precision:
    """A choice of type; weights stay in float32 whatever it is.

    Attributes:
        name: ``float32``, ``bfloat16`` or ``float16``.
        device_type: ``cpu``, ``cuda`` or ``mps``.
        why: half a sentence for the one line that ``fit`` prints.
    """

    name: str
    device_type: str
    why: str

    def autocast(self) -> AbstractContextManager:
        """A context in which the forward pass runs in this type."""
        if self.name == "float32":
            return nullcontext()
        return torch.autocast(self.device_type, getattr(torch, self.name))

    @property
    def needs_scaling(self) -> bool:
        """True for float16, whose small gradients would become zero."""
        return self.name == "float16"


def choose_precision(
    wanted: str | Precision, net: nn.Module, device: torch.device
) -> Precision:
    """``wanted``, or for ``"auto"`` the type that trains this net fastest here.

    Raises:
        ValueError: an unknown name, or a type that the device does not have.
    """
    if isinstance(wanted, Precision):
        return wanted
    if wanted == "auto":
        return _best(net, device)
    if wanted not in ("float32", "bfloat16", "float16"):
        raise ValueError(
            f"precision={wanted!r}; use auto, float32, bfloat16 or float16"
        )
    if wanted == "float16" and device.type != "cuda":
        raise ValueError(
            "precision='float16' needs a CUDA GPU; use bfloat16 or float32"
        )
    return Precision(wanted, device.type, "as asked")


def _best(net: nn.Module, device: torch.device) -> Precision:
    if device.type == "cuda":
        if torch.cuda.get_device_capability(device) >= (8, 0):
            return Precision("bfloat16", "cuda", "this GPU has bfloat16 units")
        return Precision(
            "float16", "cuda", "this GPU has float16 but no bfloat16 units"
        )
    if device.type != "cpu":
        return Precision("float32", device.type, "the safe choice on this device")
    if not is_large(net):
        return Precision("float32", "cpu", "the network is small")
    gain = bfloat16_gain()
    if gain >= 1.3:
        return Precision("bfloat16", "cpu", f"{gain:.1f}× float32 on this processor")
    return Precision("float32", "cpu", "bfloat16 is no faster on this processor")


def is_large(net: nn.Module) -> bool:
    """Whether a net has work enough for a type or step of its own to pay on a CPU."""
    return _work(net) >= WORTH_IT_ON_CPU


def choose_layout(
    channels_last: bool | None, precision: Precision, device: torch.device
) -> torch.memory_format:
    """The wanted layout of images; None chooses what is fast here.

    That is pixel by pixel in 16 bits, and on a CPU in any type.
    """
    if channels_last is None:
        channels_last = device.type == "cpu" or precision.name != "float32"
    return torch.channels_last if channels_last else torch.contiguous_format


def _work(net: nn.Module) -> int:
    """Multiply-accumulates an image, roughly: every weight once, convolutions often.

    Exact counting needs the input's shape (that is the ledger's business); to tell a
    small network from a large one, the parameters do.
    """
    return sum(
        p.numel() * (200 if p.dim() == 4 else 1)
        for p in net.parameters()
        if p.dim() > 1
    )


@cache
def bfloat16_gain(size: int = 768, repeats: int = 5) -> float:
    """How many times faster a matrix product is in bfloat16 than in float32, here.

    Measured once a process in a few hundredths of a second: the best of interleaved
    repeats, since other work on the machine only ever adds time. A small product goes
    first: a processor without bfloat16 units can be a hundred times slower in it, and
    the large one would take seconds to say no.
    """
    gain = _gain(128, repeats)
    return gain if gain < 0.5 else _gain(size, repeats)


def _gain(size: int, repeats: int) -> float:
    a = torch.ones(size, size)
    b = a.to(torch.bfloat16)
    best = {torch.float32: float("inf"), torch.bfloat16: float("inf")}
    for _ in range(repeats + 1):  # the first one warms up
        for x in (a, b):
            start = time.perf_counter()
            torch.mm(x, x)
            best[x.dtype] = min(best[x.dtype], time.perf_counter() - start)
    return best[torch.float32] / best[torch.bfloat16]
