"""One rule for each type of layer: what the ledger knows about it.

A rule takes a layer and the shape that enters it, without the batch, and returns a
`Step`: the shape that leaves it and the working behind every number. It looks at the
layer's settings only, never at its tensors. To teach the ledger a layer of your own:

    from alexnet_lab.arithmetic import Step, rule

    @rule(Halve)
    def halve(layer, shape):
        channels, height, width = shape
        return Step(output_shape=(channels, height // 2, width // 2))

This file holds the registry and what rules share. The rules for torch.nn are in
window_rules.py (convolution, pooling, padding) and plain_rules.py (the rest).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from alexnet_lab.arithmetic.sizes import SizeError, Sweep

Shape = tuple[int, ...]
Pair = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Step:
    """What one layer does to a shape, with the working.

    Shapes have no batch dimension. The formulas end in the result they give, as in
    `(11·11·3 + 1)·96 = 34,944`, and are empty where there is nothing to work out.

    - parameters: numbers that training changes;
    - macs: multiply-accumulates with the layer's weights, for one image. A pool, a
      norm or an activation has none;
    - connections: LeCun's count: for each output its weights and its bias;
    - kernel, stride: what the layer's window spans and how far it moves, (height,
      width); (1, 1) where each output position reads its own input position; None
      where outputs have no place in the image, or no even spacing;
    - leftover: positions of the padded input after the last window (height, width);
    - label: the layer on one short line; by default the name of its type.
    """

    output_shape: Shape
    formula: str = ""
    parameters: int = 0
    parameters_formula: str = ""
    macs: int = 0
    macs_formula: str = ""
    connections: int = 0
    kernel: Pair | None = None
    stride: Pair | None = None
    leftover: Pair | None = None
    label: str = ""


Rule = Callable[[Any, Shape], Step]
_RULES: dict[type[nn.Module], Rule] = {}


class UnknownLayerError(TypeError):
    """No rule says what a layer does; the message shows how to write one."""


class FeatureError(ValueError):
    """A layer for feature vectors gets another number of features than `expected`."""

    def __init__(self, message: str, expected: int) -> None:
        super().__init__(message)
        self.expected = expected


def rule(*layer_types: type[nn.Module]) -> Callable[[Rule], Rule]:
    """Register the decorated function as the rule of these types of layer.

    The rule serves their subclasses too, as long as these inherit `forward`. It may
    raise ValueError with a message that reads on after the layer's name, such as
    "expects 3 channels, but gets 1".

    Raises:
        TypeError: used without types, or on something that is no nn.Module.
    """
    for layer_type in layer_types:
        if not (isinstance(layer_type, type) and issubclass(layer_type, nn.Module)):
            raise TypeError(
                "rule takes the types it serves: write @rule(MyLayer) above the "
                f"function, where MyLayer is a subclass of nn.Module, not {layer_type}."
            )
    if not layer_types:
        raise TypeError("rule takes the types it serves: write @rule(MyLayer).")

    def register(function: Rule) -> Rule:
        _RULES.update(dict.fromkeys(layer_types, function))
        return function

    return register


def rule_of(layer_type: type[nn.Module]) -> Rule:
    """Return the rule that serves a type: its own, or that of the nearest parent.

    `rule(MyConv)(rule_of(nn.Conv2d))` says that MyConv, which has a forward of its
    own, still computes what nn.Conv2d does, as far as the ledger is concerned.

    Raises:
        UnknownLayerError: there is none, or the type replaces its parent's forward.
    """
    overridden = False
    for parent in layer_type.__mro__:
        if parent in _RULES:
            if overridden:
                raise UnknownLayerError(_own_forward(layer_type, parent))
            return _RULES[parent]
        overridden |= any(name in vars(parent) for name in _COMPUTES)
    raise UnknownLayerError(_no_rule(layer_type))


# The methods through which a subclass may change what a layer of torch.nn computes.
_COMPUTES = ("forward", "__call__", "_conv_forward")


def is_container(module: nn.Module) -> bool:
    """Say whether a module merely runs its children in order, as nn.Sequential does."""
    kind = type(module)
    if not isinstance(module, nn.Sequential) or kind in _RULES:
        return False
    return kind.forward is nn.Sequential.forward and "forward" not in vars(module)


def step(layer: nn.Module, shape: Shape) -> Step:
    """Apply the rule of a layer to the shape that enters it, without the batch.

    Raises:
        UnknownLayerError: no rule serves this layer.
        ValueError: the layer rejects this shape.
    """
    kind = type(layer)
    if "forward" in vars(layer):
        raise UnknownLayerError(_own_forward(kind, kind))
    # weight_norm, spectral_norm and pruning of the older kind leave these behind
    renamed = {"weight_g", "weight_orig"} & layer._parameters.keys()
    if hasattr(layer, "parametrizations") or renamed:
        plain = kind if renamed else kind.__mro__[1]
        raise UnknownLayerError(
            f"its weights come from torch.nn.utils or its parametrize, and the rule of "
            f"{plain.__name__} doesn't know how many parameters that takes."
        )
    result = rule_of(kind)(layer, shape)
    if not isinstance(result, Step):
        raise TypeError(f"the rule of {kind.__name__} must return a Step: {result!r}.")
    return result if result.label else replace(result, label=kind.__name__)


# What rules share ---------------------------------------------------------------


@dataclass(frozen=True)
class Grid:
    """Where a window lands in an image: the number of positions each way, and more."""

    height: Sweep
    width: Sweep

    @property
    def sizes(self) -> Pair:
        """Height and width of the output."""
        return self.height.positions, self.width.positions

    @property
    def formula(self) -> str:
        """The working: one for both directions where they agree."""
        return both_ways(self.height.working, self.width.working)

    @property
    def geometry(self) -> dict[str, Pair]:
        """The fields kernel, stride and leftover of a `Step`."""
        ways = self.height, self.width
        return {
            "kernel": tuple(way.span for way in ways),
            "stride": tuple(way.stride for way in ways),
            "leftover": tuple(way.leftover for way in ways),
        }


def grid(
    size: Pair,
    kernel_size: int | Pair,
    stride: int | Pair = 1,
    padding: str | int | Pair = 0,
    dilation: int | Pair = 1,
    ceil_mode: bool = False,
) -> Grid:
    """Slide a window over an image of (height, width), as layers of torch.nn do.

    Raises:
        SizeError: the window doesn't fit; it says in which direction if only in one.
    """
    each = [pair(value) for value in (kernel_size, stride, padding, dilation)]
    ways: list[Sweep | SizeError] = []
    for axis in (0, 1):
        numbers = (size[axis], *(value[axis] for value in each))
        try:
            ways.append(Sweep.of(*numbers, bool(ceil_mode)))
        except SizeError as error:
            ways.append(error)
    for name, way, other in zip(("height", "width"), ways, ways[::-1], strict=True):
        if isinstance(way, SizeError):
            alike = isinstance(other, SizeError) and str(way) == str(other)
            where = "" if alike else f"along the {name}: "
            raise SizeError(f"{where}{way}", way.smallest)
    return Grid(*ways)


def image(shape: Shape) -> tuple[int, int, int]:
    """Return (channels, height, width), or say that the shape is no image's."""
    if len(shape) == 3:
        return shape
    gets = f"{shape[0]:,} features" if len(shape) == 1 else f"{shape}"
    hint = ""
    if len(shape) == 2:
        hint = f". With one channel that is (1, {shape[0]}, {shape[1]})"
    raise ValueError(f"expects (channels, height, width), but gets {gets}{hint}")


def expect_channels(expected: int, shape: Shape) -> None:
    """Raise ValueError unless an image has the expected number of channels."""
    if shape[0] == expected:
        return
    hint = ""
    if shape[-1] == expected:
        hint = ". PyTorch puts channels first: (channels, height, width)"
    raise ValueError(
        f"expects {expected:,} channels, but gets {shape[0]:,} ({times(*shape)}){hint}"
    )


def unchanged(shape: Shape, **fields: Any) -> Step:
    """Return the Step of a layer that works position by position and keeps the shape.

    `fields` are further fields of `Step`, such as parameters.
    """
    if len(shape) == 3:
        fields = {"kernel": (1, 1), "stride": (1, 1), "leftover": (0, 0), **fields}
    return Step(output_shape=shape, **fields)


def pair(value: Any) -> tuple[Any, Any]:
    """Return a setting for (height, width): one number serves both, as in torch.nn."""
    if isinstance(value, (tuple, list)):
        return (value[0], value[0]) if len(value) == 1 else (value[0], value[1])
    return value, value


def both_ways(height: str, width: str) -> str:
    """Return two workings as one where they agree."""
    return height if height == width else f"height {height}; width {width}"


def product(*factors: int | str) -> str:
    """Return factors with thousands separators and dots between: `55·55·96`."""
    return "·".join(f if isinstance(f, str) else f"{f:,}" for f in factors)


def worked(*factors: int | str, result: int | None = None) -> str:
    """Return a product and its result: `55·55·96 = 290,400`."""
    if result is None:
        result = math.prod(factors)
    return f"{product(*factors)} = {result:,}"


def times(*sizes: int) -> str:
    """Return sizes with crosses between, as in `96×55×55`."""
    return "×".join(f"{size}" for size in sizes)


def _no_rule(layer_type: type) -> str:
    name = layer_type.__name__
    return f"""the ledger has no rule for {name}.
If {name} runs its children in order, make it an nn.Sequential. Else teach the ledger:

    from alexnet_lab.arithmetic import Step, rule

    @rule({name})
    def {name.lower()}_rule(layer, shape):  # the shape without the batch: (3, 227, 227)
        return Step(output_shape=shape, parameters=0, macs=0)
"""


def _own_forward(layer_type: type, parent: type) -> str:
    name, base = layer_type.__name__, parent.__name__
    if layer_type is parent:
        return f"this {name} got a forward of its own, which no rule can know."
    full = f"nn.{base}" if parent.__module__.startswith("torch.nn.") else base
    return f"""{name} derives from {base} but computes in its own way ({name}.forward),
so that the rule of {base} may not hold. If it does hold, say so:

    from alexnet_lab.arithmetic import rule, rule_of

    rule({name})(rule_of({full}))

If it doesn't, write a rule with @rule({name}); see alexnet_lab/rules.py.
"""
