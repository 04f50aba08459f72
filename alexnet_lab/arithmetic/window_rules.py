"""The ledger's rules for layers that slide a window: convolution, pooling, padding."""

from __future__ import annotations

from typing import Any

from torch import nn

from alexnet_lab.arithmetic.rules import (
    Grid,
    Pair,
    Shape,
    Step,
    both_ways,
    expect_channels,
    grid,
    image,
    pair,
    product,
    rule,
    times,
    worked,
)


@rule(nn.Conv2d)  # and nn.LazyConv2d, which leaves in_channels at 0 until it has run
def conv2d(layer: nn.Conv2d, shape: Shape) -> Step:
    """Size by `output_size`; (kernel·kernel·in/groups + 1)·out parameters."""
    channels, *size = image(shape)
    expect_channels(layer.in_channels or channels, shape)
    if channels % layer.groups:
        raise ValueError(
            f"cannot divide {channels} channels into {layer.groups} groups"
        )
    setting = layer.kernel_size, layer.stride, layer.padding, layer.dilation
    if layer.padding_mode != "zeros":
        _check_copies(layer.padding_mode, size, _borders(grid(size, *setting)))
    windows = grid(size, *setting)
    one_output = *layer.kernel_size, channels // layer.groups
    weights = one_output[0] * one_output[1] * one_output[2]
    biases = int(layer.bias is not None)
    parameters = (weights + biases) * layer.out_channels
    height, width = windows.sizes
    if biases:
        working = worked(f"({product(*one_output)} + 1)", layer.out_channels,
                         result=parameters)  # fmt: skip
    else:
        working = worked(*one_output, layer.out_channels)
    macs = height * width * layer.out_channels * weights
    return Step(
        output_shape=(layer.out_channels, height, width),
        formula=windows.formula,
        parameters=parameters,
        parameters_formula=working,
        macs=macs,
        macs_formula=worked(
            height, width, layer.out_channels, f"({product(*one_output)})", result=macs
        ),
        connections=height * width * parameters,
        label=_label(layer),
        **windows.geometry,
    )


@rule(nn.MaxPool2d, nn.AvgPool2d, nn.LPPool2d)
def pool2d(layer: Any, shape: Shape) -> Step:
    """Size by `output_size`, channel by channel; the stride defaults to the window."""
    channels, *size = image(shape)
    _check_indices(layer)
    stride = layer.kernel_size if layer.stride is None else layer.stride
    padding, dilation = getattr(layer, "padding", 0), getattr(layer, "dilation", 1)
    windows = grid(size, layer.kernel_size, stride, padding, dilation, layer.ceil_mode)
    for way in (windows.height, windows.width):
        if way.before > way.kernel_size // 2:  # whatever the dilation
            raise ValueError(
                f"pads {way.before}, but a pool may pad half its window at most, "
                f"{way.kernel_size}//2 = {way.kernel_size // 2}"
            )
    return Step(
        output_shape=(channels, *windows.sizes),
        formula=windows.formula,
        label=_label(layer),
        **windows.geometry,
    )


@rule(nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)
def adaptive_pool2d(layer: Any, shape: Shape) -> Step:
    """The output size is given (None keeps the input's), and the windows follow."""
    channels, *size = image(shape)
    _check_indices(layer)
    asked = layer.output_size
    if asked is None:
        raise ValueError("keeps no size by None alone; (None, None) keeps both")
    output = tuple(
        n if want is None else want for n, want in zip(size, pair(asked), strict=True)
    )
    if min(output) < 1:
        raise ValueError(f"gives an empty output, {times(*output)}")
    ways = [_adaptive_windows(n, out) for n, out in zip(size, output, strict=True)]
    geometry = {}
    if all(way[1] for way in ways):
        kernel, stride = zip(*(way[1] for way in ways), strict=True)
        geometry = {"kernel": kernel, "stride": stride}
    return Step(
        output_shape=(channels, *output),
        formula=both_ways(*(way[0] for way in ways)),
        label=f"{type(layer).__name__} {times(*output)}",
        leftover=(0, 0),
        **geometry,
    )


def _adaptive_windows(size: int, output: int) -> tuple[str, Pair | None]:
    """Describe the windows of an adaptive pool, and give (kernel, stride) if even.

    Window i runs from ⌊i·size/output⌋ up to ⌈(i + 1)·size/output⌉ (ATen's
    AdaptivePooling.h). These are often, but not always, of one width and evenly apart.
    """
    starts = [i * size // output for i in range(output)]
    ends = [-(-(i + 1) * size // output) for i in range(output)]
    widths = {end - start for start, end in zip(starts, ends, strict=True)}
    apart = {b - a for a, b in zip(starts, starts[1:])} or {size}  # noqa: B905
    if len(widths) == len(apart) == 1 and apart != {0}:
        kernel, stride = widths.pop(), apart.pop()
        return f"{size} → {output}: windows of {kernel}, {stride} apart", (
            kernel,
            stride,
        )
    low, high = min(widths), max(widths)
    wide = f"{low}" if low == high else f"{low} to {high}"
    return f"{size} → {output}: windows of {wide}, unevenly spaced", None


@rule(
    nn.ConstantPad2d,  # and nn.ZeroPad2d
    nn.ReflectionPad2d,
    nn.ReplicationPad2d,
    nn.CircularPad2d,
)
def pad2d(layer: Any, shape: Shape) -> Step:
    """Each end of each direction grows by its padding, or shrinks if it's negative."""
    channels, *size = image(shape)
    if len(layer.padding) != 4:
        raise ValueError(
            f"needs (left, right, top, bottom), but has padding {tuple(layer.padding)}"
        )
    left, right, top, bottom = layer.padding
    borders = (top, bottom), (left, right)
    for kind, mode in _COPIES.items():
        if isinstance(layer, kind):
            _check_copies(mode, size, borders)
    output, workings, cropped = [], [], []
    for n, (before, after) in zip(size, borders, strict=True):
        kept = n + min(before, 0) + min(after, 0)
        output.append(n + before + after)
        cropped.append(n - kept)
        workings.append(_pad_working(n, before, after))
        if output[-1] < 1 or (kept < 0 and isinstance(layer, nn.ConstantPad2d)):
            raise ValueError(f"cuts everything away: {workings[-1]}")
    return Step(
        output_shape=(channels, *output),
        formula=both_ways(*workings),
        kernel=(1, 1),
        stride=(1, 1),
        leftover=tuple(cropped),
        label=f"{type(layer).__name__} {_pad_label(layer.padding)}",
    )


_COPIES = {nn.ReflectionPad2d: "reflect", nn.CircularPad2d: "circular"}


def _check_copies(mode: str, size: Any, borders: tuple[Pair, Pair]) -> None:
    """Raise ValueError where a border asks for more pixels than there are to copy."""
    for n, border in zip(size, borders, strict=True):
        # Circular padding crops first; PyTorch does not check that, and then copies
        # memory that nothing was written to.
        kept = n + sum(min(end, 0) for end in border)
        most = {"reflect": n - 1, "circular": kept}.get(mode, max(border))
        if max(border) > most:
            raise ValueError(
                f"pads {max(border)} by {mode} copies of {n} pixels, which give "
                f"{max(most, 0)} at most"
            )


def _borders(windows: Grid) -> tuple[Pair, Pair]:
    ways = windows.height, windows.width
    return tuple((way.before, way.after) for way in ways)


def _check_indices(layer: Any) -> None:
    if getattr(layer, "return_indices", False):
        raise ValueError(
            "returns its indices too (return_indices=True), which an nn.Sequential "
            "cannot hand on"
        )


def _label(layer: Any) -> str:
    """Return a convolution or a pool on one line: `Conv2d 11×11/4 p2 g2`."""
    stride = layer.kernel_size if layer.stride is None else layer.stride
    parts = [type(layer).__name__, times(*pair(layer.kernel_size))]
    if pair(stride) != (1, 1):
        parts[-1] += f"/{_short(stride)}"
    padding = getattr(layer, "padding", 0)
    if isinstance(padding, str):
        parts += [padding] if padding == "same" else []
    elif pair(padding) != (0, 0):
        parts.append(f"p{_short(padding)}")
    if pair(getattr(layer, "dilation", 1)) != (1, 1):
        parts.append(f"d{_short(layer.dilation)}")
    if getattr(layer, "groups", 1) > 1:
        parts.append(f"g{layer.groups}")
    if getattr(layer, "padding_mode", "zeros") != "zeros":
        parts.append(layer.padding_mode)
    if getattr(layer, "ceil_mode", False):
        parts.append("ceil")
    return " ".join(parts)


def _short(value: Any) -> str:
    height, width = pair(value)
    return f"{height}" if height == width else times(height, width)


def _pad_label(padding: Any) -> str:
    return f"{padding[0]}" if len(set(padding)) == 1 else f"{tuple(padding)}"


def _pad_working(size: int, before: int, after: int) -> str:
    if before == after > 0:
        return f"{size} + 2·{before} = {size + 2 * before}"
    ends = "".join(f" {'−' if end < 0 else '+'} {abs(end)}" for end in (before, after))
    return f"{size}{ends} = {size + before + after}"
