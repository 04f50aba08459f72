"""Pictures on disk: read whatever they were saved as, and served a batch at a time.

A DataLoader's workers read them and transform them with torchvision. Every random
number depends on (seed, epoch, picture) alone, so the batches are the same for any
number of workers, and a pass can be taken up anywhere.
"""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from alexnet_lab.data.batches import Batch, Passes, mix_seeds
from alexnet_lab.data.place import DataFileError

if TYPE_CHECKING:
    from PIL.Image import Image

# Longer and thinner pictures are refused: made 256 pixels wide, they would need
# gigabytes.
THINNEST = 40


class PictureError(RuntimeError):
    """A file cannot be read as a picture; the text is the reason, without the path."""


def open_picture(path: str | Path, shorter_side: int | None = None) -> Image:
    """Read a picture file as RGB with 8 bits a channel.

    It is turned upright if a camera noted its orientation (EXIF); transparent parts
    are laid on white; 16 bits a channel become 8; of an animation, the first picture.
    If it will be resized to ``shorter_side`` pixels, a large JPEG is decoded at 1/2,
    1/4 or 1/8 of its size, as long as that is at least twice as large.

    Raises:
        PictureError: missing, empty, truncated, no picture, or too thin or too large.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as image:
            width, height = image.size
            if max(width, height) > THINNEST * min(width, height):
                raise PictureError(
                    f"{width:,}×{height:,} pixels: more than {THINNEST} times as long "
                    "as wide"
                )
            if shorter_side:
                image.draft(None, (2 * shorter_side, 2 * shorter_side))
            image.load()
            return _as_rgb(ImageOps.exif_transpose(image))
    except PictureError:
        raise
    except Exception as error:  # decoders of damaged files raise nearly anything
        if isinstance(error, OSError) and error.strerror:
            raise PictureError(error.strerror) from error
        text = str(error).replace(f" {str(path)!r}", "").strip()
        raise PictureError(text or type(error).__name__) from error


def read_picture(path: str | Path, shorter_side: int | None = None) -> Tensor:
    """Read a picture file as uint8 (3, H, W); see :func:`open_picture`."""
    from torchvision.transforms.v2 import functional

    return functional.pil_to_tensor(open_picture(path, shorter_side))


def _as_rgb(image: Image) -> Image:
    from PIL import Image

    if image.mode == "F":
        raise PictureError("32-bit floating-point pixels, whose range is not known")
    if image.mode.startswith("I"):  # Pillow's own conversion would clip at 255
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65_535:
            raise PictureError("grey values outside of 16 bits")
        image = Image.fromarray((values // 257).astype(np.uint8))
    if image.mode.upper() in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")


# a picture (None if it cannot be read), its label, file → why it cannot be read
Sample = tuple[Tensor | None, Tensor, dict[str, str]]


class Listing(NamedTuple):
    """The pictures of one folder of classes, or some of them."""

    folder: Path
    classes: tuple[str, ...]  # a label is a place in it
    # Relative to the folder. Bytes in one array, (N,): a list of a million strings
    # would be copied, object by object, into every worker.
    files: np.ndarray
    labels: Tensor  # int64 (N,)
    ignored: dict[str, str]  # file → why it is no picture

    def only(self, numbers: Tensor) -> Listing:
        """Some of the pictures, by their numbers, int64 (n,)."""
        files, labels = self.files[numbers.numpy()], self.labels[numbers]
        return self._replace(files=files, labels=labels)


class FolderBatches(Passes):
    """Pictures on disk; iterating gives batches, as :class:`Batches` does.

    A picture that turns out to be unreadable never stops a pass. In training the next
    readable picture of its class takes its place; in evaluation it is left out. Either
    way ``skipped`` has its file and the reason, and a warning counts them after the
    pass; ``ignored`` has the files in the folder that are no pictures.

    Workers, if any, apply ``transform``, uint8 (3, H, W) to uint8 (3, size, size).
    Takes the options of :class:`Passes`, too; ``shuffle`` means training.
    """

    def __init__(
        self,
        listing: Listing,
        transform: Callable[[Tensor], Tensor],
        size: int,
        shorter_side: int | None = None,
        num_workers: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(listing.labels, listing.classes, **options)
        self.image_shape = (3, size, size)
        self.num_workers, self.ignored = num_workers, listing.ignored
        self.skipped: dict[str, str] = {}
        self.pictures = _Pictures(
            listing, transform, shorter_side, self.seed, self.shuffle
        )

    def batches_from(self, start: int) -> Iterator[Batch]:
        """The pass from batch number ``start`` on; the batches before are not read."""
        epoch, self.epoch = self.epoch, self.epoch + 1
        loader = DataLoader(
            self.pictures,
            batch_sampler=(  # only what is still to come: a sampler that can skip
                [(epoch, number) for number in chosen.tolist()]
                for chosen in self._chosen(start, epoch)
            ),
            num_workers=self.num_workers,
            collate_fn=_collate,
            worker_init_fn=_ignore_interrupt,
            pin_memory=self.device.type == "cuda",
            generator=torch.Generator(),  # else the global one would move on
        )
        known = len(self.skipped)
        for number, (images, labels, problems) in enumerate(loader, start):
            self.skipped.update(problems)
            if not len(labels):
                images = torch.empty((0, *self.image_shape), dtype=torch.uint8)
            if len(labels) or self.shuffle:  # a share in training may be empty
                generator = self._generator(epoch, number) if self.augment else None
                yield self.prepare(images, generator), labels.to(self.device)
        if len(self.skipped) > known:
            self._warn(list(self.skipped.items())[known:])

    def sample(self, count: int) -> Iterator[Tensor]:
        """Up to ``count`` readable pictures, uint8 (3, S, S), evenly spread."""
        for number in range(0, self.count, max(1, self.count // count)):
            picture, _, _ = self.pictures[0, number]
            if picture is not None:
                yield picture

    def _warn(self, new: list[tuple[str, str]]) -> None:
        done = "replaced by others of their class" if self.shuffle else "left out"
        named = "; ".join(f"{path} ({why})" for path, why in new[:3])
        more = f"; and {len(new) - 3:,} more, see .skipped" if len(new) > 3 else ""
        warnings.warn(
            f"{len(new):,} of {self.count:,} pictures could not be read and were "
            f"{done}: {named}{more}",
            stacklevel=3,
        )


@dataclass
class _Pictures(Dataset):
    """What a worker process holds: names, labels, and how to read a picture."""

    listing: Listing
    transform: Callable[[Tensor], Tensor]
    shorter_side: int | None
    seed: int
    training: bool

    def __len__(self) -> int:
        return len(self.listing.files)

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        """The picture (or None), its label, and which files could not be read."""
        epoch, number = key
        problems: dict[str, str] = {}
        for candidate in self._candidates(number):
            name = os.fsdecode(self.listing.files[candidate])
            try:
                path = self.listing.folder / name
                picture = read_picture(path, self.shorter_side)
            except PictureError as error:
                problems[name] = str(error)
                continue
            # torchvision draws from the global generator: lend it this picture's seed.
            # (Not torch.manual_seed, which notes each call for CUDA in every worker.)
            with torch.random.fork_rng(devices=[]):
                seed = mix_seeds(self.seed, epoch, number + 1)
                torch.default_generator.manual_seed(seed)
                return self.transform(picture), self.listing.labels[number], problems
        if self.training:
            name, why = next(iter(problems.items()))
            raise DataFileError(
                f"no picture of this class can be read any more, {len(problems):,} "
                f"were tried: {name} ({why}). Is {self.listing.folder} still there?"
            )
        return None, self.listing.labels[number], problems

    def _candidates(self, number: int) -> Iterator[int]:
        """The picture itself; in training then the others of its class."""
        yield number
        if self.training:
            labels = self.listing.labels
            same = (labels == labels[number]).nonzero()[:, 0]
            yield from torch.cat([same[same > number], same[same < number]]).tolist()


def _collate(samples: list[Sample]) -> tuple[Tensor, Tensor, dict[str, str]]:
    """Stack what could be read; an evaluation batch may come out empty."""
    problems = {name: why for _, _, found in samples for name, why in found.items()}
    images = [image for image, _, _ in samples if image is not None]
    labels = [label for image, label, _ in samples if image is not None]
    stacked = torch.stack(images) if images else torch.empty(0)
    return stacked, torch.tensor(labels, dtype=torch.int64), problems


def _ignore_interrupt(_: int) -> None:
    """Ctrl-C is for the main process: it finishes its batch and ends the workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
