"""What a rule says of a layer, what a row of the ledger is, and where rules are kept.

A rule takes a layer and the shape that enters it, without the batch, and looks at the
layer's settings only, never at its tensors. `_NO_RULE` shows how to write one.
"""

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from torch import nn

from alexnet_lab.arithmetic.sizes import Field

Shape = tuple[int, ...]
Pair = tuple[int, int]
Fields = tuple[Field, Field]  # down and across


@dataclass(frozen=True, kw_only=True)
class Step:
    """What one layer does to a shape, with the working.

    Shapes have no batch; counts are for one image. The formulas end in the result they
    give, as in `(11·11·3 + 1)·96 = 34,944`, and are empty where there is none.
    `parameters` change in training; `macs` are multiply-accumulates with weights, of
    which a pool, a norm or an activation has none; `connections` are LeCun's, for each
    output its weights and its bias. `window` is what the output's positions read of the
    layer's input, down and across; None where they have no place in the image, or no
    even spacing. `leftover` positions of the padded input after the last window are
    never read, (height, width) where these differ. `layer` says what it is, as in
    `Conv2d 5×5 p2 g2`; by default the name of its type.
    """

    output_shape: Shape
    formula: str = ""
    parameters: int = 0
    parameters_formula: str = ""
    macs: int = 0
    macs_formula: str = ""
    connections: int = 0
    window: Fields | None = None
    leftover: int | Pair | None = None
    layer: str = ""


@dataclass(frozen=True, kw_only=True)
class Row(Step):
    """A layer in its place: what its rule says, and what follows from the others'.

    Names in nested nn.Sequential are joined by dots. `parameters` is 0 where the layer
    stood in an earlier row (`shared with …`). `field` is what the output's positions
    read of the network's input, down and across; None after a layer without a window.
    It follows the windows: what norms learn from the whole map is left out.
    """

    name: str
    module: nn.Module = dataclasses.field(repr=False, compare=False)
    input_shape: Shape
    field: Fields | None

    @property
    def receptive_field(self) -> int | Pair | None:
        """Pixels of the input that one position depends on, padding included."""
        return one(way.size for way in self.field) if self.field else None

    @property
    def jump(self) -> int | Pair | None:
        """Pixels of the input from one position to the next."""
        return one(way.jump for way in self.field) if self.field else None

    def sees(self, i: int, j: int) -> tuple[int, int, int, int]:
        """Return (top, left, height, width) of the pixels that position (i, j) reads.

        Pixel (0, 0) is the image's first; padding may make top and left negative.
        ValueError where the layer has no receptive field, or no position (i, j).
        """
        if self.field is None:
            raise ValueError(f"{self.name} has no receptive field, as it has no map")
        (down, across), (_, high, wide) = self.field, self.output_shape
        if not (0 <= i < high and 0 <= j < wide):
            raise ValueError(f"{self.name}'s map is {high}×{wide}: no unit ({i}, {j})")
        top, left = down.offset + i * down.jump, across.offset + j * across.jump
        return top, left, down.size, across.size


def one(ways: Iterable[int]) -> int | Pair:
    """Return one number for height and width where they agree, else both."""
    height, width = ways
    return height if height == width else (height, width)


Rule = Callable[[Any, Shape], Step]
_RULES: dict[type[nn.Module], Rule] = {}


class UnknownLayerError(TypeError):
    """No rule says what a layer does; the message shows how to write one."""


class CountError(ValueError):
    """A layer gets another number of channels or features than it expects."""

    def __init__(self, message: str, expected: int, got: int) -> None:
        super().__init__(message)
        self.expected, self.got = expected, got


def rule(*layer_types: type[nn.Module]) -> Callable[[Rule], Rule]:
    """Register the decorated function as the rule of these types of layer.

    The rule serves their subclasses too, as long as these inherit `forward`. It may
    raise ValueError with a message that reads on after the layer's name, such as
    "expects 3 channels, but gets 1". Used on no type of layer it raises TypeError.
    """
    types = [t for t in layer_types if isinstance(t, type) and issubclass(t, nn.Module)]
    if not types or len(types) < len(layer_types):
        text = "write @rule(MyLayer) above a function; it takes subclasses of nn.Module"
        raise TypeError(f"{text}, not {layer_types}.")

    def register(function: Rule) -> Rule:
        _RULES.update(dict.fromkeys(types, function))
        return function

    return register


def rule_of(layer_type: type[nn.Module]) -> Rule:
    """Return the rule that serves a type: its own, or that of the nearest parent.

    `rule(MyConv)(rule_of(nn.Conv2d))` says that MyConv, which has a forward of its
    own, still computes what nn.Conv2d does, as far as the ledger is concerned.
    UnknownLayerError if there is none, or if the type replaces its parent's forward.
    """
    name, overridden = layer_type.__name__, False
    for parent in layer_type.__mro__:
        if parent in _RULES and not overridden:
            return _RULES[parent]
        if parent in _RULES:
            base = parent.__name__
            full = f"nn.{base}" if parent.__module__.startswith("torch.nn.") else base
            text = _OWN_FORWARD.format(name=name, base=base, full=full)
            raise UnknownLayerError(text)
        overridden |= not _COMPUTES.isdisjoint(vars(parent))
    raise UnknownLayerError(_NO_RULE.format(name=name, lower=name.lower()))


_COMPUTES = {"forward", "__call__", "_conv_forward"}
_NO_RULE = """the ledger has no rule for {name}.
If {name} runs its children in order, make it an nn.Sequential. Else teach the ledger:

    from alexnet_lab.arithmetic import Step, rule

    @rule({name})
    def {lower}_rule(layer, shape):  # the shape without the batch: (3, 227, 227)
        return Step(output_shape=shape, parameters=0, macs=0)
"""
_OWN_FORWARD = """{name} derives from {base} but computes in its own way
({name}.forward), so that the rule of {base} may not hold. If it does hold, say so:

    from alexnet_lab.arithmetic import rule, rule_of

    rule({name})(rule_of({full}))

If it doesn't, write a rule with @rule({name}); see alexnet_lab/arithmetic/rules.py.
"""


def is_container(module: nn.Module) -> bool:
    """Say whether a module merely runs its children in order, as nn.Sequential does."""
    kind = type(module)
    if kind in _RULES or "forward" in vars(module):
        return False
    return isinstance(module, nn.Sequential) and kind.forward is nn.Sequential.forward


def step(layer: nn.Module, shape: Shape) -> Step:
    """Apply the rule of a layer to the shape that enters it, without the batch.

    UnknownLayerError if no rule serves the layer, ValueError if it rejects the shape.
    """
    name = type(layer).__name__
    if "forward" in vars(layer):
        raise UnknownLayerError(f"this {name} got a forward that no rule can know.")
    # weight_norm, spectral_norm and pruning leave these behind
    marks = {"weight_g", "weight_orig", "parametrizations"}
    if not marks.isdisjoint({*layer._parameters, *layer._modules}):
        why = f"torch.nn.utils, or its parametrize, makes the weights of this {name}"
        raise UnknownLayerError(f"{why}, and its rule can't tell how many there are.")
    if getattr(layer, "return_indices", False):
        why = "an nn.Sequential can't hand two things on; leave return_indices out"
        raise ValueError(f"returns indices beside its maps, but {why}")
    result = rule_of(type(layer))(layer, shape)
    if not isinstance(result, Step):
        raise TypeError(f"the rule of {name} must return a Step: {result!r}.")
    return result if result.layer else dataclasses.replace(result, layer=name)
