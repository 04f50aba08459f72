"""Pictures on disk: read whatever they were saved as, and served a batch at a time.

A DataLoader's workers read them and transform them with torchvision. Every random
number depends on (seed, epoch, picture) alone, so the batches are the same for any
number of workers, and a pass can be taken up anywhere.
"""

from __future__ import annotations

import math
import os
import signal
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from alexnet_lab.data.batches import Batch, Passes, check_positive, mix_seeds
from alexnet_lab.data.place import DataFileError, damaged, data_folder

ENDINGS = ".jpg .jpeg .jpe .jfif .jp2 .png .ppm .pgm .bmp .tif .tiff .webp .gif .avif"
PLUG_INS = {".heic": "pillow-heif", ".heif": "pillow-heif", ".avif": "pillow-heif"}
with suppress(ImportError):  # what telephones save, where there is something to read it
    import pillow_heif

    pillow_heif.register_heif_opener()
THINNEST = 40  # as long as wide; longer ones, made 256 pixels wide, need gigabytes
MOST_PIXELS = 90_000_000  # to decode; they may come in a file of some kilobytes
PHOTOS: tuple[str, ...] = ("astronaut", "cat", "coffee", "flower")
PHOTOS += ("galaxies", "retina", "rocket", "tower")


def photos(size: int | None = None) -> dict[str, Tensor]:
    """Eight colour photographs that ship, by name: uint8 (3, H, W). Taught in 06.

    ``size`` makes them squares of so many pixels, in the paper's way: the shorter side
    is resized, then the middle is cut out. Sources and licences: ``data/README.md``.

    Raises:
        ValueError: a size below 1.
        DataFileError: a photograph is missing or damaged.
    """
    from torchvision.transforms import v2

    if size is not None:
        check_positive("size", size)
    found = {}
    for name in PHOTOS:
        path = data_folder() / "photos" / f"{name}.jpg"
        try:
            photo = read_picture(path)
        except PictureError as error:
            raise damaged(path, f"cannot be read ({error})") from error
        if size is not None:
            photo = v2.CenterCrop(size)(v2.Resize(size)(photo))
        found[name] = photo
    return found


class PictureError(RuntimeError):
    """A file cannot be read as a picture; the text is the reason, without the path."""


def read_picture(path: str | Path, shorter_side: int | None = None) -> Tensor:
    """Read a picture file as RGB, uint8 (3, H, W).

    It is turned upright if a camera noted its orientation (EXIF); transparent parts
    are laid on white; 16 bits a channel, or 12 saved as 16, become 8; of an animation,
    the first picture. If it will be resized to ``shorter_side`` pixels, a large JPEG is
    decoded at 1/2, 1/4 or 1/8 of its size, as long as that is at least twice as large.
    Only the formats of ``readable`` are tried, whatever the file's name: Pillow knows
    others, of which one starts a program.

    Raises:
        PictureError: missing, empty, truncated, no picture, or too thin or too large.
    """
    from torchvision.transforms.v2 import functional

    try:
        if not os.path.getsize(path):
            raise PictureError("the file is empty")
        with Image.open(path, formats=_formats()) as image:
            width, height = image.size
            if max(width, height) > THINNEST * min(width, height):
                raise PictureError(f"too thin a picture: {width:,}×{height:,} pixels")
            if shorter_side:
                image.draft(None, (2 * shorter_side, 2 * shorter_side))
            if math.prod(image.size) > MOST_PIXELS:
                raise PictureError(f"too large a picture: {width:,}×{height:,} pixels")
            image.load()
            return functional.pil_to_tensor(_as_rgb(ImageOps.exif_transpose(image)))
    except Exception as error:  # decoders of damaged files raise nearly anything
        text = str(error).replace(f" {str(path)!r}", "").strip()
        why = getattr(error, "strerror", None) or text or type(error).__name__
        raise PictureError(why) from None


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode[0] in "FI":  # Pillow's own conversion would clip 16 bits at 255
        values = np.asarray(image)
        if image.mode == "F" or values.min() < 0 or values.max() > 65_535:
            raise PictureError("grey values of unknown range, neither 8 nor 16 bits")
        most = 4_095 if values.max() < 4_096 else 65_535  # microscopes save 12 of 16
        image = Image.fromarray((values * 255.0 // most).astype(np.uint8))
    if image.mode.upper() in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")


def readable() -> tuple[str, ...]:
    """Endings of pictures that Pillow reads here."""
    # a plug-in's formats may be Pillow's own by now: each once
    wanted = dict.fromkeys([*ENDINGS.split(), *PLUG_INS])
    known = Image.registered_extensions()
    return tuple(ending for ending in wanted if known.get(ending) in Image.OPEN)


def _formats() -> list[str]:
    """Pillow's names for the formats of these endings."""
    known = Image.registered_extensions()
    return sorted({known[ending] for ending in readable()})


class Listing(NamedTuple):
    """The pictures of one folder of classes, or some of them."""

    folder: Path
    classes: tuple[str, ...]  # a label is a place in it
    # Relative to the folder. Bytes in one array, (N,): a list of a million strings
    # would be copied, object by object, into every worker.
    files: np.ndarray
    labels: Tensor  # int64 (N,)
    ignored: tuple[str, ...] = ()  # files there that are no pictures by their names

    def paths(self) -> Iterator[Path]:
        """Where the pictures are, those that are there."""
        names = (self.folder / os.fsdecode(name) for name in self.files.tolist())
        return (path for path in names if path.is_file())

    def only(self, numbers: Tensor) -> Listing:
        """Some of the pictures, by their numbers, int64 (n,)."""
        files, labels = self.files[numbers.numpy()], self.labels[numbers]
        return self._replace(files=files, labels=labels)


# pictures, their labels, and of others file → why it cannot be read
Read = tuple[Tensor, Tensor, dict[str, str]]


class FolderBatches(Passes):
    """Pictures on disk; iterating gives batches, as :class:`Batches` does.

    A picture that cannot be read is left out and never stops a pass: ``skipped`` has
    its file and the reason, and a warning counts them after the pass. ``ignored`` has
    the files that are no pictures by their names; ``remarks``, which printing this and
    `fit` show, count them. The crops, (3, size, size), are
    random in training (``shuffle``), else central. Takes the options of
    :class:`Passes`.
    """

    def __init__(
        self, listing: Listing, size: int, num_workers: int, **options: Any
    ) -> None:
        super().__init__(listing.labels, listing.classes, image_size=size, **options)
        self.image_shape = (3, size, size)
        self.num_workers = num_workers
        self.skipped: dict[str, str] = {}
        self.ignored = listing.ignored
        self.remarks = [_left_out(listing.ignored)] if listing.ignored else []
        self.pictures = _Pictures(listing, size, self.seed, self.shuffle)

    def __repr__(self) -> str:
        counts = zip(self.classes, self.labels.bincount().tolist(), strict=False)
        text = ", ".join(f"{shown(name)} {count:,}" for name, count in counts)
        return "\n".join([f"{self.count:,} pictures: {text}", *self.remarks])

    def _fetch(self, chosen: Iterable[Tensor], epoch: int) -> Iterator[Batch]:
        loader = DataLoader(
            self.pictures,
            batch_size=None,  # each key is a batch already
            sampler=((epoch, numbers.tolist()) for numbers in chosen),
            num_workers=self.num_workers,
            worker_init_fn=_ignore_interrupt,
            pin_memory=self.device.type == "cuda",
            generator=torch.Generator(),  # else the global one would move on
        )
        known = len(self.skipped)
        for images, labels, problems in loader:
            self.skipped.update(problems)
            if self.shuffle and problems and not len(labels):
                file, why = problems.popitem()
                raise DataFileError(
                    f"no picture of a batch can be read, not even {shown(file)} "
                    f"({why}). Is {self.pictures.listing.folder} still there?"
                )
            yield images, labels
        new = [f"{shown(f)} ({why})" for f, why in self.skipped.items()][known:]
        if new:
            warnings.warn(
                f"{len(new):,} of {self.count:,} pictures cannot be read and were left "
                f"out, see .skipped: {some(new)}",
                stacklevel=3,
            )

    def sample(self, count: int) -> Iterator[Tensor]:
        """Up to ``count`` readable pictures, uint8 (3, S, S), evenly spread."""
        for number in range(0, self.count, max(1, self.count // count)):
            yield from self.pictures[0, [number]][0]


class _Pictures(Dataset):
    """What a worker process holds: the names, the labels, how to read a picture."""

    def __init__(self, listing: Listing, size: int, seed: int, training: bool) -> None:
        from torchvision.transforms import v2

        self.listing, self.size, self.seed = listing, size, seed
        self.side = 256 if 224 <= size <= 227 else math.ceil(size * 8 / 7)
        square, flip = v2.CenterCrop(self.side), v2.RandomHorizontalFlip()
        cuts = (
            [square, v2.RandomCrop(size), flip] if training else [v2.CenterCrop(size)]
        )
        self.transform = v2.Compose([v2.Resize(self.side), *cuts])

    def __getitem__(self, key: tuple[int, list[int]]) -> Read:
        """The pictures of these numbers as they look in this epoch."""
        epoch, numbers = key
        images, kept, problems = [], [], {}
        for number in numbers:
            name = os.fsdecode(self.listing.files[number])
            try:
                picture = read_picture(self.listing.folder / name, self.side)
            except PictureError as error:
                problems[name] = str(error)
                continue
            # torchvision draws from the global generator: lend it this picture's seed.
            # (Not torch.manual_seed, which notes each call for CUDA in every worker.)
            with torch.random.fork_rng(devices=[]):
                seed = mix_seeds(self.seed, epoch, number + 1)
                torch.default_generator.manual_seed(seed)
                images.append(self.transform(picture)[None])
            kept.append(number)
        if not images:
            images = [torch.empty(0, 3, self.size, self.size, dtype=torch.uint8)]
        return torch.cat(images), self.listing.labels[kept], problems


def _left_out(files: Sequence[str]) -> str:
    """Count files by their endings; of pictures say which plug-in reads them."""
    found = []
    for ending, count in Counter(Path(file).suffix.lower() for file in files).items():
        plug_in = PLUG_INS.get(ending)
        advice = f" (python -m pip install {plug_in})" if plug_in else ""
        found.append(f"{count:,} {shown(ending) or 'without an ending'}{advice}")
    return f"left out, as no pictures that Pillow reads here: {', '.join(found)}"


def some(names: Sequence[str], most: int = 6) -> str:
    """A list of names for a message, not all of a thousand."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(map(shown, names[:most])) + more


def shown(name: str) -> str:
    """A file's name for a message: what would steer a terminal is spelt out."""
    return name if name.isprintable() else ascii(name)


def _ignore_interrupt(_: int) -> None:
    """Ctrl-C is for the main process: it finishes its batch and ends the workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
