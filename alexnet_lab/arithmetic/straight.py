"""Anybody's straight network as a flat nn.Sequential, read by calling it once.

A copy on the meta device, where tensors have shapes but no numbers, is called, and what
it calls is written down: layers by their names, functions as the layers that do the
same. Straight means that each step gets what the step before gave, and nothing else.
"""

import copy
import inspect
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode

from alexnet_lab.arithmetic import rules
from alexnet_lab.arithmetic.layers import worked
from alexnet_lab.arithmetic.rules import Shape, UnknownLayerError, called

BATCH = 61  # images in the call: hardly any layer's size, and no multiple of 36
_LAYERS: dict[str, type[nn.Module]] = {  # for functions; the settings' order is theirs
    "adaptive_avg_pool2d": nn.AdaptiveAvgPool2d, "avg_pool2d": nn.AvgPool2d,
    "adaptive_max_pool2d": nn.AdaptiveMaxPool2d, "max_pool2d": nn.MaxPool2d,
    "dropout": nn.Dropout, "dropout2d": nn.Dropout2d, "elu": nn.ELU, "gelu": nn.GELU,
    "flatten": nn.Flatten, "hardsigmoid": nn.Hardsigmoid, "hardswish": nn.Hardswish,
    "hardtanh": nn.Hardtanh, "leaky_relu": nn.LeakyReLU, "mish": nn.Mish,
    "local_response_norm": nn.LocalResponseNorm, "log_softmax": nn.LogSoftmax,
    "pad": nn.ConstantPad2d, "relu": nn.ReLU, "relu6": nn.ReLU6, "selu": nn.SELU,
    "sigmoid": nn.Sigmoid, "silu": nn.SiLU, "softmax": nn.Softmax,
    "softplus": nn.Softplus, "softsign": nn.Softsign, "tanh": nn.Tanh,
}  # fmt: skip
_DEFAULTS = {"flatten": {"start_dim": 0}, "pad": {"value": 0}}
_VIEWS = {"view", "reshape", "squeeze"}
_KEEP = {"clone", "contiguous", "float", "to"}  # what they give is what they got
_WORDS = {"add": "an addition", "iadd": "an addition", "cat": "a concatenation"}


class BranchError(ValueError):
    """A network that isn't straight, so that no nn.Sequential does what it does."""


def as_sequential(net: nn.Module, input_shape: Sequence[int]) -> nn.Sequential:
    """Turn a straight network into a flat nn.Sequential of its layers. Taught in 05.

    `input_shape` is one image's, without the batch. The layers are shared, weights and
    all, and keep their names (a dot becomes `_`). One that works in several places is
    numbered and, if it has no weights, copied. Functions (`F.relu`, `x.view`) become
    layers. Then both nets run on two random images, in training mode with one seed and
    in evaluation, and must agree; but not if the net is on the meta device, or has lazy
    layers that haven't run.

    Raises:
        BranchError: the net isn't straight; the message names the layer where.
        ValueError: a layer rejects this shape, or no nn.Sequential does what the net
            does, such as a `view` that cuts an image in two.
    """
    shape = rules.checked(input_shape, net)
    reading = Reading(net, shape)
    if reading.doubts:
        raise ValueError(f"{reading.doubts[0]}.")
    result = reading.sequential()
    if not any(t.is_meta or is_lazy(t) for t in (*net.parameters(), *net.buffers())):
        _hold_against(net, result, shape)
    return result


class Reading(TorchFunctionMode):
    """What a net does with images of one shape; BranchError if it isn't straight.

    `layers` are named, in the order of the work. `doubts` says where PyTorch would
    stop, or an nn.Sequential do something else. `text` is how it was read, in a line.
    """

    def __init__(self, net: nn.Module, input_shape: Shape) -> None:
        super().__init__()
        self.net, self.inside, self.blocks = net, False, [net]
        self.steps: list[tuple[str, nn.Module]] = []
        self.doubts: list[str] = []
        self.head = _images(input_shape)
        # all that comes of the images, who made it, who used it first
        self.made_by = {id(self.head): (self.head, "the input")}
        self.used_by: dict[int, str] = {}
        self._call()
        self.layers = list(self._named())
        ran = {id(layer) for _, layer in self.steps}
        idle = [name for name, module in net.named_modules()
                if not any(module.children()) and id(module) not in ran]  # fmt: skip
        self.text = f"Read by calling {type(net).__name__} once, without its weights"
        self.text += f"; never called: {', '.join(idle)}" if idle else ""

    def sequential(self) -> nn.Sequential:
        """The layers as a flat nn.Sequential."""
        layers = ((name.replace(".", "_"), layer) for name, layer in self.layers)
        result = nn.Sequential(OrderedDict(layers))
        result.training = self.net.training  # train() would reach into shared layers
        return result

    def _call(self) -> None:
        """Call a copy of the net, and see that it returns what its last layer gave."""
        try:
            twin, empty = self._watched()
            with self, torch.no_grad():
                result = functional_call(twin, empty, self.head)
        except BranchError:
            raise
        except Exception as error:  # somebody's forward may raise anything
            raise self._branch(f"stops{self._where}: {error}") from error
        if result is None:
            raise self._branch("returns None: is `return x` missing at its end?")
        if result is not self.head:
            names = [self.made_by[id(t)][1] for t in self._of_images(result)]
            gives = " and ".join(f"what {called(name)} gives" for name in names)
            last = "an nn.Sequential returns what its last layer gives, and no more"
            raise self._branch(f"returns {gives or result}; {last}")

    def _watched(self) -> tuple[nn.Module, dict[str, Tensor]]:
        """A copy of the net whose modules report to this reading, and empty tensors.

        A module that is neither a layer nor holds any may turn out to be one.
        """
        named = (*self.net.named_parameters(), *self.net.named_buffers())
        tensors = {name: tensor for name, tensor in named if not is_lazy(tensor)}
        shared: dict[int, Any] = {id(tensor): tensor for tensor in tensors.values()}
        twin = copy.deepcopy(self.net, shared).train()
        pairs = zip(self.net.named_modules(), twin.modules(), strict=True)
        for (name, layer), other in list(pairs):
            if rules.is_layer(layer) or not any(layer.children()):
                other.forward = partial(self._leaf, name, layer, other.forward)
            elif not rules.is_container(layer):
                other.forward = partial(self._enter, layer, other.forward)
        return twin, {name: tensor.to("meta") for name, tensor in tensors.items()}

    def _enter(self, block: nn.Module, run: Callable, *args: Any, **kwargs: Any) -> Any:
        """Go into somebody's own module; after an error it is the last of `blocks`."""
        self.blocks.append(block)
        result = run(*args, **kwargs)
        self.blocks.pop()
        return result

    def _leaf(self, name: str, layer: nn.Module, run: Callable, *args: Any,
              **kwargs: Any) -> Any:  # fmt: skip
        """Note a layer of the net; `run` is what its copy would do."""
        if self.inside or not (found := self._of_images(args, kwargs)):
            return run(*args, **kwargs)
        if len(args) + len(kwargs) > 1:
            one = "a layer of an nn.Sequential gets one"
            raise self._branch(f"gives {called(name)} several inputs; {one}")
        if not rules.is_layer(layer):  # somebody's own: its inside may be layers
            before = self.head, self.steps[:], self.doubts[:]
            try:
                return run(*args, **kwargs)
            except Exception:
                self.head, self.steps, self.doubts = before
        return self._step(name or type(layer).__name__.lower(), layer, found, run)

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Take a function that gets the images for a layer, if one does the same."""
        kwargs, name = kwargs or {}, func.__name__
        if self.inside or not (found := self._of_images(args, kwargs)):
            return func(*args, **kwargs)
        if name.endswith("_") and not name.endswith("__"):
            name, kwargs = name[:-1], kwargs | {"inplace": True}
        if name in _KEEP or kwargs.get("training") is False:
            return found[0]
        if layer := _layer_for(name, args, kwargs):
            return self._step(name, layer, found)
        try:
            result = func(*args, **kwargs)
        except Exception as error:
            if name in _VIEWS:
                return self._flatten(name, found, args, None)
            self._check_straight(name, found)
            raise self._branch(f"calls {name}{self._where}: {error}") from error
        if name in _VIEWS:
            return self._flatten(name, found, args, result)
        if tensors := list(_tensors(result)):
            self._check_straight(name, found)
            what = f"calls {name}{self._where}, and no layer of torch.nn does that"
            if not any(tensor.dim() for tensor in tensors):
                what += ": it looks at the numbers themselves, as if to decide by them"
            raise self._branch(what)
        return result  # a question about the shape

    def _flatten(self, name: str, found: list[Tensor], args: Any,
                 result: Tensor | None) -> Tensor:  # fmt: skip
        """Take a view for a Flatten; without a result it is one that can't be."""
        x, kept = found[0], 1 if result is None else result.dim() - 1
        if result is not None and result.shape == x.shape:
            return x
        if result is None or kept < 1 or result.shape[:kept] != x.shape[:kept]:
            asks, kept = ", ".join(f"{n}" for n in args[1:]), 1
            self.doubts.append(
                f"{name}({asks}){self._where} doesn't leave each image a row of its "
                f"own, as nn.Flatten does: an image has {worked(*x.shape[1:])} numbers"
            )
        return self._step("flatten", nn.Flatten(kept), found)

    def _step(self, name: str, layer: nn.Module, found: list[Tensor],
              run: Callable | None = None) -> Tensor:  # fmt: skip
        """Note a layer that gets the head; what it gives is the new head."""
        self._check_straight(name, found)
        x = output = self.head
        shape = tuple(x.shape[1:])
        try:
            output = _images(rules.step(layer, shape).output_shape)
        except UnknownLayerError:
            self.inside = True
            with suppress(Exception):  # on the meta device not everything runs
                output = run(x) if run else x
            self.inside = False
        except ValueError as error:  # go on with what is likely, to see all layers
            self.doubts.append(f"{called(name)} {error}".rstrip("."))
            channels = getattr(layer, "out_channels", shape[0])
            likely = channels, *shape[1:-1], getattr(layer, "out_features", shape[-1])
            output = _images(likely[: len(shape)])
        if getattr(layer, "inplace", False):
            output = x
        self.steps.append((name, layer))
        self.used_by[id(x)] = name
        self.head, self.made_by[id(output)] = output, (output, name)
        return output

    def _check_straight(self, name: str, found: list[Tensor]) -> None:
        """Raise BranchError unless a step gets the head, once, and nothing else."""
        for old in [t for t in found if t is not self.head] or found[1:]:
            after = called(self.made_by[id(old)][1])
            there = called(_WORDS.get(name.strip("_"), name))
            first = called(self.used_by.get(id(old), "")) or there
            ways = f"goes two ways after {after}: to {first}, and to {there}"
            raise self._branch(f"{ways}; an nn.Sequential goes one")

    def _branch(self, what: str) -> BranchError:
        names, block = [name for name, _ in self.steps], self.blocks[-1]
        names = ["…"] * (len(names) > 9) + names[-9:] or ["nothing"]
        text = f"{type(block).__name__}.forward {what}."
        text += f"\nStraight until there: {', '.join(names)}."
        if block is not self.net:
            text += f"\nWith a rule, {type(block).__name__} counts as one layer"
            text += rules.recipe(block)
        return BranchError(text)

    @property
    def _where(self) -> str:
        return f" after {called(self.steps[-1][0])}" if self.steps else " at the start"

    def _of_images(self, *values: Any) -> list[Tensor]:
        return [tensor for tensor in _tensors(values) if id(tensor) in self.made_by]

    def _named(self) -> Iterator[tuple[str, nn.Module]]:
        """Number the names that come several times; copy what has no weights."""
        total, count = Counter(name for name, _ in self.steps), Counter[str]()
        for name, layer in self.steps:
            count[name] += 1
            if count[name] > 1 and not (*layer.parameters(), *layer.buffers()):
                layer = copy.deepcopy(layer)
            yield f"{name}_{count[name]}" if total[name] > 1 else name, layer


def _layer_for(name: str, args: Any, kwargs: Any) -> nn.Module | None:
    """Return the layer that does what a call of a function does, if there is one."""
    other = kwargs.get("dtype") or kwargs.get("mode", "constant") != "constant"
    if name not in _LAYERS or other:
        return None
    known = list(inspect.signature(_LAYERS[name]).parameters)
    settings = dict(zip(known, args[1:], strict=False)) | kwargs
    settings = {k: v for k, v in settings.items() if k in known and v is not None}
    return _LAYERS[name](**{**_DEFAULTS.get(name, {}), **settings})


def _images(shape: Shape) -> Tensor:
    return torch.empty(BATCH, *shape, device="meta")


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _tensors(item)


def _hold_against(net: nn.Module, flat: nn.Module, shape: Shape) -> None:
    """Raise ValueError unless both make the same of two images; neither is changed."""
    modes = {module: module.training for one in (net, flat) for module in one.modules()}
    like = next((p for p in net.parameters() if p.is_floating_point()), torch.empty(0))
    images = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0)).to(like)
    try:
        for mode in ("evaluation", "training"):
            for one in (net, flat):
                one.train(mode == "training")
            theirs, ours = run_aside(net, images), run_aside(flat, images)
            if not torch.allclose(theirs, ours, rtol=1e-3, atol=1e-5, equal_nan=True):
                raise ValueError(
                    f"in {mode} mode, {type(net).__name__} and its layers in order "
                    "differ. Does F.dropout lack training=self.training?"
                )
    finally:
        for module, training in modes.items():
            module.training = training


def run_aside(net: nn.Module, images: Tensor) -> Any:
    """A net's outputs; its averages and the random numbers stay as they were."""
    buffers = {name: buffer.clone() for name, buffer in net.named_buffers()}
    cuda = [images.device] if images.is_cuda else []
    with torch.random.fork_rng(cuda), torch.no_grad():
        torch.manual_seed(0)
        return functional_call(net, buffers, images.clone())
