"""From 2012 to today in four steps, each one change away from the step before.

    alexnet_mini → mini_batch_norm → mini_global_pool → mini_stacks → mini_residual

All take images (N, in_channels, 28, 28) and return logits (N, num_classes); a count
below 1 is a ValueError. The comment after a layer is the shape that leaves it. Weights
start by He's rule. Convolutions keep alexnet_mini's towers (groups=2) throughout, so
that these are not one of the changes.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from alexnet_lab.arithmetic.accounting import ledger
from alexnet_lab.arithmetic.layers import times
from alexnet_lab.arithmetic.rules import Shape, Step, rule
from alexnet_lab.arithmetic.sizes import Field
from alexnet_lab.models.alexnet import alexnet_mini, initialise_alexnet


class Residual(nn.Module):
    """branch(x) + shortcut(x): the branch learns what to add to its input.

    The shortcut brings x to the shape that the branch gives, usually by a 1×1
    convolution; None is x itself. Source: He, Zhang, Ren and Sun, *Deep Residual
    Learning for Image Recognition*, CVPR 2016, equations 1 and 2.
    """

    def __init__(self, branch: nn.Module, shortcut: nn.Module | None = None) -> None:
        super().__init__()
        self.branch = branch
        self.shortcut = nn.Identity() if shortcut is None else shortcut

    def forward(self, x: Tensor) -> Tensor:
        """(N, …) to what the branch makes of it; the shortcut must give that shape."""
        return self.branch(x) + self.shortcut(x)


@rule(Residual)
def _residual(layer: Residual, shape: Shape) -> Step:
    """Shape and window of the branch; parameters and work of both ways added."""
    branch, shortcut = ledger(layer.branch, shape), ledger(layer.shortcut, shape)
    end, short = branch.rows[-1], shortcut.rows[-1]
    if end.output_shape != short.output_shape:
        raise ValueError(
            f"cannot add its branch, {times(*end.output_shape)}, and its shortcut, "
            f"{times(*short.output_shape)}: the shapes must be equal"
        )
    window = None
    if end.field and short.field:
        down, across = map(Field.joined, end.field, short.field)
        window = (down, across) if down and across else None
    return Step(
        output_shape=end.output_shape,
        formula=end.formula,
        parameters=branch.total_parameters + shortcut.total_parameters,
        parameters_formula=_sum(branch.total_parameters, shortcut.total_parameters),
        macs=branch.total_macs + shortcut.total_macs,
        macs_formula=_sum(branch.total_macs, shortcut.total_macs),
        connections=branch.total_connections + shortcut.total_connections,
        window=window,
        leftover=0 if end.field else None,
        layer=f"Residual, branch of {len(branch.rows)}",
    )


def mini_batch_norm(in_channels: int = 1, num_classes: int = 10) -> nn.Sequential:
    """Step 1: batch normalisation after each convolution, in place of the two LRNs.

    544,538 parameters: the convolutions have no biases, since each map's shift is now
    the normalisation's. Source: Ioffe and Szegedy, ICML 2015.
    """
    net = alexnet_mini(in_channels, num_classes)
    edits: dict[str, Any] = {"norm1": None, "norm2": None}
    for n in range(1, 6):
        conv: Any = net.get_submodule(f"conv{n}")
        conv.bias = None
        norm = nn.BatchNorm2d(conv.out_channels)
        edits[f"conv{n}"] = {f"conv{n}": conv, f"norm{n}": norm}
    return initialise_alexnet(changed(net, **edits), "he")


def mini_global_pool(in_channels: int = 1, num_classes: int = 10) -> nn.Sequential:
    """Step 2: each map's mean goes straight to fc8; pool3, fc6 and fc7 are gone.

    With fc6 and fc7 go their dropouts, and nearly three quarters of the parameters.
    From here on any image of 12×12 or more fits. Source: Lin, Chen and Yan, *Network In
    Network*, ICLR 2014.
    """
    net = changed(
        mini_batch_norm(in_channels, num_classes),
        pool3={"gap": nn.AdaptiveAvgPool2d(1)},  # 64×1×1
        **dict.fromkeys(("fc6", "relu6", "drop6", "fc7", "relu7", "drop7")),
        fc8=nn.Linear(64, num_classes),
    )
    return initialise_alexnet(net, "he")


def mini_stacks(in_channels: int = 1, num_classes: int = 10) -> nn.Sequential:
    """Step 3: two 3×3 convolutions in place of the 6×6, two in place of the 5×5.

    Two 3×3 see 5×5 pixels, with a ReLU more in between. conv1b and conv2b read all
    the channels of their towers, which is where most of the added work comes from.
    Source: Simonyan and Zisserman, *Very Deep Convolutional Networks*, ICLR 2015.
    """
    net = changed(
        mini_global_pool(in_channels, num_classes),
        conv1={
            "conv1a": nn.Conv2d(in_channels, 24, kernel_size=3, bias=False),  # 24×26×26
            "norm1a": nn.BatchNorm2d(24),  # 24×26×26
            "relu1a": nn.ReLU(),  # 24×26×26
            "conv1b": nn.Conv2d(24, 24, 3, bias=False),  # 24×24×24
        },
        conv2={
            "conv2a": nn.Conv2d(24, 64, 3, padding=1, groups=2, bias=False),  # 64×11×11
            "norm2a": nn.BatchNorm2d(64),  # 64×11×11
            "relu2a": nn.ReLU(),  # 64×11×11
            "conv2b": nn.Conv2d(64, 64, 3, padding=1, groups=2, bias=False),  # 64×11×11
        },
    )
    return initialise_alexnet(net, "he")


def mini_residual(in_channels: int = 1, num_classes: int = 10) -> nn.Sequential:
    """Step 4: a shortcut around conv2a and conv2b, and one around conv3 and conv4.

    The same convolutions as in `mini_stacks`. Where a block changes the number of
    channels, its shortcut is a 1×1 convolution. The block's last ReLU comes after the
    sum, as in He et al., CVPR 2016.
    """
    net = mini_stacks(in_channels, num_classes)
    for block, names, channels in (
        ("block2", ("conv2a", "norm2a", "relu2a", "conv2b", "norm2"), (24, 64)),
        ("block3", ("conv3", "norm3", "relu3", "conv4", "norm4"), (64, 96)),
    ):
        branch = OrderedDict((name, net.get_submodule(name)) for name in names)
        shortcut = OrderedDict(  # changes the number of channels, as the branch does
            conv=nn.Conv2d(*channels, kernel_size=1, bias=False),
            norm=nn.BatchNorm2d(channels[1]),
        )
        residual = Residual(nn.Sequential(branch), nn.Sequential(shortcut))
        edits = {**dict.fromkeys(names), names[0]: {block: residual}}
        net = changed(net, **edits)
    return initialise_alexnet(net, "he")


def changed(
    net: nn.Sequential, **edits: nn.Module | Mapping[str, nn.Module] | None
) -> nn.Sequential:
    """A flat network with some of its layers exchanged, by name.

    An edit is None, to leave the layer of that name out; a layer, to take its place; or
    several, by name, to stand in its place. `net` stays as it is; layers that are kept
    are shared. ValueError if it has no layer of that name.
    """
    old = dict(net.named_children())
    if unknown := edits.keys() - old.keys():
        raise ValueError(f"no layer {min(unknown)!r}; there are {', '.join(old)}")
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for name, layer in old.items():
        edit = edits.get(name, layer)
        if isinstance(edit, nn.Module):
            layers[name] = edit
        elif edit is not None:
            layers.update(edit)
    return nn.Sequential(layers)


def _sum(one: int, other: int) -> str:
    """The working of a sum; empty where there is nothing to add."""
    return f"{one:,} + {other:,} = {one + other:,}" if one + other else ""
