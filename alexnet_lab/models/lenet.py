"""LeNet-5: the version that everybody teaches, and the one of 1998."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from alexnet_lab.arithmetic.layers import expect_channels, image, slid, slide, worked
from alexnet_lab.arithmetic.rules import Shape, Step, rule, rule_of

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


class ScaledTanh(nn.Module):
    """f(a) = 1.7159 · tanh(2a/3), so that f(1) ≈ 1 and f(−1) ≈ −1."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Any shape in, the same shape out."""
        return 1.7159 * torch.tanh(2 / 3 * x)


class Subsampling(nn.Module):
    """Add the four inputs of each 2×2 window, times a coefficient, plus a bias.

    Both are trained, one a map. The activation that follows is a layer of its own here.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.coefficient = nn.Parameter(torch.full((channels,), 0.25))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) to (N, C, ⌊H/2⌋, ⌊W/2⌋)."""
        total = 4 * F.avg_pool2d(x, 2)
        return total * self.coefficient.view(-1, 1, 1) + self.bias.view(-1, 1, 1)

    def extra_repr(self) -> str:
        """What print(net) shows of it."""
        return f"{self.channels}"


class PartialConv2d(nn.Module):
    """A convolution whose output maps each read only some of the input maps.

    `table` has for each output map the input maps that it reads; ValueError if it reads
    none, or one that is not there. Only the kernels that exist are parameters: they
    stand one after another in `kernels`, (connections, k, k), and are laid into a dense
    weight, zero elsewhere, to be run.
    """

    _pairs: torch.Tensor  # (2, connections): of each kernel, its output and input map

    def __init__(
        self, in_channels: int, table: Sequence[Sequence[int]], kernel_size: int
    ) -> None:
        super().__init__()
        for inputs in table:
            if not inputs or not all(0 <= i < in_channels for i in inputs):
                there = f"each needs one at least, numbered 0 to {in_channels - 1}"
                raise ValueError(f"an output map reads {tuple(inputs)}; {there}")
        self.in_channels, self.kernel_size = in_channels, kernel_size
        self.table = tuple(tuple(inputs) for inputs in table)
        pairs = [(o, i) for o, inputs in enumerate(self.table) for i in inputs]
        self.kernels = nn.Parameter(torch.empty(len(pairs), kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(len(self.table)))
        # a buffer follows the module to its device; not saved, since the table is code
        self.register_buffer("_pairs", torch.tensor(pairs).T, persistent=False)
        uniform_by_fan_in_(self)

    def dense_weight(self) -> torch.Tensor:
        """(out, in, k, k): the kernels in place, zeros where there is no connection."""
        size = (len(self.table), self.in_channels, self.kernel_size, self.kernel_size)
        return self.kernels.new_zeros(size).index_put(tuple(self._pairs), self.kernels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, in, H, W) to (N, out, H − k + 1, W − k + 1)."""
        return F.conv2d(x, self.dense_weight(), self.bias)

    def extra_repr(self) -> str:
        """What print(net) shows of it."""
        return f"{self.in_channels}, {len(self.table)}, kernel_size={self.kernel_size}"


class EuclideanRBF(nn.Module):
    """Minus the squared distance to a fixed prototype of each class.

    LeCun's output is y_i = Σ_j (x_j − w_ij)² and the *smallest* wins. This layer gives
    −y, so that the largest wins as everywhere in this course, and so that
    nn.CrossEntropyLoss on it is the paper's equation 9 without its constant j. The
    prototypes, (classes, features) of ±1, are not trained.
    """

    prototypes: torch.Tensor

    def __init__(self, prototypes: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("prototypes", prototypes.float())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, features) to (N, classes)."""
        return -(x.unsqueeze(1) - self.prototypes).square().sum(dim=2)

    def extra_repr(self) -> str:
        """What print(net) shows of it."""
        classes, features = self.prototypes.shape
        return f"{features}, {classes}"


def uniform_by_fan_in_(layer: nn.Module) -> None:
    """Weights uniform in ±2.4/fan-in, biases 0 (LeCun et al., appendix A).

    Fan-in is the number of a unit's inputs: in a partial convolution map by map.
    """
    with torch.no_grad():
        if isinstance(layer, PartialConv2d):
            reads = torch.tensor([len(row) for row in layer.table for _ in row])
            bounds = 2.4 / (reads * layer.kernel_size**2)
            unit = torch.empty_like(layer.kernels).uniform_(-1, 1)
            layer.kernels.copy_(unit * bounds.view(-1, 1, 1).to(unit))
        elif isinstance(layer, (nn.Conv2d, nn.Linear)):
            bound = 2.4 / layer.weight[0].numel()
            layer.weight.uniform_(-bound, bound)
        else:
            return
        if layer.bias is not None:
            layer.bias.zero_()


# What the ledger needs to know about them.

rule(ScaledTanh)(rule_of(nn.Tanh))


@rule(Subsampling)
def _subsampling(layer: Subsampling, shape: Shape) -> Step:
    channels, *size = image(shape)
    expect_channels(layer.channels, shape)
    height, width = ways = slide(size, 2, 2)
    outputs = channels * height.positions * width.positions
    return slid(
        ways,
        channels,
        parameters=2 * channels,
        parameters_formula=worked("(1 + 1)", channels, result=2 * channels),
        macs=outputs,  # the four inputs are added first, then multiplied once
        macs_formula=worked(height.positions, width.positions, channels),
        connections=outputs * (4 + 1),
        layer="Subsampling 2×2/2",
    )


@rule(PartialConv2d)
def _partial_conv(layer: PartialConv2d, shape: Shape) -> Step:
    expect_channels(layer.in_channels, image(shape))
    k, outputs, kernels = layer.kernel_size, len(layer.table), len(layer.kernels)
    ways = slide(shape[1:], k)
    places = ways[0].positions * ways[1].positions
    macs, parameters = places * k * k * kernels, k * k * kernels + outputs
    sizes = ways[0].positions, ways[1].positions, f"({k}·{k}·{kernels})"
    return slid(
        ways,
        outputs,
        parameters=parameters,
        parameters_formula=f"{k}·{k}·{kernels} + {outputs} = {parameters:,}",
        macs=macs,
        macs_formula=worked(*sizes, result=macs),
        connections=places * parameters,
        layer=f"PartialConv2d {k}×{k}",
    )


@rule(EuclideanRBF)
def _rbf(layer: EuclideanRBF, shape: Shape) -> Step:
    classes, features = layer.prototypes.shape
    if shape != (features,):
        raise ValueError(f"expects {features} features, but gets {shape}")
    return Step(
        output_shape=(classes,),
        macs=classes * features,
        macs_formula=worked(features, classes),
        connections=classes * features,  # fixed, so none of them is a parameter
    )
