"""Pictures on disk, decoded by worker processes, served a batch at a time.

The workers decode, resize, crop and flip (torchvision's v2 transforms) and hand over
bytes; colour noise and normalisation happen on the device, all images at once.

Every random number depends on (seed, epoch, picture) alone, so the batches are the same
for any number of workers, and a pass can be taken up anywhere.
"""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from alexnet_lab.data.idx import DataFileError
from alexnet_lab.data.listing import Listing
from alexnet_lab.data.memory import Augmentation
from alexnet_lab.data.passes import Passes, mix_seeds
from alexnet_lab.data.pictures import PictureError, open_picture

# Mean and standard deviation of ImageNet's RGB values in 0..1, those of torchvision's
# published weights.
IMAGENET_STATISTICS = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))

Transform = Callable[[torch.Tensor], torch.Tensor]
Key = tuple[int, int]  # epoch, index


class FolderBatches(Passes):
    """Pictures on disk; iterating gives (images, labels) batches on a device.

    It has the interface of :class:`alexnet_lab.data.Batches`. Each batch goes: file →
    RGB bytes → ``transform`` (in a worker) → 0..1 → ``augment`` → normalised.

    A picture that turns out to be unreadable never stops a pass. In training the next
    readable picture of its class takes its place; in evaluation it is left out. Either
    way it is named in :attr:`skipped`, and a warning counts them after the pass.

    Args:
        listing: the files, from :func:`alexnet_lab.data.listing.list_pictures`.
        chosen: int64 (N,), which of them to use.
        transform: uint8 (3, H, W) to uint8 (3, S, S), all of one size.
        training: shuffle, and replace unreadable pictures.
        Others: as in :func:`alexnet_lab.data.image_folder`.

    Attributes:
        classes: the class names.
        labels: int64 (N,), on the CPU.
        skipped: path → reason, of files that could not be read so far.
        ignored: path → reason, of files in the folder that are no pictures.
    """

    def __init__(
        self,
        listing: Listing,
        chosen: torch.Tensor,
        transform: Transform,
        *,
        batch_size: int,
        image_size: int,
        training: bool = False,
        augment: Augmentation | None = None,
        normalise: tuple = IMAGENET_STATISTICS,
        seed: int = 0,
        num_workers: int = 0,
        shorter_side: int | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__(
            listing.labels[chosen],
            batch_size=batch_size,
            shuffle=training,
            seed=seed,
            device=device,
        )
        self.classes = listing.classes
        self.ignored = listing.ignored
        self.skipped: dict[str, str] = {}
        self.image_shape = (3, image_size, image_size)
        self.augment = augment
        self.normalise = normalise
        self.num_workers = num_workers
        self.pictures = _Pictures(
            listing, chosen, transform, seed, training, shorter_side
        )
        self._passes = 0
        self._plan = _Plan()
        self._loader = self._make_loader()

    def __repr__(self) -> str:
        channels, height, width = self.image_shape
        return (
            f"{self.count:,} pictures of {len(self.classes):,} classes, as {channels}×"
            f"{height}×{width} in {len(self):,} batches of {self.batch_size}, with "
            f"{self.num_workers} workers"
        )

    def share(self, rank: int, shares: int) -> FolderBatches:
        """As for all batches; a share in training may be empty, (0, 3, S, S)."""
        part = super().share(rank, shares)
        part._plan = _Plan()
        part._loader = part._make_loader()
        return part

    def batches_from(self, start: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """The pass from batch number ``start`` on; the batches before are not read."""
        epoch, self.epoch = self.epoch, self.epoch + 1
        self._plan.batches = [
            [(epoch, index) for index in chosen.tolist()]
            for chosen in self._chosen(start, epoch)
        ]
        self._passes = this_pass = self._passes + 1
        known = len(self.skipped)
        for number, (images, labels, problems) in enumerate(self._loader, start):
            self.skipped.update(problems)
            if not len(labels) and self.shuffle:
                images = torch.empty((0, *self.image_shape), dtype=torch.uint8)
            if len(labels) or self.shuffle:
                generator = self._generator(epoch, number) if self.augment else None
                yield self.prepare(images, generator), labels.to(self.device)
            if self.num_workers and this_pass != self._passes:
                raise RuntimeError(
                    "a second pass over these pictures began before this one ended; "
                    "with worker processes there can be one at a time "
                    "(num_workers=0 allows more)"
                )
        self._warn(known)

    def prepare(
        self, images: torch.Tensor, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        """uint8 (B, 3, H, W) to what a network gets: float32, normalised."""
        x = images.to(self.device, non_blocking=True).float().div_(255)
        if self.augment and generator is not None:
            x = self.augment(x, generator)
        mean, deviation = (
            torch.tensor(values, device=x.device).view(-1, 1, 1)
            for values in self.normalise
        )
        return x.sub_(mean).div_(deviation)

    def sample(self, count: int) -> Iterator[torch.Tensor]:
        """Up to ``count`` readable pictures, uint8 (3, S, S), evenly spread."""
        for index in range(0, self.count, max(1, self.count // count)):
            picture, _, _ = self.pictures[(0, index)]
            if picture is not None:
                yield picture

    def close(self) -> None:
        """End the worker processes now; a later pass starts new ones."""
        self._loader = self._make_loader()

    def _make_loader(self) -> DataLoader:
        return DataLoader(
            self.pictures,
            batch_sampler=self._plan,
            num_workers=self.num_workers,
            collate_fn=_collate,
            worker_init_fn=_start_worker,
            persistent_workers=self.num_workers > 0,
            pin_memory=self.device.type == "cuda",
            generator=torch.Generator(),  # else the global one would move on
        )

    def _warn(self, known: int) -> None:
        new = list(self.skipped.items())[known:]
        if not new:
            return
        done = "replaced by others of their class" if self.shuffle else "left out"
        named = "; ".join(f"{path} ({why})" for path, why in new[:3])
        more = f"; and {len(new) - 3:,} more, see .skipped" if len(new) > 3 else ""
        warnings.warn(
            f"{len(new):,} of {self.count:,} pictures could not be read and were "
            f"{done}: {named}{more}",
            stacklevel=3,
        )


class _Pictures(Dataset):
    """What a worker process holds: names, labels, and how to read a picture."""

    def __init__(self, listing, chosen, transform, seed, training, shorter_side):
        self.folder = str(listing.folder)
        # Bytes in one array: a list of a million strings would be copied, object by
        # object, into every worker.
        names = [os.fsencode(listing.files[i]) for i in chosen.tolist()]
        self.files = np.array(names, dtype=np.bytes_)
        self.labels = listing.labels[chosen].numpy()
        self.transform = transform
        self.seed = seed
        self.training = training
        self.shorter_side = shorter_side

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, key: Key) -> tuple[torch.Tensor | None, int, dict[str, str]]:
        """The picture (or None), its label, and which files could not be read."""
        epoch, index = key
        problems: dict[str, str] = {}
        for candidate in self._candidates(index):
            name = os.fsdecode(self.files[candidate])
            try:
                picture = self._read(name, mix_seeds(self.seed, epoch, index + 1))
                return picture, int(self.labels[index]), problems
            except PictureError as error:
                problems[name] = str(error)
        if self.training:
            name, why = next(iter(problems.items()))
            raise DataFileError(
                f"no picture of this class can be read any more, {len(problems):,} "
                f"were tried: {name} ({why}). Is {self.folder} still there?"
            )
        return None, int(self.labels[index]), problems

    def _candidates(self, index: int) -> Iterator[int]:
        """The picture itself; in training also the others of its class."""
        yield index
        if self.training:
            same = np.flatnonzero(self.labels == self.labels[index])
            place = int(np.searchsorted(same, index))
            yield from (int(i) for i in np.roll(same, -place)[1:])

    def _read(self, name: str, seed: int) -> torch.Tensor:
        from torchvision.transforms.v2 import functional

        path = os.path.join(self.folder, name)
        picture = functional.pil_to_tensor(open_picture(path, self.shorter_side))
        # torchvision draws from the global generator: lend it this picture's seed.
        # (Not torch.manual_seed, which notes each call for CUDA in every worker.)
        state = torch.get_rng_state()
        torch.default_generator.manual_seed(seed)
        try:
            return self.transform(picture)
        finally:
            torch.set_rng_state(state)


class _Plan:
    """The batches of the pass that begins next, for the DataLoader."""

    def __init__(self) -> None:
        self.batches: list[list[Key]] = []

    def __iter__(self) -> Iterator[list[Key]]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


def _collate(samples) -> tuple[torch.Tensor, torch.Tensor, dict[str, str]]:
    """Stack what could be read; an evaluation batch may come out empty."""
    problems = {name: why for _, _, found in samples for name, why in found.items()}
    read = [(image, label) for image, label, _ in samples if image is not None]
    images = [image for image, _ in read]
    labels = torch.tensor([label for _, label in read], dtype=torch.int64)
    return torch.stack(images) if images else torch.empty(0), labels, problems


def _start_worker(_: int) -> None:
    # Ctrl-C is for the main process: it finishes its batch and ends the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
