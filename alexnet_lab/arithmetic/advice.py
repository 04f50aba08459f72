"""What to say where a network and its input don't fit: searches and messages.

A square input is too small for a net, fits, or is too large, in this order as it grows,
so that halving the range finds the ends; those that are reported were tried.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import partial
from itertools import groupby, takewhile

from torch import nn

from alexnet_lab.arithmetic.layers import short
from alexnet_lab.arithmetic.rules import CountError, Row, Shape, UnknownLayerError, step
from alexnet_lab.arithmetic.sizes import SizeError


def squares(layers: Sequence[nn.Module], channels: int, up_to: int) -> range:
    """Return the sides, up to `up_to`, of the squares that all layers accept."""
    sides, judge = range(up_to + 1), partial(_judge, layers, channels)
    first = bisect_left(sides, 0, lo=1, key=judge)
    return range(first, bisect_right(sides, 0, lo=first, key=judge))


def _sides(layers: Sequence[nn.Module], channels: int, up_to: int) -> str:
    """Return the sides that fit, as in `227 to 258`; empty where none up to here do."""
    fit = squares(layers, channels, up_to)
    if len(fit) < 2:
        return f"{fit[0]}" if fit else ""
    return f"{fit[0]} or more" if fit[-1] == up_to else f"{fit[0]} to {fit[-1]}"


def _judge(layers: Sequence[nn.Module], channels: int, side: int) -> int:
    """Say whether a square is too small for some layer (−1), fits (0), or too large."""
    shape: Shape = channels, side, side
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


def called(name: str) -> str:
    """Return a layer's name for a sentence: `conv1`, but `layer 3` for a number."""
    return f"layer {name}" if name.replace(".", "").isdigit() else name


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
