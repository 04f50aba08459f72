"""The photographs that ship with the course; sources and licences: data/README.md."""

from __future__ import annotations

from pathlib import Path

import torch

from alexnet_lab.data.pictures import PictureError, read_picture
from alexnet_lab.data.place import DataFileError, data_folder, how_to_restore

PHOTOS: tuple[str, ...] = ("astronaut", "cat", "coffee", "flower")
PHOTOS += ("galaxies", "retina", "rocket", "tower")


def photos(
    size: int | None = None, *, root: str | Path | None = None
) -> dict[str, torch.Tensor]:
    """Eight colour photographs, by name. Taught in 06.

    Args:
        size: None leaves each photograph as it is. A number makes all of them
            squares of so many pixels, in the paper's way: the shorter side is resized,
            then the middle is cut out. ``torch.stack(list(photos(256).values()))`` is
            a batch.
        root: the data folder; by default the course's own.

    Returns:
        name to uint8 (3, H, W), in alphabetical order.

    Raises:
        ValueError: a size below 1.
        DataFileError: a photograph is missing or damaged.
    """
    if size is not None and (isinstance(size, bool) or size < 1):
        raise ValueError(f"size={size!r}: use a whole number of at least 1, or None")
    folder = (Path(root) if root else data_folder()) / "photos"
    return {name: _photo(folder / f"{name}.jpg", size) for name in PHOTOS}


def _photo(path: Path, size: int | None) -> torch.Tensor:
    try:
        photo = read_picture(path)
    except PictureError as error:
        raise DataFileError(
            f"{path} cannot be read ({error}). It ships with the course. "
            f"{how_to_restore(path)}"
        ) from error
    if size is None:
        return photo
    from torchvision.transforms.v2 import functional

    resized = functional.resize(photo, [size], antialias=True)
    return functional.center_crop(resized, [size, size])
