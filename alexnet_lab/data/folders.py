"""Photographs in folders of classes: ImageNet, Imagenette, or your own.

torchvision lists the files and transforms the pictures; here the sets are split, and a
folder that is not as it should be is explained.
"""

import filecmp
import os
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from alexnet_lab.data.batches import Splits, check_positive
from alexnet_lab.data.pictures import FolderBatches, Listing, readable, some
from alexnet_lab.data.place import DataFileError, data_folder

# RGB in 0..1, mean and standard deviation, as torchvision's published weights want it
IMAGENET_STATISTICS = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
SIZES = {"320px": "imagenette2-320", "full": "imagenette2", "160px": "imagenette2-160"}
HIDDEN = (".", "__MACOSX", "__pycache__")  # how names begin that are passed over
SETS = ("train", "val", "validation", "valid", "test")
MOST_HELD_OUT = 10_000
MOST_COMPARED = 100_000  # training pictures, with those of other sets


def image_folder(
    path: str | Path,
    image_size: int = 224,
    batch_size: int = 128,
    *,
    train_images: int | None = None,
    seed: int = 0,
    num_workers: int | None = None,
    **options: Any,
) -> Splits:
    """Photographs in folders, one folder a class, in batches for training.

    Gives three :class:`FolderBatches`, float32 (B, 3, image_size, image_size) with
    int64 (B,). ``path`` holds folders ``train``, ``val`` and ``test`` of class folders;
    or ``train`` and ``val`` as in ImageNet: then ``val``, on which published figures
    are measured, becomes ``test``, and ``validation`` is a tenth of each training class
    (10,000 pictures at most in all); or class folders, a tenth of each for validation
    and for test.

    Training pictures are treated as in the paper: the shorter side is resized (to 256
    for crops of 224 to 227; else to 8/7 of the crop), the central square cut out, then
    a random crop, mirrored in half of the cases. Others: resized, central crop.

    Options: ``train_images``, only so many training pictures; ``seed`` of the split,
    the order and the augmentation; ``num_workers``, processes that read pictures: by
    default one for each processor, 8 at most, and none for fewer than 500 pictures. (A
    script needs the usual ``if __name__ == "__main__":`` for them on macOS and
    Windows.) ``augment``, for training batches, such as :class:`ColourNoise`,
    ``normalise`` and ``device`` are those of :class:`Passes`.

    Raises:
        DataFileError: a folder that is not as above, or a class that is too small.
        ValueError: a size or count that cannot be.
    """
    train, validation, test = _parts(Path(path).expanduser(), seed)
    count, copies = len(train.labels), _copies(train, [validation, test])
    if train_images is not None:
        check_positive("train_images", train_images, count)
        generator = torch.Generator().manual_seed(seed)
        train = train.only(torch.randperm(count, generator=generator)[:train_images])
    if num_workers is None:  # for few, starting workers takes longer than reading
        num_workers = _processors() if len(train.labels) >= 500 else 0
    options = {"normalise": IMAGENET_STATISTICS, "seed": seed, **options}
    options |= {"batch_size": batch_size, "num_workers": num_workers}
    training = FolderBatches(train, image_size, shuffle=True, **options)
    if copies:
        text = f"{copies:,} pictures for validation or test are training pictures, too"
        training.remarks.append(text)
    return Splits(
        training,
        FolderBatches(validation, image_size, **options),
        FolderBatches(test, image_size, **options),
    )


def _copies(train: Listing, others: Sequence[Listing]) -> int:
    """Count the pictures of other sets that equal one of training, byte for byte."""
    if len(train.labels) > MOST_COMPARED:
        return 0
    by_size: dict[int, list[Path]] = defaultdict(list)
    for path in train.paths():
        by_size[path.stat().st_size].append(path)
    held = [path for part in others for path in part.paths() if path.stat().st_size]
    same = partial(filecmp.cmp, shallow=False)
    return sum(
        any(same(path, twin) for twin in by_size[path.stat().st_size]) for path in held
    )


def imagenette(
    image_size: int = 224, *, download: bool = False, **options: Any
) -> Splits:
    """Imagenette: ten classes of ImageNet, 9,469 training and 3,925 test photographs.

    It does not ship: 342 MB with a shorter side of 320 pixels, 99 MB with 160, by
    J. Howard, <https://github.com/fastai/imagenette>. If it is not in the course's data
    folder, torchvision can ``download`` it. Options: see :func:`image_folder`.

    Raises:
        DataFileError: it is not there, or does not come; the text says how to get it.
    """
    from torchvision.datasets import Imagenette

    root = data_folder()
    there = [s for s, name in SIZES.items() if (root / name / "train").is_dir()]
    if not there and not download:
        raise DataFileError(
            f"Imagenette is not in {root}. Call imagenette(download=True) (342 MB), or "
            "unpack one of the archives of https://github.com/fastai/imagenette there."
        )
    size = there[0] if there else "320px"
    try:
        found = Imagenette(root, size=size, download=not there)
    except (OSError, RuntimeError) as error:  # no network, no room, half an archive
        raise DataFileError(
            f"Imagenette did not come ({error}). Get {SIZES[size]}.tgz some other way, "
            "https://github.com/fastai/imagenette has the link, and unpack it in "
            f"{root}."
        ) from error
    splits = image_folder(root / SIZES[size], image_size, **options)
    for part in splits:
        part.classes = tuple(names[0] for names in found.classes)  # in English
    return splits


def _parts(path: Path, seed: int) -> list[Listing]:
    """Training, validation and test pictures, in whichever layout they lie."""
    names = _folders(path)
    sets = [name for name in SETS if name in names]
    if "train" in sets and len(sets) > 1:
        train = _pictures(path / "train")
        others = [_pictures(path / name, train.classes) for name in sets[1:]]
        if len(others) > 1:
            return [train, others[0], others[-1]]
        validation, train = _held_out(train, 1 / 10, seed)
        return [train, validation, others[0]]
    known = {*SETS, "training", "testing"}
    if sets or len(names) == 1 or names and {*map(str.lower, names)} <= known:
        raise DataFileError(
            f"{path} has the folders {some(names)}, but needs either train, and val or "
            "test, or several classes. Did you mean the classes in "
            f"{_several(path / (sets or names)[0])}?"
        )
    test, rest = _held_out(_pictures(path), 1 / 10, seed)
    validation, train = _held_out(rest, 1 / 9, seed + 1)
    return [train, validation, test]


def _folders(folder: Path) -> list[str]:
    """The names of the visible folders in ``folder``, sorted; else DataFileError."""
    try:
        found = [entry.name for entry in folder.iterdir() if entry.is_dir()]
    except OSError as error:  # not there, a file, or not allowed
        parent = next(p for p in folder.absolute().parents if p.is_dir())
        raise DataFileError(
            f"no folder of classes: {folder} ({error.strerror}). In {parent} there are "
            f"the folders {some(_folders(parent)) or '(none)'}"
        ) from error
    return sorted(name for name in found if not name.startswith(HIDDEN))


def _several(folder: Path) -> Path:
    """The first folder from here down with several folders in it; else this one."""
    below = folder
    while len(names := _folders(below)) == 1:
        below = below / names[0]
    return below if names else folder


def _pictures(folder: Path, classes: tuple[str, ...] = ()) -> Listing:
    """List ``folder/CLASS/…/picture``, sorted, with no look inside of the files.

    Hidden files are passed over, others named. Classes must be ``classes``, if given.
    """
    from torchvision.datasets.folder import make_dataset

    extensions, found = readable(), _folders(folder)
    if len(found) == 1 and not classes:
        deep, text = _several(folder), f"{folder} has one class alone, {found[0]}"
        right = some([f"{folder.name}/{name}" for name in _folders(deep)])
        move = f". Move the classes up from {deep}, so that there is {right}"
        raise DataFileError(text + move * (deep != folder))
    classes = classes or tuple(found)
    links = [entry.name for entry in folder.iterdir() if not entry.exists()]
    if lost := [name for name in links if not name.startswith(HIDDEN)]:
        text = f"{folder} has links to what is not there: {some(sorted(lost))}"
        raise DataFileError(f"{text}. Mend them, or delete them.")
    unknown = [name for name in found if name not in classes]
    if unknown:
        raise DataFileError(
            f"{folder} has classes that the training set does not have: "
            f"{some(unknown)}. The training classes are {some(classes)}."
        )

    if ring := _leads_back(folder, found):
        text = f"{ring} is a link to a folder around it, so that other classes lie in"
        raise DataFileError(f"{text} this one. Delete it.")
    ignored = []

    def is_picture(file: str) -> bool:
        name = Path(file).relative_to(folder)
        if any(part.startswith(HIDDEN) for part in name.parts):
            return False
        if not file.lower().endswith(extensions):
            ignored.append(name.as_posix())
            return False
        return True

    labels = {name: classes.index(name) for name in found}
    rules: Any = {"is_valid_file": is_picture, "allow_empty": True}
    samples = make_dataset(folder, labels, **rules) if found else []
    empty = sorted(labels.keys() - {classes[label] for _, label in samples})
    if empty or not found:
        missing = f"pictures in {some(empty)}" if found else "folders"
        there = sorted(p.name for p in folder.joinpath(*empty[:1]).iterdir())
        raise DataFileError(
            f"{folder} holds no {missing}, only {some(there) or 'nothing'}. Each class "
            f"needs a folder of its own with pictures ({', '.join(extensions)}) in it: "
            f"{folder / 'cat' / '1.jpg'}, {folder / 'dog' / '1.jpg'}"
        )
    files = [os.fsencode(Path(s[0]).relative_to(folder).as_posix()) for s in samples]
    numbers = torch.tensor([label for _, label in samples])
    return Listing(folder, classes, np.array(files), numbers, tuple(ignored))


def _leads_back(folder: Path, classes: Sequence[str]) -> Path | None:
    """The first class, or folder below it, that is a link to one around it, if any.

    Before the pictures are listed: torchvision follows such a link 40 levels deep.
    """
    top = str(folder)
    for place, folders, _ in os.walk(top, followlinks=True):
        if place == top:
            folders[:] = classes
        for link in map(Path(place).joinpath, folders):
            if not link.is_symlink() or link.name.startswith(HIDDEN):
                continue
            target = link.resolve()
            if any(target == around.resolve() for around in link.parents):
                return link
    return None


def _held_out(listing: Listing, fraction: float, seed: int) -> tuple[Listing, Listing]:
    """A part of every class, chosen at random, and the rest; of each, one at least."""
    generator = torch.Generator().manual_seed(seed)
    fraction = min(fraction, MOST_HELD_OUT / len(listing.labels))
    held, rest = [], []
    for label, name in enumerate(listing.classes):
        members = (listing.labels == label).nonzero()[:, 0]
        if len(members) < 2:
            raise DataFileError(
                f"class {name} of {listing.folder} has too few pictures to be split"
            )
        members = members[torch.randperm(len(members), generator=generator)]
        count = min(max(1, round(fraction * len(members))), len(members) - 1)
        held.append(members[:count])
        rest.append(members[count:])
    return listing.only(torch.cat(held)), listing.only(torch.cat(rest))


def _processors() -> int:
    """Those that this process may use, 8 at most."""
    if hasattr(os, "sched_getaffinity"):
        return min(8, len(os.sched_getaffinity(0)))
    return min(8, os.cpu_count() or 1)
