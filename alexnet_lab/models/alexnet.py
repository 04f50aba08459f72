"""AlexNet as flat, named nn.Sequential networks, to be read beside the paper's figure.

Source: Krizhevsky, Sutskever and Hinton, *ImageNet Classification with Deep
Convolutional Neural Networks*, NIPS 2012, and its original source code, released by
the Computer History Museum (github.com/computerhistory/AlexNet-Source-Code).

Every network takes images (N, in_channels, height, width), in_channels being 1 for grey
and 3 for RGB, and returns logits (N, num_classes): the softmax belongs to the loss. A
count below 1 is a ValueError. The comment after a layer is the shape that leaves it.
"""

from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from alexnet_lab.arithmetic import rule, rule_of


def alexnet_2012(
    in_channels: int = 3,
    num_classes: int = 1000,
    image_size: int = 227,
    initialisation: str = "paper",
) -> nn.Sequential:
    """Build AlexNet as published in 2012: 60,965,224 parameters. Taught in 04.

    The two GPUs' towers are the two groups of conv2, conv4 and conv5. Each of these
    layers sees only its own tower's half of the channels (hence the paper's 5×5×48
    and 3×3×192 kernels); conv3 and the fully connected layers see both halves. The
    normalisations run over all 96 (256) channels, as the paper's formula is written;
    in the 2012 code each GPU normalised its own 48 (128): see `lrn_per_tower`.

    Images are squares of `image_size` 227, or 224 as the paper has it. At 224 a first
    layer `pad` adds three zeros on the right and below: the 2012 code rounded
    (224 − 11)/4 up to 54, so that its last window hung over the edge and read zeros
    there. `initialisation` is that of `initialise_alexnet`. ValueError for others.
    """
    _check_counts(in_channels, num_classes)
    if image_size not in (224, 227):
        raise ValueError(
            f"image_size must be 227 or 224, not {image_size}: fc6 expects 6×6 maps. "
            "alexnet_torchvision takes other sizes, alexnet_mini takes 28 to 35."
        )
    # On "meta" nothing is allocated, so that 61 million weights are drawn once: below.
    with torch.device("meta"):
        layers = OrderedDict(
            conv1=nn.Conv2d(in_channels, 96, kernel_size=11, stride=4),  # 96×55×55
            relu1=nn.ReLU(),  # 96×55×55
            norm1=LocalResponseNorm(size=5, alpha=1e-4, beta=0.75, k=2),  # 96×55×55
            pool1=nn.MaxPool2d(kernel_size=3, stride=2),  # 96×27×27
            conv2=nn.Conv2d(96, 256, kernel_size=5, padding=2, groups=2),  # 256×27×27
            relu2=nn.ReLU(),  # 256×27×27
            norm2=LocalResponseNorm(size=5, alpha=1e-4, beta=0.75, k=2),  # 256×27×27
            pool2=nn.MaxPool2d(kernel_size=3, stride=2),  # 256×13×13
            conv3=nn.Conv2d(256, 384, kernel_size=3, padding=1),  # 384×13×13
            relu3=nn.ReLU(),  # 384×13×13
            conv4=nn.Conv2d(384, 384, kernel_size=3, padding=1, groups=2),  # 384×13×13
            relu4=nn.ReLU(),  # 384×13×13
            conv5=nn.Conv2d(384, 256, kernel_size=3, padding=1, groups=2),  # 256×13×13
            relu5=nn.ReLU(),  # 256×13×13
            pool3=nn.MaxPool2d(kernel_size=3, stride=2),  # 256×6×6
            flatten=nn.Flatten(),  # 9216
            fc6=nn.Linear(256 * 6 * 6, 4096),  # 4096
            relu6=nn.ReLU(),  # 4096
            drop6=nn.Dropout(p=0.5),  # 4096
            fc7=nn.Linear(4096, 4096),  # 4096
            relu7=nn.ReLU(),  # 4096
            drop7=nn.Dropout(p=0.5),  # 4096
            fc8=nn.Linear(4096, num_classes),  # num_classes
        )
        if image_size == 224:
            layers["pad"] = nn.ZeroPad2d((0, 3, 0, 3))  # left, right, top, bottom
            layers.move_to_end("pad", last=False)  # 3×227×227
        net = nn.Sequential(layers)
    return _started(net, initialisation)


def alexnet_one_tower(
    in_channels: int = 3, num_classes: int = 1000, image_size: int = 227
) -> nn.Sequential:
    """Build AlexNet as most short descriptions of it mean it: 62,378,344 parameters.

    `alexnet_2012` in one tower: no convolution has groups, so that every kernel sees
    every channel. That costs 2.3 % more parameters, but 57 % more multiply-accumulates.
    Normalisation and dropout, which short descriptions leave out, are kept. Weights
    start as PyTorch starts them. Taught in 04.
    """
    with torch.device("meta"):
        net = alexnet_2012(in_channels, num_classes, image_size)
        net.conv2 = nn.Conv2d(96, 256, kernel_size=5, padding=2)  # 256×27×27
        net.conv4 = nn.Conv2d(384, 384, kernel_size=3, padding=1)  # 384×13×13
        net.conv5 = nn.Conv2d(384, 256, kernel_size=3, padding=1)  # 256×13×13
    return _started(net, "pytorch")


def alexnet_torchvision(in_channels: int = 3, num_classes: int = 1000) -> nn.Sequential:
    """Build torchvision's AlexNet with this course's names: 61,100,840 parameters.

    Differs from the paper: other widths, one tower, padding 2 in conv1 (224 in), no
    response normalisation, dropout *before* fc6 and fc7. `avgpool` brings any image
    of 63×63 or more to 6×6; at 224 it changes nothing. The shapes are those at 224.
    Weights start as PyTorch starts them; `load_torchvision_weights` loads trained ones.
    """
    _check_counts(in_channels, num_classes)
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(in_channels, 64, 11, stride=4, padding=2),  # 64×55×55
            relu1=nn.ReLU(),  # 64×55×55
            pool1=nn.MaxPool2d(kernel_size=3, stride=2),  # 64×27×27
            conv2=nn.Conv2d(64, 192, kernel_size=5, padding=2),  # 192×27×27
            relu2=nn.ReLU(),  # 192×27×27
            pool2=nn.MaxPool2d(kernel_size=3, stride=2),  # 192×13×13
            conv3=nn.Conv2d(192, 384, kernel_size=3, padding=1),  # 384×13×13
            relu3=nn.ReLU(),  # 384×13×13
            conv4=nn.Conv2d(384, 256, kernel_size=3, padding=1),  # 256×13×13
            relu4=nn.ReLU(),  # 256×13×13
            conv5=nn.Conv2d(256, 256, kernel_size=3, padding=1),  # 256×13×13
            relu5=nn.ReLU(),  # 256×13×13
            pool3=nn.MaxPool2d(kernel_size=3, stride=2),  # 256×6×6
            avgpool=nn.AdaptiveAvgPool2d((6, 6)),  # 256×6×6
            flatten=nn.Flatten(),  # 9216
            drop6=nn.Dropout(p=0.5),  # 9216
            fc6=nn.Linear(256 * 6 * 6, 4096),  # 4096
            relu6=nn.ReLU(),  # 4096
            drop7=nn.Dropout(p=0.5),  # 4096
            fc7=nn.Linear(4096, 4096),  # 4096
            relu7=nn.ReLU(),  # 4096
            fc8=nn.Linear(4096, num_classes),  # num_classes
        )
    )


def alexnet_mini(in_channels: int = 1, num_classes: int = 10) -> nn.Sequential:
    """Build AlexNet's eight layers small enough for a CPU: 544,194 parameters.

    A quarter of the paper's channels and an eighth of its hidden units, with the same
    names, towers, normalisation, overlapping pools and dropout; conv1 is 6×6 with
    stride 1, for images that have few pixels to spare. At 1×28×28 an image takes
    6.3 million multiply-accumulates, and no pool leaves pixels over: 28-23-11-5-2.
    Images up to 35×35 fit (32-27-13-6-2, where pool3 leaves one pixel over). Weights
    start by He's rule: the paper's 0.01 is far too small for so few inputs. On a CPU
    the normalisations take half of the training time; `net.norm1 = net.norm2 =
    nn.Identity()` leaves them out.
    """
    _check_counts(in_channels, num_classes)
    net = nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(in_channels, 24, kernel_size=6),  # 24×23×23
            relu1=nn.ReLU(),  # 24×23×23
            norm1=LocalResponseNorm(size=5, alpha=1e-4, beta=0.75, k=2),  # 24×23×23
            pool1=nn.MaxPool2d(kernel_size=3, stride=2),  # 24×11×11
            conv2=nn.Conv2d(24, 64, kernel_size=5, padding=2, groups=2),  # 64×11×11
            relu2=nn.ReLU(),  # 64×11×11
            norm2=LocalResponseNorm(size=5, alpha=1e-4, beta=0.75, k=2),  # 64×11×11
            pool2=nn.MaxPool2d(kernel_size=3, stride=2),  # 64×5×5
            conv3=nn.Conv2d(64, 96, kernel_size=3, padding=1),  # 96×5×5
            relu3=nn.ReLU(),  # 96×5×5
            conv4=nn.Conv2d(96, 96, kernel_size=3, padding=1, groups=2),  # 96×5×5
            relu4=nn.ReLU(),  # 96×5×5
            conv5=nn.Conv2d(96, 64, kernel_size=3, padding=1, groups=2),  # 64×5×5
            relu5=nn.ReLU(),  # 64×5×5
            pool3=nn.MaxPool2d(kernel_size=3, stride=2),  # 64×2×2
            flatten=nn.Flatten(),  # 256
            fc6=nn.Linear(64 * 2 * 2, 512),  # 512
            relu6=nn.ReLU(),  # 512
            drop6=nn.Dropout(p=0.5),  # 512
            fc7=nn.Linear(512, 512),  # 512
            relu7=nn.ReLU(),  # 512
            drop7=nn.Dropout(p=0.5),  # 512
            fc8=nn.Linear(512, num_classes),  # num_classes
        )
    )
    return initialise_alexnet(net, "he")


def alexnet_cifar(
    in_channels: int = 3, num_classes: int = 10, width: int = 48
) -> nn.Sequential:
    """Build AlexNet for images of 32×32: 1,171,658 parameters. Taught in 03 and 07.

    The paper's eight layers in the proportions of their widths, with its two towers,
    overlapping pools and dropout. `width` is the number of conv1's channels: 48 is half
    of the paper's, 24 a quarter (for ablations). What differs:

    - conv1 is 5×5 with stride 1; pools round up, as Krizhevsky's own do: 32-16-8-4.
    - No response normalisation: to standardised pixels it is nearly a constant (04).
    - 256 hidden units at width 48, for ten classes; weights start by He's rule.
    """
    _check_counts(in_channels, num_classes)
    if width < 6 or width % 6:
        raise ValueError(f"width={width}: use a multiple of 6, for equal towers")
    two, three, hidden = width * 8 // 3, width * 4, width * 16 // 3
    net = nn.Sequential(
        OrderedDict(  # the shapes are those of width 48
            conv1=nn.Conv2d(in_channels, width, kernel_size=5, padding=2),  # 48×32×32
            relu1=nn.ReLU(),  # 48×32×32
            pool1=nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True),  # 48×16×16
            conv2=nn.Conv2d(width, two, 5, padding=2, groups=2),  # 128×16×16
            relu2=nn.ReLU(),  # 128×16×16
            pool2=nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True),  # 128×8×8
            conv3=nn.Conv2d(two, three, kernel_size=3, padding=1),  # 192×8×8
            relu3=nn.ReLU(),  # 192×8×8
            conv4=nn.Conv2d(three, three, 3, padding=1, groups=2),  # 192×8×8
            relu4=nn.ReLU(),  # 192×8×8
            conv5=nn.Conv2d(three, two, 3, padding=1, groups=2),  # 128×8×8
            relu5=nn.ReLU(),  # 128×8×8
            pool3=nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True),  # 128×4×4
            flatten=nn.Flatten(),  # 2048
            fc6=nn.Linear(two * 4 * 4, hidden),  # 256
            relu6=nn.ReLU(),  # 256
            drop6=nn.Dropout(p=0.5),  # 256
            fc7=nn.Linear(hidden, hidden),  # 256
            relu7=nn.ReLU(),  # 256
            drop7=nn.Dropout(p=0.5),  # 256
            fc8=nn.Linear(hidden, num_classes),  # 10
        )
    )
    return initialise_alexnet(net, "he")


def initialise_alexnet(net: nn.Sequential, initialisation: str) -> nn.Sequential:
    """Set all weights and biases of a network with this module's layer names.

    - "paper": weights from N(0, 0.01²); biases 1 in conv2, conv4, conv5, fc6 and fc7,
      so that their ReLUs start alive, 0 elsewhere.
    - "code": the same, but with standard deviation 0.03 in conv3, conv4 and conv5, as
      the 2012 configuration files have it.
    - "he": weights from N(0, 2/fan-in) (He et al. 2015), biases 0.
    - "pytorch": what torch.nn does by default, uniform in ±1/√fan-in.

    Returns the same network, changed in place. ValueError for other initialisations.
    """
    choices = ("paper", "code", "he", "pytorch")
    if initialisation not in choices:
        raise ValueError(
            f"initialisation must be one of {choices}, not {initialisation!r}"
        )
    alive = ("conv2", "conv4", "conv5", "fc6", "fc7")
    wide = ("conv3", "conv4", "conv5") if initialisation == "code" else ()
    for name, layer in net.named_modules():
        if not isinstance(layer, (nn.Conv2d, nn.Linear)):
            continue
        if initialisation == "pytorch":
            layer.reset_parameters()
            continue
        one = initialisation != "he" and name in alive
        if initialisation == "he":
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        else:
            nn.init.normal_(layer.weight, std=0.03 if name in wide else 0.01)
        if layer.bias is not None:
            nn.init.constant_(layer.bias, 1.0 if one else 0.0)
    return net


def lrn_per_tower(norm: nn.LocalResponseNorm, maps: Tensor, towers: int = 2) -> Tensor:
    """Normalise each tower's channels by themselves, as the two GPUs of 2012 did.

    Of maps (N, channels, height, width) only windows that reach across the seam differ
    from `norm(maps)`: with size 5 over 96 channels those of channels 46 to 49.
    ValueError if the channels do not split into equal towers. Taught in 04.
    """
    if towers < 1 or maps.shape[1] % towers:
        raise ValueError(f"{maps.shape[1]} channels do not split into {towers} towers")
    return torch.cat([norm(tower) for tower in maps.chunk(towers, dim=1)], dim=1)


def _started(net: nn.Sequential, initialisation: str) -> nn.Sequential:
    """A network from the meta device to where one is wanted, its weights drawn once."""
    # In torch 2.6 get_default_device() does not see `with torch.device(…)`.
    net.to_empty(device=torch.empty(0).device)
    return initialise_alexnet(net, initialisation)


def _check_counts(in_channels: int, num_classes: int) -> None:
    if in_channels < 1 or num_classes < 1:
        counts = f"in_channels ({in_channels}) and num_classes ({num_classes})"
        raise ValueError(f"{counts} must be at least 1")


class LocalResponseNorm(nn.LocalResponseNorm):
    """`nn.LocalResponseNorm`, computed in a quarter of the time.

    y = x · s^(−β) with s = k + α/size · (sum of x² over the window of channels).

    torch.nn pads a copy, slides a 3-D average over it, and lets autograd keep every
    step. Here the window is summed by adding shifted channels in place, and only
    s^(−β), s and x are kept for the gradient, which cannot be differentiated again.
    Arguments, results and printed name are torch.nn's; sums of bfloat16 are float32.
    """

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, …) to the same shape and type."""
        if input.dim() < 3 or not input.is_floating_point():
            return super().forward(input)  # raises torch's own error where it does
        return _Normalise.apply(input, self.size, self.alpha, self.beta, self.k)


class _Normalise(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, size: int, alpha: float, beta: float, k: float
    ) -> Tensor:
        exact = _float32(x)
        sums = window_sums(exact * exact, size // 2, (size - 1) // 2)
        sums = sums.mul_(alpha / size).add_(k)
        if beta == 0.75:  # for AlexNet's β two square roots are faster than a power
            root = sums.rsqrt()
            scale = root * root.sqrt()
        else:
            scale = sums.pow(-beta)
        ctx.save_for_backward(x, sums, scale)
        ctx.arguments = size, alpha, beta
        return (exact * scale).to(x.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None]:
        # ∂y_j/∂x_i = s_j^(−β)·[i = j] − 2αβ/size · x_i · x_j · s_j^(−β−1), i within
        # j's window: seen from i, the window is mirrored.
        x, sums, scale = ctx.saved_tensors
        size, alpha, beta = ctx.arguments
        exact = _float32(x)
        direct = _float32(gradient) * scale
        through = window_sums(direct * exact / sums, (size - 1) // 2, size // 2)
        through = through.mul_(exact).mul_(2 * alpha * beta / size)
        return direct.sub_(through).to(x.dtype), None, None, None, None


def window_sums(maps: Tensor, before: int, after: int) -> Tensor:
    """Each channel of (N, C, …) plus neighbours, `before` it and `after` it."""
    sums = maps.clone()
    for distance in range(1, before + 1):
        sums[:, distance:] += maps[:, :-distance]
    for distance in range(1, after + 1):
        sums[:, :-distance] += maps[:, distance:]
    return sums


def _float32(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()


rule(LocalResponseNorm)(rule_of(nn.LocalResponseNorm))  # to the ledger it is torch.nn's
