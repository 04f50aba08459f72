"""The networks that are compared, and single training steps of them by two recipes.

*plain* is what textbooks do: each image resized and converted alone, float32, default
memory layout, Xavier's weights, SGD without momentum at a constant rate. *ours* is what
``fit`` does: batches resized at once, the type and layout that the processor likes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple

import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision import transforms

from alexnet_lab import data, ledger, models
from alexnet_lab.models.modern import changed
from alexnet_lab.studies.variants import quick_80sec
from alexnet_lab.training.optimizers import make_optimizer
from alexnet_lab.training.precision import Precision, bfloat16_gain, choose_precision
from benchmarks.measure import Step

BATCH, EPOCHS = 128, 10  # the textbook's
IN_NO_TEXTBOOK = ("80sec", "wide-80sec")


class Network(NamedTuple):
    """What both recipes train."""

    plain: Callable[[], nn.Module]  # builds it as the textbook has it
    ours: Callable[[int], nn.Module]  # for images of so many pixels, with our weights
    shape: tuple[int, int, int]  # of an image
    rate: float  # of the textbook's SGD
    calls: int  # so many steps make one measurement
    data: Callable[..., Any] = data.fashion_mnist
    images: int = 60_000

    @property
    def steps(self) -> int:
        """Of the textbook's recipe, as a whole."""
        return EPOCHS * math.ceil(self.images / BATCH)


def textbook_alexnet(side: int = 5) -> nn.Sequential:
    """The one-channel AlexNet of Dive into Deep Learning; 5×5 maps come to its fc6."""
    conv1 = nn.Conv2d(1, 96, kernel_size=11, stride=4, padding=1)
    edits = {"norm1": None, "norm2": None, "fc6": nn.Linear(256 * side * side, 4096)}
    return changed(models.alexnet_one_tower(1, 10), conv1=conv1, **edits)


def map_side(pixels: int) -> int:
    """Height and width of the textbook AlexNet's last maps, by the ledger."""
    return ledger(textbook_alexnet()[:13], (1, pixels, pixels))["pool3"].output_shape[2]


def our_alexnet(pixels: int) -> nn.Sequential:
    """The textbook's, weights by He's rule, without dropout: no image comes twice."""
    net = models.initialise_alexnet(textbook_alexnet(map_side(pixels)), "he")
    net.drop6.p = net.drop7.p = 0.0
    with torch.no_grad():
        net.fc8.weight.mul_(0.1)  # so that the first loss is near ln 10
    return net


def grow(net: nn.Sequential, pixels: int) -> None:
    """Let AlexNet read larger images: fc6 does what it did, with averaged maps."""
    old, new = math.isqrt(net.fc6.in_features // 256), map_side(pixels)
    weight = net.fc6.weight.detach().unflatten(1, (256, old * old))
    places = torch.eye(new * new, device=weight.device).view(-1, new, new)
    averages = nn.functional.adaptive_avg_pool2d(places, old).flatten(1)  # e.g. 25×9
    net.fc6.weight = nn.Parameter((weight @ averages.T).flatten(1))
    net.fc6.in_features = 256 * new * new


def wide_80sec(pixels: int = 32) -> nn.Sequential:
    """80sec, half again as wide, with batch normalisation after each convolution."""
    net = models.krizhevsky_80sec()
    for n, (reads, maps) in enumerate(((3, 48), (48, 48), (48, 96)), 1):
        conv, norm = nn.Conv2d(reads, maps, 5, padding=2), nn.BatchNorm2d(maps)
        net = changed(net, **{f"conv{n}": {f"conv{n}": conv, f"norm{n}": norm}})
    net.fc64 = nn.Linear(96 * 4 * 4, 64)
    return models.initialise_alexnet(net, "he")


_cifar = (3, 32, 32), 0.1, 10, data.cifar10, 50_000
NETS = {
    "80sec": Network(models.krizhevsky_80sec, lambda _: quick_80sec(), *_cifar),
    "wide-80sec": Network(wide_80sec, wide_80sec, *_cifar),
    "LeNet-5": Network(
        models.lenet5, lambda _: models.lenet5("relu", "max"), (1, 28, 28), 0.1, 50
    ),
    "AlexNet": Network(textbook_alexnet, our_alexnet, (1, 224, 224), 0.01, 1),
}


def flops(name: str, pixels: int) -> int:
    """Of training on one image."""
    book = ledger(NETS[name].ours(pixels), (NETS[name].shape[0], pixels, pixels))
    # forward, and twice that backward; conv1 needs no gradient of its input
    return 2 * (3 * book.total_macs - book["conv1"].macs)


def fast(name: str, net: nn.Module, where: torch.device) -> Precision:
    """What `fit` chooses; but 16 bits for 80sec, too, which it deems too small."""
    more = name in IN_NO_TEXTBOOK and where.type == "cpu" and bfloat16_gain() > 1
    return choose_precision("bfloat16" if more else "auto", net, where)


def one_by_one(network: Network) -> DataLoader:
    """The training images as textbooks serve them: each resized and converted alone."""
    train, pixels = network.data(held_out=0, device="cpu").train, network.shape[-1]
    pictures = train.images.permute(0, 2, 3, 1).squeeze(-1).numpy()
    resize = [transforms.Resize(pixels)] * (pixels != pictures.shape[1])
    convert = transforms.Compose([*resize, transforms.ToTensor()])

    def batch(numbers: list[int]) -> tuple[Tensor, Tensor]:
        images = [convert(Image.fromarray(pictures[number])) for number in numbers]
        return torch.stack(images), train.labels[numbers]

    # No workers: on two cores they would take time from the step they feed, and go on
    # working while the other recipe is measured.
    return DataLoader(range(train.count), BATCH, shuffle=True, collate_fn=batch)


def steps(plain: bool, name: str, where: torch.device, net: Any = None) -> Step:
    """One step a call, loading included: the textbook's, or what `fit` does."""
    torch.manual_seed(0)
    network, pixels = NETS[name], NETS[name].shape[-1]
    net = (net or (network.plain() if plain else network.ours(pixels))).to(where)
    if plain:
        for layer in net.modules():
            if isinstance(layer, (nn.Conv2d, nn.Linear)):
                nn.init.xavier_uniform_(layer.weight)
        batches: Any = one_by_one(network)
        optimizer = torch.optim.SGD(net.parameters(), lr=network.rate)
        chosen = choose_precision("float32", net, where)
        layout = torch.contiguous_format
    else:
        batches = network.data(pixels, BATCH, device=where).train
        optimizer = make_optimizer(net, learning_rate=0.01)
        chosen = fast(name, net, where)
        layout = chosen.layout()
    net.to(memory_format=layout)
    endless = (batch for _ in count() for batch in batches)

    def step() -> None:
        images, labels = next(endless)
        with chosen.autocast():
            logits = net(images.to(where).contiguous(memory_format=layout))
        loss = nn.functional.cross_entropy(logits.float(), labels.to(where))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()  # every textbook reads it, and it waits for a GPU

    return step


def product_step(kind: torch.dtype, where: torch.device, size: int = 2048) -> Step:
    """One large matrix product a call: the ceiling of this machine for that type."""
    a = torch.randn(size, size, device=where).to(kind)
    out = torch.empty_like(a)

    def step() -> None:
        torch.mm(a, a, out=out)
        out[0, 0].item()  # waits for a GPU

    return step
