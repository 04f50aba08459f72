"""What a rule says of a layer, what a row of the ledger is, and where rules are kept.

A rule takes a layer and the shape that enters it, without the batch, and looks at the
layer's settings only, never at its tensors. `_RECIPE` shows how to write one.
"""

import dataclasses
import inspect
import operator
from collections.abc import Callable, Iterable, Sequence
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
    `parameters` are for training to change, frozen or not; `macs` are
    multiply-accumulates with weights, of which a pool, a norm or an activation has
    none; `connections` are LeCun's, for each output its weights and its bias. `window`
    is what the output's positions read of the layer's input, down and across; None
    where they have no place in the image, or no even spacing. `leftover` positions of
    the padded input after the last window are never read, (height, width) where these
    differ. `layer` says what it is, as in `Conv2d 5×5 p2 g2`; by default the name of
    its type.
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
    stood in an earlier row (`shared with …`), and less by `tied` where it uses weights
    of an earlier row's layer. `field` is what the output's positions
    read of the network's input, down and across; None after a layer without a window.
    It follows the windows: what norms learn from the whole map is left out.
    """

    name: str
    module: nn.Module = dataclasses.field(repr=False, compare=False)
    input_shape: Shape
    field: Fields | None
    tied: int = 0

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
    raise UnknownLayerError(f"the ledger has no rule for {name}")


_COMPUTES = {"forward", "__call__", "_conv_forward"}
_RECIPE = """. Teach the ledger what it does:

    from alexnet_lab.arithmetic import Step, rule

    @rule({name})
    def {lower}_rule(layer, shape):  # one image's{here}
        parameters = sum(p.numel() for p in layer.parameters())
        return Step(output_shape=..., macs=..., parameters=parameters)
"""
# what wraps a network, and where the network is; what torch.nn.utils leaves in a layer
WRAPPERS = {"OptimizedModule": "_orig_mod"}
WRAPPERS |= dict.fromkeys(["DataParallel", "DistributedDataParallel"], "module")
_MADE = {
    "parametrizations": 'parametrize.remove_parametrizations(layer, "weight")',
    "weight_g": "remove_weight_norm(layer)",
    "weight_u": "remove_spectral_norm(layer)",
    "weight_orig": 'prune.remove(layer, "weight")',
    "bias_orig": 'prune.remove(layer, "bias")',
}
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


def is_traced(module: nn.Module) -> bool:
    """Say whether torch.jit made a module, which has no settings any more."""
    return type(module).__module__.startswith("torch.jit")


def is_layer(module: nn.Module) -> bool:
    """Say whether a module is one layer: it has a rule, or it is PyTorch's own."""
    try:
        rule_of(type(module))
    except UnknownLayerError:
        torch_s = type(module).__module__.startswith("torch.")
        return torch_s and not is_container(module)
    return "forward" not in vars(module)


def no_rule(layer: nn.Module, shape: Shape | None = None) -> str:
    """Say of a layer without a rule why it has none, or how it gets one."""
    kind, name = type(layer), type(layer).__name__
    text = f"the ledger has no rule for {name} of {kind.__module__}"
    if is_traced(layer):
        how = "Give the network as it was before torch.jit.trace or script"
        return f"{text}: torch.jit keeps what it computes, not its settings. {how}"
    if name in WRAPPERS:
        return f"{text}: it wraps a network. Give what is inside, net.{WRAPPERS[name]}"
    wanted = list(inspect.signature(kind.forward).parameters.values())[1:]
    needs = [p.name for p in wanted if p.default is p.empty and p.kind not in (2, 4)]
    if len(needs) > 1:
        inputs = ", ".join(needs)
        return f"{text}: it takes several inputs ({inputs}); no nn.Sequential holds it"
    children = ", ".join(name for name, _ in layer.named_children())
    text += f", which holds {children}" if children else ""
    return text + recipe(layer, shape)


def recipe(layer: nn.Module, shape: Shape | None = None) -> str:
    """Show a rule for a layer, to be filled in."""
    kind, name = type(layer), type(layer).__name__
    full = f"nn.{name}" if kind.__module__.startswith("torch.nn.modules") else name
    here = f", here {shape}" if shape else ""
    return _RECIPE.format(name=full, lower=name.lower(), here=here)


def called(name: str) -> str:
    """Return a layer's name for a sentence: `conv1`, but `layer 3` for a number."""
    return f"layer {name}" if name.replace(".", "").isdigit() else name


def checked(input_shape: Sequence[int], net: nn.Module) -> Shape:
    """Return a net's input shape as a tuple of ints, or say what is wrong with it."""
    if not isinstance(net, nn.Module):
        made = f"; write {net.__name__}()" if isinstance(net, type) else ""
        raise TypeError(f"needs a network or a layer, not {net!r}{made}.")
    for module in net.modules():
        if type(module).__name__ in WRAPPERS and module is net or is_traced(module):
            raise UnknownLayerError(no_rule(module))
        own = [name for name, p in module._parameters.items() if p is not None]
        if own and is_container(module):
            held = f"{type(module).__name__} holds a parameter of its own, {own[0]}"
            how = "Give it to a layer, whose rule can"
            raise UnknownLayerError(f"{held}, which no layer counts. {how}.")
    right = "a tuple, (channels, height, width), such as (3, 227, 227), or (features,)"
    wrong = f"input_shape must be {right}, but is {input_shape!r}"
    if isinstance(input_shape, str) or not isinstance(input_shape, Sequence):
        raise TypeError(f"{wrong}.")
    whole = (hasattr(n, "__index__") and type(n) is not bool for n in input_shape)
    if not all(whole):
        raise TypeError(f"{wrong}: these must be whole numbers.")
    shape = tuple(map(operator.index, input_shape))  # NumPy's integers are fine, too
    if len(shape) == 4:
        volumes = any("3d" in type(module).__name__ for module in net.modules())
        why = "volumes aren't served" if volumes else "leave out the batch and write "
        raise ValueError(f"{wrong}: {why}{'' if volumes else shape[1:]}.")
    if len(shape) == 2:
        why = f"leave out the batch, ({shape[1]},); a grey image is {(1, *shape)}"
        raise ValueError(f"{wrong}: {why}.")
    if len(shape) not in (1, 3) or min(shape) < 1:
        raise ValueError(f"{wrong}: one or three numbers, each at least 1.")
    return shape


def step(layer: nn.Module, shape: Shape) -> Step:
    """Apply the rule of a layer to the shape that enters it, without the batch.

    UnknownLayerError if no rule serves the layer, ValueError if it rejects the shape.
    """
    name = type(layer).__name__
    if "forward" in vars(layer):
        raise UnknownLayerError(f"this {name} got a forward that no rule can know.")
    held = {*layer._parameters, *layer._modules, *layer._buffers}
    if mark := next((mark for mark in _MADE if mark in held), ""):
        why = f"torch.nn.utils makes the weights of this {name}, so that its rule can't"
        raise UnknownLayerError(
            f"{why} count them. Take that off first: torch.nn.utils.{_MADE[mark]}"
        )
    if _RULES.keys().isdisjoint(type(layer).__mro__):
        raise UnknownLayerError(no_rule(layer, shape))
    if getattr(layer, "return_indices", False):
        why = "an nn.Sequential can't hand two things on; leave return_indices out"
        raise ValueError(f"returns indices beside its maps, but {why}")
    result = rule_of(type(layer))(layer, shape)
    if not isinstance(result, Step):
        raise TypeError(f"the rule of {name} must return a Step: {result!r}.")
    if ... in (result.output_shape, result.macs, result.parameters):
        raise TypeError(f"the rule of {name} still has a `...` to be filled in.")
    return result if result.layer else dataclasses.replace(result, layer=name)
