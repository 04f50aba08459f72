"""What counts as the same answer, and what to call one in a message.

Answers are compared as Python's own values: numbers, texts, tuples, dictionaries.
"""

import math
import numbers
import reprlib
from typing import Any

import numpy as np
import torch
from torch import nn


def plain(value: Any) -> Any:
    """Arrays, tensors and sequences as tuples; their numbers as Python's own.

    ValueError for a tensor that has none.
    """
    if isinstance(value, torch.Tensor):
        if value.is_meta:
            raise ValueError("a tensor on the meta device has a shape, but no numbers")
        return plain(value.detach().cpu().tolist())
    if isinstance(value, (np.ndarray, np.generic)):
        return plain(value.tolist())
    if isinstance(value, (list, tuple, range)):
        return tuple(plain(v) for v in value)
    if isinstance(value, dict):
        return {key: plain(v) for key, v in value.items()}
    if isinstance(value, int) and abs(value) > 10**300:  # no float holds it
        return math.copysign(math.inf, 1 if value > 0 else -1)
    return value


def equal(given: Any, expected: Any, tolerance: float) -> bool:
    """Whether two plain values are the same answer.

    True is not 1, a list equals a tuple, text is compared without case and spaces. A
    float is compared with `tolerance`, an int exactly.
    """
    kind = kind_of(given)
    if kind != kind_of(expected):
        return False
    if kind == "number":
        return _close(given, expected, tolerance)
    if kind == "text":
        return _squeezed(given) == _squeezed(expected)
    if kind == "sequence":
        return len(given) == len(expected) and all(
            equal(g, e, tolerance) for g, e in zip(given, expected, strict=True)
        )
    if kind == "mapping":
        return given.keys() == expected.keys() and all(
            equal(given[key], expected[key], tolerance) for key in expected
        )
    try:
        return given is expected or bool(given == expected)
    except Exception:  # some types answer == with an array or an error
        return False


def _close(given: float, expected: float, tolerance: float) -> bool:
    if abs(given) > 1e300:  # too large to be made a float
        return given == expected
    if isinstance(expected, int):  # 784.0 is 784; 783.99 is not
        return given == expected or math.isclose(given, expected, rel_tol=1e-12)
    if math.isnan(expected):
        return math.isnan(given)
    return math.isclose(given, expected, rel_tol=tolerance, abs_tol=tolerance / 100)


def _squeezed(text: str) -> str:
    return "".join(text.split()).casefold()


def kind_of(value: Any) -> str:
    """What a value is to a reader: "number", "text", "sequence", "module" and so on."""
    if isinstance(value, (bool, np.bool_)):
        return "truth value"
    if isinstance(value, numbers.Real):
        return "number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, torch.Tensor) and value.is_meta and not value.ndim:
        return "number"
    if isinstance(value, (torch.Tensor, np.ndarray)):
        return "sequence" if value.ndim else kind_of(value.tolist())
    if isinstance(value, (list, tuple, range)):
        return "sequence"
    if isinstance(value, dict):
        return "mapping"
    if isinstance(value, nn.Module):
        return "module"
    return "function" if callable(value) else type(value).__name__


def same_kind(answer: Any, reference: Any) -> bool:
    """Whether an answer has the kind of the right one; a module is a function too."""
    kinds = kind_of(answer), kind_of(reference)
    if kinds == ("sequence", "sequence") and len(answer) == len(reference):
        return all(same_kind(a, r) for a, r in zip(answer, reference, strict=True))
    return kinds[0] == kinds[1] or kinds == ("module", "function")


def _short(value: Any) -> str:
    try:
        return reprlib.repr(value)
    except ValueError:  # Python writes no number of more than 4,300 digits
        return reprlib.repr(plain(value))


def describe(answer: Any) -> str:
    """Names an answer in a message: "the text 'x'", "a tensor of shape (2, 3)"."""
    if answer is None:
        return "None"
    if isinstance(answer, (torch.Tensor, np.ndarray)):
        noun = "a tensor" if isinstance(answer, torch.Tensor) else "an array"
        return f"{noun} of shape {tuple(answer.shape)}"
    kind = kind_of(answer)
    if kind == "sequence":
        return f"the {type(answer).__name__} {_short(answer)}"
    if kind in ("truth value", "number", "text"):
        return f"the {kind} {reprlib.repr(plain(answer))}"
    if kind == "mapping":
        return "a dictionary"
    if isinstance(answer, type):
        return f"the class {answer.__name__}"
    if kind == "function":
        return f"the function {getattr(answer, '__name__', type(answer).__name__)}"
    return f"an object of type {type(answer).__name__}"
