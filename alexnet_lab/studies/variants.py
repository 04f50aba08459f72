"""The networks that the recorded studies compare: tables of edits, and how each trains.

Each network is a flat, named nn.Sequential from (N, 3, 32, 32), or crops of 24, to
(N, 10). Weights start by He's rule, those of a tanh network by Glorot's, Krizhevsky's
as his files say.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

from torch import Generator, Tensor, nn

from alexnet_lab.data import (
    ColourNoise,
    RandomCrop,
    RandomFlip,
    RandomShift,
    cifar10,
    compose,
)
from alexnet_lab.models import (
    alexnet_cifar,
    alexnet_mini,
    initialise_alexnet,
    krizhevsky_11pct,
    krizhevsky_13pct,
    krizhevsky_18pct,
    krizhevsky_80sec,
    lenet5,
)
from alexnet_lab.models.krizhevsky import with_response_norm
from alexnet_lab.models.modern import (
    changed,
    mini_batch_norm,
    mini_global_pool,
    mini_residual,
    mini_stacks,
)
from alexnet_lab.training import recipe

Options = dict[str, Any]
CROPS_AND_FLIPS = compose(RandomShift(4), RandomFlip())


@dataclass(frozen=True)
class Variant:
    """A network of a study.

    Attributes:
        build: makes it, with weights drawn from the global generator.
        augment: applied to the training batches only.
        paper_points: by how many points the top-1 error on ImageNet rose when
            Krizhevsky et al. (2012) made the same change; None if they don't say.
        options: what ``fit`` gets for this network alone; a function of it, or a dict.
    """

    build: Callable[[], nn.Sequential]
    augment: Callable[..., Tensor] | None = CROPS_AND_FLIPS
    paper_points: float | None = None
    options: Callable[..., Options] | Options = field(default_factory=dict)


@dataclass(frozen=True)
class Study:
    """What the variants of a study share; the first is the yardstick of the others.

    Attributes:
        test: train on all 50,000 images and score the 10,000 test images, as published
            results do; else 5,000 are held out for each seed and scored.
        epochs, learning_rate: passes, and the peak of fit's one-cycle schedule.
        batch_size: images a step.
        images: further options of ``cifar10``.
        view: pixels of the ten views that score the test images, and of padding.
    """

    variants: dict[str, Variant]
    epochs: int
    learning_rate: float = 0.05
    batch_size: int = 128
    test: bool = False
    images: dict[str, Any] = field(default_factory=dict)
    view: tuple[int, int] | None = None


def edited(
    without: str = "", **layers: Callable[[], nn.Module]
) -> Callable[[], nn.Sequential]:
    """What builds the narrow `alexnet_cifar` with layers left out or exchanged.

    Args:
        without: names of the layers to leave out, with spaces between.
        layers: what makes the new layer of that name.
    """

    def build() -> nn.Sequential:
        edits: dict[str, Any] = {name: make() for name, make in layers.items()}
        edits |= dict.fromkeys(without.split())
        return initialise_alexnet(changed(alexnet_cifar(width=24), **edits), "he")

    return build


def with_tanh(build: Callable[[], nn.Sequential]) -> nn.Sequential:
    """Tanh in place of every ReLU, weights by Glorot's rule instead of He's."""
    net = build()
    for name, layer in list(net.named_children()):
        if isinstance(layer, nn.ReLU):
            net.set_submodule(name, nn.Tanh())
        elif isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_normal_(layer.weight)
    return net


@cache
def _noise() -> ColourNoise:
    """The axes of colour, from a tenth of the training images."""
    train: Any = cifar10(device="cpu").train
    return ColourNoise.fit(train.images[::10])


def crops_flips_and_noise(images: Tensor, generator: Generator | None) -> Tensor:
    """The paper's colour noise on top of crops and mirror images."""
    return _noise()(CROPS_AND_FLIPS(images, generator), generator)


def with_lrn() -> nn.Sequential:
    """The paper's normalisation, with its numbers, after relu1 and relu2."""
    return with_response_norm(alexnet_cifar(width=24), alpha=1e-4, k=2)


def four_layers() -> nn.Sequential:
    """The paper's Figure 1: four layers, nothing that regularises. He's rule.

    The figure's own network is not published. This is `krizhevsky_18pct` without its
    normalisations.
    """
    net = changed(krizhevsky_18pct(), rnorm1=None, rnorm2=None)
    return initialise_alexnet(net, "he")


def quick_80sec() -> nn.Sequential:
    """Krizhevsky's quickest network, weights by He's rule: it then learns at once."""
    return initialise_alexnet(krizhevsky_80sec(), "he")


def without_dropout(num_classes: int = 10) -> nn.Sequential:
    """AlexNet for a short run: dropout needs many passes to pay (notebook 10)."""
    return changed(alexnet_cifar(num_classes=num_classes), drop6=None, drop7=None)


def linear() -> nn.Sequential:
    """The yardstick: one weight for each pixel and class. Taught in 02."""
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 10))


def mlp() -> nn.Sequential:
    """A small perceptron with one hidden layer, which knows nothing of windows."""
    net = nn.Sequential(
        nn.Flatten(), nn.Linear(3 * 32 * 32, 128), nn.ReLU(), nn.Linear(128, 10)
    )
    return initialise_alexnet(net, "he")


def lenet5_cifar(activation: str = "relu", pooling: str = "max") -> nn.Sequential:
    """LeNet-5, by default modernised, for 3×32×32: conv1 needs no padding there."""
    net = lenet5(activation, pooling, in_channels=3)
    return changed(net, conv1=nn.Conv2d(3, 6, kernel_size=5))


_PAIR = partial(nn.MaxPool2d, 2)  # 32-16-8-4 as before
_NO_CONV34 = edited(
    "conv3 relu3 conv4 relu4", conv5=partial(nn.Conv2d, 64, 64, 3, padding=1, groups=2)
)
_ONE_TOWER = edited(
    conv2=partial(nn.Conv2d, 24, 64, 5, padding=2),
    conv4=partial(nn.Conv2d, 96, 96, 3, padding=1),
    conv5=partial(nn.Conv2d, 96, 64, 3, padding=1),
)
_NARROW = partial(alexnet_cifar, width=24)
# The paper's points are from its sections 3.2 to 3.4 and 7.
ABLATIONS: dict[str, Variant] = {
    "baseline": Variant(_NARROW),
    "no crops": Variant(_NARROW, augment=None),
    "no dropout": Variant(edited("drop6 drop7")),
    "no crops, no dropout": Variant(edited("drop6 drop7"), augment=None),
    "colour noise": Variant(_NARROW, augment=crops_flips_and_noise, paper_points=-1.0),
    "tanh": Variant(partial(with_tanh, _NARROW)),
    "separate pools": Variant(
        edited(pool1=_PAIR, pool2=_PAIR, pool3=_PAIR), paper_points=0.4
    ),
    "LRN": Variant(with_lrn, paper_points=-1.4),
    "no groups": Variant(_ONE_TOWER),
    "no conv3, conv4": Variant(_NO_CONV34),
    "half width": Variant(partial(alexnet_cifar, width=12)),
}

MODERN: dict[str, Variant] = {
    "2012": Variant(partial(alexnet_mini, 3)),
    "+ batch norm": Variant(partial(mini_batch_norm, 3)),
    "+ global pooling": Variant(partial(mini_global_pool, 3)),
    "+ 3×3 stacks": Variant(partial(mini_stacks, 3)),
    "+ residuals": Variant(partial(mini_residual, 3)),
}

_PLAIN: dict[str, Any] = {"schedule": "constant", "weight_decay": 0.0}
FIGURE_1 = {
    f"{name} {rate:g}": Variant(
        build, None, options={**_PLAIN, "learning_rate": rate, "epochs": epochs}
    )
    for name, build, epochs, rates in (
        ("relu", four_layers, 12, (0.006, 0.012, 0.024)),
        ("tanh", partial(with_tanh, four_layers), 24, (0.006, 0.012, 0.024, 0.048)),
    )
    for rate in rates
}

_CROP_24 = compose(RandomCrop(24), RandomFlip())
LRN = {
    "without": Variant(krizhevsky_13pct, _CROP_24, options=partial(recipe, "13pct")),
    "with": Variant(krizhevsky_11pct, _CROP_24, options=partial(recipe, "11pct")),
}

# all but cat, dog and ship, which notebook 11 brings to this network
SEVEN = ("airplane", "automobile", "bird", "deer", "frog", "horse", "truck")
_HIS: dict[str, Any] = {"mean_image": True}
STUDIES: dict[str, Study] = {
    "short": Study(ABLATIONS, 6, batch_size=256),
    "long": Study(ABLATIONS, 32, batch_size=256),
    "modern": Study(MODERN, 32, batch_size=256),
    "figure1": Study(FIGURE_1, 8),
    "lrn": Study(LRN, 40, test=True, images=_HIS, view=(24, 0)),
    "quick": Study({"80sec": Variant(quick_80sec, None)}, 4, 0.03, 64, test=True),
    "80sec": Study(
        {"80sec": Variant(krizhevsky_80sec, None, options=partial(recipe, "80sec"))},
        10, test=True, images=_HIS,
    ),
    "18pct": Study(
        {"18pct": Variant(krizhevsky_18pct, None, options=partial(recipe, "18pct"))},
        140, test=True, images=_HIS,
    ),
    "ten_minutes": Study(
        {
            "linear": Variant(linear),
            "mlp": Variant(mlp),
            "lenet5_tanh": Variant(partial(lenet5_cifar, "tanh", "average")),
            "lenet5": Variant(lenet5_cifar),
            "alexnet": Variant(without_dropout),
        },
        20, test=True, view=(32, 2),
    ),
    "alexnet": Study(
        {
            "lenet5": Variant(lenet5_cifar),
            "alexnet": Variant(alexnet_cifar),
            "alexnet_wide": Variant(partial(alexnet_cifar, width=96)),
        },
        80, test=True, view=(32, 2),
    ),
    "seven": Study(
        {"alexnet": Variant(partial(without_dropout, len(SEVEN)))},
        20, test=True, images={"classes": SEVEN}, view=(32, 2),
    ),
}  # fmt: skip
