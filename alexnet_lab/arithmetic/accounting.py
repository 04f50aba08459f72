"""The ledger: what every layer of a network does, by arithmetic alone.

It never runs the network and never makes a tensor; `Ledger.verify` runs it, once, and
compares. The rules, layer by layer, are in layers.py.
"""

import difflib
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import groupby, takewhile

from torch import nn
from torch.nn.parameter import is_lazy

from alexnet_lab.arithmetic import layers, rules, straight, tables
from alexnet_lab.arithmetic.layers import short
from alexnet_lab.arithmetic.rules import (
    CountError,
    Fields,
    Row,
    Shape,
    UnknownLayerError,
    called,
    step,
)
from alexnet_lab.arithmetic.sizes import Field, SizeError
from alexnet_lab.arithmetic.verification import Verification, verify
from alexnet_lab.environment import printable

_REGISTERED = layers  # importing them is what registers the rules


class LedgerError(ValueError):
    """A layer of the network rejects the shape that it gets; the message says why."""


class Ledger:
    """The rows of a network, one a layer, and their totals for one image.

    `led["conv1"]` and `led[0]` are rows; `print(led)` shows the table. A layer's
    parameters count once, however often it stands in the net, and so do weights that
    two layers share; connections are counted as LeCun does, biases included. `reading`
    says how a net was read that isn't an nn.Sequential; `net` is then its layers in
    order, as `as_sequential` has them.
    """

    def __init__(self, net: nn.Module, input_shape: Shape, rows: Sequence[Row],
                 reading: str = "") -> None:  # fmt: skip
        self.net, self.input_shape, self.rows = net, input_shape, tuple(rows)
        self.reading = reading
        self.total_parameters = sum(row.parameters for row in rows)
        self.total_macs = sum(row.macs for row in rows)
        self.total_connections = sum(row.connections for row in rows)

    @cached_property
    def minimum_input(self) -> int | None:
        """Side of the smallest square that reaches the first Flatten or Linear."""
        if len(self.input_shape) != 3:
            return None
        channels, *size = self.input_shape
        images = image_layers([row.module for row in self.rows])
        fit = squares(images, channels, min(max(size), 2**31))
        return fit[0] if fit else None

    @property
    def caption(self) -> str:
        """The input, the totals, and the smallest square that does, in one line."""
        text = f"Input {tables.shape_text(self.input_shape)}"
        text += f" · {self.total_parameters:,} parameters"
        text += f" · {self.total_macs:,} multiply-accumulates"
        side, modules = self.minimum_input, [row.module for row in self.rows]
        after = modules[len(image_layers(modules)) :]
        if side not in (None, 1) and after:
            text += f" · at least {side}×{side} to reach the {type(after[0]).__name__}"
        elif side not in (None, 1):
            text += f" · smallest square input {side}"
        return f"{text}\n{self.reading}".rstrip()

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

    The net is an nn.Sequential, nested or not, a layer, or any straight network of
    these, on any device, the meta device too; lazy layers need not have run. Weights
    tied between two layers count once (up to release 1.8 torchinfo counts them twice),
    as does a layer that stands twice in the net. The shape is (channels, height,
    width), or (features,), without the batch. Taught in 01.

    Raises:
        UnknownLayerError: a layer without a rule; the message shows how to add one.
        BranchError: a net that isn't straight; the message names the layer where.
        LedgerError: a layer rejects its input; the message shows what would fit.
        TypeError, ValueError: an input_shape that is none.
    """
    try:
        shape = start = rules.checked(input_shape, net)
        named = list(named_layers(net))
    except RecursionError as error:
        text = f"{type(net).__name__} holds itself, or layers nested a thousand deep"
        raise UnknownLayerError(f"{text}: no order of layers can be read.") from error
    rows, reading = list[Row](), ""
    if not all(rules.is_layer(layer) for _, layer in named):
        read = straight.Reading(net, shape)
        named, reading, net = read.layers, read.text, read.sequential()
    modules = [layer for _, layer in named]
    first_name: dict[int, str] = {}
    counted: dict[int, str] = {}  # weights, and the row that has them
    field: Fields | None = (Field(), Field()) if len(shape) == 3 else None
    for name, layer in named:
        try:
            step = rules.step(layer, shape)
        except UnknownLayerError as error:
            raise UnknownLayerError(f"{called(name)}: {error}") from None
        except ValueError as error:
            text, one = explain(error, name, modules, start, rows), (1, *start[1:])
            if start[0] > 3 and len(start) == 3 and not _judge(modules, one):
                text += f"\nIs {start[0]} the batch? Then leave it out: {one}."
            raise LedgerError(text) from error
        if field and step.window:
            field = field[0].through(step.window[0]), field[1].through(step.window[1])
        elif step.output_shape != shape:  # a layer of one's own may keep the places
            field = None
        row = Row(name=name, module=layer, input_shape=shape, field=field, **vars(step))
        first = first_name.setdefault(id(layer), name)
        if first != name and row.parameters:
            row = replace(row, parameters=0, parameters_formula=f"shared with {first}")
        elif first == name:
            row = _less_tied(row, counted)
        rows.append(row)
        shape = step.output_shape
    return Ledger(net, start, rows, reading)


def _less_tied(row: Row, counted: dict[int, str]) -> Row:
    """Take from a row the weights that earlier ones have `counted`; note the others."""
    weights = [p for p in row.module.parameters() if not is_lazy(p)]
    tied = sum(p.numel() for p in weights if id(p) in counted)
    names = {counted[id(p)]: None for p in weights if id(p) in counted}
    counted.update({id(p): counted.get(id(p), row.name) for p in weights})
    left = row.parameters - tied
    if not tied or left < 0:  # a rule of one's own may count in its own way
        return row
    working = row.parameters_formula.rpartition(" = ")[0] or f"{row.parameters:,}"
    working += f" − {tied:,} shared with {', '.join(names)} = {left:,}"
    return replace(row, parameters=left, parameters_formula=working, tied=tied)


def own_input(net: nn.Module) -> Shape | None:
    """Return the smallest square input of a net that takes few; None if it takes many.

    Errors are those of `ledger`. A net without a convolution gets one channel.
    """
    convs = (m.in_channels for m in net.modules() if isinstance(m, nn.Conv2d))
    channels = next(convs, 1)
    layers = [layer for _, layer in straight.Reading(net, (channels, 64, 64)).layers]
    sides = squares(layers, channels, 1024)
    return (channels, sides[0], sides[0]) if sides and sides[-1] < 1024 else None


def named_layers(net: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Yield the layers of a net in the order in which they run, with dotted names."""
    if not rules.is_container(net):
        yield prefix or type(net).__name__.lower(), net
        return
    for name, child in net._modules.items():  # named_children() skips repetitions
        if child is not None:
            yield from named_layers(child, f"{prefix}.{name}" if prefix else name)


def squares(layers: Sequence[nn.Module], channels: int, up_to: int) -> range:
    """Return the sides, up to `up_to`, of the squares that all layers accept."""
    sides = range(up_to + 1)

    def judge(side: int) -> int:
        return _judge(layers, (channels, side, side))

    first = bisect_left(sides, 0, lo=1, key=judge)
    return range(first, bisect_right(sides, 0, lo=first, key=judge))


def _sides(layers: Sequence[nn.Module], channels: int, up_to: int) -> str:
    """Return the sides that fit, as in `227 to 258`; empty where none up to here do."""
    fit = squares(layers, channels, up_to)
    if len(fit) < 2:
        return f"{fit[0]}" if fit else ""
    return f"{fit[0]} or more" if fit[-1] == up_to else f"{fit[0]} to {fit[-1]}"


def _judge(layers: Sequence[nn.Module], shape: Shape) -> int:
    """Say whether an image is too small for some layer (−1), fits (0), or too large."""
    try:
        for layer in layers:
            shape = step(layer, shape).output_shape
    except CountError as error:
        return 1 if error.got > error.expected else -1
    except (ValueError, UnknownLayerError):
        return -1
    return 0


def image_layers(layers: Sequence[nn.Module]) -> list[nn.Module]:
    """Return the layers before the first Flatten or Linear."""
    return list(takewhile(lambda n: not isinstance(n, (nn.Flatten, nn.Linear)), layers))


def explain(error: ValueError, name: str, layers: Sequence[nn.Module],
            input_shape: Shape, rows: Sequence[Row]) -> str:  # fmt: skip
    """Return the message for a net's layer after `rows`, whose rule raised."""
    layer, text = layers[len(rows)], f"{error}".rstrip(".")
    maps = [input_shape, *(row.output_shape for row in rows)]
    sizes = [short(shape[1:]) for shape in maps if len(shape) == 3]
    ladder = " → ".join(size for size, _ in groupby(sizes))
    if isinstance(error, CountError) and len(maps[-1]) == 1 and rows:
        return _features(error, name, layers, rows, ladder)
    who = called(name)
    if not isinstance(layer, nn.Linear):
        who += f" ({type(layer).__name__})"
    if not isinstance(error, SizeError) or len(input_shape) != 3:
        return f"{who} {text}."
    text = f"{who}: {text}."
    if "→" in ladder:
        text += f"\nSizes so far, from the input on: {ladder}."
    return text + _enough(layers, input_shape)


def _enough(layers: Sequence[nn.Module], input_shape: Shape) -> str:
    """Say how large a square must be: for the image layers, and for the whole net."""
    channels, *size = input_shape
    images = image_layers(layers)
    fit = squares(images, channels, 2**16)
    if not fit:
        return ""
    if len(images) == len(layers):
        return f"\nThe smallest square input is {fit[0]}."
    end = type(layers[len(images)]).__name__
    text = f"\nThe layers before the {end} need at least {fit[0]}×{fit[0]}"
    sides = _sides(layers, channels, 2 * max(*size, fit[0], 512))
    return (
        f"{text}; square inputs that fit the whole net: {sides}."
        if sides
        else f"{text}."
    )


def _features(error: CountError, name: str, layers: Sequence[nn.Module],
              rows: Sequence[Row], ladder: str) -> str:  # fmt: skip
    """Explain a layer that gets another number of features than it expects."""
    text = f"{called(name)} expects {error.expected:,} features but "
    source = next((r for r in reversed(rows) if r.input_shape != r.output_shape), None)
    if source is None:
        return f"{text}gets {error.got:,}."
    text += f"{called(source.name)} gives {source.formula or format(error.got, ',')}"
    if len(source.input_shape) != 3:
        return f"{text}."
    channels, *size = rows[0].input_shape
    fit = _sides(layers[: len(rows) + 1], channels, 2 * max(*size, 512))
    advice = f"no square input gives {error.expected:,}, so change the layer"
    advice = f"square inputs that fit: {fit}" if fit else advice
    return f"{text}; {advice}.\nSizes here, from the input on: {ladder}."
