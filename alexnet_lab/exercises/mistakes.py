"""Mistakes that any question may meet, told apart and said in words.

Each check returns a sentence, or None where it does not apply.
"""

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any

from torch import nn

from alexnet_lab.exercises.answers import equal, kind_of
from alexnet_lab.exercises.running import Endless, Seen, outcome


def before_comparing(answer: Any, given: Any, seen: Seen) -> str | None:
    """What makes a comparison pointless: no result, or no end."""
    if isinstance(given, Endless):
        return (
            "Your answer was still running after half a minute and was stopped: look "
            "for a loop whose condition never becomes false."
        )
    results = given if isinstance(given, tuple) and given else (given,)
    if callable(answer) and seen.printed and all(one is None for one in results):
        return "Your function prints its result; write return instead of print."
    if isinstance(answer, nn.Sequential) and len(answer) == 0:
        return "The nn.Sequential is empty: it holds no layer yet."
    return None


def of_value(given: Any, expected: Any) -> str | None:
    """A number as a text, a near miss, a slipped decimal point."""
    if kind_of(given) == "text" and kind_of(expected) == "number":
        try:
            float(given.replace(",", ""))
        except ValueError:
            return None
        return "That is a text: leave the quotation marks out."
    if kind_of(given) != "number" or kind_of(expected) != "number":
        return None
    given, expected = float(given), float(expected)
    if not (math.isfinite(given) and given and expected):
        return None
    ratio = given / expected
    if isinstance(expected, float) and abs(ratio - 1) < 5e-3 and expected % 1:
        return "Nearly: round at the very end, or give more digits."
    if ratio < 0 and equal(-given, expected, 1e-3):
        return "The size is right, the sign is not."
    power = round(math.log10(abs(ratio)))
    if power and abs(ratio / 10.0**power - 1) < 1e-3:
        return "The digits are right, the power of ten is not: count the zeros."
    return None


def of_function(
    answer: Any, given: Any, expected: Any, seen: Seen, reference: Seen
) -> str | None:
    """It changes what it is given, or knows one answer by heart."""
    if seen.changed_argument and not reference.changed_argument:
        return "Your function changes what it is given; work on a copy (.clone())."
    if not callable(answer) or not isinstance(given, tuple) or len(given) < 2:
        return None
    same = all(equal(one, given[0], 0.0) for one in given)
    if (
        same
        and isinstance(expected, tuple)
        and any(equal(given[0], one, 1e-6) for one in expected)
    ):
        return (
            "Your function gives one answer to every question: it knows the example "
            "by heart. Compute from the arguments."
        )
    return None


def of_network(
    probe: Callable[[Any], Any],
    answer: Any,
    reference: Any,
    right: Callable[[Any], bool],
) -> str | None:
    """Right only in evaluation mode; or a layer of the wrong kind."""
    if not isinstance(answer, nn.Module):
        return None
    if answer.training:
        given, _ = outcome(probe, copy.deepcopy(answer).eval())
        if right(given):
            return "Right, once it is in evaluation mode: call .eval() on it."
    if not isinstance(answer, nn.Sequential) or not isinstance(
        reference, nn.Sequential
    ):
        return None
    return next(_other_kinds(answer, reference), None)


def _other_kinds(answer: nn.Sequential, reference: nn.Sequential) -> Iterator[str]:
    """The first layer whose class differs, where the number of layers is right."""
    if len(answer) != len(reference):
        return
    for (name, layer), (_, wanted) in zip(
        answer.named_children(), reference.named_children(), strict=True
    ):
        if type(layer) is not type(wanted):
            kind = type(layer).__name__
            yield f"Look at layer {name!r}: {kind} is not the kind of layer due there."
