"""The ledger: what every layer of a network does, by arithmetic alone.

It never runs the network and never makes a tensor; `Ledger.verify` runs it, once, and
compares. The rules, layer by layer, are in layers.py.
"""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property

from torch import nn

from alexnet_lab.arithmetic import advice, layers, rules, tables
from alexnet_lab.arithmetic.rules import Fields, Row, Shape, UnknownLayerError
from alexnet_lab.arithmetic.sizes import Field
from alexnet_lab.arithmetic.verification import Verification, verify
from alexnet_lab.plain_text import printable

_REGISTERED = layers  # importing them is what registers the rules


class LedgerError(ValueError):
    """A layer of the network rejects the shape that it gets; the message says why."""


class Ledger:
    """The rows of a network, one a layer, and their totals for one image.

    `led["conv1"]` and `led[0]` are rows; `print(led)` shows the table. A layer's
    parameters count once, however often it stands in the net; connections are counted
    as LeCun does, biases included.
    """

    def __init__(self, net: nn.Module, input_shape: Shape, rows: Sequence[Row]) -> None:
        self.net, self.input_shape, self.rows = net, input_shape, tuple(rows)
        self.total_parameters = sum(row.parameters for row in rows)
        self.total_macs = sum(row.macs for row in rows)
        self.total_connections = sum(row.connections for row in rows)

    @cached_property
    def minimum_input(self) -> int | None:
        """Side of the smallest square that reaches the first Flatten or Linear."""
        if len(self.input_shape) != 3:
            return None
        channels, *size = self.input_shape
        images = advice.image_layers([row.module for row in self.rows])
        fit = advice.squares(images, channels, max(size))
        return fit[0] if fit else None

    @property
    def caption(self) -> str:
        """The input, the totals, and the smallest square that does, in one line."""
        text = f"Input {tables.shape_text(self.input_shape)}"
        text += f" · {self.total_parameters:,} parameters"
        text += f" · {self.total_macs:,} multiply-accumulates"
        side, modules = self.minimum_input, [row.module for row in self.rows]
        if side in (None, 1):
            return text
        after = modules[len(advice.image_layers(modules)) :]
        if not after:
            return f"{text} · smallest square input {side}"
        return f"{text} · at least {side}×{side} to reach the {type(after[0]).__name__}"

    def verify(self) -> Verification:
        """Run the network once with torchinfo and compare every row. Taught in 01."""
        return verify(self.net, self.input_shape, self.rows)

    def __getitem__(self, key: str | int) -> Row:
        if not isinstance(key, str):
            return self.rows[key]
        names = [row.name for row in self.rows]
        if key in names:
            return self.rows[names.index(key)]
        near = difflib.get_close_matches(key, names) or names
        raise KeyError(f"no layer named {key!r}; there is {', '.join(near)}")

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __str__(self) -> str:
        """The table; where standard output lacks ⌊, −, … (Windows' pipes), without."""
        return printable(tables.text(self.rows, self.caption))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return tables.html(self.rows, self.caption)


def ledger(net: nn.Module, input_shape: Sequence[int]) -> Ledger:
    """Work out every layer of a network from its settings and the input's shape.

    The net is an nn.Sequential, nested or not, or a single layer, on any device, the
    meta device too; lazy layers need not have run. Weights tied between two layers
    count twice (as in torchinfo); a layer that stands twice in the net, once. The shape
    is (channels, height, width), or (features,), without the batch. Taught in 01.

    Raises:
        UnknownLayerError: a layer without a rule; the message shows how to add one.
        LedgerError: a layer rejects its input; the message shows what would fit.
        TypeError, ValueError: an input_shape that is none.
    """
    shape = start = _checked(input_shape)
    named, rows = list(named_layers(net)), list[Row]()
    modules = [layer for _, layer in named]
    first_name: dict[int, str] = {}
    field: Fields | None = (Field(), Field()) if len(shape) == 3 else None
    for name, layer in named:
        try:
            step = rules.step(layer, shape)
        except UnknownLayerError as error:
            raise UnknownLayerError(f"{advice.called(name)}: {error}") from None
        except ValueError as error:
            text = advice.explain(error, name, modules, start, rows)
            raise LedgerError(text) from error
        if field and step.window:
            field = field[0].through(step.window[0]), field[1].through(step.window[1])
        else:
            field = None
        row = Row(name=name, module=layer, input_shape=shape, field=field, **vars(step))
        first = first_name.setdefault(id(layer), name)
        if first != name and row.parameters:
            row = replace(row, parameters=0, parameters_formula=f"shared with {first}")
        rows.append(row)
        shape = step.output_shape
    return Ledger(net, start, rows)


def named_layers(net: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Yield the layers of a net in the order in which they run, with dotted names."""
    if not isinstance(net, nn.Module):
        raise TypeError(f"the ledger reads an nn.Sequential or a layer, not {net!r}.")
    if not rules.is_container(net):
        yield prefix or type(net).__name__.lower(), net
        return
    for name, child in net._modules.items():  # named_children() skips repetitions
        if child is not None:
            yield from named_layers(child, f"{prefix}.{name}" if prefix else name)


def _checked(input_shape: Sequence[int]) -> Shape:
    """Return the shape as a tuple of ints, or say what is wrong with it."""
    right = "a tuple, (channels, height, width), such as (3, 227, 227), or (features,)"
    wrong = f"input_shape must be {right}, but is {input_shape!r}"
    if isinstance(input_shape, str) or not isinstance(input_shape, Sequence):
        raise TypeError(f"{wrong}.")
    shape = tuple(input_shape)
    if not all(type(n) is int for n in shape):
        raise TypeError(f"{wrong}: these must be whole numbers.")
    if len(shape) == 4:
        raise ValueError(f"{wrong}: leave out the batch and write {shape[1:]}.")
    if not 1 <= len(shape) <= 3 or min(shape) < 1:
        raise ValueError(f"{wrong}: one to three numbers, each at least 1.")
    return shape
