"""The ledger: what every layer of a network does, by arithmetic alone.

    led = ledger(net, (3, 227, 227))
    print(led)

It never runs the network and never makes a tensor; `led.verify()` runs it, once, and
compares. The rules, layer by layer, are in window_rules.py and plain_rules.py.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from torch import nn

from alexnet_lab.arithmetic import advice, plain_rules, rules, tables, window_rules
from alexnet_lab.arithmetic.rules import Pair, Shape, Step, UnknownLayerError
from alexnet_lab.arithmetic.sizes import receptive_field
from alexnet_lab.arithmetic.verification import Verification, verify
from alexnet_lab.plain_text import printable

__all__ = ["Ledger", "LedgerError", "Row", "UnknownLayerError", "ledger"]
_REGISTERED = plain_rules, window_rules  # importing them is what registers the rules


class LedgerError(ValueError):
    """A layer of the network rejects the shape that it gets; the message says why."""


@dataclass(frozen=True)
class Row:
    """One layer of a ledger. Shapes have no batch; counts are for one image.

    - name: the layer's name, those of nested nn.Sequential joined by dots;
    - layer: what it is, on one short line, as in `Conv2d 5×5 p2 g2`;
    - formula: the working of the output's size; also parameters_formula, macs_formula;
    - parameters: 0 where the layer stood in an earlier row (`shared with …`);
    - macs: multiply-accumulates with weights; connections: LeCun's count, with biases;
    - receptive_field: pixels of the input that one output position depends on, padding
      included; jump: pixels from one to the next. They follow the windows alone: what
      Group-, Instance- and LayerNorm learn from the whole map is left out;
    - leftover: positions of the padded input after the last window, never read.

    The last three are one number where height and width agree, else (height, width),
    and None where they mean nothing: without an image (after Flatten), or after an
    adaptive pool with uneven windows.
    """

    name: str
    layer: str
    input_shape: Shape
    output_shape: Shape
    formula: str
    parameters: int
    parameters_formula: str
    macs: int
    macs_formula: str
    connections: int
    receptive_field: int | Pair | None
    jump: int | Pair | None
    leftover: int | Pair | None


class Ledger(Sequence[Row]):
    """The rows of a network, one a layer, and their totals.

    `led["conv1"]` and `led[0]` are rows; `print(led)` shows the table.
    """

    def __init__(self, net: nn.Module, input_shape: Shape, rows: list[Row]) -> None:
        self.net = net
        self.input_shape = input_shape
        self.rows = tuple(rows)

    @property
    def total_parameters(self) -> int:
        """Trainable numbers, each layer once, however often it stands in the net."""
        return sum(row.parameters for row in self.rows)

    @property
    def total_macs(self) -> int:
        """Multiply-accumulates with weights, for one image."""
        return sum(row.macs for row in self.rows)

    @property
    def total_connections(self) -> int:
        """Connections as LeCun counts them, biases included, for one image."""
        return sum(row.connections for row in self.rows)

    @cached_property
    def minimum_input(self) -> int | None:
        """Side of the smallest square input that reaches the end of the image layers.

        These are the layers before the first Flatten or Linear. None where the input
        is no image.
        """
        if len(self.input_shape) != 3:
            return None
        layers = [layer for _, layer in named_layers(self.net)]
        channels, *size = self.input_shape
        return advice.smallest_square(layers, channels, fits=max(size))

    def verify(self) -> Verification:
        """Run the network once with torchinfo and compare every row.

        See `alexnet_lab.arithmetic.verification.verify`.
        """
        layers = [layer for _, layer in named_layers(self.net)]
        return verify(self.net, self.input_shape, self.rows, layers)

    def __getitem__(self, key: str | int | slice) -> Row | tuple[Row, ...]:
        if not isinstance(key, str):
            return self.rows[key]
        for row in self.rows:
            if row.name == key:
                return row
        names = [row.name for row in self.rows]
        near = difflib.get_close_matches(key, names) or names
        raise KeyError(f"no layer named {key!r}; there is {', '.join(near)}")

    def __len__(self) -> int:
        return len(self.rows)

    def __str__(self) -> str:
        """The table; where standard output lacks ⌊, −, … (Windows' pipes), without."""
        return printable(tables.text(self))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return tables.html(self)


def ledger(net: nn.Module, input_shape: Sequence[int]) -> Ledger:
    """Work out every layer of a network from its settings and the input's shape.

    Args:
        net: an nn.Sequential, nested or not, or a single layer. Its tensors are not
            looked at: it may live on any device, the meta device too, and its lazy
            layers need not have run. Weights tied between two different layers count
            twice (as in torchinfo); a layer that stands twice in the net, once.
        input_shape: (channels, height, width), or (features,) for a net of linear
            layers; without the batch.

    Raises:
        UnknownLayerError: a layer without a rule; the message shows how to add one.
        LedgerError: a layer that rejects its input; the message shows the arithmetic
            and what would fit. It is a ValueError.
        TypeError, ValueError: an input_shape that is none.
    """
    shape = _checked(input_shape)
    layers = list(named_layers(net))
    rows: list[Row] = []
    first_name: dict[int, str] = {}
    field, jump = ((1, 1), (1, 1)) if len(shape) == 3 else (None, None)
    for index, (name, layer) in enumerate(layers):
        try:
            step = rules.step(layer, shape)
        except UnknownLayerError as error:
            raise UnknownLayerError(f"{advice.called(name)}: {error}") from None
        except ValueError as error:
            modules = [layer for _, layer in layers]
            message = advice.explain(
                error, index, name, modules, tuple(input_shape), rows
            )
            raise LedgerError(message) from error
        field, jump = _grown(field, jump, step)
        row = _row(name, shape, step, field, jump)
        if id(layer) in first_name:
            row = _shared(row, first_name[id(layer)])
        first_name.setdefault(id(layer), name)
        rows.append(row)
        shape = step.output_shape
    return Ledger(net, tuple(input_shape), rows)


def named_layers(net: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Yield the layers of a net in the order in which they run, with dotted names."""
    if not isinstance(net, nn.Module):
        raise TypeError(f"the ledger reads an nn.Sequential or a layer, not {net!r}.")
    if not rules.is_container(net):
        yield prefix or type(net).__name__.lower(), net
        return
    for name, child in net._modules.items():  # named_children() skips repetitions
        yield from named_layers(child, f"{prefix}.{name}" if prefix else name)


def _row(
    name: str, shape: Shape, step: Step, field: Pair | None, jump: Pair | None
) -> Row:
    return Row(
        name=name,
        layer=step.label,
        input_shape=shape,
        output_shape=step.output_shape,
        formula=step.formula,
        parameters=step.parameters,
        parameters_formula=step.parameters_formula,
        macs=step.macs,
        macs_formula=step.macs_formula,
        connections=step.connections,
        receptive_field=_one(field),
        jump=_one(jump),
        leftover=_one(step.leftover),
    )


def _shared(row: Row, first: str) -> Row:
    """Count the parameters of a layer that stood in an earlier row no second time."""
    if not row.parameters:
        return row
    return replace(row, parameters=0, parameters_formula=f"shared with {first}")


def _grown(
    field: Pair | None, jump: Pair | None, step: Step
) -> tuple[Pair | None, Pair | None]:
    """Carry receptive field and jump through a layer, height and width apart."""
    if field is None or jump is None or step.kernel is None or step.stride is None:
        return None, None
    grown = [
        receptive_field(*numbers)
        for numbers in zip(field, jump, step.kernel, step.stride, strict=True)
    ]
    (field_h, jump_h), (field_w, jump_w) = grown
    return (field_h, field_w), (jump_h, jump_w)


def _one(numbers: Pair | None) -> int | Pair | None:
    """Return one number for both directions where they agree."""
    if numbers is None or numbers[0] != numbers[1]:
        return numbers
    return numbers[0]


def _checked(input_shape: Sequence[int]) -> Shape:
    """Return the shape as a tuple of ints, or say what is wrong with it."""
    right = "(channels, height, width), such as (3, 227, 227), or (features,)"
    if isinstance(input_shape, str) or not isinstance(input_shape, Sequence):
        raise TypeError(f"input_shape must be a tuple, {right}, not {input_shape!r}.")
    shape = tuple(input_shape)
    for number in shape:
        if isinstance(number, bool) or not isinstance(number, int):
            raise TypeError(f"input_shape must hold whole numbers, but is {shape}.")
    if len(shape) == 4:
        raise ValueError(
            f"input_shape {shape} has four numbers: leave out the batch and write "
            f"{shape[1:]}."
        )
    if not 1 <= len(shape) <= 3:
        raise ValueError(f"input_shape must be {right}, but is {shape}.")
    if min(shape) < 1:
        raise ValueError(f"input_shape must hold numbers of at least 1: {shape}.")
    return shape
