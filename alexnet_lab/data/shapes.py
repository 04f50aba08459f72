"""What augmentations and crops share: checks of shapes, offsets, cutting out."""

from __future__ import annotations

import torch


def crop_at(
    images: torch.Tensor, top: torch.Tensor, left: torch.Tensor, size: int
) -> torch.Tensor:
    """Cut (B, C, size, size) out of (B, C, H, W), at offsets (B,) of each image."""
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
    if images.dim() != 4:
        one = "; write image[None] for one image" if images.dim() == 3 else ""
        raise ValueError(f"a batch is B×C×H×W, got {shape_of(images)}{one}")


def unit_range(images: torch.Tensor) -> torch.Tensor:
    """uint8 in 0..255 as float32 in 0..1; anything else as it is, in float32."""
    if images.dtype == torch.uint8:
        return images.float() / 255
    return images.float()


def check_float(images: torch.Tensor) -> None:
    if not images.is_floating_point():
        raise ValueError(
            f"this needs float images in 0..1, got {images.dtype}: images.float() / 255"
        )


def random_integers(
    below: int, images: torch.Tensor, generator: torch.Generator | None
) -> torch.Tensor:
    """One integer an image, from 0 to below − 1, drawn where the generator lives."""
    where = generator.device if generator is not None else images.device
    drawn = torch.randint(below, (len(images),), generator=generator, device=where)
    return drawn.to(images.device)


def check_whole(name: str, value: int, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name}={value!r}: use a whole number of at least {least}")


def shape_of(tensor: torch.Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "a single number"
