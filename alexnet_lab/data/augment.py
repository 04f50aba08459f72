"""Random changes of training images: a batch at a time, on the device, seeded.

Each augmentation is called with images (B, C, H, W) and a generator, and gives images
back; that is what ``fashion_mnist(augment=…)`` and ``image_folder(augment=…)`` take.
The same generator state gives the same images. Every image of a batch draws its own
numbers, and there is no loop over images. What comes in is never changed in place.

The paper is Krizhevsky, Sutskever, Hinton, NIPS 2012, section 4.1; "the 2012 code" is
the source that the Computer History Museum released.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

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
SCALES = ("deviations", "eigenvalues")


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
        _whole("size", self.size, least=1)

    def __call__(
        self, images: torch.Tensor, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        """Images (B, C, H, W) to (B, C, size, size)."""
        height, width = crop_room(images, self.size)
        top = _integers(height, images, generator)
        left = _integers(width, images, generator)
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
        _whole("pixels", self.pixels, least=0)

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
                    f"colour needs images of shape 3×H×W, not {_shape(image)}"
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
        _check_float(images)
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
            raise ValueError(f"the mean image is C×H×W, not {_shape(mean)}")
        self.register_buffer("mean", mean.detach().clone().float())

    @classmethod
    def fit(cls, images: torch.Tensor) -> SubtractMean:
        """The mean of images (N, C, H, W): uint8 is taken as 0..1, float as it is."""
        check_batch(images)
        if not len(images):
            raise ValueError("SubtractMean.fit needs at least one image")
        total = torch.zeros(images.shape[1:], device=images.device)
        for part in images.split(1_000):  # so that bytes never become floats all at once
            total += unit_range(part).sum(dim=0)
        return cls(total / len(images))

    def forward(
        self, images: torch.Tensor, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        """Float images (B, C, H, W) to the same shape; ``generator`` is not used."""
        check_batch(images)
        _check_float(images)
        (height, width), (high, wide) = images.shape[-2:], self.mean.shape[-2:]
        if height > high or width > wide:
            raise ValueError(
                f"images of {height}×{width} are larger than the mean image, "
                f"{high}×{wide}"
            )
        top, left = (high - height) // 2, (wide - width) // 2
        return images - self.mean[:, top : top + height, left : left + width]

    def extra_repr(self) -> str:
        return _shape(self.mean)


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


# ------------------------------------------------------------------- what they share


def crop_at(
    images: torch.Tensor, top: torch.Tensor, left: torch.Tensor, size: int
) -> torch.Tensor:
    """Cut (B, C, size, size) out of (B, C, H, W), each image at its own offsets (B,)."""
    # All windows there are, as a view that copies nothing: (B, C, rows, columns,
    # size, size). Then one window an image is picked.
    windows = images.unfold(2, size, 1).unfold(3, size, 1)
    return windows[torch.arange(len(images), device=images.device), :, top, left]


def crop_room(images: torch.Tensor, size: int) -> tuple[int, int]:
    """How many offsets a crop has, down and across.

    Raises:
        ValueError: no batch of images, or the crop is larger than the images.
    """
    check_batch(images)
    height, width = images.shape[-2:]
    if size > min(height, width):
        raise ValueError(
            f"a crop of {size}×{size} does not fit into images of {height}×{width}"
        )
    return height - size + 1, width - size + 1


def check_batch(images: torch.Tensor) -> None:
    """Raise ValueError unless images are (B, C, H, W)."""
    if images.dim() == 3:
        raise ValueError(
            f"a batch is B×C×H×W, got {_shape(images)}; write image[None] for one image"
        )
    if images.dim() != 4:
        raise ValueError(f"a batch is B×C×H×W, got {_shape(images)}")


def unit_range(images: torch.Tensor) -> torch.Tensor:
    """uint8 in 0..255 as float32 in 0..1; anything else as it is, in float32."""
    if images.dtype == torch.uint8:
        return images.float() / 255
    return images.float()


def _check_float(images: torch.Tensor) -> None:
    if not images.is_floating_point():
        raise ValueError(
            f"this needs float images in 0..1, got {images.dtype}: images.float() / 255"
        )


def _integers(
    below: int, images: torch.Tensor, generator: torch.Generator | None
) -> torch.Tensor:
    """One integer an image, from 0 to below − 1, drawn where the generator lives."""
    where = generator.device if generator is not None else images.device
    drawn = torch.randint(below, (len(images),), generator=generator, device=where)
    return drawn.to(images.device)


def _whole(name: str, value: int, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name}={value!r}: use a whole number of at least {least}")


def _shape(tensor: torch.Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "a single number"
