"""What rules share, and those for the layers of torch.nn that image classifiers use."""

import math
from typing import Any

from torch import nn

from alexnet_lab.arithmetic.rules import CountError, Shape, Step, one, rule
from alexnet_lab.arithmetic.sizes import Field, SizeError, Sweep


def slide(*settings: Any) -> tuple[Sweep, Sweep]:
    """Slide a window over an image; settings are `output_size`'s, or pairs of them."""
    (down, across), sweeps = zip(*map(pair, settings), strict=True), list[Sweep]()
    for way, name in ((down, "height"), (across, "width")):
        try:
            sweeps.append(Sweep(*way))
        except SizeError as error:
            where = "" if down == across else f"along the {name}: "
            raise SizeError(f"{where}{error}") from None
    return sweeps[0], sweeps[1]


def slid(ways: tuple[Sweep, Sweep], channels: int, **fields: Any) -> Step:
    """Return the Step of a sliding window; `fields` are further ones of Step."""
    height, width = ways
    return Step(
        output_shape=(channels, height.positions, width.positions),
        formula=both_ways(height.working, width.working),
        window=(height.field, width.field),
        leftover=one(way.leftover for way in ways),
        **fields,
    )


def unchanged(shape: Shape, **fields: Any) -> Step:
    """Return the Step of a layer that works position by position; `fields` as above."""
    if len(shape) == 3:
        fields = {"window": (Field(), Field()), "leftover": 0, **fields}
    return Step(output_shape=shape, **fields)


def image(shape: Shape) -> tuple[int, int, int]:
    """Return (channels, height, width), or say that the shape is no image's."""
    if len(shape) == 3:
        return shape[0], shape[1], shape[2]
    gets = f"{shape[0]:,} features" if len(shape) == 1 else f"{shape}"
    if len(shape) == 2:
        gets += f". With one channel that is (1, {shape[0]}, {shape[1]})"
    raise ValueError(f"expects (channels, height, width), but gets {gets}")


def expect_channels(expected: int, shape: Shape) -> None:
    """Raise CountError unless an image has the expected number of channels."""
    if shape[0] == expected:
        return
    text = f"expects {expected:,} channels, but gets {shape[0]:,} ({times(*shape)})"
    if shape[-1] == expected:
        text += ". PyTorch puts channels first: (channels, height, width)"
    raise CountError(text, expected, shape[0])


def pair(value: Any) -> tuple[Any, Any]:
    """Return a setting for (height, width): one number serves both, as in torch.nn."""
    return (value[0], value[-1]) if isinstance(value, (tuple, list)) else (value, value)


def both_ways(height: str, width: str) -> str:
    """Return two workings as one where they agree."""
    return height if height == width else f"height {height}; width {width}"


def times(*sizes: int) -> str:
    """Return sizes with crosses between, as in `96×55×55`."""
    return "×".join(f"{size}" for size in sizes)


def worked(*factors: Any, result: int | None = None) -> str:
    """Return a product and its result: `55·55·96 = 290,400`."""
    text = "·".join(f if isinstance(f, str) else f"{f:,}" for f in factors)
    return f"{text} = {math.prod(factors) if result is None else result:,}"


def _weighted(bias: object, places: list[int], reads: list[int], outputs: int) -> dict:
    """Count the weights and work of `outputs` units in each place, biases if any."""
    weights, biases = math.prod(reads), int(bias is not None)
    parameters = (weights + biases) * outputs
    macs = math.prod(places) * outputs * weights
    read = "·".join(f"{n:,}" for n in reads)
    work = (outputs, f"({read})") if len(reads) > 1 else (*reads, outputs)
    unit = [f"({read} + 1)"] if biases else reads
    return {
        "parameters": parameters,
        "parameters_formula": worked(*unit, outputs, result=parameters),
        "macs": macs,
        "macs_formula": worked(*places, *work, result=macs),
        "connections": math.prod(places) * parameters,
    }


def short(value: Any) -> str:
    """Return a setting or a size as `3`, or `3×5` where height and width differ."""
    height, width = pair(value)
    return f"{height}" if height == width else times(height, width)


@rule(nn.Conv2d)  # and nn.LazyConv2d, which leaves in_channels at 0 until it has run
def _conv2d(layer: nn.Conv2d, shape: Shape) -> Step:
    channels, *size = image(shape)
    expect_channels(layer.in_channels or channels, shape)
    groups = layer.groups
    if channels % groups:
        raise ValueError(f"cannot divide {channels} channels into {groups} groups")
    ways = slide(size, layer.kernel_size, layer.stride, layer.padding, layer.dilation)
    for way in ways:
        most = {"reflect": way.size - 1, "circular": way.size}.get(layer.padding_mode)
        if most is not None and way.after > most:
            copies = f"{layer.padding_mode} copies of {way.size} pixels"
            raise ValueError(f"pads {way.after} by {copies}, which give {most} at most")
    places = [way.positions for way in ways]
    reads = [*layer.kernel_size, channels // groups]
    counts = _weighted(layer.bias, places, reads, layer.out_channels)
    label = _window_label(layer, layer.stride)
    return slid(ways, layer.out_channels, **counts, layer=label)


@rule(nn.MaxPool2d, nn.AvgPool2d)
def _pool2d(layer: Any, shape: Shape) -> Step:
    channels, *size = image(shape)
    stride = layer.kernel_size if layer.stride is None else layer.stride
    setting = layer.kernel_size, stride, layer.padding, getattr(layer, "dilation", 1)
    ways = slide(size, *setting, bool(layer.ceil_mode))
    for way in ways:
        if way.before > way.kernel_size // 2:  # whatever the dilation
            half = f"half its window, {way.kernel_size}//2 = {way.kernel_size // 2}"
            raise ValueError(f"pads {way.before}, but a pool may pad at most {half}")
    return slid(ways, channels, layer=_window_label(layer, stride))


def _window_label(layer: Any, stride: Any) -> str:
    """Return a convolution or a pool on one line: `Conv2d 11×11/4 p2 g2`."""
    text = f"{type(layer).__name__} {times(*pair(layer.kernel_size))}"
    settings = [
        ("/", stride, 1),
        (" p", 0 if isinstance(layer.padding, str) else layer.padding, 0),
        (" ", "same" if layer.padding == "same" else "", ""),
        (" d", getattr(layer, "dilation", 1), 1),
        (" g", getattr(layer, "groups", 1), 1),
        (" ", getattr(layer, "padding_mode", "zeros"), "zeros"),
    ]
    for mark, value, usual in settings:
        if pair(value) != (usual, usual):
            text += mark + short(value)
    return text + (" ceil" if getattr(layer, "ceil_mode", False) else "")


@rule(nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)
def _adaptive_pool2d(layer: Any, shape: Shape) -> Step:
    """The output size is given (None keeps the input's), and the windows follow."""
    channels, *size = image(shape)
    if layer.output_size is None:
        raise ValueError("keeps no size by None alone; (None, None) keeps both")
    asked = zip(size, pair(layer.output_size), strict=True)
    output = [n if want is None else want for n, want in asked]
    if min(output) < 1:
        raise ValueError(f"gives an empty output, {times(*output)}")
    (down, field), (across, other) = map(_adaptive, size, output)
    return Step(
        output_shape=(channels, *output),
        formula=both_ways(down, across),
        window=(field, other) if field and other else None,
        leftover=0,
        layer=f"{type(layer).__name__} {times(*output)}",
    )


def _adaptive(size: int, output: int) -> tuple[str, Field | None]:
    """Describe the windows of an adaptive pool, and give their field if they are even.

    Window i runs from ⌊i·size/output⌋ to ⌈(i + 1)·size/output⌉ (AdaptivePooling.h).
    """
    starts = [i * size // output for i in range(output)]
    ends = [-(-(i + 1) * size // output) for i in range(output)]
    widths = {end - start for start, end in zip(starts, ends, strict=True)}
    apart = {b - a for a, b in zip(starts, starts[1:], strict=False)} or {size}
    wide, jump = max(widths), max(apart)
    if len(widths) == len(apart) == 1 and jump:
        return f"{size} → {output}: windows of {wide}, {jump} apart", Field(wide, jump)
    text = f"{wide}" if len(widths) == 1 else f"{min(widths)} to {wide}"
    return f"{size} → {output}: windows of {text}, unevenly spaced", None


@rule(nn.ConstantPad2d)  # and nn.ZeroPad2d
def _pad2d(layer: Any, shape: Shape) -> Step:
    """Each end of each direction grows by its padding, or shrinks if it's negative."""
    channels, *size = image(shape)
    left, right, top, bottom = layer.padding
    output, workings, cropped = [], [], []
    for n, ends in zip(size, [(top, bottom), (left, right)], strict=True):
        cropped.append(-sum(min(end, 0) for end in ends))
        output.append(n + sum(ends))
        text = "".join(f" {'−' if end < 0 else '+'} {abs(end)}" for end in ends)
        text = f" + 2·{ends[0]}" if ends[0] == ends[1] > 0 else text
        workings.append(f"{n}{text} = {output[-1]}")
        if output[-1] < 1 or cropped[-1] > n:
            raise ValueError(f"cuts everything away: {workings[-1]}")
    label = left if len(set(layer.padding)) == 1 else tuple(layer.padding)
    return Step(
        output_shape=(channels, *output),
        formula=both_ways(*workings),
        window=(Field(offset=-top), Field(offset=-left)),
        leftover=one(cropped),
        layer=f"{type(layer).__name__} {label}",
    )


@rule(
    nn.CELU, nn.ELU, nn.GELU, nn.Hardshrink, nn.Hardsigmoid, nn.Hardswish, nn.Hardtanh,
    nn.Identity, nn.LeakyReLU, nn.LogSigmoid, nn.Mish, nn.RReLU, nn.ReLU, nn.ReLU6,
    nn.SELU, nn.SiLU, nn.Sigmoid, nn.Softplus, nn.Softshrink, nn.Softsign, nn.Tanh,
    nn.Tanhshrink, nn.Threshold,
)  # fmt: skip
def _elementwise(layer: nn.Module, shape: Shape) -> Step:
    return unchanged(shape)


@rule(nn.Softmax, nn.LogSoftmax)
def _softmax(layer: Any, shape: Shape) -> Step:
    if layer.dim is not None:
        _dimension(layer.dim, shape)
    return unchanged(shape)


@rule(nn.Dropout, nn.Dropout2d, nn.AlphaDropout, nn.FeatureAlphaDropout)
def _dropout(layer: Any, shape: Shape) -> Step:
    return unchanged(shape, layer=f"{type(layer).__name__} {layer.p:g}")


@rule(nn.PReLU)
def _prelu(layer: nn.PReLU, shape: Shape) -> Step:
    slopes = layer.num_parameters
    if slopes > 1:
        expect_channels(slopes, shape)
    return unchanged(shape, parameters=slopes, parameters_formula=worked(1, slopes))


@rule(nn.LocalResponseNorm)
def _local_response_norm(layer: nn.LocalResponseNorm, shape: Shape) -> Step:
    if len(shape) < 2:
        raise ValueError(f"expects channels of maps, but gets {shape[0]:,} features")
    return unchanged(shape, layer=f"LocalResponseNorm {layer.size}")


@rule(nn.BatchNorm1d, nn.LazyBatchNorm1d, nn.BatchNorm2d, nn.LazyBatchNorm2d,
      nn.InstanceNorm2d, nn.LazyInstanceNorm2d)  # fmt: skip
def _norm(layer: Any, shape: Shape) -> Step:
    """One scale and one shift a channel; running averages are no parameters."""
    if not isinstance(layer, (nn.BatchNorm1d, nn.LazyBatchNorm1d)):
        image(shape)
    elif len(shape) > 2:
        gets = f"gets {times(*shape)}: images need BatchNorm2d"
        raise ValueError(f"expects (features,), but {gets}")
    if layer.affine or layer.track_running_stats:
        expect_channels(layer.num_features or shape[0], shape)  # 0: lazy, not run yet
    alone = isinstance(layer, (nn.InstanceNorm2d, nn.LazyInstanceNorm2d))
    if alone and math.prod(shape[1:]) == 1 and not layer.track_running_stats:
        raise ValueError(f"needs more than one pixel a map, but gets {times(*shape)}")
    return _scaled(layer, shape, shape[0])


@rule(nn.GroupNorm)
def _group_norm(layer: nn.GroupNorm, shape: Shape) -> Step:
    expect_channels(layer.num_channels, shape)
    return _scaled(layer, shape, layer.num_channels)


@rule(nn.LayerNorm, nn.RMSNorm)
def _layer_norm(layer: Any, shape: Shape) -> Step:
    """A scale, and in LayerNorm a shift, for each number of the trailing dimensions."""
    wanted = tuple(layer.normalized_shape)
    got = shape[-len(wanted) :]
    if got != wanted:
        gets = f"a shape that ends in {times(*wanted)}, but gets {times(*shape)}"
        raise CountError(f"expects {gets}", math.prod(wanted), math.prod(got))
    return _scaled(layer, shape, *wanted)


def _scaled(layer: Any, shape: Shape, *sizes: int) -> Step:
    """Return the Step of a norm: nothing to train, a scale, or a scale and a shift."""
    has = sum(getattr(layer, name, None) is not None for name in ("weight", "bias"))
    if not has:
        return unchanged(shape)
    count, working = has * math.prod(sizes), worked(has, *sizes)
    return unchanged(shape, parameters=count, parameters_formula=working)


@rule(nn.Flatten)
def _flatten(layer: nn.Flatten, shape: Shape) -> Step:
    """Dimensions start_dim to end_dim become one; the batch is dimension 0."""
    start, end = (_dimension(dim, shape) for dim in (layer.start_dim, layer.end_dim))
    if start > end:
        raise ValueError(f"starts at dimension {start + 1}, after its end {end + 1}")
    if start < 0 < end + 1:
        remedy = "start_dim=1 leaves the images apart"
        raise ValueError(f"merges the batch into the features (start_dim=0); {remedy}")
    if start == end:
        return unchanged(shape)
    merged = shape[start : end + 1]
    output = (*shape[:start], math.prod(merged), *shape[end + 1 :])
    return Step(output_shape=output, formula=worked(*merged))


def _dimension(dim: int, shape: Shape) -> int:
    """Turn a dimension of a batch into one of a shape without it: −1 is the batch."""
    dims = len(shape) + 1
    if not -dims <= dim < dims:
        batch = f"a batch of {times(*shape)} has {dims} dimensions"
        raise ValueError(f"works on dimension {dim}, but {batch}")
    return dim % dims - 1


@rule(nn.Linear)  # and nn.LazyLinear, which leaves in_features at 0 until it has run
def _linear(layer: nn.Linear, shape: Shape) -> Step:
    *places, gets = shape
    features, outputs = layer.in_features or gets, layer.out_features
    if features != gets:
        text = f"expects {features:,} features, but gets {times(*shape)}"
        if places:
            fits = "fits" if math.prod(shape) == features else "doesn't fit either"
            text += f". A Linear works on the last dimension only, which is {gets}: "
            text += f"an nn.Flatten() before it is missing. {worked(*shape)} {fits}"
        raise CountError(text, features, gets)
    return Step(
        output_shape=(*places, outputs),
        **_weighted(layer.bias, places, [features], outputs),
        layer=f"{type(layer).__name__} {features:,}→{outputs:,}",
    )
