"""Learn to tell crops of eight photographs apart: filters from real colours.

    python -m alexnet_lab study photo_crops --steps 3000 --out data/runs/photo_crops

Notebook 08 trains the same network for a moment; this makes the one that ships.
"""

import argparse
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from alexnet_lab.data.augment import RandomCrop, RandomFlip
from alexnet_lab.data.batches import Passes, check_positive
from alexnet_lab.data.pictures import PHOTOS, photos
from alexnet_lab.models import initialise_alexnet
from alexnet_lab.runtime import provenance, write_json
from alexnet_lab.training import checkpoints, evaluate, fit

CROP = 67  # pixels: the smallest image that AlexNet's layers can read
SIDE, LEFT = 256, 176  # of the squares; of the columns that training sees
MIDDLE, SPREAD = 0.5, 0.25  # a crop's pixels, 0..1, become (pixel − 0.5) / 0.25


def photo_net(start: float = 0.003) -> nn.Sequential:
    """Build the narrow AlexNet of notebook 08: 187,848 parameters, no normalisation.

    Sizes, strides and paddings are the paper's, so 67×67 gives 15-7-3-1. `avgpool`
    changes nothing there; it lets larger photographs through as well.

    Args:
        start: standard deviation of conv1's first weights; all others by He's rule.

    Returns:
        Network from (N, 3, H, W), H and W at least 67, to logits (N, 8).

    Raises:
        ValueError: start is not above 0.
    """
    if not start > 0:
        raise ValueError(f"start={start}: use a standard deviation above 0")
    net = nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(3, 32, kernel_size=11, stride=4),  # 32×15×15
            relu1=nn.ReLU(),  # 32×15×15
            pool1=nn.MaxPool2d(kernel_size=3, stride=2),  # 32×7×7
            conv2=nn.Conv2d(32, 64, kernel_size=5, padding=2, groups=2),  # 64×7×7
            relu2=nn.ReLU(),  # 64×7×7
            pool2=nn.MaxPool2d(kernel_size=3, stride=2),  # 64×3×3
            conv3=nn.Conv2d(64, 96, kernel_size=3, padding=1),  # 96×3×3
            relu3=nn.ReLU(),  # 96×3×3
            conv4=nn.Conv2d(96, 96, kernel_size=3, padding=1, groups=2),  # 96×3×3
            relu4=nn.ReLU(),  # 96×3×3
            conv5=nn.Conv2d(96, 64, kernel_size=3, padding=1, groups=2),  # 64×3×3
            relu5=nn.ReLU(),  # 64×3×3
            pool3=nn.MaxPool2d(kernel_size=3, stride=2),  # 64×1×1
            avgpool=nn.AdaptiveAvgPool2d(1),  # 64×1×1
            flatten=nn.Flatten(),  # 64
            fc6=nn.Linear(64, 128),  # 128
            relu6=nn.ReLU(),  # 128
            drop6=nn.Dropout(p=0.5),  # 128
            fc7=nn.Linear(128, 128),  # 128
            relu7=nn.ReLU(),  # 128
            drop7=nn.Dropout(p=0.5),  # 128
            fc8=nn.Linear(128, len(PHOTOS)),  # 8
        )
    )
    initialise_alexnet(net, "he")
    nn.init.normal_(net.get_parameter("conv1.weight"), std=start)
    return net


class PhotoCrops(Passes):
    """Random crops of the course's photographs; the label is the photograph.

    Training crops come from the left 176 columns of the 256×256 squares, are mirrored
    at random and given other colours: contrast times exp(0.3·z), each of red, green
    and blue shifted by 0.15·z, with a z from N(0, 1) each. Held-out crops come from
    the right 80 columns, which training never sees, are left as they are, and are the
    same in every pass of so many batches. Options are those of :class:`Passes`.
    ValueError: a count below 1.
    """

    def __init__(
        self, batches: int, batch_size: int = 64, held_out: bool = False, **options: Any
    ) -> None:
        check_positive("batches", batches)
        check_positive("batch_size", batch_size)
        labels = torch.arange(batches * batch_size) % len(PHOTOS)
        super().__init__(labels, batch_size=batch_size, shuffle=True, **options)
        squares = torch.stack(list(photos(SIDE).values()))
        part = squares[..., LEFT:] if held_out else squares[..., :LEFT]
        self.parts, self.held_out = part.contiguous(), held_out
        self.classes, self.image_shape = PHOTOS, (3, CROP, CROP)

    def batches_from(self, start: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The pass from batch number ``start`` on: what an exact resume needs."""
        epoch, self.epoch = self.epoch, self.epoch + 1
        if self.held_out:
            epoch = 0
        cut, flip = RandomCrop(CROP), RandomFlip()
        for number, chosen in enumerate(self._chosen(start, epoch), start):
            # drawn on the CPU, so that every machine sees the same crops
            generator = self._generator(epoch, number, where="cpu")
            labels = self.labels[chosen]
            crops = prepared(cut(self.parts[labels], generator))
            if not self.held_out:
                crops = recoloured(flip(crops, generator), generator)
            yield crops.to(self.device), labels.to(self.device)


def prepared(pictures: Tensor) -> Tensor:
    """uint8 (N, 3, H, W) as `photo_net` reads them: (pixel/255 − 0.5) / 0.25."""
    return (pictures.float() / 255 - MIDDLE) / SPREAD


def recoloured(images: Tensor, generator: torch.Generator) -> Tensor:
    """Give each image, float (B, 3, H, W), a contrast and a tint of its own."""
    mean = images.mean(dim=(2, 3), keepdim=True)
    contrast = torch.randn(len(images), 1, 1, 1, generator=generator)
    tint = torch.randn(len(images), 3, 1, 1, generator=generator)
    return (images - mean) * (0.3 * contrast).exp() + mean + 0.15 * tint


def main(arguments: Sequence[str]) -> int:
    """Train, and record weights, history and result in the folder ``--out``."""
    parser = argparse.ArgumentParser(prog="python -m alexnet_lab study photo_crops")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    torch.manual_seed(options.seed)
    net = photo_net()
    train = PhotoCrops(options.steps, seed=options.seed)
    settings: dict[str, Any] = {"learning_rate": 0.03, "weight_decay": 5e-3}
    settings |= {"seed": options.seed, "checkpoint": options.out / "checkpoint.pt"}
    history = fit(net, train, **settings)
    if history.interrupted:
        print("interrupted; the same command goes on from here")
        return 1
    history.save(options.out / "history.json")
    checkpoints.save(net.state_dict(), options.out / "weights.pt")
    command = (
        "python -m alexnet_lab study photo_crops "
        f"--steps {options.steps} --seed {options.seed} --out {options.out.as_posix()}"
    )
    result = {
        **provenance(command, history.machine),
        "training_seconds": round(history.seconds, 1),
        "held_out": evaluate(net, PhotoCrops(16, held_out=True, seed=1))._asdict(),
    }
    write_json(result, options.out / "result.json")
    return 0
