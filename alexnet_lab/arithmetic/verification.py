"""Ledger against torchinfo: arithmetic against a forward pass, row by row.

torchinfo's *mult-adds* count a bias like a weight, and those of a convolution once for
each position of its map, as LeCun counts connections; of any other layer each parameter
once, also of a norm, where the ledger has 0 (of a Linear, after release 1.8.0, once for
each position). Its total counts a layer again that stands in two nested nn.Sequential:
compared is the sum of its rows, in which that layer has none.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from alexnet_lab.arithmetic.layers import times
from alexnet_lab.arithmetic.rules import Row
from alexnet_lab.environment import printable


@dataclass(frozen=True)
class Verification:
    """What `Ledger.verify` found; printing it shows a line for each row."""

    rows: Sequence[Row]
    comparisons: Sequence[Sequence[str]]  # "output: ledger 54, torchinfo 55"
    parameters: tuple[int, int]  # in all: the ledger's, torchinfo's
    exact: bool  # whether every row and the total number of parameters agree

    def __str__(self) -> str:
        names = max((len(row.name) for row in self.rows), default=0)
        layers = max((len(row.layer) for row in self.rows), default=0)
        lines = []
        for row, found in zip(self.rows, self.comparisons, strict=True):
            words = f"differs: {'; '.join(found)}" if found else "exact"
            lines.append(f"{row.name:{names}}  {row.layer:{layers}}  {words}")
        good = sum(not found for found in self.comparisons)
        ours, theirs = self.parameters
        words = "exact" if ours == theirs else f"differs, torchinfo {theirs:,}"
        end = f"{good} of {len(lines)} rows exact; total parameters {ours:,}: {words}"
        return printable("\n".join([*lines, end]))

    __repr__ = __str__


def verify(net: nn.Module, input_shape: Sequence[int], rows: Sequence[Row]
           ) -> Verification:  # fmt: skip
    """Run `net` once under torchinfo.summary and compare it with a ledger's rows.

    Compared are the output's shape, the parameters, and the multiply-adds of torch.nn's
    layers (torchinfo goes by the names of parameters). The net runs in evaluation mode
    on one image of zeros, on the device of its parameters. Its modes and averages and
    the random numbers stay as they were. ValueError if it has lazy layers that haven't
    run, RuntimeError if it doesn't run.
    """
    if any(is_lazy(parameter) for parameter in net.parameters()):
        why = "verify() leaves a net as it is, and to run this one would set up its"
        run = f"Run it once yourself first: net(torch.zeros{(1, *input_shape)})"
        raise ValueError(f"{why} lazy layers. {run}")
    wanted = {id(row.module) for row in rows}  # the others are containers
    found = [info for info in _summary(net, input_shape) if id(info.module) in wanted]
    comparisons = [_differences(*both) for both in zip(rows, found, strict=True)]
    seen = sum(0 if info.is_recursive else info.num_params for info in found)
    total = sum(row.parameters for row in rows)
    tied = sum(row.tied for row in rows)  # counted in each row up to release 1.8
    seen = total if seen == total + tied else seen
    exact = total == seen and not any(comparisons)
    return Verification(rows, comparisons, (total, seen), exact)


def torchinfo_text(statistics: object) -> str:
    """What torchinfo prints, the same on every Python, of what its `summary` returns.

    Its total of mult-adds is in millions, `(M)`, billions, `(G)`, or more. From Python
    3.11 on torchinfo 1.8 writes the name of its own constant there instead, which
    speaks of bytes. Taught in 01.
    """
    return re.sub(r"\(Units\.([MGT])[A-Z]+\)", r"(\1)", str(statistics))


def _differences(row: Row, info: Any) -> list[str]:
    theirs = 0 if info.is_recursive else info.num_params
    if theirs == row.parameters + row.tied:
        theirs = row.parameters
    pairs = [
        ("output", times(*row.output_shape), times(*info.output_size[1:])),
        ("parameters", f"{row.parameters:,}", f"{theirs:,}"),
    ]
    counts = _mult_adds(row)
    if counts and info.macs not in counts:
        pairs.append(("multiply-adds", f"{counts[0]:,}", f"{info.macs:,}"))
    return [f"{what}: ledger {a}, torchinfo {b}" for what, a, b in pairs if a != b]


def _mult_adds(row: Row) -> list[int]:
    """Return what torchinfo may call mult-adds (see above); empty if nothing tells."""
    if not type(row.module).__module__.startswith("torch.nn."):
        return []  # its parameters may have any names
    if isinstance(row.module, nn.Conv2d):
        return [row.connections]
    if isinstance(row.module, nn.Linear):
        return [row.connections // math.prod(row.output_shape[:-1]), row.connections]
    shared = row.parameters_formula and not row.parameters
    return [] if shared else [row.parameters, row.parameters + row.tied]


def _summary(net: nn.Module, input_shape: Sequence[int]) -> list[Any]:
    """Return torchinfo's list of the modules that ran, in their order."""
    import torchinfo
    from torchinfo.torchinfo import clear_cached_forward_pass

    tensors = [*net.parameters(), *net.buffers(), torch.empty(0)]
    like = next(tensor for tensor in tensors if tensor.is_floating_point())
    # Given data, torchinfo leaves the net on its device; given a size it moves it.
    image = like.new_zeros((1, *input_shape))
    options: Any = {"col_names": ("output_size", "num_params", "mult_adds")}
    modes = [(module, module.training) for module in net.modules()]
    try:
        with torch.random.fork_rng([image.device] if image.is_cuda else []):
            options |= {"input_data": image, "mode": "eval", "verbose": 0}
            found = torchinfo.summary(net, **options)
        return [info for info in found.summary_list if info.executed]
    except RuntimeError as error:
        text = f"The network does not run on an input of {times(*input_shape)}, though "
        why = f"the ledger accepts it. PyTorch says: {error.__cause__ or error}"
        raise RuntimeError(text + why) from error
    finally:
        clear_cached_forward_pass()  # else it keeps the whole net alive
        for module, training in modes:
            module.training = training
