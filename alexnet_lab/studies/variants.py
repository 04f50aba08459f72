"""The networks that the study of notebook 10 compares, each with what it changes.

`ABLATIONS` are alexnet_mini with one thing changed or removed, as the paper did with
AlexNet; `MODERN` are the steps from 2012 to today. Each network is a flat, named
nn.Sequential from (N, 1, 28, 28) to (N, 10). Weights start by He's rule, but for tanh.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from alexnet_lab.data.augment import RandomFlip, RandomShift, compose
from alexnet_lab.models.alexnet import alexnet_mini, initialise_alexnet
from alexnet_lab.models.modern import (
    mini_batch_norm,
    mini_global_pool,
    mini_residual,
    mini_stacks,
)
from alexnet_lab.models.normalisation import LocalResponseNorm


@dataclass(frozen=True)
class Variant:
    """A network of a study.

    Attributes:
        build: makes it, with weights drawn from the global generator.
        augment: applied to the training batches only.
        paper: what Krizhevsky et al. (2012) report of the same change; empty if
            nothing.
        paper_points: by how many points their top-1 error rose on ImageNet; None if
            they give no such figure.
    """

    build: Callable[[], nn.Sequential]
    augment: Callable[..., Tensor] | None = None
    paper: str = ""
    paper_points: float | None = None

    @property
    def says(self) -> str:
        """The first line of the builder's docstring: what is different."""
        return (self.build.__doc__ or "").strip().splitlines()[0]


def changed_mini(without: tuple[str, ...] = (), **layers: nn.Module) -> nn.Sequential:
    """Build alexnet_mini with some layers left out and others replaced, by name.

    Args:
        without: names of layers to leave out.
        layers: new layers in the place of those of the same name.

    Returns:
        The network from (N, 1, 28, 28) to (N, 10), all weights by He's rule.

    Raises:
        ValueError: alexnet_mini has no layer of that name.
    """
    mini = OrderedDict(alexnet_mini().named_children())
    for name in (*without, *layers):
        if name not in mini:
            raise ValueError(f"no layer {name!r}; alexnet_mini has {', '.join(mini)}")
    mini.update(layers)  # a replaced layer keeps its place
    for name in without:
        del mini[name]
    return initialise_alexnet(nn.Sequential(mini), "he")


def with_tanh() -> nn.Sequential:
    """Tanh in place of every ReLU, weights by Glorot's rule instead of He's."""
    names = [f"relu{number}" for number in range(1, 8)]
    net = changed_mini(**{name: nn.Tanh() for name in names})
    for layer in net:
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_normal_(layer.weight)
    return net


def without_lrn() -> nn.Sequential:
    """No local response normalisation."""
    return changed_mini(without=("norm1", "norm2"))


def with_a_factor() -> nn.Sequential:
    """A fixed factor of 2^−0.75 ≈ 0.59, all that LRN does to small numbers."""
    # with α = 0 the formula divides by k^β and looks at no neighbour
    return changed_mini(
        norm1=LocalResponseNorm(size=5, alpha=0.0, beta=0.75, k=2),
        norm2=LocalResponseNorm(size=5, alpha=0.0, beta=0.75, k=2),
    )


def with_separate_pools() -> nn.Sequential:
    """Pools of 2×2 that do not overlap, in place of 3×3 with stride 2."""
    # 23-11-5-2 as before, but each pool now leaves one pixel over on either axis.
    return changed_mini(
        pool1=nn.MaxPool2d(2), pool2=nn.MaxPool2d(2), pool3=nn.MaxPool2d(2)
    )


def without_dropout() -> nn.Sequential:
    """No dropout after fc6 and fc7."""
    return changed_mini(without=("drop6", "drop7"))


def with_augmentation() -> nn.Sequential:
    """The same network; training images are shifted by up to 2 pixels and mirrored."""
    return alexnet_mini()


def without_groups() -> nn.Sequential:
    """One tower: conv2, conv4 and conv5 read all channels."""
    return changed_mini(
        conv2=nn.Conv2d(24, 64, kernel_size=5, padding=2),
        conv4=nn.Conv2d(96, 96, kernel_size=3, padding=1),
        conv5=nn.Conv2d(96, 64, kernel_size=3, padding=1),
    )


def without_conv3() -> nn.Sequential:
    """No conv3; conv4 reads the 64 maps of pool2, and the towers meet in fc6 only."""
    return changed_mini(
        without=("conv3", "relu3"),
        conv4=nn.Conv2d(64, 96, kernel_size=3, padding=1, groups=2),
    )


def without_conv4() -> nn.Sequential:
    """No conv4; conv5 reads the 96 maps of conv3."""
    return changed_mini(without=("conv4", "relu4"))


def without_conv5() -> nn.Sequential:
    """No conv5; pool3 hands fc6 96 maps instead of 64."""
    return changed_mini(
        without=("conv5", "relu5"), fc6=nn.Linear(96 * 2 * 2, 512)
    )  # 96×2×2


def without_conv3_and_conv4() -> nn.Sequential:
    """Neither conv3 nor conv4; conv5 reads the 64 maps of pool2."""
    return changed_mini(
        without=("conv3", "relu3", "conv4", "relu4"),
        conv5=nn.Conv2d(64, 64, kernel_size=3, padding=1, groups=2),
    )


def without_fc6() -> nn.Sequential:
    """No fc6; fc7 reads the 256 features."""
    return changed_mini(
        without=("fc6", "relu6", "drop6"), fc7=nn.Linear(64 * 2 * 2, 512)
    )


def without_fc7() -> nn.Sequential:
    """No fc7; fc8 reads fc6."""
    return changed_mini(without=("fc7", "relu7", "drop7"))


def without_fc6_and_fc7() -> nn.Sequential:
    """Neither fc6 nor fc7: fc8 reads the 256 features, and no dropout is left."""
    return changed_mini(
        without=("fc6", "relu6", "drop6", "fc7", "relu7", "drop7"),
        fc8=nn.Linear(64 * 2 * 2, 10),
    )


def half_width() -> nn.Sequential:
    """Half the channels and half the hidden units of alexnet_mini."""
    net = nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 12, kernel_size=6),  # 12×23×23
            relu1=nn.ReLU(),  # 12×23×23
            norm1=LocalResponseNorm(size=5, alpha=1e-4, beta=0.75, k=2),  # 12×23×23
            pool1=nn.MaxPool2d(kernel_size=3, stride=2),  # 12×11×11
            conv2=nn.Conv2d(12, 32, kernel_size=5, padding=2, groups=2),  # 32×11×11
            relu2=nn.ReLU(),  # 32×11×11
            norm2=LocalResponseNorm(size=5, alpha=1e-4, beta=0.75, k=2),  # 32×11×11
            pool2=nn.MaxPool2d(kernel_size=3, stride=2),  # 32×5×5
            conv3=nn.Conv2d(32, 48, kernel_size=3, padding=1),  # 48×5×5
            relu3=nn.ReLU(),  # 48×5×5
            conv4=nn.Conv2d(48, 48, kernel_size=3, padding=1, groups=2),  # 48×5×5
            relu4=nn.ReLU(),  # 48×5×5
            conv5=nn.Conv2d(48, 32, kernel_size=3, padding=1, groups=2),  # 32×5×5
            relu5=nn.ReLU(),  # 32×5×5
            pool3=nn.MaxPool2d(kernel_size=3, stride=2),  # 32×2×2
            flatten=nn.Flatten(),  # 128
            fc6=nn.Linear(32 * 2 * 2, 256),  # 256
            relu6=nn.ReLU(),  # 256
            drop6=nn.Dropout(p=0.5),  # 256
            fc7=nn.Linear(256, 256),  # 256
            relu7=nn.ReLU(),  # 256
            drop7=nn.Dropout(p=0.5),  # 256
            fc8=nn.Linear(256, 10),  # 10
        )
    )
    return initialise_alexnet(net, "he")


_MIDDLE = "removing any of the middle layers loses about 2 points of top-1 (section 7)"

# The first of each is what the others are compared with.
ABLATIONS: dict[str, Variant] = {
    "baseline": Variant(alexnet_mini),
    "tanh": Variant(
        with_tanh,
        paper="a four-layer net on CIFAR-10 reaches 25 % training error six times "
        "sooner with ReLU than with tanh (Figure 1)",
    ),
    "no LRN": Variant(
        without_lrn,
        paper="error rises by 1.4 points top-1, 1.2 top-5 (section 3.3)",
        paper_points=1.4,
    ),
    "times 0.59": Variant(with_a_factor),
    "separate pools": Variant(
        with_separate_pools,
        paper="error rises by 0.4 points top-1, 0.3 top-5 (section 3.4)",
        paper_points=0.4,
    ),
    "no dropout": Variant(
        without_dropout,
        paper="substantial overfitting; dropout doubles the iterations needed "
        "(section 4.2)",
    ),
    "augmentation": Variant(
        with_augmentation,
        augment=compose(RandomShift(2), RandomFlip()),
        paper="without crops and reflections, substantial overfitting (section 4.1)",
    ),
    "no groups": Variant(without_groups),
    "no conv3": Variant(without_conv3, paper=_MIDDLE, paper_points=2.0),
    "no conv4": Variant(without_conv4, paper=_MIDDLE, paper_points=2.0),
    "no conv5": Variant(without_conv5),
    "no conv3, conv4": Variant(without_conv3_and_conv4),
    "no fc6": Variant(without_fc6),
    "no fc7": Variant(without_fc7),
    "no fc6, fc7": Variant(without_fc6_and_fc7),
    "half width": Variant(
        half_width,
        paper="a one-GPU net with half the kernels: error higher by 1.7 points top-1, "
        "1.2 top-5 (section 3.2; conv5 and the fully connected layers not halved)",
        paper_points=1.7,
    ),
}

MODERN: dict[str, Variant] = {
    "2012": Variant(alexnet_mini),
    "+ batch norm": Variant(mini_batch_norm),
    "+ global pooling": Variant(mini_global_pool),
    "+ 3×3 stacks": Variant(mini_stacks),
    "+ residuals": Variant(mini_residual),
}

STUDIES: dict[str, dict[str, Variant]] = {"ablation": ABLATIONS, "modern": MODERN}
