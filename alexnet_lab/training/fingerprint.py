"""What made a checkpoint, in words: two runs are one if all their words agree.

Names, numbers and short texts only, so that a file of weights alone can hold them and
a message can show them. Nothing is called and no random number drawn.
"""

import re
import warnings
import zlib
from dataclasses import fields, is_dataclass
from functools import partial
from itertools import zip_longest
from types import CodeType, FunctionType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

Words = dict[str, Any]
# What data may say of themselves: ours, torchvision's, those of torch.utils.data.
_DATA = (
    "seed", "shuffle", "drop_last", "image_shape", "image_size", "padding", "normalise",
    "mean_image", "augment", "transform", "transforms", "target_transform", "indices",
    "images", "labels", "data", "targets", "tensors",
)  # fmt: skip
# not of an optimizer's settings: fit's, the schedule's, and how this machine computes
_NOT_SAID = {"params", "lr", "fused", "foreach", "capturable", "differentiable"}
_STATE = {"training", "epoch", "rank", "device"}  # what changes in a run, or with it
_PLAIN = (bool, int, float, str, tuple, Tensor)


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be used; the text says what would be right."""


def of_data(batches: Any) -> Words:
    """What batches say of themselves and of the data set that they serve."""
    count = getattr(batches, "count", None)
    said: Words = {
        # a list's count is its method, which would take all batches along
        "images": count if isinstance(count, int) else None,
        "classes": getattr(batches, "classes", None),
    }
    if isinstance(batches, (list, tuple)):
        said["data.first batch"] = in_words(batches[0])
    if (sampler := getattr(batches, "sampler", None)) is not None:
        said["data.sampler"] = type(sampler).__name__
    if isinstance(generator := getattr(batches, "generator", None), torch.Generator):
        said["data.seed"] = generator.initial_seed()
    source = batches
    while source is not None:
        for name in _DATA:
            if (value := getattr(source, name, None)) is not None:
                plain = isinstance(value, (bool, int, str))
                said[f"data.{name}"] = value if plain else in_words(value)
        source = getattr(source, "dataset", None)
    return said


def of_optimizer(optimizer: torch.optim.Optimizer) -> list[str]:
    """A line for each group of parameters: all settings up to the rate."""
    kind, said = type(optimizer).__name__, []
    for group in optimizer.param_groups:
        known = {key: value for key, value in group.items() if key not in _NOT_SAID}
        said.append(f"{kind} of {len(group['params'])} tensors: {_listed(known)}")
    return said


def in_words(value: Any) -> str:
    """A setting as a short text, the same in every process that has the same one."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        value = torch.from_numpy(value)
    if isinstance(value, Tensor):
        return _tensor(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, (list, tuple)):
        more = f", … {len(value):,} in all" if len(value) > 8 else ""
        return f"({', '.join(map(in_words, value[:8]))}{more})"
    if is_dataclass(value) and not isinstance(value, type):
        names = (f.name for f in fields(value) if f.name not in _STATE)
        known = {name: getattr(value, name) for name in names}
        return f"{type(value).__name__}({_listed(known)})"
    if isinstance(value, partial):
        given: Words = {f"{n}": thing for n, thing in enumerate(value.args)}
        given |= value.keywords
        return f"{in_words(value.func)} with {_listed(given)}"
    if isinstance(value, FunctionType):
        return _function(value)
    if value is None or isinstance(value, (bool, int, str, bytes, type)):
        return repr(value)
    return _object(value)


def _listed(known: Words) -> str:
    return ", ".join(f"{key} {in_words(value)}" for key, value in known.items())


def _tensor(value: Tensor) -> str:
    """Its type, shape, and the mean of ten thousand of its numbers."""
    text = f"{value.dtype} {tuple(value.shape)}".removeprefix("torch.")
    flat = value.detach().reshape(-1)
    some = flat[:: max(1, len(flat) // 10_000)].cpu().double()
    text += f", mean {some.mean():.5g}" if len(some) else ""
    first = value.dim() == 1 and not value.is_floating_point()
    return text + f", first {flat[:8].tolist()}" * first


def _function(value: FunctionType) -> str:
    """Its name, a check sum of what it does, and what it keeps from where it was made.

    Lambdas all bear one name, and a function in a notebook is written anew.
    """
    kept = [cell.cell_contents for cell in value.__closure__ or ()]
    kept += [*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
    grows = list, dict, set  # notes of what it was called with, no setting
    kept = [x for x in kept if x is not value and not isinstance(x, grows)]
    text = f"{value.__qualname__} (code {zlib.crc32(_code(value.__code__)):08x})"
    return f"{text} with {in_words(kept)}" if kept else text


def _code(code: CodeType) -> bytes:
    """What Python runs, without its place in a file."""
    parts = [code.co_code, repr(code.co_names).encode()]
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            parts.append(_code(constant))
        elif isinstance(constant, frozenset):  # in an order of its own each time
            parts.append(repr(sorted(map(repr, constant))).encode())
        else:
            parts.append(repr(constant).encode())
    return b"|".join(parts)


def _object(value: Any) -> str:
    """A layer, a transform, an object of somebody's own: what it prints, what it has.

    A loss does not print its label smoothing, nor an object its size.
    """
    text = re.sub(r"\s+", " ", repr(value))
    if type(value).__repr__ is object.__repr__:
        text = type(value).__name__
    text = re.sub(r" at 0x[0-9A-Fa-f]+", "", text)
    own = dict(getattr(value, "__dict__", {}))
    if isinstance(value, nn.Module):
        own |= value.named_buffers(recurse=False)
    known = {
        key: thing
        for key, thing in own.items()
        if key[0] != "_" and key not in _STATE and isinstance(thing, _PLAIN)
    }
    text = text[:2_000]  # of a table, say
    return f"{text} [{_listed(known)}]" if known else text


def compare(where: object, saved: Words, mine: Words, insist: bool) -> bool:
    """Whether a checkpoint's words are this run's; if not, an error that lists both.

    With ``insist`` it is a warning. Of a checkpoint that was written before words of
    its data were kept, what it says is compared, and a warning tells what it does not.

    Raises:
        CheckpointError: they differ.
    """
    keys = list({**saved, **mine})
    if "torch" not in saved:
        keys = [key for key in mine if key in saved]
        untold = ", ".join(key for key in mine if key not in saved)
        text = f"{where} is of an older version, which did not keep {untold}. It is"
        warnings.warn(f"{text} taken for a checkpoint of this run", stacklevel=4)
    differing = [
        f"\n  {key}: {_unlike(saved.get(key), mine.get(key))}"
        for key in keys
        if saved.get(key) != mine.get(key)
    ]
    if not differing:
        return True
    text = f"{where} belongs to another run{''.join(differing)}\n"
    if not insist:
        raise CheckpointError(
            f"{text}Use the same settings to go on with it, or another name. To go on "
            'all the same: resume="anyway" (in a shell, --resume anyway).'
        )
    warnings.warn(f"{text}It goes on all the same.", stacklevel=4)
    return False


def _unlike(old: Any, new: Any) -> str:
    """Show both; of a network the first line, of a list the parts that differ."""
    if isinstance(old, str) and isinstance(new, str) and "\n" in old + new:
        lines = zip_longest(old.splitlines(), new.splitlines(), fillvalue="the end")
        old, new = next((a.strip(), b.strip()) for a, b in lines if a != b)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = [pair for pair in zip(old, new, strict=True) if pair[0] != pair[1]]
        old, new = map(list, zip(*pairs, strict=True))
    return f"{old!r} there, {new!r} here"
