"""The ledger's rules for layers without a sliding window.

Activations, norms, dropout, flatten, linear, and layers that rearrange an image.
"""

from __future__ import annotations

import math
from typing import Any

from torch import nn

from alexnet_lab.arithmetic.rules import (
    FeatureError,
    Shape,
    Step,
    both_ways,
    expect_channels,
    image,
    pair,
    product,
    rule,
    times,
    unchanged,
    worked,
)


@rule(
    nn.CELU, nn.ELU, nn.GELU, nn.Hardshrink, nn.Hardsigmoid, nn.Hardswish,
    nn.Hardtanh, nn.LeakyReLU, nn.LogSigmoid, nn.Mish, nn.RReLU, nn.ReLU, nn.ReLU6,
    nn.SELU, nn.SiLU, nn.Sigmoid, nn.Softplus, nn.Softshrink, nn.Softsign, nn.Tanh,
    nn.Tanhshrink, nn.Threshold, nn.Identity,
)  # fmt: skip
def elementwise(layer: nn.Module, shape: Shape) -> Step:
    """Number by number: nothing changes its place."""
    return unchanged(shape)


@rule(nn.Softmax, nn.LogSoftmax, nn.Softmin)
def softmax(layer: Any, shape: Shape) -> Step:
    """Along one dimension, which must exist."""
    if layer.dim is not None:
        _dimension(layer.dim, shape, first=0)
    return unchanged(shape)


@rule(nn.Softmax2d, nn.CrossMapLRN2d)
def across_channels(layer: nn.Module, shape: Shape) -> Step:
    """Across the channels of an image."""
    return unchanged(image(shape))


@rule(nn.LocalResponseNorm)
def local_response_norm(layer: nn.LocalResponseNorm, shape: Shape) -> Step:
    """Across neighbouring channels; no parameters."""
    if len(shape) < 2:
        raise ValueError(f"expects channels of maps, but gets {shape[0]:,} features")
    return unchanged(shape, label=f"LocalResponseNorm {layer.size}")


@rule(nn.PReLU)
def prelu(layer: nn.PReLU, shape: Shape) -> Step:
    """One trainable slope, or one for each channel."""
    slopes = layer.num_parameters
    if slopes > 1:
        expect_channels(slopes, shape)
    return unchanged(shape, parameters=slopes, parameters_formula=worked(1, slopes))


@rule(nn.GLU)
def glu(layer: nn.GLU, shape: Shape) -> Step:
    """The first half of a dimension, gated by the second."""
    axis = _dimension(layer.dim, shape)
    if shape[axis] % 2:
        raise ValueError(f"halves a dimension of {shape[axis]}, which is odd")
    output = (*shape[:axis], shape[axis] // 2, *shape[axis + 1 :])
    working = f"{shape[axis]:,}/2 = {output[axis]:,}"
    if axis == 0:
        return unchanged(output, formula=working)
    return Step(output_shape=output, formula=working)


@rule(nn.Dropout, nn.AlphaDropout, nn.FeatureAlphaDropout, nn.Dropout2d, nn.Dropout3d)
def dropout(layer: Any, shape: Shape) -> Step:
    """The identity, as far as shapes go."""
    return unchanged(shape, label=f"{type(layer).__name__} {layer.p:g}")


@rule(nn.Dropout1d)
def dropout1d(layer: nn.Dropout1d, shape: Shape) -> Step:
    """As dropout, but PyTorch takes no images here."""
    if len(shape) > 2:
        raise ValueError(f"expects (channels, length), but gets {times(*shape)}")
    return dropout(layer, shape)


@rule(nn.BatchNorm2d, nn.LazyBatchNorm2d, nn.BatchNorm1d, nn.LazyBatchNorm1d)
def batch_norm(layer: Any, shape: Shape) -> Step:
    """One scale and one shift a channel; running averages are no parameters."""
    if isinstance(layer, (nn.BatchNorm2d, nn.LazyBatchNorm2d)):
        image(shape)
    elif len(shape) > 2:
        raise ValueError(
            f"expects (features,), but gets {times(*shape)}: images need BatchNorm2d"
        )
    channels = layer.num_features or shape[0]  # 0: lazy, and not run yet
    if layer.affine or layer.track_running_stats:
        expect_channels(channels, shape)
    return unchanged(shape, **_scale_and_shift(layer, channels))


@rule(nn.InstanceNorm2d, nn.LazyInstanceNorm2d)
def instance_norm(layer: Any, shape: Shape) -> Step:
    """As batch_norm, over one image's map; without parameters by default."""
    channels, height, width = image(shape)
    if layer.affine or layer.track_running_stats:
        expect_channels(layer.num_features or channels, shape)
    if height * width == 1 and not layer.track_running_stats:
        raise ValueError(f"needs more than one pixel a map, but gets {times(*shape)}")
    return unchanged(shape, **_scale_and_shift(layer, channels))


@rule(nn.GroupNorm)
def group_norm(layer: nn.GroupNorm, shape: Shape) -> Step:
    """One scale and one shift a channel."""
    expect_channels(layer.num_channels, shape)
    return unchanged(shape, **_scale_and_shift(layer, layer.num_channels))


@rule(nn.LayerNorm, nn.RMSNorm)
def layer_norm(layer: Any, shape: Shape) -> Step:
    """A scale, and in LayerNorm a shift, for each number of the trailing dimensions."""
    normalised = tuple(layer.normalized_shape)
    if shape[-len(normalised) :] != normalised:
        raise ValueError(
            f"expects a shape that ends in {times(*normalised)}, "
            f"but gets {times(*shape)}"
        )
    return unchanged(shape, **_scale_and_shift(layer, *normalised))


@rule(nn.Flatten)
def flatten(layer: nn.Flatten, shape: Shape) -> Step:
    """Dimensions start_dim to end_dim become one; the batch is dimension 0."""
    start, end = (_dimension(d, shape, 0) for d in (layer.start_dim, layer.end_dim))
    if start > end:
        raise ValueError(f"starts at dimension {start + 1}, after its end {end + 1}")
    if start < 0 < end + 1:
        raise ValueError(
            "merges the batch into the features (start_dim=0); start_dim=1 leaves the "
            "images apart"
        )
    if start == end:
        return unchanged(shape)
    merged = shape[start : end + 1]
    output = (*shape[:start], math.prod(merged), *shape[end + 1 :])
    return Step(output_shape=output, formula=worked(*merged))


@rule(nn.Unflatten)
def unflatten(layer: nn.Unflatten, shape: Shape) -> Step:
    """One dimension becomes several; at most one of them may be −1, for the rest."""
    if not isinstance(layer.dim, int):
        raise ValueError(f"names its dimension, {layer.dim!r}: give its number")
    axis = _dimension(layer.dim, shape)
    sizes = list(layer.unflattened_size)
    if sizes.count(-1) == 1:
        known = -math.prod(sizes)
        sizes[sizes.index(-1)] = shape[axis] // known if known else 0
    if math.prod(sizes) != shape[axis] or min(sizes) < 1:
        wanted = times(*layer.unflattened_size)
        raise ValueError(f"cannot arrange {shape[axis]:,} numbers as {wanted}")
    output = (*shape[:axis], *sizes, *shape[axis + 1 :])
    return Step(output_shape=output, formula=f"{shape[axis]:,} → {times(*sizes)}")


@rule(nn.Linear)  # and nn.LazyLinear, which leaves in_features at 0 until it has run
def linear(layer: nn.Linear, shape: Shape) -> Step:
    """(in + 1)·out parameters, applied along the last dimension."""
    features = layer.in_features or shape[-1]
    if features != shape[-1]:
        raise FeatureError(_features_message(features, shape), features)
    biases = int(layer.bias is not None)
    parameters = (features + biases) * layer.out_features
    working = worked(features, layer.out_features)
    if biases:
        row = f"({features:,} + 1)"
        working = worked(row, layer.out_features, result=parameters)
    rows = shape[:-1]
    return Step(
        output_shape=(*rows, layer.out_features),
        parameters=parameters,
        parameters_formula=working,
        macs=math.prod(rows) * features * layer.out_features,
        macs_formula=worked(*rows, features, layer.out_features),
        connections=math.prod(rows) * parameters,
        label=f"{type(layer).__name__} {features:,}→{layer.out_features:,}",
    )


@rule(nn.PixelShuffle)
def pixel_shuffle(layer: nn.PixelShuffle, shape: Shape) -> Step:
    """r·r channels become r·r pixels of one channel."""
    channels, height, width = image(shape)
    r = layer.upscale_factor
    if channels % (r * r):
        raise ValueError(f"needs a multiple of {r}·{r} channels, but gets {channels}")
    working = both_ways(worked(height, r), worked(width, r))
    return Step(output_shape=(channels // r**2, height * r, width * r), formula=working)


@rule(nn.PixelUnshuffle)
def pixel_unshuffle(layer: nn.PixelUnshuffle, shape: Shape) -> Step:
    """r·r pixels of a channel become r·r channels."""
    channels, height, width = image(shape)
    r = layer.downscale_factor
    if height % r or width % r:
        raise ValueError(f"needs multiples of {r} pixels, but gets {height}×{width}")
    output = channels * r**2, height // r, width // r
    working = both_ways(f"{height}/{r} = {output[1]}", f"{width}/{r} = {output[2]}")
    return Step(output_shape=output, formula=working)


@rule(nn.Upsample)  # and nn.UpsamplingNearest2d, nn.UpsamplingBilinear2d
def upsample(layer: nn.Upsample, shape: Shape) -> Step:
    """The size asked for, or ⌊size·scale⌋."""
    channels, *size = image(shape)
    if layer.mode in ("linear", "trilinear"):
        raise ValueError(f"has mode {layer.mode!r}, which is not for images")
    if layer.size is None and layer.scale_factor is None:
        raise ValueError("needs a size or a scale_factor")
    if layer.size is not None:
        output = pair(layer.size)
        workings = [f"{n} → {out}" for n, out in zip(size, output, strict=True)]
    else:
        scales = pair(layer.scale_factor)
        output = tuple(math.floor(n * s) for n, s in zip(size, scales, strict=True))
        workings = [
            f"⌊{n}·{s:g}⌋ = {out}"
            for n, s, out in zip(size, scales, output, strict=True)
        ]
    if min(output) < 1:
        raise ValueError(f"gives an empty output, {times(*output)}")
    return Step(output_shape=(channels, *output), formula=both_ways(*workings))


def _scale_and_shift(layer: Any, *sizes: int) -> dict[str, Any]:
    """Return the parameters of a norm: none, a scale, or a scale and a shift each."""
    has = [getattr(layer, name, None) is not None for name in ("weight", "bias")]
    count = sum(has) * math.prod(sizes)
    if not count:
        return {}
    return {"parameters": count, "parameters_formula": worked(sum(has), *sizes)}


def _dimension(dim: int, shape: Shape, first: int = 1) -> int:
    """Turn a dimension of a batch into one of a shape without it, or complain.

    `first` is the first dimension allowed: 1 where the batch (0) makes no sense.
    """
    dims = len(shape) + 1
    if not -dims <= dim < dims:
        raise ValueError(
            f"works on dimension {dim}, but a batch of {times(*shape)} has {dims} "
            "dimensions"
        )
    if dim % dims < first and first:
        raise ValueError(f"works on dimension {dim}, which is the batch")
    return dim % dims - 1


def _features_message(features: int, shape: Shape) -> str:
    expects = f"expects {features:,} features, but gets {times(*shape)}"
    if len(shape) == 1:
        return f"expects {features:,} features, but gets {shape[0]:,}"
    total = math.prod(shape)
    fits = "fits" if total == features else "doesn't fit either"
    return (
        f"{expects}. A Linear works on the last dimension only, which is {shape[-1]}: "
        f"an nn.Flatten() before it is missing. {product(*shape)} = {total:,} {fits}"
    )
