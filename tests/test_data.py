"""The shipped data: whole, checked, split without overlap, the same for a seed."""

import gzip
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torchvision.datasets import MNIST, FashionMNIST

from alexnet_lab.data import (
    DataFileError,
    data_folder,
    fashion_mnist,
    idx,
    mnist,
    unpacked,
)

LABELS = "t10k-labels-idx1-ubyte"
SETS = {"MNIST": MNIST, "FashionMNIST": FashionMNIST}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A data folder of its own with the smallest shipped file."""
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    shutil.copy(data_folder() / "FashionMNIST" / "raw" / f"{LABELS}.gz", raw)
    hashes = {"FashionMNIST": idx.SHA256["FashionMNIST"][3:]}
    monkeypatch.setattr(idx, "FILES", (LABELS,))
    monkeypatch.setattr(idx, "SHA256", hashes)
    monkeypatch.setenv("ALEXNET_LAB_DATA", str(tmp_path))
    return tmp_path


def packed(folder):
    return folder / "FashionMNIST" / "raw" / f"{LABELS}.gz"


def labels(folder):
    return folder / "FashionMNIST" / "raw" / LABELS


@pytest.mark.parametrize("dataset", SETS)
@pytest.mark.parametrize("train, count", [(True, 60_000), (False, 10_000)])
def test_torchvision_reads_the_shipped_files(dataset, train, count):
    found = SETS[dataset](unpacked(dataset), train=train)
    assert found.data.shape == (count, 28, 28) and found.data.dtype == torch.uint8
    assert found.targets.shape == (count,)
    assert found.targets.unique().tolist() == list(range(10))


@pytest.mark.parametrize(
    "dataset, statistics",
    idx.STATISTICS.items(),
)
def test_statistics_are_those_of_the_training_images(dataset, statistics):
    images = SETS[dataset](unpacked(dataset)).data
    counts = torch.bincount(images.flatten(), minlength=256).double()
    levels = torch.arange(256, dtype=torch.float64) / 255
    mean = (counts * levels).sum() / counts.sum()
    deviation = ((counts * (levels - mean) ** 2).sum() / counts.sum()).sqrt()
    assert (mean.item(), deviation.item()) == pytest.approx(statistics, abs=6e-5)


@pytest.mark.parametrize(
    "load, dataset", [(mnist, MNIST), (fashion_mnist, FashionMNIST)]
)
def test_our_test_images_are_torchvision_s(load, dataset):
    theirs = dataset(unpacked(dataset.__name__), train=False)
    ours = load().test
    assert torch.equal(theirs.data, ours.images.squeeze(1).cpu())
    assert torch.equal(theirs.targets, ours.labels.cpu())
    assert len(ours.classes) == 10 and ours.classes[9] in ("9", "Ankle boot")


def test_unpacked_once_and_used_again(folder):
    assert unpacked("FashionMNIST") == folder
    packed(folder).unlink()
    assert unpacked("FashionMNIST") == folder
    assert labels(folder).stat().st_size == 10_008


def test_missing_file_says_how_to_get_it_back(folder):
    packed(folder).unlink()
    with pytest.raises(DataFileError, match="No such file") as error:
        unpacked("FashionMNIST")
    assert "Get the course again" in str(error.value)  # git does not know this folder


def test_truncated_file_is_named(folder):
    content = packed(folder).read_bytes()
    packed(folder).write_bytes(content[: len(content) // 2])
    with pytest.raises(DataFileError, match="cannot be read") as error:
        unpacked("FashionMNIST")
    assert LABELS in str(error.value) and "Get the course again" in str(error.value)


def test_a_file_that_is_no_gzip_is_named(folder):
    packed(folder).write_text("<html>404</html>")
    with pytest.raises(DataFileError, match="cannot be read"):
        unpacked("FashionMNIST")


def test_no_more_is_unpacked_than_a_file_can_hold(folder, monkeypatch):
    monkeypatch.setattr(idx, "MOST_BYTES", 100)  # a small one for 50 MB
    packed(folder).write_bytes(gzip.compress(bytes(1_000_000)))
    with pytest.raises(DataFileError, match=idx.sha256(bytes(100))):
        unpacked("FashionMNIST")


def test_altered_file_shows_both_hashes(folder):
    content = bytearray(gzip.decompress(packed(folder).read_bytes()))
    content[100] ^= 1
    packed(folder).write_bytes(gzip.compress(bytes(content)))
    with pytest.raises(DataFileError, match="not the original") as error:
        unpacked("FashionMNIST")
    assert idx.SHA256["FashionMNIST"][0] in str(error.value)


def test_damaged_unpacked_file_is_mended_from_the_packed_one(folder):
    labels(folder).write_bytes(b"half")
    assert unpacked("FashionMNIST") == folder
    assert labels(folder).stat().st_size == 10_008


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_a_link_in_a_data_folder_is_not_written_through(folder, tmp_path):
    """Who sends a data folder could aim it at any file."""
    (mine := tmp_path / "mine.txt").write_text("mine")
    labels(folder).unlink(missing_ok=True)
    labels(folder).symlink_to(mine)
    assert unpacked("FashionMNIST") == folder
    assert mine.read_text() == "mine" and labels(folder).stat().st_size == 10_008


def test_an_unreadable_unpacked_file_is_replaced(folder, monkeypatch):
    """One that another user left, say; the superuser may read it all the same."""
    read, target = Path.read_bytes, labels(folder)
    target.write_bytes(b"whatever")
    target.chmod(0)

    def refuse(path):
        if path == target and not path.stat().st_mode & stat.S_IRUSR:
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert unpacked("FashionMNIST") == folder
    assert len(target.read_bytes()) == 10_008


def test_read_only_folder_works(folder, monkeypatch):
    raw = packed(folder).parent
    raw.chmod(stat.S_IRUSR | stat.S_IXUSR)
    whole_file = idx.whole_file

    def refuse(path, size):  # root may write anywhere
        if folder in path.parents:
            raise PermissionError(13, "read-only", str(path))
        return whole_file(path, size)

    monkeypatch.setattr(idx, "whole_file", refuse)
    try:
        elsewhere = unpacked("FashionMNIST")
        assert elsewhere != folder and not labels(folder).exists()
        assert labels(elsewhere).stat().st_size == 10_008
        assert unpacked("FashionMNIST") == elsewhere
    finally:
        raw.chmod(0o755)


def test_data_folder_can_be_named(folder):
    assert data_folder() == unpacked("FashionMNIST") == folder


def test_importing_the_room_imports_no_torchvision():
    code = "import sys, alexnet_lab.data; assert 'torchvision' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("load", [mnist, fashion_mnist])
def test_splits_are_disjoint_and_complete(load):
    train, validation, test = load()
    assert (train.count, validation.count, test.count) == (55_000, 5_000, 10_000)
    name = "MNIST" if load is mnist else "FashionMNIST"
    everything = SETS[name](unpacked(name)).data
    ours = torch.cat([train.images, validation.images]).cpu().flatten(1)
    # The same multiset of images: compare order-free fingerprints of each image.
    weights = torch.arange(1, 785, dtype=torch.int64)
    fingerprints = (ours.long() * weights**2 % 1_000_003).sum(1)
    theirs = (everything.flatten(1).long() * weights**2 % 1_000_003).sum(1)
    assert torch.equal(fingerprints.sort().values, theirs.sort().values)


def test_split_depends_on_the_seed_alone():
    first, same = fashion_mnist(seed=3), fashion_mnist(seed=3, train_images=700)
    other = fashion_mnist(seed=4)
    assert torch.equal(first.validation.images, same.validation.images)
    assert torch.equal(first.train.images[:700], same.train.images)
    assert not torch.equal(first.validation.labels, other.validation.labels)


def test_every_image_once_a_pass_in_a_new_order_each_pass():
    train = fashion_mnist(train_images=300, batch_size=128).train
    train.labels = torch.arange(300, device=train.device)  # so that images are known
    passes = [torch.cat([labels for _, labels in train]) for _ in range(2)]
    assert [len(labels) for _, labels in train] == [128, 128, 44]
    assert torch.equal(passes[0].sort().values, train.labels)
    assert not torch.equal(passes[0], passes[1])
    train.set_epoch(0)
    assert torch.equal(torch.cat([labels for _, labels in train]), passes[0])


def test_a_pass_can_be_taken_up_anywhere_augmentation_included():
    def noise(images, generator):
        shape = images.shape
        return images + torch.rand(shape, generator=generator, device=images.device)

    train = fashion_mnist(train_images=300, batch_size=100, augment=noise).train
    whole = list(train)
    train.set_epoch(0)
    rest = list(train.batches_from(2))
    assert len(rest) == 1
    assert torch.equal(rest[0][0], whole[2][0]) and torch.equal(rest[0][1], whole[2][1])


def test_three_channels_are_split_and_standardised_one_by_one():
    pixels = torch.arange(256).repeat(6_000).view(-1, 1, 16, 16).expand(-1, 3, -1, -1)
    colours = (pixels.byte(), torch.arange(6_000) % 7, tuple("abcdefg"))
    statistics = ((0.0, 0.5, 0.5), (1.0, 0.5, 0.25))
    train, validation, test = idx.splits(colours, colours, statistics, padding=2)
    assert (train.count, validation.count, test.count) == (1_000, 5_000, 6_000)
    images, _ = next(iter(test))
    assert images.shape == (128, *test.image_shape) == (128, 3, 20, 20)
    assert images.amin((0, 2, 3)).tolist() == [0, -1, -2]
    assert images.amax((0, 2, 3)).tolist() == [1, 1, 2]


def test_augmentation_touches_training_images_only():
    def black(images, generator):
        return images * 0

    train, validation, test = fashion_mnist(
        train_images=128, augment=black, value_range=(0, 1)
    )
    assert next(iter(train))[0].max() == 0
    assert next(iter(validation))[0].max() == 1
    assert next(iter(test))[0].max() == 1


def test_images_come_standardised():
    images, _ = next(iter(fashion_mnist(batch_size=5_000).validation))
    assert images.dtype == torch.float32
    assert abs(images.mean().item()) < 0.02 and abs(images.std().item() - 1) < 0.02


def test_the_inputs_of_1998():
    images, _ = next(iter(mnist(padding=2, value_range=(-0.1, 1.175)).test))
    assert images.shape == (128, 1, 32, 32)
    assert images.min().item() == pytest.approx(-0.1)
    assert images.max().item() == pytest.approx(1.175)
    assert images[:, :, :2].unique().item() == pytest.approx(-0.1)  # the border


@pytest.mark.parametrize("size", [14, 28, 64, 224])
def test_resizing(size):
    splits = fashion_mnist(image_size=size, batch_size=4, value_range=(0, 1))
    images, _ = next(iter(splits.test))
    assert images.shape == (4, 1, size, size) == (4, *splits.test.image_shape)
    assert images.min() >= 0 and images.max() <= 1
    plain, _ = next(iter(fashion_mnist(batch_size=4, value_range=(0, 1)).test))
    # bilinear resizing keeps an image's brightness, nearly
    assert images.mean().item() == pytest.approx(plain.mean().item(), abs=0.02)


@pytest.mark.parametrize(
    "options, says",
    [
        ({"train_images": 0}, "at least 1"),
        ({"train_images": 60_000}, "1 to 55,000; the others are held out"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"batch_size": 12.5}, "whole number"),
        ({"image_size": -1}, "image_size=-1"),
        ({"padding": -2}, "padding=-2"),
        ({"value_range": (1, 1)}, "must differ"),
    ],
)
def test_impossible_options_are_explained(options, says):
    with pytest.raises(ValueError, match=says):
        fashion_mnist(**options)
