"""Random changes of training images: a batch at a time, on the device, seeded.

Each augmentation is called with images (B, C, H, W) and a generator, and gives images
back; that is what ``fashion_mnist(augment=…)`` and ``image_folder(augment=…)`` take.
The same generator state gives the same images. Every image of a batch draws its own
numbers, and there is no loop over images. What comes in is never changed in place.

The paper is Krizhevsky, Sutskever, Hinton, NIPS 2012, section 4.1; "the 2012 code" is
the source that the Computer History Museum released.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from alexnet_lab.data.colour import ColourNoise, SubtractMean
from alexnet_lab.data.shapes import (
    check_batch,
    check_whole,
    crop_at,
    crop_room,
    random_integers,
)

__all__ = [
    "ColourNoise",
    "Compose",
    "RandomCrop",
    "RandomFlip",
    "RandomShift",
    "SubtractMean",
    "compose",
]

Step = Callable[[torch.Tensor, "torch.Generator | None"], torch.Tensor]


@dataclass(frozen=True)
class RandomCrop:
    """Cut a square out of each image, at a place of its own.

    (B, C, H, W) to (B, C, size, size), any type. The offsets are uniform over all
    (H − size + 1) · (W − size + 1) places, the last one included, as in the 2012 code:
    33·33 for crops of 224 out of 256.

    Args:
        size: height and width of what is cut out, in pixels.

    Raises:
        ValueError: the size is not positive, or (on use) greater than the image.
    """

    size: int

    def __post_init__(self) -> None:
        check_whole("size", self.size, least=1)

    def __call__(
        self, images: torch.Tensor, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        """Images (B, C, H, W) to (B, C, size, size)."""
        height, width = crop_room(images, self.size)
        top = random_integers(height, images, generator)
        left = random_integers(width, images, generator)
        return crop_at(images, top, left, self.size)


@dataclass(frozen=True)
class RandomFlip:
    """Mirror each image left to right, with the given probability.

    Args:
        probability: 0.5 in the paper.

    Raises:
        ValueError: the probability is not within 0..1.
    """

    probability: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability={self.probability}: use 0 to 1")

    def __call__(
        self, images: torch.Tensor, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        """Images (B, C, H, W), of any type, to the same shape."""
        check_batch(images)
        where = generator.device if generator is not None else images.device
        draw = torch.rand(len(images), generator=generator, device=where)
        mirrored = (draw < self.probability).to(images.device)
        return torch.where(mirrored[:, None, None, None], images.flip(-1), images)


@dataclass(frozen=True)
class RandomShift:
    """Move each image by up to ``pixels`` in both directions, for small images.

    The same as padding every side and cutting out a random square of the old size:
    (2·pixels + 1)² places, all equally likely. What is pushed over the edge is lost.

    Args:
        pixels: the farthest move, up, down, left and right.
        fill: what comes in at the other side; 0 is black for pixels in 0..1.

    Raises:
        ValueError: ``pixels`` is negative, or (on use) the images are not square.
    """

    pixels: int
    fill: float = 0.0

    def __post_init__(self) -> None:
        check_whole("pixels", self.pixels, least=0)

    def __call__(
        self, images: torch.Tensor, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        """Images (B, C, S, S) to the same shape."""
        check_batch(images)
        height, width = images.shape[-2:]
        if height != width:
            raise ValueError(f"RandomShift wants square images, not {height}×{width}")
        padded = F.pad(images, [self.pixels] * 4, value=self.fill)
        return RandomCrop(width)(padded, generator)


@dataclass(frozen=True)
class Compose:
    """One augmentation after the other; see :func:`compose`."""

    steps: tuple[Step, ...]

    def __call__(
        self, images: torch.Tensor, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        """Images through all steps, in order; all draw from the one generator."""
        for step in self.steps:
            images = step(images, generator)
        return images


def compose(*steps: Step) -> Compose:
    """Chain augmentations: ``compose(RandomCrop(224), RandomFlip())``.

    Raises:
        TypeError: a step is not callable.
    """
    for step in steps:
        if not callable(step) or isinstance(step, type):
            raise TypeError(
                f"compose takes augmentations such as RandomFlip(), not {step!r}"
            )
    return Compose(steps)
