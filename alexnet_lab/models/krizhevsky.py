"""Alex Krizhevsky's own small networks for CIFAR-10, beside the lines of his files.

Source: `example-layers` of the 2012 code, released by the Computer History Museum
(github.com/computerhistory/AlexNet-Source-Code). The files' names tell what he reached:
26 % error in 80 seconds, 18 %, 13 % and 11 %. The networks read
`cifar10(mean_image=True)`: pixels of 0..255 less the mean image. Convolutions keep the
size, pools round up (`ceil_mode`), biases start at 0, and the output is logits. A
comment has what his file says; the shape that leaves the layer follows the arrow. The
rates to train them by: :func:`alexnet_lab.training.recipe`. Taught in 03.
"""

from collections import OrderedDict
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from alexnet_lab.arithmetic.layers import expect_channels, image, slid, slide, worked
from alexnet_lab.arithmetic.rules import Shape, Step, rule
from alexnet_lab.models.alexnet import LocalResponseNorm
from alexnet_lab.models.modern import changed


def krizhevsky_80sec(in_channels: int = 3, num_classes: int = 10) -> nn.Sequential:
    """Build `layers-80sec.cfg`: 145,578 parameters, "26 % error in 80 seconds".

    From (N, in_channels, 32, 32) to logits (N, num_classes).
    """
    net = nn.Sequential(
        OrderedDict(
            # [conv1] filters=32 filterSize=5 padding=2 initW=0.0001 → 32×32×32
            conv1=nn.Conv2d(in_channels, 32, kernel_size=5, padding=2),
            # [pool1] pool=max sizeX=3 stride=2 neuron=relu → 32×16×16
            pool1=nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True),
            relu1=nn.ReLU(),
            # [conv2] filters=32 filterSize=5 padding=2 neuron=relu initW=0.01
            conv2=nn.Conv2d(32, 32, kernel_size=5, padding=2),
            relu2=nn.ReLU(),
            # [pool2] pool=avg sizeX=3 stride=2 → 32×8×8
            pool2=nn.AvgPool2d(kernel_size=3, stride=2, ceil_mode=True),
            # [conv3] filters=64 filterSize=5 padding=2 neuron=relu initW=0.01
            conv3=nn.Conv2d(32, 64, kernel_size=5, padding=2),
            relu3=nn.ReLU(),
            # [pool3] pool=avg sizeX=3 stride=2 → 64×4×4
            pool3=nn.AvgPool2d(kernel_size=3, stride=2, ceil_mode=True),
            flatten=nn.Flatten(),
            # [fc64] outputs=64 neuron=relu initW=0.1
            fc64=nn.Linear(64 * 4 * 4, 64),
            relu4=nn.ReLU(),
            # [fc10] outputs=10 initW=0.1; the softmax is in the loss
            fc10=nn.Linear(64, num_classes),
        )
    )
    return _started(net, conv1=1e-4, conv2=0.01, conv3=0.01, fc64=0.1, fc10=0.1)


def krizhevsky_18pct(in_channels: int = 3, num_classes: int = 10) -> nn.Sequential:
    """Build `layers-18pct.cfg`: 89,578 parameters, "18 % error in 20 minutes".

    The convolutions and pools of `krizhevsky_80sec`, a normalisation within each map
    after the first two pools, and one linear layer. Shapes as there.
    """
    net = nn.Sequential(
        OrderedDict(
            # [conv1] filters=32 filterSize=5 padding=2 initW=0.0001 → 32×32×32
            conv1=nn.Conv2d(in_channels, 32, kernel_size=5, padding=2),
            # [pool1] pool=max sizeX=3 stride=2 neuron=relu → 32×16×16
            pool1=nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True),
            relu1=nn.ReLU(),
            # [rnorm1] size=3 scale=0.00005 pow=.75
            rnorm1=MapNorm(size=3, alpha=5e-5, beta=0.75),
            # [conv2] filters=32 filterSize=5 padding=2 neuron=relu initW=0.01
            conv2=nn.Conv2d(32, 32, kernel_size=5, padding=2),
            relu2=nn.ReLU(),
            # [pool2] pool=avg sizeX=3 stride=2 → 32×8×8
            pool2=nn.AvgPool2d(kernel_size=3, stride=2, ceil_mode=True),
            # [rnorm2] size=3 scale=0.00005 pow=.75
            rnorm2=MapNorm(size=3, alpha=5e-5, beta=0.75),
            # [conv3] filters=64 filterSize=5 padding=2 neuron=relu initW=0.01
            conv3=nn.Conv2d(32, 64, kernel_size=5, padding=2),
            relu3=nn.ReLU(),
            # [pool3] pool=avg sizeX=3 stride=2 → 64×4×4
            pool3=nn.AvgPool2d(kernel_size=3, stride=2, ceil_mode=True),
            flatten=nn.Flatten(),
            # [fc10] outputs=10 initW=0.01
            fc10=nn.Linear(64 * 4 * 4, num_classes),
        )
    )
    return _started(net, conv1=1e-4, conv2=0.01, conv3=0.01, fc10=0.01)


def krizhevsky_13pct(in_channels: int = 3, num_classes: int = 10) -> nn.Sequential:
    """Build `layers-conv-local-13pct.cfg`: 1,116,490 parameters.

    From crops (N, in_channels, 24, 24) to logits (N, num_classes). The paper's 3.3
    calls it "a four-layer CNN" that has 13 % error without response normalisation.
    """
    net = nn.Sequential(
        OrderedDict(
            # [conv1] filters=64 filterSize=5 padding=2 neuron=relu initW=0.0001
            conv1=nn.Conv2d(in_channels, 64, kernel_size=5, padding=2),
            relu1=nn.ReLU(),
            # [pool1] pool=max sizeX=3 stride=2 → 64×12×12
            pool1=nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True),
            # [conv2] filters=64 filterSize=5 padding=2 neuron=relu initW=0.01
            conv2=nn.Conv2d(64, 64, kernel_size=5, padding=2),
            relu2=nn.ReLU(),
            # [pool2] pool=max sizeX=3 stride=2 → 64×6×6
            pool2=nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True),
            # [local3] filters=32 filterSize=3 padding=1 neuron=relu initW=0.04
            local3=LocallyConnected2d(64, 32, kernel_size=3, padding=1, input_size=6),
            relu3=nn.ReLU(),
            # [local4] filters=32 filterSize=3 padding=1 neuron=relu initW=0.04
            local4=LocallyConnected2d(32, 32, kernel_size=3, padding=1, input_size=6),
            relu4=nn.ReLU(),
            flatten=nn.Flatten(),
            # [fc10] outputs=10 initW=0.01
            fc10=nn.Linear(32 * 6 * 6, num_classes),
        )
    )
    deviations = {"conv1": 1e-4, "conv2": 0.01, "local3": 0.04, "local4": 0.04}
    return _started(net, **deviations, fc10=0.01)


def krizhevsky_11pct(in_channels: int = 3, num_classes: int = 10) -> nn.Sequential:
    """Build `layers-conv-local-11pct.cfg`: the 13 % network with normalisation.

    Its file has `[rnorm1]` and `[rnorm2]`, crossMap=1 size=5 scale=0.001 pow=0.75,
    between ReLU and pool, and is the same in everything else.
    """
    net = krizhevsky_13pct(in_channels, num_classes)
    return with_response_norm(net, alpha=1e-3, k=1)


def with_response_norm(net: nn.Sequential, alpha: float, k: float) -> nn.Sequential:
    """A network with a LocalResponseNorm of 5 channels, β 0.75, after relu1 and relu2.

    AttributeError if it has no such layers.
    """
    for n in (1, 2):
        norm = LocalResponseNorm(size=5, alpha=alpha, beta=0.75, k=k)
        both = {f"relu{n}": net.get_submodule(f"relu{n}"), f"norm{n}": norm}
        net = changed(net, **{f"relu{n}": both})
    return net


class MapNorm(nn.Module):
    """Response normalisation *within* each map, over a size×size window.

    y = x · (1 + α/size² · sum of x² in the window)^(−β). The 2012 code's `rnorm`
    without crossMap; zeros stand beyond the edge.
    """

    def __init__(self, size: int, alpha: float, beta: float) -> None:
        super().__init__()
        self.size, self.alpha, self.beta = size, alpha, beta

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        mean = F.avg_pool2d(x.float().square(), self.size, 1, self.size // 2)
        return x * mean.mul(self.alpha).add(1).pow(-self.beta).to(x.dtype)

    def extra_repr(self) -> str:
        """What print(net) shows of it."""
        return f"{self.size}, alpha={self.alpha:g}, beta={self.beta:g}"


@rule(MapNorm)
def _map_norm(layer: MapNorm, shape: Shape) -> Step:
    """The shape stays; each number reads its neighbours, as in a padded convolution."""
    channels, *size = image(shape)
    ways = slide(size, layer.size, 1, layer.size // 2, 1)
    return slid(ways, channels, layer=f"MapNorm {layer.size}×{layer.size}")


class LocallyConnected2d(nn.Module):
    """A convolution whose kernels are its own at each position: no weight is shared.

    From (N, in_channels, input_size, input_size) to as many positions as a convolution
    of that kernel and padding with stride 1 has.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        padding: int,
        input_size: int,
    ) -> None:
        super().__init__()
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.padding = kernel_size, padding
        self.side = input_size + 2 * padding - kernel_size + 1
        reads = in_channels * kernel_size**2
        self.weight = nn.Parameter(torch.empty(self.side**2, out_channels, reads))
        self.bias = nn.Parameter(torch.zeros(out_channels, self.side**2))
        nn.init.normal_(self.weight, std=(2 / reads) ** 0.5)  # He's rule

    def forward(self, x: Tensor) -> Tensor:
        """(N, in, H, W) to (N, out, side, side)."""
        windows = F.unfold(x, self.kernel_size, padding=self.padding)  # (N, reads, P)
        y = torch.einsum("nrp,por->nop", windows, self.weight) + self.bias
        return y.unflatten(2, (self.side, self.side))

    def extra_repr(self) -> str:
        """What print(net) shows of it."""
        places = f"{self.side}×{self.side} places"
        return f"{self.in_channels}, {self.out_channels}, {self.kernel_size}, {places}"


@rule(LocallyConnected2d)
def _locally_connected(layer: LocallyConnected2d, shape: Shape) -> Step:
    channels, *size = image(shape)
    expect_channels(layer.in_channels, shape)
    ways = slide(size, layer.kernel_size, 1, layer.padding, 1)
    if any(way.positions != layer.side for way in ways):
        has = f"has kernels for {layer.side}×{layer.side} places"
        raise ValueError(f"{has}, but gets {ways[0].positions}×{ways[1].positions}")
    places, reads = layer.side**2, channels * layer.kernel_size**2
    parameters = places * layer.out_channels * (reads + 1)
    macs = places * layer.out_channels * reads
    return slid(
        ways,
        layer.out_channels,
        parameters=parameters,
        parameters_formula=worked(
            places, layer.out_channels, f"({reads:,} + 1)", result=parameters
        ),
        macs=macs,
        macs_formula=worked(places, layer.out_channels, reads),
        connections=parameters,
        layer=f"LocallyConnected2d {layer.kernel_size}×{layer.kernel_size}",
    )


def _started(net: nn.Sequential, **deviations: float) -> nn.Sequential:
    """Weights from N(0, deviation²), as his files' initW has it, and biases 0."""
    for name, deviation in deviations.items():
        layer: Any = net.get_submodule(name)
        nn.init.normal_(layer.weight, std=deviation)
        nn.init.zeros_(layer.bias)
    return net
