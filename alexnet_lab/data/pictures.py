"""One picture file to RGB, whatever it was saved as.

Pillow is imported only when a picture is read.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from PIL.Image import Image

# Longer and thinner pictures are refused: made 256 pixels wide, they would need
# gigabytes.
THINNEST = 40


class PictureError(RuntimeError):
    """A file cannot be read as a picture; the text is the reason, without the path."""


def open_picture(path: str | Path, shorter_side: int | None = None) -> Image:
    """Read a picture file as RGB with 8 bits a channel.

    - turned upright if a camera noted its orientation (EXIF);
    - grey becomes RGB with three equal channels, a palette its colours;
    - transparent parts are laid on white;
    - CMYK is converted; 16 bits a channel become 8;
    - of an animation, the first picture.

    Args:
        path: the file.
        shorter_side: what the picture will be resized to. A large JPEG is then decoded
            at 1/2, 1/4 or 1/8 of its size, as long as that is at least twice as large.

    Raises:
        PictureError: missing, empty, truncated, no picture, or too thin or too large.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as image:
            _check_shape(*image.size)
            if shorter_side:
                image.draft(None, (2 * shorter_side, 2 * shorter_side))
            image.load()
            return _as_rgb(ImageOps.exif_transpose(image))
    except PictureError:
        raise
    except Exception as error:  # decoders of damaged files raise nearly anything
        raise PictureError(_reason(error, path)) from error


def read_picture(path: str | Path) -> torch.Tensor:
    """Read a picture file as uint8 (3, H, W); see :func:`open_picture`.

    Raises:
        PictureError: it cannot be read.
    """
    from torchvision.transforms.v2 import functional

    return functional.pil_to_tensor(open_picture(path))


def _reason(error: Exception, path: str | Path) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = str(error).replace(f" {str(path)!r}", "").strip()
    return text or type(error).__name__


def _check_shape(width: int, height: int) -> None:
    if max(width, height) > THINNEST * min(width, height):
        raise PictureError(
            f"{width:,}×{height:,} pixels: more than {THINNEST} times as long as wide"
        )


def _as_rgb(image: Image) -> Image:
    from PIL import Image

    if image.mode == "F":
        raise PictureError("32-bit floating-point pixels, whose range is not known")
    if image.mode.startswith("I"):
        image = _eight_bits(image)
    if image.mode.upper() in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _eight_bits(image: Image) -> Image:
    """Grey with 16 or 32 bits to 8: Pillow's own conversion would clip at 255."""
    import numpy as np
    from PIL import Image

    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65_535:
        raise PictureError("grey values outside of 16 bits")
    return Image.fromarray((values // 257).astype(np.uint8))
