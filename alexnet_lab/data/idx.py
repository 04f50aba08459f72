"""The shipped IDX files of MNIST and Fashion-MNIST: found, checked, unpacked.

The layout is torchvision's own (``data/MNIST/raw/train-images-idx3-ubyte`` …), so
``torchvision.datasets.MNIST(root="data")`` reads the same files once unpacked. The
format is described at http://yann.lecun.com/exdb/mnist/ (two zero bytes, a type code,
the number of dimensions, each dimension as a big-endian 32-bit integer, the values).
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import zlib
from pathlib import Path

import torch

from alexnet_lab.data.place import DataFileError, data_folder, how_to_restore

# SHA-256 of the unpacked files.
SHA256 = {
    "MNIST": {
        "train-images-idx3-ubyte": (
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
        ),
        "train-labels-idx1-ubyte": (
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
        ),
        "t10k-images-idx3-ubyte": (
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
        ),
        "t10k-labels-idx1-ubyte": (
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
        ),
    },
    "FashionMNIST": {
        "train-images-idx3-ubyte": (
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"
        ),
        "train-labels-idx1-ubyte": (
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"
        ),
        "t10k-images-idx3-ubyte": (
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"
        ),
        "t10k-labels-idx1-ubyte": (
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"
        ),
    },
}


def read_idx(dataset: str, name: str, root: Path | None = None) -> torch.Tensor:
    """One IDX file as a uint8 tensor, its SHA-256 checked.

    The unpacked file is used when it is there and intact; otherwise the ``.gz`` beside
    it is unpacked (and kept, where the folder can be written to).

    Args:
        dataset: ``"MNIST"`` or ``"FashionMNIST"``.
        name: for example ``"train-images-idx3-ubyte"``.
        root: the data folder; by default :func:`data_folder`.

    Returns:
        uint8 of shape (N, 28, 28) for images, (N,) for labels.

    Raises:
        DataFileError: neither file is there, or what is there is not the original.
    """
    folder = (Path(root) if root else data_folder()) / dataset / "raw"
    unpacked, packed = folder / name, folder / f"{name}.gz"
    wanted = SHA256[dataset][name]
    if unpacked.is_file():
        content = unpacked.read_bytes()
        if _sha256(content) == wanted:
            return _parse(content)
        if not packed.is_file():
            raise DataFileError(_altered(unpacked, content, wanted))
    content = _unpack(packed)
    if _sha256(content) != wanted:
        raise DataFileError(_altered(packed, content, wanted))
    _keep(content, unpacked)
    return _parse(content)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _unpack(packed: Path) -> bytes:
    if not packed.is_file():
        raise DataFileError(
            f"{packed} is missing. It ships with the course. {how_to_restore(packed)}"
        )
    try:
        return gzip.decompress(packed.read_bytes())
    except (EOFError, OSError, zlib.error) as error:
        raise DataFileError(
            f"{packed} ({packed.stat().st_size:,} bytes) is not a whole gzip file "
            f"({error}). {how_to_restore(packed)}"
        ) from error


def _altered(path: Path, content: bytes, wanted: str) -> str:
    shipped = path.with_name(f"{path.name.removesuffix('.gz')}.gz")  # only these ship
    return (
        f"{path} is not the original file: it holds {len(content):,} bytes with "
        f"SHA-256 {_sha256(content)}, expected {wanted}. {how_to_restore(shipped)}"
    )


def _keep(content: bytes, path: Path) -> None:
    """Write whole or not at all; a folder that is read-only is no error."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _parse(content: bytes) -> torch.Tensor:
    dimensions = content[3]
    shape = [
        int.from_bytes(content[4 + 4 * i : 8 + 4 * i], "big") for i in range(dimensions)
    ]
    # bytearray: a tensor wants memory it may write to.
    values = torch.frombuffer(
        bytearray(content[4 + 4 * dimensions :]), dtype=torch.uint8
    )
    return values.reshape(shape)
