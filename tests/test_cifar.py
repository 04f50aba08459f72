"""CIFAR-10: whole, proven, and clear about what is missing, truncated or altered."""

import hashlib
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.WebPImagePlugin import WebPImageFile
from torchvision import datasets

from alexnet_lab.data import DataFileError, RandomCrop, cifar, cifar10, data_folder
from alexnet_lab.runtime import give_memory_back


@pytest.fixture(scope="module")
def whole():
    return cifar10(held_out=0, device="cpu")


@pytest.fixture(autouse=True)
def tidy():
    """The settings for a fast CPU keep what is freed, here hundreds of megabytes."""
    yield
    give_memory_back()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A data folder of its own: the sheet of the test images and all labels."""
    shipped, own = data_folder() / "CIFAR10", tmp_path / "CIFAR10"
    own.mkdir()
    for name in ("test_batch.webp", "labels.bin"):
        shutil.copy(shipped / name, own)
    original = cifar._original  # of any number: the sixth, whose sheet is here

    def sixth(folder, number, wanted):
        return original(folder, 5, cifar.SHA256[5])

    monkeypatch.setattr(cifar, "_original", sixth)
    monkeypatch.setattr(cifar, "SHA256", (cifar.SHA256[5],) * 6)
    monkeypatch.setenv("ALEXNET_LAB_DATA", str(tmp_path))
    return own


def test_all_of_it_is_there(whole):
    train, validation, test = whole
    assert (train.count, validation.count, test.count) == (50_000, 0, 10_000)
    assert train.labels.bincount().tolist() == [5_000] * 10
    assert test.labels.bincount().tolist() == [1_000] * 10
    assert train.classes[3] == "cat" and len(train.classes) == 10


def test_mean_and_deviation_are_those_published(whole):
    levels = torch.arange(256, dtype=torch.float64) / 255
    parts = whole.train.images.split(5_000)  # bincount counts in eight bytes a pixel
    for channel, mean, deviation in zip(
        range(3), cifar.MEAN, cifar.DEVIATION, strict=True
    ):
        counts = [torch.bincount(p[:, channel].flatten(), minlength=256) for p in parts]
        share = torch.stack(counts).sum(dim=0).double() / 51_200_000
        found = (share * levels).sum()
        assert found.item() == pytest.approx(mean, abs=1e-8)
        spread = (share * (levels - found) ** 2).sum().sqrt()
        assert spread.item() == pytest.approx(deviation, abs=1e-8)


def test_the_unpacked_files_are_the_original_s_binary_version(whole):
    path = data_folder() / "CIFAR10" / "unpacked" / "data_batch_1.bin"
    first = np.fromfile(path, np.uint8).reshape(10_000, 3_073)
    assert first[:5, 0].tolist() == [6, 9, 9, 4, 1]  # facts.md, section 8
    assert first[0, 1:4].tolist() == [59, 43, 50]  # the first frog's first red pixels
    assert hashlib.sha256(path.read_bytes()).hexdigest() == cifar.SHA256[0]


def total(images):
    """The sum of all pixels, in parts: PyTorch adds bytes in eight bytes each."""
    return sum(part.sum().item() for part in images.split(1_000))


def test_splits_do_not_overlap_and_follow_the_seed():
    one, again, other = (  # of the same seed, and of another
        cifar10(seed=seed, device="cpu").validation.images for seed in (1, 1, 2)
    )
    assert torch.equal(one, again) and not torch.equal(one, other)
    one = cifar10(seed=1, device="cpu")
    assert (one.train.count, one.validation.count) == (45_000, 5_000)
    both = total(one.train.images) + total(one.validation.images)
    assert both == total(cifar10(held_out=0, device="cpu").train.images)


@pytest.mark.parametrize("held_out", [-1, 50_000])
def test_a_held_out_number_that_cannot_be_is_refused(held_out):
    with pytest.raises(ValueError, match=f"held_out={held_out}"):
        cifar10(held_out=held_out)


def test_some_classes_alone_are_numbered_in_their_order(whole):
    some = cifar10(classes=("ship", "cat"), held_out=0, device="cpu")
    assert some.test.classes == ("ship", "cat")
    assert some.train.labels.bincount().tolist() == [5_000, 5_000]
    ships = whole.test.images[whole.test.labels == whole.test.classes.index("ship")]
    assert torch.equal(some.test.images[some.test.labels == 0], ships)


def test_a_class_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="no class 'rabbit'; there are airplane"):
        cifar10(classes=("cat", "rabbit"))


def test_mean_image_is_subtracted_before_the_crop(whole):
    train = cifar10(held_out=0, device="cpu", mean_image=True, batch_size=50).train
    train.shuffle, plain = False, train.images[:50].float()
    images, _ = next(iter(train))
    parts = [part.float().mean(dim=0) for part in whole.train.images.split(5_000)]
    mean = torch.stack(parts).mean(dim=0)
    assert torch.allclose(images, plain - mean, atol=1e-3)
    train.shuffle, train.augment = True, RandomCrop(24)
    crops, _ = next(iter(train))
    assert crops.shape == (50, 3, 24, 24) and crops.abs().max() > 100


def test_a_missing_sheet_says_how_to_get_it_back(folder):
    (folder / "test_batch.webp").unlink()
    with pytest.raises(
        DataFileError, match=r"test_batch\.webp cannot be read"
    ) as error:
        cifar10()
    assert "Get the course again" in str(error.value)  # git does not know this folder


def test_missing_labels_are_named(folder):
    (folder / "labels.bin").unlink()
    with pytest.raises(DataFileError, match=r"labels\.bin cannot be read"):
        cifar10()


@pytest.mark.parametrize("keep", [0, 1_000, 17_000_000])
def test_a_truncated_sheet_is_named(folder, keep):
    sheet = folder / "test_batch.webp"
    sheet.write_bytes(sheet.read_bytes()[:keep])
    with pytest.raises(DataFileError, match=r"test_batch\.webp"):
        cifar10()


@pytest.mark.parametrize("size", [(3200, 3201), (16_000, 16_000)])
def test_a_sheet_of_another_size_is_not_decoded(folder, monkeypatch, size):
    sheet = folder / "test_batch.webp"
    Image.new("RGB", (32, 32)).save(sheet, lossless=True)
    monkeypatch.setattr(WebPImageFile, "size", size)
    monkeypatch.setattr(WebPImageFile, "load", lambda image: pytest.fail("decoded"))
    with pytest.raises(DataFileError, match=r"test_batch\.webp cannot be read"):
        cifar10()


def test_an_altered_sheet_shows_both_hashes(folder):
    sheet = folder / "test_batch.webp"
    Image.new("RGB", (3200, 3200)).save(sheet, lossless=True)
    with pytest.raises(DataFileError, match="not the original") as error:
        cifar10()
    assert cifar.SHA256[5] in str(error.value)


def test_altered_labels_are_found(folder):
    labels = folder / "labels.bin"
    content = bytearray(labels.read_bytes())
    content[-1] ^= 1
    labels.write_bytes(content)
    with pytest.raises(DataFileError, match="not the original"):
        cifar10()


def test_a_read_only_folder_serves_without_unpacking(folder, monkeypatch):
    def refuse(path, content):
        raise PermissionError(13, "read-only", str(path))

    monkeypatch.setattr(cifar, "put", refuse)
    assert cifar10().test.count == 10_000
    assert not (folder / "unpacked").exists()


def test_a_damaged_unpacked_file_is_mended_from_the_sheet(folder):
    unpacked = folder / "unpacked" / "test_batch.bin"
    unpacked.parent.mkdir()
    unpacked.write_bytes(b"half")
    assert cifar10().test.count == 10_000
    assert unpacked.stat().st_size == 10_000 * 3_073


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_a_link_in_a_data_folder_is_not_written_through(folder, tmp_path):
    (mine := tmp_path / "mine.txt").write_text("mine")
    (folder / "unpacked").mkdir()
    (folder / "unpacked" / "test_batch.bin").symlink_to(mine)
    assert cifar10().test.count == 10_000
    assert mine.read_text() == "mine"


def test_an_unpacked_file_that_may_not_be_read_is_made_again(folder, monkeypatch):
    unpacked, read = folder / "unpacked" / "test_batch.bin", Path.read_bytes
    unpacked.parent.mkdir()
    unpacked.write_bytes(b"another user's")

    def refuse(path):
        if path == unpacked and path.stat().st_size < 100:
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert cifar10().test.count == 10_000
    assert unpacked.stat().st_size == 10_000 * 3_073


# the original's Python version


def python_version(root, monkeypatch, whole):
    """A small cifar-10-batches-py, whose MD5s torchvision is told to expect."""
    folder = root / "cifar-10-batches-py"
    folder.mkdir()
    lists = {"train_list": [], "test_list": []}
    for kind, name, part in (
        ("train_list", "data_batch_1", whole.train),
        ("test_list", "test_batch", whole.test),
    ):
        data = part.images[:6_000].flatten(1).numpy()
        content = pickle.dumps({"data": data, "labels": part.labels[:6_000].tolist()})
        (folder / name).write_bytes(content)
        lists[kind].append([name, hashlib.md5(content).hexdigest()])
    names = pickle.dumps({"label_names": list(cifar.CLASSES)})
    (folder / "batches.meta").write_bytes(names)
    meta = {"filename": "batches.meta", "key": "label_names"}
    meta["md5"] = hashlib.md5(names).hexdigest()
    for key, value in {**lists, "meta": meta}.items():
        monkeypatch.setattr(datasets.CIFAR10, key, value)
    monkeypatch.setenv("ALEXNET_LAB_DATA", str(root))
    return folder


def test_the_python_version_is_read_through_torchvision(tmp_path, monkeypatch, whole):
    python_version(tmp_path, monkeypatch, whole)
    found = cifar10(held_out=0, device="cpu")
    assert torch.equal(found.test.images, whole.test.images[:6_000])
    assert torch.equal(found.test.labels, whole.test.labels[:6_000])


def test_an_altered_python_version_is_never_unpickled(tmp_path, monkeypatch, whole):
    folder = python_version(tmp_path, monkeypatch, whole)

    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("it was unpickled",))

    (folder / "data_batch_1").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(DataFileError, match=r"cifar-10-python\.tar\.gz"):
        cifar10()
