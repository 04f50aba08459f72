"""Random changes of training images: a batch at a time, on the device, seeded.

An augmentation takes images (B, C, H, W) and a generator, and gives new images. Every
image of a batch draws its own numbers, where torchvision's transforms draw once for a
whole batch. All are taught in 06. The paper: Krizhevsky, Sutskever, Hinton, NIPS 2012,
section 4.1; the 2012 code: its source, released by the Computer History Museum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from alexnet_lab.data.batches import check_positive

Generator = torch.Generator | None


@dataclass(frozen=True)
class RandomCrop:
    """Cut a square of ``size`` pixels out of each image, at a place of its own.

    All (H − size + 1) · (W − size + 1) places are equally likely, the last one included
    as in the 2012 code: 33·33 for crops of 224 out of 256.
    """

    size: int

    def __post_init__(self) -> None:
        check_positive("size", self.size)

    def __call__(self, images: Tensor, generator: Generator = None) -> Tensor:
        """Images (B, C, H, W), of any type, to (B, C, size, size)."""
        source = _source(images, generator)
        (batch, _, height, width), size = images.shape, self.size
        if size > min(height, width):
            raise ValueError(f"crop {size}×{size} does not fit into {height}×{width}")
        top = torch.randint(height - size + 1, (batch,), **source).to(images.device)
        left = torch.randint(width - size + 1, (batch,), **source).to(images.device)
        # All windows there are, as a view that copies nothing: (B, C, rows, columns,
        # size, size). Then one window an image is picked.
        windows = images.unfold(2, size, 1).unfold(3, size, 1)
        return windows[torch.arange(batch, device=images.device), :, top, left]


@dataclass(frozen=True)
class RandomFlip:
    """Mirror each image left to right, or leave it, with equal probability."""

    def __call__(self, images: Tensor, generator: Generator = None) -> Tensor:
        """Images (B, C, H, W), of any type, to the same shape."""
        draw = torch.rand(len(images), **_source(images, generator))
        mirrored = (draw < 0.5).to(images.device)
        return torch.where(mirrored[:, None, None, None], images.flip(-1), images)


@dataclass(frozen=True)
class RandomShift:
    """Move each square image by up to ``pixels`` in both directions.

    As if every side were padded with black, and a random square of the old size cut
    out: (2·pixels + 1)² places, all equally likely.
    """

    pixels: int

    def __post_init__(self) -> None:
        if self.pixels < 0:
            raise ValueError(f"pixels={self.pixels}: use 0 or more")

    def __call__(self, images: Tensor, generator: Generator = None) -> Tensor:
        """Images (B, C, H, W), of any type, to the same shape."""
        height, width = images.shape[-2:]
        if height != width:
            raise ValueError(f"RandomShift wants square images, not {height}×{width}")
        return RandomCrop(width)(F.pad(images, [self.pixels] * 4), generator)


@dataclass(frozen=True, eq=False)
class ColourNoise:
    """Shift each image's colour along the principal axes of RGB: the paper's noise.

    To every pixel of an image [p₁, p₂, p₃][α₁s₁, α₂s₂, α₃s₃]ᵀ is added, with p the
    eigenvectors of the 3×3 covariance of RGB values and α drawn from N(0, 0.1²) once an
    image. As in the 2012 code s is the standard deviation √λ; the paper says λ, which
    would depend on the pixels' unit. Nothing is clamped.
    """

    axes: Tensor  # (3, 3), the eigenvectors as columns, of length 1
    deviations: Tensor  # (3,), √λ for pixels in 0..1, the largest first
    mean: Tensor  # (3,), the mean colour; not needed for the noise

    @classmethod
    def fit(cls, images: Iterable[Tensor]) -> ColourNoise:
        """Find the axes of images, uint8 (3, H, W) of any sizes, held in memory.

        Raises:
            ValueError: other images, or none.
        """
        found = [image.cpu() for image in images]  # MPS has no float64
        kinds = {(image.dtype, image.dim(), len(image)) for image in found}
        if kinds != {(torch.uint8, 3, 3)}:
            raise ValueError(
                "colour needs images, uint8 (3, H, W); these have as type, number of "
                f"dimensions and channels {kinds or 'nothing'}"
            )
        pixels = torch.cat([image.flatten(1) for image in found], dim=1).double() / 255
        covariance = torch.cov(pixels, correction=0)
        variances, axes = torch.linalg.eigh(covariance)  # the smallest first
        variances, axes = variances.flip(0).clamp(min=0), axes.flip(1)
        # An eigenvector's sign is arbitrary: let its largest component be positive.
        axes = axes * axes.gather(0, axes.abs().argmax(dim=0, keepdim=True)).sign()
        return cls(axes.float(), variances.float().sqrt(), pixels.mean(dim=1).float())

    def shifts(self, alphas: Tensor) -> Tensor:
        """The colours that are added for given α: (B, 3) to (B, 3), RGB in 0..1."""
        return (alphas * self.deviations.to(alphas)) @ self.axes.to(alphas).T

    def __call__(self, images: Tensor, generator: Generator = None) -> Tensor:
        """Float images (B, 3, H, W) in 0..1 to the same shape."""
        source = _source(images, generator)
        if not images.is_floating_point() or images.shape[1] != 3:
            raise ValueError(
                "colour noise needs float images (images.float() / 255) with 3 "
                f"channels; these are {tuple(images.shape)}, {images.dtype}"
            )
        shifts = self.shifts(0.1 * torch.randn(len(images), 3, **source))
        return images + shifts.to(images)[:, :, None, None]


def compose(*steps: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Chain augmentations: ``compose(RandomCrop(224), RandomFlip())``."""
    for step in steps:
        if not callable(step) or isinstance(step, type):
            raise TypeError(f"compose takes steps such as RandomFlip(), not {step!r}")

    def composed(images: Tensor, generator: Generator = None) -> Tensor:
        for step in steps:
            images = step(images, generator)
        return images

    return composed


def _source(images: Tensor, generator: Generator) -> dict[str, Any]:
    """Where random numbers are drawn: where the generator lives. Checks the batch."""
    if images.dim() != 4:
        one = "; write image[None] for one image" if images.dim() == 3 else ""
        raise ValueError(f"a batch is (B, C, H, W), not {images.dim()}-D{one}")
    return {"generator": generator, "device": (generator or images).device}
