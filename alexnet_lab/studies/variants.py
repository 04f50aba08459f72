"""The networks that the study of notebook 10 compares, as a table of edits.

`ABLATIONS` are alexnet_mini with one thing changed or removed, as the paper did with
AlexNet; `MODERN` are the steps from 2012 to today. Each network is a flat, named
nn.Sequential from (N, 1, 28, 28) to (N, 10). Weights start by He's rule, those of the
tanh network by Glorot's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import Tensor, nn

from alexnet_lab.data import augment
from alexnet_lab.models import LocalResponseNorm, alexnet_mini, initialise_alexnet
from alexnet_lab.models.modern import (
    changed,
    mini_batch_norm,
    mini_global_pool,
    mini_residual,
    mini_stacks,
)


@dataclass(frozen=True)
class Variant:
    """A network of a study.

    Attributes:
        build: makes it, with weights drawn from the global generator.
        augment: applied to the training batches only.
        paper_points: by how many points the top-1 error on ImageNet rose when
            Krizhevsky et al. (2012) made the same change; None if they don't say.
    """

    build: Callable[[], nn.Sequential]
    augment: Callable[..., Tensor] | None = None
    paper_points: float | None = None


def edited(
    without: str = "", **layers: Callable[[], nn.Module]
) -> Callable[[], nn.Sequential]:
    """What builds alexnet_mini with some layers left out and others exchanged.

    Args:
        without: names of the layers to leave out, with spaces between.
        layers: what makes the new layer of that name.
    """

    def build() -> nn.Sequential:
        edits = {name: make() for name, make in layers.items()}
        net = changed(alexnet_mini(), **dict.fromkeys(without.split()), **edits)
        return initialise_alexnet(net, "he")

    return build


def with_tanh() -> nn.Sequential:
    """Tanh in place of every ReLU, weights by Glorot's rule instead of He's."""
    net = edited("", **{f"relu{n}": nn.Tanh for n in range(1, 8)})()
    for layer in net:
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_normal_(layer.weight)
    return net


def _factor() -> LocalResponseNorm:
    """2^−0.75 ≈ 0.59, all that LRN does to small numbers: α = 0 sees no neighbour."""
    return LocalResponseNorm(size=5, alpha=0.0, beta=0.75, k=2)


def _conv(
    channels: int, out_channels: int, size: int = 3, groups: int = 1
) -> Callable[[], nn.Conv2d]:
    """What makes a convolution that keeps the size of the maps."""
    same = size // 2
    return partial(nn.Conv2d, channels, out_channels, size, padding=same, groups=groups)


def _linear(features: int, out_features: int) -> Callable[[], nn.Linear]:
    return partial(nn.Linear, features, out_features)


_PAIR = partial(nn.MaxPool2d, 2)  # 23-11-5-2 as before; each leaves one pixel over
_SHIFT_AND_FLIP = augment.compose(augment.RandomShift(2), augment.RandomFlip())
_HALF = edited(
    conv1=partial(nn.Conv2d, 1, 12, 6),
    conv2=_conv(12, 32, size=5, groups=2),
    conv3=_conv(32, 48),
    conv4=_conv(48, 48, groups=2),
    conv5=_conv(48, 32, groups=2),
    fc6=_linear(32 * 2 * 2, 256),
    fc7=_linear(256, 256),
    fc8=_linear(256, 10),
)
_ONE_TOWER = edited(
    conv2=_conv(24, 64, size=5), conv4=_conv(96, 96), conv5=_conv(96, 64)
)
_NO_CONV3 = edited("conv3 relu3", conv4=_conv(64, 96, groups=2))  # towers meet in fc6
_NO_CONV34 = edited("conv3 relu3 conv4 relu4", conv5=_conv(64, 64, groups=2))
_NO_CONV5 = edited("conv5 relu5", fc6=_linear(96 * 2 * 2, 512))
_NO_FC6 = edited("fc6 relu6 drop6", fc7=_linear(64 * 2 * 2, 512))
_NO_FC67 = edited("fc6 relu6 drop6 fc7 relu7 drop7", fc8=_linear(64 * 2 * 2, 10))

# The first of each is what the others are compared with. The paper's points are from
# its sections 3.2 (half width: conv5 and the linear layers not halved), 3.3, 3.4 and 7.
ABLATIONS: dict[str, Variant] = {
    "baseline": Variant(alexnet_mini),
    "tanh": Variant(with_tanh),
    "no LRN": Variant(edited("norm1 norm2"), paper_points=1.4),
    "times 0.59": Variant(edited(norm1=_factor, norm2=_factor)),
    "separate pools": Variant(
        edited(pool1=_PAIR, pool2=_PAIR, pool3=_PAIR), paper_points=0.4
    ),
    "no dropout": Variant(edited("drop6 drop7")),
    "augmentation": Variant(alexnet_mini, augment=_SHIFT_AND_FLIP),
    "no groups": Variant(_ONE_TOWER),
    "no conv3": Variant(_NO_CONV3, paper_points=2.0),
    "no conv4": Variant(edited("conv4 relu4"), paper_points=2.0),
    "no conv5": Variant(_NO_CONV5),
    "no conv3, conv4": Variant(_NO_CONV34),
    "no fc6": Variant(_NO_FC6),
    "no fc7": Variant(edited("fc7 relu7 drop7")),
    "no fc6, fc7": Variant(_NO_FC67),
    "half width": Variant(_HALF, paper_points=1.7),
}

MODERN: dict[str, Variant] = {
    "2012": Variant(alexnet_mini),
    "+ batch norm": Variant(mini_batch_norm),
    "+ global pooling": Variant(mini_global_pool),
    "+ 3×3 stacks": Variant(mini_stacks),
    "+ residuals": Variant(mini_residual),
}

STUDIES: dict[str, dict[str, Variant]] = {"ablation": ABLATIONS, "modern": MODERN}
