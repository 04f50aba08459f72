"""Networks by name, as the commands ``ledger`` and ``train`` are told them."""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # loaded where a network is built: doctor runs without PyTorch
    from torch import nn

INPUTS = {
    "lenet5": (1, 28, 28),
    "lenet5_1998": (1, 32, 32),
    "alexnet_2012": (3, 227, 227),
    "alexnet_one_tower": (3, 227, 227),
    "alexnet_torchvision": (3, 224, 224),
    "alexnet_mini": (1, 28, 28),
    "alexnet_cifar": (3, 32, 32),
    "krizhevsky_80sec": (3, 32, 32),
    "krizhevsky_18pct": (3, 32, 32),
    "krizhevsky_13pct": (3, 24, 24),
    "krizhevsky_11pct": (3, 24, 24),
}
OWN = "package.module:function or folder/file.py:Class"


def arguments(command: argparse.ArgumentParser) -> None:
    """Let a command be told a network: ``MODEL --set NAME=VALUE --input C,H,W``."""
    text = "channels, height, width, if not the model's own"
    command.add_argument("--input", type=shape, metavar="C,H,W", help=text)
    text = f"{', '.join(INPUTS)}, or your own as {OWN}"
    command.add_argument("model", help=text)
    text = "an argument of the model, for example --set activation=relu"
    command.add_argument(
        "--set", metavar="NAME=VALUE", action="append", default=[], help=text
    )


def shape(text: str) -> tuple[int, ...]:
    """(3, 227, 227) for 3,227,227."""
    return tuple(int(number) for number in text.split(","))


def model(
    options: argparse.Namespace,
) -> tuple[Callable[..., nn.Module], set[str], dict[str, Any]]:
    """What builds the network, the arguments it takes, and what ``--set`` asks."""
    from torch import nn

    module, _, name = options.model.rpartition(":")
    folder, file = os.path.split(module.removesuffix(".py"))
    sys.path.insert(0, folder)  # "", where it is the current one
    try:
        source = importlib.import_module(file or "alexnet_lab.models")
        found = getattr(source, name)
    except (Exception, SystemExit) as error:  # somebody's file may raise anything
        raise ValueError(
            f"no model is called {options.model!r} ({type(error).__name__}: {error}); "
            f"there are {', '.join(INPUTS)}, and your own as {OWN}"
        ) from error
    if isinstance(found, nn.Module):
        return lambda: found, set(), {}
    known, chosen = inspect.signature(found).parameters, {}
    any_name = any(p.kind == p.VAR_KEYWORD for p in known.values())
    for item in options.set:
        key, equals, value = item.partition("=")
        if not equals:
            raise ValueError(f"--set {item!r}: write NAME=VALUE")
        if key not in known and not any_name:
            raise ValueError(
                f"--set {item}: {name} takes {', '.join(known) or 'nothing'}"
            )
        chosen[key] = _value(value, known.get(key))
    return found, {*known, *(["num_classes"] * any_name)}, chosen  # as torchvision's


def _value(text: str, parameter: inspect.Parameter | None) -> Any:
    """What ``--set`` gives a parameter: of its type, else as Python reads it."""
    kind: Any = parameter.annotation if parameter else ""
    if parameter and kind is parameter.empty:
        kind = type(parameter.default)
    kind, value = getattr(kind, "__name__", kind), text
    if kind != "str":
        with suppress(ValueError, SyntaxError):
            value = ast.literal_eval(text.capitalize() if kind == "bool" else text)
    if kind in ("bool", "int") and type(value).__name__ != kind:
        raise ValueError(f"--set {parameter}: {text:.60} is no {kind}")
    return value


def build(options: argparse.Namespace, **defaults: object) -> nn.Module:
    """The network; ``defaults`` are set where it has such an argument."""
    from torch import nn

    builder, known, chosen = model(options)
    arguments = {key: value for key, value in defaults.items() if key in known}
    try:
        net: Any = builder(**arguments | chosen)
    except Exception as error:  # somebody's network may raise anything
        why = f"{error}".partition("\n")[0]  # PyTorch's own may go on for a page
        why = f"{options.model} cannot be built: {type(error).__name__}: {why}"
        raise ValueError(why) from error
    if not isinstance(net, nn.Module):
        raise ValueError(f"{options.model} gives {net!r:.60}, which is no network")
    return net


def input_shape(options: argparse.Namespace) -> tuple[int, ...]:
    """(C, H, W): as asked, a named model's as ``--set`` makes it, or the net's own."""
    import torch

    from alexnet_lab.arithmetic.accounting import own_input

    if options.input:
        return options.input
    if options.model in INPUTS:
        channels, size, _ = INPUTS[options.model]
        chosen = {"in_channels": channels, "image_size": size} | model(options)[2]
        return chosen["in_channels"], chosen["image_size"], chosen["image_size"]
    found = None
    with torch.device("meta"), suppress(ValueError, TypeError):
        found = own_input(build(options))
    if found is None:
        build(options)  # not on the meta device: if it cannot be, it says why
        text = "takes images of many sizes, as far as one can see: say which"
        raise ValueError(f"{options.model} {text}, such as --input 3,224,224")
    return found
