"""Ledger against torchinfo: arithmetic against a forward pass, row by row.

torchinfo's own conventions differ from the ledger's in two places:

- its *mult-adds* count a bias like a weight, and a convolution's weights once for each
  position of its map: height·width·(weights + biases), which is LeCun's count of
  connections. Of any other layer it counts each parameter once (for a Linear that is
  (in + 1)·out, whatever stands before the last dimension), so a norm's scale and shift
  too, where the ledger has 0. `mult_adds` converts the ledger's figures;
- its total counts a layer again that stands in two nested nn.Sequential. The total
  compared here is the sum of torchinfo's rows, in which a repeated layer has none.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from alexnet_lab.plain_text import printable

if TYPE_CHECKING:
    from alexnet_lab.arithmetic.accounting import Row


@dataclass(frozen=True)
class Comparison:
    """One row: what differs, each as `output: ledger 54, torchinfo 55`."""

    name: str
    layer: str
    differences: tuple[str, ...]

    def __str__(self) -> str:
        if not self.differences:
            return "exact"
        return "differs: " + "; ".join(self.differences)


@dataclass(frozen=True)
class Verification:
    """What `Ledger.verify` found; printing it shows a line for each row."""

    comparisons: tuple[Comparison, ...]
    ledger_parameters: int
    torchinfo_parameters: int

    @property
    def exact(self) -> bool:
        """True if every row and the total number of parameters agree."""
        rows_agree = not any(row.differences for row in self.comparisons)
        return rows_agree and self.ledger_parameters == self.torchinfo_parameters

    def __str__(self) -> str:
        names = max((len(row.name) for row in self.comparisons), default=0)
        layers = max((len(row.layer) for row in self.comparisons), default=0)
        lines = [
            f"{row.name:{names}}  {row.layer:{layers}}  {row}"
            for row in self.comparisons
        ]
        good = sum(not row.differences for row in self.comparisons)
        total = f"total parameters {self.ledger_parameters:,}: "
        if self.ledger_parameters == self.torchinfo_parameters:
            total += "exact"
        else:
            total += f"differs, torchinfo {self.torchinfo_parameters:,}"
        rows = len(self.comparisons)
        lines.append(f"{good} of {rows} rows exact; {total}")
        return printable("\n".join(lines))

    __repr__ = __str__


def verify(
    net: nn.Module,
    input_shape: Sequence[int],
    rows: Sequence[Row],
    layers: Sequence[nn.Module],
) -> Verification:
    """Run `net` once under torchinfo.summary and compare it with a ledger's rows.

    Compared are the output's shape, the parameters, and, for layers of torch.nn, the
    multiply-adds (other layers may name their parameters as they like, and torchinfo
    goes by names). The net runs in evaluation mode on one image of zeros, on the device
    of its parameters; its modes, running averages and the random numbers stay as they
    were.

    Args:
        rows, layers: the ledger's rows, and the layer of each.

    Raises:
        ImportError: torchinfo isn't installed.
        ValueError: the net has lazy layers that haven't run yet.
        RuntimeError: the network doesn't run on such an input.
    """
    if any(is_lazy(parameter) for parameter in net.parameters()):
        image = ", ".join(f"{n}" for n in (1, *input_shape))
        raise ValueError(
            "verify() leaves a net as it is, and to run this one would set up its "
            f"lazy layers. Run it once yourself first: net(torch.zeros({image}))"
        )
    like = next((t for t in _tensors(net) if t.is_floating_point()), torch.empty(0))
    image = torch.zeros((1, *input_shape), device=like.device, dtype=like.dtype)
    with _undisturbed(net, image.device):
        infos = _torchinfo(net, image)
    found = list(_executed(infos, layers))
    comparisons = [
        _compare(row, layer, info)
        for row, layer, info in zip(rows, layers, found, strict=True)
    ]
    seen = sum(_own_parameters(info) for info in found)
    return Verification(tuple(comparisons), sum(r.parameters for r in rows), seen)


def torchinfo_text(statistics: object) -> str:
    """What torchinfo prints, the same on every Python.

    Its total of mult-adds is in millions, `(M)`, billions, `(G)`, or more. From Python
    3.11 on torchinfo 1.8 writes the name of its own constant there instead, which
    speaks of bytes.

    Args:
        statistics: what `torchinfo.summary` returns.
    """
    return re.sub(r"\(Units\.([MGT])[A-Z]+\)", r"(\1)", str(statistics))


def mult_adds(row: Row, layer: nn.Module) -> int | None:
    """Return what torchinfo calls mult-adds, from the ledger's figures (see above).

    None where they cannot tell: a layer of one's own, or a norm's second appearance.
    """
    if not type(layer).__module__.startswith("torch.nn."):
        return None
    if isinstance(layer, nn.Conv2d):
        return row.connections
    if isinstance(layer, nn.Linear):
        return row.connections // math.prod(row.output_shape[:-1])
    return None if row.parameters_formula and not row.parameters else row.parameters


def _compare(row: Row, layer: nn.Module, info: Any) -> Comparison:
    pairs = [
        ("output", _times(row.output_shape), _times(info.output_size[1:])),
        ("parameters", f"{row.parameters:,}", f"{_own_parameters(info):,}"),
    ]
    converted = mult_adds(row, layer)
    if converted is not None:
        pairs.append(("multiply-adds", f"{converted:,}", f"{info.macs:,}"))
    differences = tuple(
        f"{what}: ledger {ours}, torchinfo {theirs}"
        for what, ours, theirs in pairs
        if ours != theirs
    )
    return Comparison(row.name, row.layer, differences)


def _torchinfo(net: nn.Module, image: torch.Tensor) -> list[Any]:
    """Return torchinfo's list of the modules that ran, in their order."""
    try:
        import torchinfo
        from torchinfo.torchinfo import clear_cached_forward_pass
    except ImportError as error:
        raise ImportError(
            "verify() compares with torchinfo, which is not installed: "
            "python -m pip install torchinfo"
        ) from error
    columns = ("output_size", "num_params", "mult_adds")
    try:
        # Given data, torchinfo leaves the net on its device; given a size it moves it.
        summary = torchinfo.summary(
            net, input_data=image, col_names=columns, mode="eval", verbose=0
        )
    except RuntimeError as error:
        reason = error.__cause__ or error
        raise RuntimeError(
            f"The network does not run on an input of {_times(image.shape[1:])}, "
            f"though the ledger accepts it. PyTorch says: {reason}"
        ) from error
    finally:
        clear_cached_forward_pass()  # else it keeps the whole net alive
    return summary.summary_list


def _executed(infos: Sequence[Any], layers: Sequence[nn.Module]) -> Iterator[Any]:
    """Yield the entries that are rows of the ledger.

    The others are containers, and what runs inside a layer of one's own.
    """
    wanted = {id(layer) for layer in layers}
    inside = math.inf
    for info in infos:
        if info.depth > inside:
            continue
        inside = math.inf
        if id(info.module) in wanted and info.executed:
            inside = info.depth
            yield info


@contextmanager
def _undisturbed(net: nn.Module, device: torch.device) -> Iterator[None]:
    """Put back each module's mode, and the random numbers' state, at the end."""
    modes = [(module, module.training) for module in net.modules()]
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            yield
    finally:
        for module, training in modes:
            module.training = training


def _tensors(net: nn.Module) -> Iterator[torch.Tensor]:
    yield from net.parameters()
    yield from net.buffers()


def _own_parameters(info: Any) -> int:
    return 0 if info.is_recursive else info.num_params


def _times(sizes: Sequence[int]) -> str:
    return "×".join(f"{size}" for size in sizes)
