"""What to say where a network and its input don't fit: searches and messages.

The searches apply the rules of the layers to one square input after the other. They
run only once something is wrong, or when `Ledger.minimum_input` is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import dropwhile, takewhile
from typing import TYPE_CHECKING

from torch import nn

from alexnet_lab.arithmetic import rules
from alexnet_lab.arithmetic.rules import FeatureError, Shape
from alexnet_lab.arithmetic.sizes import SizeError

if TYPE_CHECKING:
    from alexnet_lab.arithmetic.accounting import Row

# Inputs up to this side are tried one by one; beyond it, larger is taken to fit too.
_SEARCHED = 512


def smallest_square(
    layers: Sequence[nn.Module], channels: int, fits: int | None = None
) -> int | None:
    """Return the side of the smallest square image that all image layers accept.

    Image layers are those before the first Flatten or Linear. `fits` is a side that is
    known to do. None where no side does.
    """
    stack = list(takewhile(_is_spatial, layers))
    limit = fits or _SEARCHED
    for side in range(1, limit + 1):
        if passes(stack, (channels, side, side)):
            return side
    if fits:
        return None
    low, high = limit, 2 * limit
    while not passes(stack, (channels, high, high)):
        low, high = high, 2 * high
        if high > 2**16:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        if passes(stack, (channels, middle, middle)):
            high = middle
        else:
            low = middle
    return high


def passes(layers: Sequence[nn.Module], shape: Shape) -> Shape | None:
    """Return the shape after all layers, or None where one of them rejects it."""
    try:
        for layer in layers:
            shape = rules.step(layer, shape).output_shape
    except (ValueError, rules.UnknownLayerError):
        return None
    return shape


def squares_that_fit(
    layers: Sequence[nn.Module], channels: int, up_to: int
) -> tuple[int, int] | None:
    """Return the first and last side of the square images that all layers accept.

    None where no side from 1 to `up_to` does.
    """
    sides = range(1, up_to + 1)
    fitting = dropwhile(lambda n: not passes(layers, (channels, n, n)), sides)
    run = list(takewhile(lambda n: passes(layers, (channels, n, n)), fitting))
    return (run[0], run[-1]) if run else None


def explain(
    error: ValueError,
    index: int,
    name: str,
    layers: Sequence[nn.Module],
    input_shape: Shape,
    rows: Sequence[Row],
) -> str:
    """Return the message for a layer that rejected its input.

    Args:
        error: what its rule said.
        index, name: the layer's place among `layers`, all layers of the net.
        rows: the ledger's rows before it.
    """
    if isinstance(error, FeatureError):
        return _features(error, index, name, layers, input_shape, rows)
    who = f"{called(name)} ({type(layers[index]).__name__})"
    text = f"{error}".rstrip(".")
    if not isinstance(error, SizeError):
        return f"{who} {text}."
    text = f"{who}: {text}."
    if len(input_shape) != 3:
        return text
    ladder = _ladder(input_shape, rows)
    if "→" in ladder:
        text += f"\nSizes so far, from the input on: {ladder}."
    return "\n".join([text, *_enough(layers, input_shape)])


def called(name: str) -> str:
    """Return a layer's name for a sentence: `conv1`, but `layer 3` for a number."""
    return f"layer {name}" if name.replace(".", "").isdigit() else name


def end_of_image(layers: Sequence[nn.Module]) -> nn.Module | None:
    """Return the first layer that is no image layer; None where all are."""
    return next((layer for layer in layers if not _is_spatial(layer)), None)


def _enough(layers: Sequence[nn.Module], input_shape: Shape) -> list[str]:
    """Say how large a square must be: for the image layers, and for the whole net."""
    channels, *size = input_shape
    smallest = smallest_square(layers, channels)
    if smallest is None:
        return []
    end = end_of_image(layers)
    if end is None:
        return [f"The smallest square input is {smallest}."]
    before = f"The layers before the {type(end).__name__}"
    text = f"{before} need at least {smallest}×{smallest}"
    up_to = 2 * max(*size, smallest, _SEARCHED)
    found = squares_that_fit(layers, channels, up_to)
    if found is not None:
        text += f"; square inputs that fit the whole net: {_from_to(found, up_to)}"
    return [f"{text}."]


def _features(
    error: FeatureError,
    index: int,
    name: str,
    layers: Sequence[nn.Module],
    input_shape: Shape,
    rows: Sequence[Row],
) -> str:
    """Explain a Linear that gets another number of features than it expects."""
    if not rows or len(rows[-1].output_shape) > 1:
        return f"{called(name)} {error}."
    source = next((r for r in reversed(rows) if r.input_shape != r.output_shape), None)
    expects = f"{called(name)} expects {error.expected:,} features"
    if source is None:
        return f"{expects} but gets {rows[-1].output_shape[0]:,}."
    gives = source.formula or f"{source.output_shape[0]:,}"
    text = f"{expects} but {called(source.name)} gives {gives}"
    if len(input_shape) != 3 or len(source.input_shape) != 3:
        return f"{text}."
    return (
        f"{text}; {_fitting(error, index, layers, input_shape)}.\n"
        f"Sizes here, from the input on: {_ladder(input_shape, rows)}."
    )


def _fitting(
    error: FeatureError, index: int, layers: Sequence[nn.Module], input_shape: Shape
) -> str:
    up_to = 2 * max(*input_shape[1:], _SEARCHED)
    found = squares_that_fit(layers[: index + 1], input_shape[0], up_to)
    if found is None:
        return f"no square input gives {error.expected:,}, so change the layer"
    return f"square inputs that fit: {_from_to(found, up_to)}"


def _from_to(sides: tuple[int, int], up_to: int) -> str:
    """Return a range of sides, of which those up to `up_to` were tried."""
    first, last = sides
    if last == up_to:
        return f"{first} or more"
    return f"{first} to {last}" if last > first else f"{first}"


def _ladder(input_shape: Shape, rows: Sequence[Row]) -> str:
    """Return the sizes of the maps from the input on: `224 → 54 → 26 → 12 → 5`."""
    sizes = [input_shape[1:]]
    for row in takewhile(lambda row: len(row.output_shape) == 3, rows):
        if row.output_shape[1:] != sizes[-1]:
            sizes.append(row.output_shape[1:])
    return " → ".join(_size(*size) for size in sizes)


def _size(height: int, width: int) -> str:
    return f"{height}" if height == width else f"{height}×{width}"


def _is_spatial(layer: nn.Module) -> bool:
    return not isinstance(layer, (nn.Flatten, nn.Unflatten, nn.Linear))
