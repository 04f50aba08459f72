"""Folders of photographs: layouts, odd and broken files, workers, exact passes."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from alexnet_lab.data import (
    DataFileError,
    RandomFlip,
    image_folder,
    imagenette,
    pictures,
)
from alexnet_lab.data.pictures import PictureError, read_picture, readable
from alexnet_lab.training import evaluate, fit

PROJECT = Path(__file__).parent.parent
RED, GREEN, BLUE = (200, 30, 20), (20, 180, 40), (10, 40, 220)
SIZES = {"image_size": 32, "batch_size": 4}
PLAIN = {**SIZES, "normalise": ((0, 0, 0), (1, 1, 1)), "device": "cpu"}


def picture(path: Path, colour=RED, size=(48, 40), **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 30, (*size[::-1], 3))
    values = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
    Image.fromarray(values).save(path, **options)
    return path


def class_of(path: Path, name: str, count: int, colour=RED, kind="jpg") -> None:
    for number in range(count):
        picture(path / name / f"{number:02}.{kind}", colour, (48 + number, 40))


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    """Two classes of ten pictures."""
    class_of(tmp_path, "blue", 10, BLUE)
    class_of(tmp_path, "red", 10, RED)
    return tmp_path


@pytest.fixture
def split(tmp_path: Path) -> Path:
    """Train (10 a class), val (3), test (2)."""
    for part, count in (("train", 10), ("val", 3), ("test", 2)):
        class_of(tmp_path / part, "blue", count, BLUE)
        class_of(tmp_path / part, "red", count, RED)
    return tmp_path


def truncate(path: Path) -> None:
    """Leave out the last quarter: half of so small a JPEG is its header."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 3 // 4])


def names(batches) -> set[str]:
    return {name.decode() for name in batches.pictures.listing.files.tolist()}


# ---------------------------------------------------------------------------- layout
def test_folders_for_all_three(split):
    train, validation, test = image_folder(split, **PLAIN)
    assert (train.count, validation.count, test.count) == (20, 6, 4)
    assert (len(train), len(validation), len(test)) == (5, 2, 1)
    assert train.classes == validation.classes == test.classes == ("blue", "red")
    images, labels = next(iter(validation))
    assert images.shape == (4, 3, 32, 32) and images.dtype == torch.float32
    assert labels.tolist() == [0, 0, 0, 1] and labels.dtype == torch.int64
    redder = images[:, 0].mean(dim=(1, 2)) > images[:, 2].mean(dim=(1, 2))
    assert redder.tolist() == [False, False, False, True]


@pytest.mark.parametrize("name", ["val", "validation", "valid"])
def test_without_a_test_folder_val_is_the_test_set(split, name):
    for file in (split / "test").rglob("*.jpg"):
        file.unlink()
    for folder in sorted((split / "test").rglob("*"), reverse=True):
        folder.rmdir()
    (split / "test").rmdir()
    (split / "val").rename(split / name)
    train, validation, test = image_folder(split, **PLAIN)
    assert (train.count, validation.count, test.count) == (18, 2, 6)
    assert not names(train) & names(validation)
    assert validation.labels.tolist() == [0, 1]


def test_one_folder_is_split_by_class_and_by_seed(flat):
    first = image_folder(flat, **PLAIN)
    assert [part.count for part in first] == [16, 2, 2]
    assert all(
        part.labels.bincount().tolist() == [n, n]
        for part, n in zip(first, (8, 1, 1), strict=True)
    )
    sets = [names(part) for part in first]
    assert len(sets[0] | sets[1] | sets[2]) == 20
    assert [names(part) for part in image_folder(flat, **PLAIN)] == sets
    others = [image_folder(flat, **PLAIN, seed=seed).test for seed in range(1, 6)]
    assert any(names(other) != sets[2] for other in others)


def test_pictures_in_folders_within_a_class_and_capital_letters(flat):
    picture(flat / "red" / "deep" / "er" / "A.JPEG")
    train, validation, test = image_folder(flat, **PLAIN)
    assert train.count + validation.count + test.count == 21
    assert "red/deep/er/A.JPEG" in names(train) | names(validation) | names(test)


def test_hidden_and_stray_files(flat):
    (flat / ".git").mkdir()
    (flat / "red" / "._00.jpg").write_bytes(b"a Mac's own notes")
    (flat / "red" / "notes.txt").write_text("not a picture")
    (flat / "blue" / "link.jpg").symlink_to(flat / "nowhere.jpg")
    (flat / "list.csv").write_text("beside the classes")
    parts = image_folder(flat, **PLAIN)
    assert sum(part.count for part in parts) == 21
    assert parts.train.ignored == ("red/notes.txt",)
    with pytest.warns(UserWarning, match="blue/link.jpg .No such file"):
        for part in parts:
            list(part)


def test_fewer_training_pictures(split):
    train = image_folder(split, **PLAIN, train_images=7).train
    assert train.count == 7 and len(train) == 2


# ---------------------------------------------------------------------- clear errors
def remove(folder: Path) -> None:
    for file in folder.rglob("*.*"):
        file.unlink()


def rename(source: Path, name: str) -> None:
    source.rename(source.parent / name)


@pytest.mark.parametrize(
    "damage, says",
    [
        (
            lambda p: remove(p / "train" / "red"),
            r"train holds no pictures in red, only nothing\. Each class",
        ),
        (
            lambda p: remove(p / "val" / "red"),
            "val holds no pictures in red",
        ),
        (
            lambda p: (
                remove(p / "train" / "red"),
                (p / "train" / "red" / "a.doc").touch(),
            ),
            r"no pictures in red, only a\.doc.* with pictures \(\.jpg, ",
        ),
        (lambda p: rename(p / "val" / "red", "rot"), "training set does not have: rot"),
        (
            lambda p: rename(p / "train", "tain"),
            "folders tain, test, val, but needs either train, and val or",
        ),
        (
            lambda p: (rename(p / "val", "v"), rename(p / "test", "t")),
            r"folders t, train, v, but .* mean the classes in .*train\?$",
        ),
    ],
)
def test_damaged_layouts_are_named(split, damage, says):
    damage(split)
    with pytest.raises(DataFileError, match=says):
        image_folder(split, **PLAIN)


def test_a_wrong_path_shows_what_is_there(split):
    with pytest.raises(DataFileError, match="no folder .*trian.*test, train, val"):
        image_folder(split / "trian" / "deeper", **PLAIN)
    with pytest.raises(DataFileError, match="no folder .*00.jpg.*Not a directory"):
        image_folder(split / "train" / "red" / "00.jpg", **PLAIN)


def test_pictures_without_class_folders(tmp_path):
    picture(tmp_path / "1.jpg")
    with pytest.raises(
        DataFileError,
        match=r"holds no folders, only 1\.jpg\. Each class needs a folder",
    ):
        image_folder(tmp_path, **PLAIN)


def test_sets_are_not_taken_for_classes(tmp_path):
    for name in ("Train", "Val"):
        class_of(tmp_path / name, "cat", 3)
    with pytest.raises(
        DataFileError, match="folders Train, Val, but needs either train, and val"
    ):
        image_folder(tmp_path, **PLAIN)


def test_one_folder_too_high(tmp_path):
    class_of(tmp_path / "pets", "cat", 3)
    with pytest.raises(
        DataFileError,
        match="folders pets, but needs .* several classes. Did you mean .*pets",
    ):
        image_folder(tmp_path, **PLAIN)


def test_a_class_too_small_to_split(flat):
    class_of(flat, "green", 2, GREEN)
    with pytest.raises(DataFileError, match="class green .* too few pictures"):
        image_folder(flat, **PLAIN)


@pytest.mark.parametrize(
    "options, says",
    [
        ({"image_size": 0}, "image_size=0"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"train_images": 0}, "whole number of at least 1"),
        ({"train_images": 99}, "use 1 to 16; .* held out"),
    ],
)
def test_impossible_options_are_explained(flat, options, says):
    with pytest.raises(ValueError, match=says):
        image_folder(flat, **{**PLAIN, **options})


# -------------------------------------------------------------- all kinds of pictures
@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1", "YCbCr"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    suffix = {"CMYK": "jpg", "YCbCr": "jpg"}.get(mode, "png")
    source = Image.new("RGB", (30, 20), (255, 255, 255))
    source.convert(mode).save(tmp_path / f"a.{suffix}")
    result = read_picture(tmp_path / f"a.{suffix}")
    assert result.shape == (3, 20, 30) and result.dtype == torch.uint8
    assert result.min() >= 254


@pytest.mark.parametrize("dtype", [np.uint16, np.int32])
def test_sixteen_bits_keep_their_greys(tmp_path, dtype):
    values = (np.linspace(0, 65_535, 256 * 16).reshape(16, 256)).astype(dtype)
    suffix = "png" if dtype == np.uint16 else "tif"
    Image.fromarray(values).save(tmp_path / f"deep.{suffix}")
    grey = read_picture(tmp_path / f"deep.{suffix}")
    assert grey[0, 0, 0] == 0 and grey[0, -1, -1] == 255
    assert len(grey.unique()) == 256


def test_transparent_parts_are_white(tmp_path):
    image = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    image.paste((255, 0, 0, 255), (0, 0, 10, 20))
    image.save(tmp_path / "icon.png")
    result = read_picture(tmp_path / "icon.png")
    assert result[:, 5, 5].tolist() == [255, 0, 0]
    assert result[:, 5, 15].tolist() == [255, 255, 255]


def test_a_palette_with_a_transparent_colour(tmp_path):
    image = Image.new("P", (8, 8), 0)
    image.putpalette([0, 0, 0, 255, 0, 0])
    image.save(tmp_path / "p.gif", transparency=0)
    assert read_picture(tmp_path / "p.gif").unique().tolist() == [255]


def test_a_camera_s_orientation_is_heeded(tmp_path):
    exif = Image.Exif()
    exif[274] = 6  # turn by 90 degrees to the right
    picture(tmp_path / "tall.jpg", size=(60, 30), exif=exif)
    assert read_picture(tmp_path / "tall.jpg").shape == (3, 60, 30)


def test_large_jpegs_are_decoded_small_and_look_the_same(tmp_path):
    column = np.linspace(0, 255, 1_600).astype(np.uint8)
    values = np.repeat(np.tile(column, (1_200, 1))[..., None], 3, axis=2)
    Image.fromarray(values).save(tmp_path / "large.jpg", quality=95)
    whole, small = (read_picture(tmp_path / "large.jpg", s) for s in (None, 64))
    assert whole.shape == (3, 1_200, 1_600) and small.shape == (3, 150, 200)
    averaged = torch.nn.functional.avg_pool2d(whole.float(), 8)
    assert (averaged - small).abs().max() <= 4


def broken_files(folder: Path) -> dict[str, str]:
    folder.mkdir(parents=True, exist_ok=True)
    truncate(picture(folder / "half.jpg"))
    truncate(picture(folder / "half.png"))
    (folder / "page.jpg").write_text("<html>404</html>")
    (folder / "empty.jpg").touch()
    (folder / "head.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    picture(folder / "thin.png", size=(4_000, 2))
    Image.fromarray(np.ones((8, 8), dtype=np.float32)).save(folder / "float.tif")
    return {
        "half.jpg": "(?i)truncated|cannot load",
        "half.png": "(?i)truncated|cannot load",
        "page.jpg": "cannot identify image file",
        "empty.jpg": "the file is empty",
        "head.png": ".",
        "thin.png": "too thin a picture: 4,000×2",
        "float.tif": "unknown range",
        "gone.jpg": "No such file",
    }


def test_what_is_no_picture_says_why(tmp_path):
    for name, why in broken_files(tmp_path).items():
        with pytest.raises(PictureError, match=why) as error:
            read_picture(tmp_path / name)
        assert str(tmp_path) not in str(error.value)


# ---------------------------------------------------------- broken files in a pass
def test_broken_training_pictures_are_left_out_counted_and_named(split):
    broken = broken_files(split / "train" / "red")
    del broken["gone.jpg"]
    train = image_folder(split, **{**PLAIN, "batch_size": 9}).train
    assert train.count == 27
    with pytest.warns(
        UserWarning, match="7 of 27 pictures .* left out.*red/"
    ) as caught:
        batches = list(train)
    assert len(caught) == 1 and len(batches) == len(train) == 3
    labels = torch.cat([labels for _, labels in batches])
    assert labels.bincount().tolist() == [10, 10]
    assert set(train.skipped) == {f"red/{name}" for name in broken}
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # each file is named once
        assert len(list(train)) == 3


def test_broken_test_pictures_are_left_out(split):
    truncate(split / "test" / "red" / "00.jpg")
    test = image_folder(split, **PLAIN).test
    with pytest.warns(UserWarning, match="1 of 4 pictures .* left out.*: red/00.jpg"):
        labels = torch.cat([labels for _, labels in test])
    assert labels.tolist() == [0, 0, 1]


def test_an_evaluation_batch_without_a_readable_picture(split):
    for file in (split / "test" / "red").iterdir():
        truncate(file)
    test = image_folder(split, **{**PLAIN, "batch_size": 2}).test
    with pytest.warns(UserWarning, match="2 of 4"):
        assert [labels.tolist() for _, labels in test] == [[0, 0]]


def test_a_folder_that_vanishes_stops_the_training(split):
    train = image_folder(split, **PLAIN).train
    remove(split / "train")
    with pytest.raises(DataFileError, match="no picture of a batch .* still there"):
        list(train)


# ---------------------------------------------------------------- order and workers
def test_every_pass_has_its_own_order_and_views(split):
    train = image_folder(split, **PLAIN).train
    first, second = list(train), list(train)
    assert not torch.equal(first[0][0], second[0][0])
    train.set_epoch(0)
    assert all(torch.equal(a[0], b[0]) for a, b in zip(first, train, strict=True))
    other = image_folder(split, **PLAIN, seed=1).train
    assert not torch.equal(first[0][0], next(iter(other))[0])


def test_a_pass_is_taken_up_where_it_stopped(split):
    train = image_folder(split, **PLAIN, augment=RandomFlip()).train
    whole = list(train)
    train.set_epoch(0)
    rest = list(train.batches_from(3))
    assert len(rest) == 2
    assert all(torch.equal(a[0], b[0]) for a, b in zip(whole[3:], rest, strict=True))


def test_the_global_generator_is_left_alone(split):
    train = image_folder(split, **PLAIN).train
    torch.manual_seed(4)
    list(train)
    drawn = torch.rand(1)
    torch.manual_seed(4)
    assert torch.equal(drawn, torch.rand(1))


def test_training_pictures_are_cropped_and_flipped_others_are_not(split):
    train, validation, _ = image_folder(split, **PLAIN)
    files = train.pictures.listing.files
    files[:] = files[0]
    views = torch.cat([images for images, _ in train])
    assert len({tuple(view.flatten().tolist()) for view in views}) > 10
    first, second = (torch.cat([i for i, _ in validation]) for _ in range(2))
    assert torch.equal(first, second)


def test_the_paper_s_crops_come_from_the_central_square(tmp_path):
    """The sides of a wide picture never appear, as in the paper's section 4.1."""
    for name in ("a", "b"):
        for number in range(10):
            wide = np.zeros((100, 300, 3), dtype=np.uint8)
            wide[:, 100:200] = 255
            (tmp_path / name).mkdir(exist_ok=True)
            Image.fromarray(wide).save(tmp_path / name / f"{number}.png")
    train = image_folder(tmp_path, image_size=84, batch_size=16).train
    images, _ = next(iter(train))
    white = images.amax()
    assert (images[..., 8:-8] == images[:, :, :1, 42:43]).all() and white > 0


def same_batches(first, second) -> bool:
    return all(
        torch.equal(a, b) and torch.equal(s, t)
        for (a, s), (b, t) in zip(first, second, strict=True)
    )


def test_workers_change_nothing(split):
    broken_files(split / "train" / "red")
    options = {**PLAIN, "batch_size": 9, "augment": RandomFlip()}
    alone = image_folder(split, **options).train
    helped = image_folder(split, **options, num_workers=2).train
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(2):  # the second pass uses the same workers again
            assert same_batches(list(alone), list(helped))
        next(iter(helped))  # a pass that is given up
        helped.set_epoch(0)
        alone.set_epoch(0)
        assert same_batches(list(alone), list(helped))
    assert alone.skipped == helped.skipped


def test_workers_start_as_on_macos_and_windows(split, monkeypatch):
    import torch.multiprocessing as processes

    before = processes.get_start_method()
    processes.set_start_method("spawn", force=True)
    try:
        helped = image_folder(split, **PLAIN, num_workers=1).validation
        batches = list(helped)
    finally:
        processes.set_start_method(before, force=True)
    assert same_batches(batches, list(image_folder(split, **PLAIN).validation))


# ----------------------------------------------------------------- with the trainer
def small_net() -> nn.Module:
    return nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, 2))


def test_fit_trains_and_resumes_on_a_folder(split, tmp_path):
    truncate(split / "train" / "red" / "03.jpg")
    train, validation, test = image_folder(split, **SIZES)
    torch.manual_seed(0)
    net = small_net()
    with pytest.warns(UserWarning, match="1 of 20 pictures"):
        history = fit(net, train, validation, epochs=5, learning_rate=0.1, quiet=True)
    assert history.last.images == 19 and not history.interrupted
    assert evaluate(net, test).accuracy == 1


# ---------------------------------------------------------------------------- links
@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_links_are_followed_and_those_to_nothing_named(flat, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    class_of(elsewhere, "green", 4, GREEN)
    (flat / "green").symlink_to(elsewhere / "green")
    train, validation, test = image_folder(flat, **PLAIN)
    assert train.classes == ("blue", "green", "red")
    assert train.count + validation.count + test.count == 24
    (elsewhere / "green").rename(elsewhere / "moved")
    (flat / ".lock").symlink_to(elsewhere / "hidden")
    with pytest.raises(DataFileError, match="links to what is not there: green. Mend"):
        image_folder(flat, **PLAIN)
    (flat / "green").unlink()  # as advised
    assert image_folder(flat, **PLAIN).train.classes == ("blue", "red")


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
@pytest.mark.parametrize("target", [".", "..", "../.."])
def test_a_link_to_a_folder_around_it_mixes_no_classes(flat, target):
    before = image_folder(flat, **PLAIN).train.count
    (flat / "red" / "more").mkdir()
    link = flat / "red" / "more" / "again"
    link.symlink_to(target)
    with pytest.raises(DataFileError, match=r"more/again is a link to a .*Delete it"):
        image_folder(flat, **PLAIN)
    link.unlink()
    assert image_folder(flat, **PLAIN).train.count == before
    (flat / "all").symlink_to(".")
    with pytest.raises(DataFileError, match="all is a link to a folder around it"):
        image_folder(flat, **PLAIN)


# ----------------------------------------------------------------------- imagenette
def test_imagenette_without_a_network_says_what_to_do_instead(tmp_path, monkeypatch):
    def refuse(*given, **options):
        raise URLError("Name or service not known")

    monkeypatch.setenv("ALEXNET_LAB_DATA", str(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr("torchvision.datasets.imagenette.Imagenette._download", refuse)
        with pytest.raises(DataFileError, match="did not come .*not known") as error:
            imagenette(download=True)
    name, folder = re.search(
        r"Get (\S+)\.tgz .* in (\S+)\.$", str(error.value)
    ).groups()
    for part, count in (("train", 3), ("val", 1)):  # what the archive holds
        for kind in ("n01440764", "n03888257"):
            class_of(Path(folder) / name / part, kind, count, kind="JPEG")
    assert imagenette(image_size=32).train.count == 4


def test_imagenette_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("ALEXNET_LAB_DATA", str(tmp_path))
    with pytest.raises(DataFileError, match=r"imagenette\(download=True\)"):
        imagenette()


@pytest.mark.parametrize("folder", ["imagenette2-160", "imagenette2-320"])
def test_imagenette_is_found_and_its_classes_have_names(tmp_path, monkeypatch, folder):
    for part, count in (("train", 3), ("val", 1)):
        class_of(tmp_path / folder / part, "n01440764", count, kind="JPEG")
        class_of(tmp_path / folder / part, "n03888257", count, kind="JPEG")
    monkeypatch.setenv("ALEXNET_LAB_DATA", str(tmp_path))
    train, validation, test = imagenette(image_size=32, batch_size=4)
    assert train.classes == test.classes == ("tench", "parachute")
    assert (train.count, validation.count, test.count) == (4, 2, 2)


# ------------------------------------------------------- several processes, the shell
@pytest.mark.parametrize("shares", [2, 3])
def test_shares_together_are_the_whole(split, shares):
    train = image_folder(split, **PLAIN).train  # 20 pictures in batches of 4
    train.batch_size = 6  # 6, 6, 6, 2: a share of the last one may be empty
    whole = [images for images, _ in train]
    parts = []
    for rank in range(shares):
        train.set_epoch(0)
        parts.append([images for images, _ in train.share(rank, shares)])
    for number, batch in enumerate(whole):
        pieces = [part[number] for part in parts]
        assert sum(len(piece) for piece in pieces) == len(batch)
        for rank, piece in enumerate(pieces):
            assert torch.equal(piece, batch[rank::shares])


def test_train_command_reads_a_folder(split, tmp_path, capsys):
    from alexnet_lab.__main__ import main

    arguments = ["train", "lenet5", "--data", str(split), "--batch-size", "8"]
    arguments += ["--epochs", "1", "--out", str(tmp_path / "run"), "--test"]
    assert main(arguments) == 0  # three channels and two classes, found by itself
    assert "of 4 correct" in capsys.readouterr().out
    assert main([*arguments[:3], str(split / "nowhere"), *arguments[4:]]) == 1
    assert "nowhere" in capsys.readouterr().err


# ------------------------------------------------------- folders as people have them
@pytest.mark.parametrize("deep", ["images", "a/b"])
def test_classes_that_lie_deeper_are_found_and_named(tmp_path, deep):
    for part in ("train", "val"):
        for name in ("cat", "dog"):
            class_of(tmp_path / part / deep, name, 3)
    says = rf"train has one class alone, {deep[0]}.*Move the classes up from .*{deep}"
    with pytest.raises(DataFileError, match=says) as error:
        image_folder(tmp_path, **PLAIN)
    assert "so that there is train/cat, train/dog" in str(error.value)
    for flat in (tmp_path, tmp_path / "train"):  # the same without a second set
        (tmp_path / "val").rename(tmp_path / ".val") if flat == tmp_path else None
        with pytest.raises(DataFileError, match=f"mean the classes in .*train/{deep}"):
            image_folder(flat, **PLAIN)


def test_other_formats_are_read_or_counted_aloud(flat, capsys):
    for number in range(12):
        picture(flat / "red" / f"new{number}.jfif", format="JPEG")
        (flat / "red" / f"IMG_{number}.HEIC").write_bytes(b"from a telephone")
        (flat / "blue" / f"{number}.heif").write_bytes(b"from another")
    (flat / "blue" / "notes").write_text("no ending")
    train, validation, test = image_folder(flat, **PLAIN)
    assert train.count + validation.count + test.count == 32
    for words in (
        r"^\d+ pictures: blue \d, red \d+\n",
        r"left out.* 12 \.heic \(python -m pip install pillow-heif\)",
        r"12 \.heif \(python",
        "1 without an ending",
    ):
        assert re.search(words, str(train)), words
    fit(small_net(), train, device="cpu")
    assert "12 .heic (python -m pip install pillow-heif)" in capsys.readouterr().out


def test_each_ending_is_named_once():
    assert len(set(readable())) == len(readable())


def test_a_plug_in_that_is_there_is_used(tmp_path):
    """A stand-in for pillow-heif, as its documentation describes it."""
    (tmp_path / "pillow_heif.py").write_text(
        "from PIL import BmpImagePlugin, Image\n"
        "def register_heif_opener():\n"
        "    Image.register_open('HEIF', BmpImagePlugin.BmpImageFile,\n"
        "                        lambda head: head[:2] == b'BM')\n"
        "    Image.register_extensions('HEIF', ['.heic', '.heif'])\n"
    )
    code = (
        "from alexnet_lab.data.pictures import readable; print('.heic' in readable())"
    )
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{PROJECT}"}
    call = [sys.executable, "-c", code]
    assert subprocess.check_output(call, env=environment, text=True).strip() == "True"


@pytest.mark.parametrize(("most", "kind"), [(4_095, np.uint16), (65_535, np.uint16)])
def test_twelve_bits_in_sixteen_are_not_black(tmp_path, most, kind):
    values = np.linspace(0, most, 256 * 16).reshape(16, 256).astype(kind)
    Image.fromarray(values).save(tmp_path / "deep.tif")
    grey = read_picture(tmp_path / "deep.tif")
    assert grey[0, 0, 0] == 0 and grey[0, -1, -1] == 255 and len(grey.unique()) == 256


def test_normalisation_in_the_wrong_units_is_refused(flat):
    wrong = ((123.7, 116.8, 103.9), (58.4, 57.1, 57.4))
    with pytest.raises(ValueError, match="pixels are 0…1 here. Divide .* by 255"):
        image_folder(flat, **{**PLAIN, "normalise": wrong})


def test_pictures_in_two_sets_are_counted(split):
    first = split / "train" / "red" / "00.jpg"
    for place in ("val/red/copy.jpg", "test/blue/mislabelled.jpg"):
        (split / place).write_bytes(first.read_bytes())
    for part in ("val", "test"):  # those of this file's fixtures are copies, too
        for number in range(3):
            for name in ("red", "blue"):
                (split / part / name / f"{number:02}.jpg").unlink(missing_ok=True)
        picture(split / part / "red" / "own.jpg", GREEN, (33, 44))
        picture(split / part / "blue" / "own.jpg", GREEN, (44, 33))
    train = image_folder(split, **PLAIN).train
    says = "2 pictures for validation or test are training pictures, too"
    assert says in train.remarks and says in str(train)
    (split / "val/red/copy.jpg").unlink()
    (split / "test/blue/mislabelled.jpg").unlink()
    assert image_folder(split, **PLAIN).train.remarks == []


# ------------------------------------------------------- from somebody who means harm
def png_of(path: Path, width: int, height: int) -> Path:
    """A file of 60 bytes that says it holds a picture of this size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    crc = struct.pack(">I", zlib.crc32(chunk))
    length = struct.pack(">I", len(header))
    data = b"\0\0\0\x0aIDATxxxxxxxxxxxxxx"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + length + chunk + crc + data)
    return path


def test_a_small_file_of_a_huge_picture_is_refused_before_it_is_decoded(tmp_path):
    bomb = png_of(tmp_path / "a.png", 11_000, 9_000)
    with (
        pytest.warns(Image.DecompressionBombWarning),
        pytest.raises(PictureError, match="too large a picture: 11,000×9,000 pixels"),
    ):
        read_picture(bomb)
    with pytest.raises(PictureError, match="exceeds limit"):
        read_picture(png_of(tmp_path / "b.png", 50_000, 50_000))


def test_a_large_photograph_is_read_smaller(tmp_path, monkeypatch):
    path = picture(tmp_path / "a.jpg", size=(1_600, 1_200))
    monkeypatch.setattr(pictures, "MOST_PIXELS", 1_000_000)
    assert read_picture(path, 64).shape == (3, 150, 200)
    with pytest.raises(PictureError, match="too large"):
        read_picture(path)


@pytest.mark.parametrize("kind", ["EPS", "PCX"])
def test_a_name_opens_no_other_format(tmp_path, kind):
    """Pillow goes by the content, and would hand PostScript to a program."""
    path = tmp_path / "cat.jpg"
    Image.new("RGB", (48, 40)).save(path, kind)
    with pytest.raises(PictureError, match="cannot identify"):
        read_picture(path)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere such names are refused")
def test_names_that_would_steer_a_terminal_are_spelt_out(flat):
    red = flat / "\x1b[31m<b>red\udcff"
    (flat / "red").rename(red)
    (red / "\x1b[2Jnotes.\x1b[2J").write_text("no picture")
    for file in red.glob("*.jpg"):
        file.write_bytes(b"<script>")
    parts = image_folder(flat, **PLAIN, num_workers=0)
    with pytest.warns(UserWarning) as caught:
        list(parts.validation)
    said = f"{parts.train}{caught[0].message}"
    assert "\\x1b[31m<b>red\\udcff" in said and "\x1b" not in said
    said.encode()  # and any terminal can show them
    with pytest.raises(DataFileError, match=r"\\x1b.2J") as error:
        image_folder(red, **PLAIN)
    assert "\x1b[2J" not in str(error.value)
