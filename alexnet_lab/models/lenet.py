"""LeNet-5: the version that everybody teaches, and the one of 1998."""

from collections import OrderedDict
from typing import Any

import torch
from torch import nn

from alexnet_lab.models.layers import (
    EuclideanRBF,
    PartialConv2d,
    ScaledTanh,
    Subsampling,
    uniform_by_fan_in_,
)

ACTIVATIONS = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU}
POOLINGS = {"average": nn.AvgPool2d, "max": nn.MaxPool2d}


def lenet5(
    activation: str = "sigmoid",
    pooling: str = "average",
    in_channels: int = 1,
    num_classes: int = 10,
) -> nn.Sequential:
    """The teaching LeNet-5: 61,706 parameters. Taught in 02.

    From (N, in_channels, 28, 28) to logits (N, num_classes). It is not the network of
    1998 (see `lenet5_1998`): C3 reads all six maps, pooling has no trainable numbers,
    the activation is not scaled, and the outputs are logits for a softmax. `activation`
    is "sigmoid", "tanh" or "relu", `pooling` "average" or "max"; ValueError for others.
    """
    act = _choose("activation", activation, ACTIVATIONS)
    pool = _choose("pooling", pooling, POOLINGS)
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(in_channels, 6, kernel_size=5, padding=2),  # 6×28×28
            act1=act(),
            pool1=pool(kernel_size=2, stride=2),  # 6×14×14
            conv2=nn.Conv2d(6, 16, kernel_size=5),  # 16×10×10
            act2=act(),
            pool2=pool(kernel_size=2, stride=2),  # 16×5×5
            flatten=nn.Flatten(),  # 400
            fc3=nn.Linear(16 * 5 * 5, 120),  # 120
            act3=act(),
            fc4=nn.Linear(120, 84),  # 84
            act4=act(),
            fc5=nn.Linear(84, num_classes),  # 10
        )
    )


def _choose(name: str, value: str, choices: dict[str, Any]) -> Any:
    if value not in choices:
        raise ValueError(f"{name}={value!r}; use one of {', '.join(choices)}")
    return choices[value]


# Which S2 maps each of the 16 C3 maps reads (LeCun et al., Table I).
_READS = "012 123 234 345 450 501 0123 1234 2345 3450 4501 5012 0134 1245 0235 012345"
C3_TABLE = tuple(tuple(int(number) for number in maps) for maps in _READS.split())


def lenet5_1998() -> nn.Sequential:
    """LeNet-5 as published in 1998: exactly 60,000 trainable parameters. Taught in 02.

    Scaled tanh, trainable subsampling, the partial connection table of C3, and ten
    fixed 7×12 bitmaps that the 84 units of F6 are trained to draw. From (N, 1, 32, 32),
    `mnist(padding=2, value_range=(-0.1, 1.175))`, to minus the distances of the paper,
    (N, 10), so that the largest wins. Two things are not of 1998: the bitmaps are drawn
    anew in the manner of the paper's Figure 3, and the coefficients of the subsampling
    start at 1/4, the average, not at random.
    """
    net = nn.Sequential(
        OrderedDict(
            c1=nn.Conv2d(1, 6, kernel_size=5),  # 6×28×28
            tanh1=ScaledTanh(),
            s2=Subsampling(6),  # 6×14×14
            tanh2=ScaledTanh(),
            c3=PartialConv2d(6, C3_TABLE, kernel_size=5),  # 16×10×10
            tanh3=ScaledTanh(),
            s4=Subsampling(16),  # 16×5×5
            tanh4=ScaledTanh(),
            c5=nn.Conv2d(16, 120, kernel_size=5),  # 120×1×1
            tanh5=ScaledTanh(),
            flatten=nn.Flatten(),  # 120
            f6=nn.Linear(120, 84),  # 84
            tanh6=ScaledTanh(),
            output=EuclideanRBF(digit_bitmaps()),  # 10
        )
    )
    net.apply(uniform_by_fan_in_)
    return net


def digit_bitmaps() -> torch.Tensor:
    """The ten prototypes, (10, 84) of ±1: 12 rows of 7 pixels, +1 where ink is."""
    ink = torch.tensor([[p == "#" for p in pixels] for pixels in DIGITS.split()])
    return 2.0 * ink.view(12, 10, 7).transpose(0, 1).reshape(10, 84) - 1


DIGITS = """
..###.. ...##.. .#####. .#####. ....##. ####### ..####. ####### .#####. .#####.
.##.##. ..###.. ##...## ##...## ...###. ##..... .##.... ##...## ##...## ##...##
##...## .####.. .....## .....## ..####. ##..... ##..... .....## ##...## ##...##
##...## ...##.. .....## .....## .##.##. ##..... ##..... ....##. ##...## ##...##
##...## ...##.. ....##. .....## ##..##. ######. ######. ....##. .##.##. ##...##
##...## ...##.. ...##.. ..####. ##..##. .....## ##...## ...##.. ..###.. .######
##...## ...##.. ..##... .....## ####### .....## ##...## ...##.. .##.##. .....##
##...## ...##.. .##.... .....## ....##. .....## ##...## ..##... ##...## .....##
##...## ...##.. ##..... .....## ....##. .....## ##...## ..##... ##...## .....##
##...## ...##.. ##..... .....## ....##. .....## ##...## ..##... ##...## .....##
.##.##. ...##.. ##..... ##...## ....##. ##...## .##.##. .##.... ##...## ....##.
..###.. .###### ####### .#####. ....##. .#####. ..###.. .##.... .#####. .####..
"""
