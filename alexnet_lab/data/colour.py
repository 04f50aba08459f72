"""Colour: the paper's noise along the principal axes of RGB, and its mean image.

Both are exported by ``augment.py``. The paper is Krizhevsky, Sutskever, Hinton, NIPS
2012, sections 2 and 4.1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

from alexnet_lab.data.shapes import check_batch, check_float, shape_of, unit_range

SCALES = ("deviations", "eigenvalues")


@dataclass(frozen=True, eq=False)
class ColourNoise:
    """Shift each image's colour along the principal axes of RGB: the paper's noise.

    To every pixel of an image [p₁, p₂, p₃][α₁s₁, α₂s₂, α₃s₃]ᵀ is added, with p the
    eigenvectors of the 3×3 covariance of RGB values and α drawn from N(0, strength²)
    once an image. Build it with :meth:`fit`.

    What s is differs. The **paper** says the eigenvalues λ; these are variances, in
    squared pixel units, so that the noise would depend on the unit: 255 times stronger
    beside the picture for pixels in 0..255 than for pixels in 0..1. The **2012 code**
    uses the standard deviations √λ, and that is the default here.

    Nothing is clamped: the results may lie a little outside of 0..1.

    Args:
        axes: (3, 3), the eigenvectors as columns, of length 1.
        variances: (3,), their eigenvalues λ, the largest first, for pixels in 0..1.
        mean: (3,), the mean RGB value; not needed for the noise.
        strength: standard deviation of α; 0.1 in paper and code.
        scale: ``"deviations"`` (code) or ``"eigenvalues"`` (paper).

    Raises:
        ValueError: another scale, a negative strength, wrong shapes, or (on use)
            images that don't have three channels.
    """

    axes: torch.Tensor
    variances: torch.Tensor
    mean: torch.Tensor
    strength: float = 0.1
    scale: str = "deviations"

    def __post_init__(self) -> None:
        if self.scale not in SCALES:
            raise ValueError(
                f"scale={self.scale!r}: use deviations (as the 2012 code) or "
                "eigenvalues (as the paper's formula)"
            )
        if not self.strength >= 0:
            raise ValueError(f"strength={self.strength}: use 0 or more")
        if self.axes.shape != (3, 3) or self.variances.shape != (3,):
            raise ValueError(
                "axes must be 3×3 and variances 3 numbers, not "
                f"{tuple(self.axes.shape)} and {tuple(self.variances.shape)}"
            )

    @classmethod
    def fit(
        cls,
        images: torch.Tensor | Iterable[torch.Tensor],
        strength: float = 0.1,
        scale: str = "deviations",
    ) -> ColourNoise:
        """Find the axes: every pixel of every image counts once.

        Args:
            images: (N, 3, H, W), or images (3, H, W) of any sizes; uint8, or float in
                0..1.
            strength: see the class.
            scale: see the class.
        """
        count, total, products = 0, torch.zeros(3).double(), torch.zeros(3, 3).double()
        for image in images:
            if image.dim() != 3 or len(image) != 3:
                raise ValueError(
                    f"colour needs images of shape 3×H×W, not {shape_of(image)}"
                )
            # on the CPU: MPS has no float64
            pixels = unit_range(image.detach().cpu()).double().flatten(1)  # (3, H·W)
            count += pixels.shape[1]
            total += pixels.sum(dim=1)
            products += pixels @ pixels.T
        if count < 2:
            raise ValueError("ColourNoise.fit needs images with at least two pixels")
        mean = total / count
        covariance = products / count - torch.outer(mean, mean)
        variances, axes = torch.linalg.eigh(covariance)  # the smallest first
        variances, axes = variances.flip(0).clamp(min=0), axes.flip(1)
        # An eigenvector's sign is arbitrary: let its largest component be positive.
        largest = axes.gather(0, axes.abs().argmax(dim=0, keepdim=True))
        axes = axes * largest.sign()
        return cls(axes.float(), variances.float(), mean.float(), strength, scale)

    @property
    def deviations(self) -> torch.Tensor:
        """(3,): √λ, the standard deviations along the axes, for pixels in 0..1."""
        return self.variances.sqrt()

    def shifts(self, alphas: torch.Tensor) -> torch.Tensor:
        """The colours that are added for given α: (B, 3) to (B, 3), RGB in 0..1."""
        widths = self.deviations if self.scale == "deviations" else self.variances
        return (alphas * widths.to(alphas)) @ self.axes.to(alphas).T

    def __call__(
        self, images: torch.Tensor, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        """Float images (B, 3, H, W) in 0..1 to the same shape."""
        check_batch(images)
        check_float(images)
        if images.shape[1] != 3:
            raise ValueError(
                f"colour noise needs 3 channels, these images have {images.shape[1]}"
            )
        where = generator.device if generator is not None else images.device
        alphas = torch.randn(len(images), 3, generator=generator, device=where)
        shifts = self.shifts(alphas * self.strength).to(images)
        return images + shifts[:, :, None, None]


class SubtractMean(nn.Module):
    """Subtract the training set's mean image, pixel by pixel, as the paper does.

    It is no augmentation: validation and test images need it too. So put it first in
    the network, ``nn.Sequential(SubtractMean.fit(images), …)``, where nobody can forget
    it; it has no parameters, and the mean is saved with the weights. Images that are
    smaller than the mean get its centre, as in the 2012 code.

    Args:
        mean: (C, H, W), in the units of the images that will come.

    Raises:
        ValueError: the mean is not (C, H, W), or (on use) the images are larger.
    """

    def __init__(self, mean: torch.Tensor) -> None:
        super().__init__()
        if mean.dim() != 3:
            raise ValueError(f"the mean image is C×H×W, not {shape_of(mean)}")
        self.register_buffer("mean", mean.detach().clone().float())

    @classmethod
    def fit(cls, images: torch.Tensor) -> SubtractMean:
        """The mean of images (N, C, H, W): uint8 is taken as 0..1, float as it is."""
        check_batch(images)
        if not len(images):
            raise ValueError("SubtractMean.fit needs at least one image")
        total = torch.zeros(images.shape[1:], device=images.device)
        for part in images.split(
            1_000
        ):  # so that bytes never become floats all at once
            total += unit_range(part).sum(dim=0)
        return cls(total / len(images))

    def forward(
        self, images: torch.Tensor, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        """Float images (B, C, H, W) to the same shape; ``generator`` is not used."""
        check_batch(images)
        check_float(images)
        (height, width), (high, wide) = images.shape[-2:], self.mean.shape[-2:]
        if height > high or width > wide:
            raise ValueError(
                f"images of {height}×{width} are larger than the mean image, "
                f"{high}×{wide}"
            )
        top, left = (high - height) // 2, (wide - width) // 2
        return images - self.mean[:, top : top + height, left : left + width]

    def extra_repr(self) -> str:
        return shape_of(self.mean)
