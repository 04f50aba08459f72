"""The two recipes that are compared, each as a source of single training steps.

*plain* is what textbooks do: every image resized and converted on its own in a
DataLoader, float32, default memory layout, SGD without momentum. *ours* is what
``alexnet_lab.training.fit`` does on this machine: batches resized at once, the type and
the layout that the processor is fast at.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import nn

from alexnet_lab.data import fashion_mnist, unpacked
from alexnet_lab.models import lenet5
from alexnet_lab.training.optimizers import make_optimizer
from alexnet_lab.training.precision import choose_precision

BATCH = 128
Step = Callable[[], None]


def textbook_alexnet() -> nn.Sequential:
    """The one-channel AlexNet of Dive into Deep Learning: 46,764,746 parameters."""
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 96, kernel_size=11, stride=4, padding=1),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(kernel_size=3, stride=2),
            conv2=nn.Conv2d(96, 256, kernel_size=5, padding=2),
            relu2=nn.ReLU(),
            pool2=nn.MaxPool2d(kernel_size=3, stride=2),
            conv3=nn.Conv2d(256, 384, kernel_size=3, padding=1),
            relu3=nn.ReLU(),
            conv4=nn.Conv2d(384, 384, kernel_size=3, padding=1),
            relu4=nn.ReLU(),
            conv5=nn.Conv2d(384, 256, kernel_size=3, padding=1),
            relu5=nn.ReLU(),
            pool3=nn.MaxPool2d(kernel_size=3, stride=2),
            flatten=nn.Flatten(),
            fc6=nn.Linear(6400, 4096),
            relu6=nn.ReLU(),
            drop6=nn.Dropout(0.5),
            fc7=nn.Linear(4096, 4096),
            relu7=nn.ReLU(),
            drop7=nn.Dropout(0.5),
            fc8=nn.Linear(4096, 10),
        )
    )


NETS = {
    "LeNet-5": (lambda plain: lenet5() if plain else lenet5("relu", "max"), 28, 0.1),
    "AlexNet": (lambda plain: textbook_alexnet(), 224, 0.01),
}


def xavier(layer: nn.Module) -> None:
    """The textbook's initialisation."""
    if isinstance(layer, (nn.Conv2d, nn.Linear)):
        nn.init.xavier_uniform_(layer.weight)


def plain_loader(size: int) -> torch.utils.data.DataLoader:
    """Torchvision's Fashion-MNIST, each image resized and converted on its own."""
    from torchvision import transforms
    from torchvision.datasets import FashionMNIST

    steps = [transforms.ToTensor()]
    if size != 28:
        steps.insert(0, transforms.Resize(size))
    root = unpacked("FashionMNIST")
    dataset = FashionMNIST(root, transform=transforms.Compose(steps))
    # No workers: on two cores they would take time from the step they feed, and go on
    # working while the other recipe is measured.
    return torch.utils.data.DataLoader(dataset, BATCH, shuffle=True)


def plain_steps(name: str, where: torch.device) -> Step:
    """One textbook step a call, loading included."""
    build, size, rate = NETS[name]
    torch.manual_seed(0)
    net = build(True).apply(xavier).to(where)
    optimizer = torch.optim.SGD(net.parameters(), lr=rate)
    batches = _endless(plain_loader(size))

    def step() -> None:
        images, labels = next(batches)
        loss = nn.functional.cross_entropy(net(images.to(where)), labels.to(where))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()  # every textbook reads it, and it waits for a GPU

    return step


def our_steps(name: str, where: torch.device) -> Step:
    """One step a call of what ``fit`` does, loading included."""
    build, size, rate = NETS[name]
    torch.manual_seed(0)
    net = build(False).to(where)
    precision = choose_precision("auto", net, where)
    layout = precision.layout()
    net.to(memory_format=layout)
    optimizer = make_optimizer(net, learning_rate=rate)
    batches = _endless(fashion_mnist(size, BATCH, device=where).train)

    def step() -> None:
        images, labels = next(batches)
        with precision.autocast():
            logits = net(images.contiguous(memory_format=layout))
        loss = nn.functional.cross_entropy(logits.float(), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()

    return step


def product_step(kind: torch.dtype, where: torch.device, size: int = 2048) -> Step:
    """One large matrix product a call: the ceiling of this machine for that type."""
    a = torch.randn(size, size, device=where).to(kind)
    out = torch.empty_like(a)

    def step() -> None:
        torch.mm(a, a, out=out)
        if where.type != "cpu":
            out[0, 0].item()

    return step


def _endless(
    batches: Iterable[tuple[torch.Tensor, torch.Tensor]],
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    while True:
        yield from batches
