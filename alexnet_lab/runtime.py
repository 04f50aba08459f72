"""Where and how long to compute, and results that are written whole or not at all."""

import ctypes
import datetime
import errno
import gc
import glob
import json
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import torch


def device() -> torch.device:
    """The best device here: CUDA, else MPS (Apple), else the CPU.

    ``ALEXNET_LAB_DEVICE`` (``cpu``, ``cuda``, ``cuda:1``, ``mps``) overrides it. What
    is compared to the last bit is computed on the CPU all the same: the convolutions of
    a GPU (TF32), and those and the response normalisation of MPS, come out different.
    ValueError: it names none, or one that is not here.
    """
    here = {
        "cuda": torch.cuda.device_count(),
        "mps": int(torch.backends.mps.is_available()),
        "cpu": 1,
    }
    found = [name for name, count in here.items() if count]
    wanted = os.environ.get("ALEXNET_LAB_DEVICE", "").strip()
    text = f"ALEXNET_LAB_DEVICE={wanted!r}"
    try:
        chosen = torch.device(wanted or found[0])
    except RuntimeError as error:
        raise ValueError(f"{text} names no device; use cpu, cuda or mps") from error
    if (chosen.index or 0) >= here.get(chosen.type, 0):
        text += ", but that device is not here; found: "
        raise ValueError(text + ", ".join(found))
    return chosen


def provenance(command: str, machine: str) -> dict[str, str]:
    """What the result.json of a recorded run begins with; ``command`` repeats it."""
    return {
        "command": command,
        "date": datetime.date.today().isoformat(),
        "machine": f"{platform.machine()}, {machine}",
        "torch": torch.__version__,
    }


def budget() -> str:
    """How long a notebook may compute: ``quick`` on a CPU, ``full`` on a GPU.

    ``ALEXNET_LAB_BUDGET`` overrides the choice. ValueError: it is neither of the two.
    """
    wanted = os.environ.get("ALEXNET_LAB_BUDGET", "").strip().lower()
    if not wanted:
        return "quick" if device().type == "cpu" else "full"
    if wanted not in ("quick", "full"):
        raise ValueError(f"ALEXNET_LAB_BUDGET={wanted!r}; use quick or full")
    return wanted


def versions() -> str:
    """One line that closes every notebook: Python, the libraries, the device."""
    import torchvision

    where = device()
    name = torch.cuda.get_device_name(where) if where.type == "cuda" else where.type
    return (
        f"Python {platform.python_version()} · torch {torch.__version__} · "
        f"torchvision {torchvision.__version__} · device {name} · budget {budget()}"
    )


def give_memory_back() -> None:
    """Return freed memory to the system, so that other processes can have it.

    For the sake of speed our kernels keep what they free. Only glibc can be asked.
    """
    gc.collect()
    library = ctypes.CDLL(None) if os.name == "posix" else None
    trim = getattr(library, "malloc_trim", None)
    if trim is not None:
        trim(0)


NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # disk, quota, or file too large
LEFT_OVER = 600  # seconds after which a temporary file has no writer any more


class DiskFullError(OSError):
    """No room for a file: which one, how much it needs, how much there is."""


@contextmanager
def whole_file(path: str | Path, size: int = 0) -> Iterator[BinaryIO]:
    """A file to write to, which replaces ``path`` when the block ends without error.

    It is written beside ``path``, flushed to the disk and then renamed over it: a run
    that is killed meanwhile leaves the previous file untouched, and a temporary one
    that the next call for ``path`` clears away. Folders are made, ``~`` is the home
    folder, and of a link it is the target that is replaced.

    Args:
        path: where the file shall be.
        size: the bytes that are to come, as far as known, for the error's text.

    Raises:
        DiskFullError: there is no room for it.
        OSError: it cannot be written there for some other reason.
    """
    path = _followed(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for old in path.parent.glob(f"{glob.escape(path.name)}.*.tmp"):
        with suppress(OSError):
            if time.time() - old.stat().st_mtime > LEFT_OVER:
                old.unlink()
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except Exception as error:
        # PyTorch hides the cause behind an error of its own, as closing a file may
        if cause := _no_room(error):
            temporary.unlink(missing_ok=True)
            raise DiskFullError(_told(path, size, cause)) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def check_writable(path: str | Path) -> None:
    """Raise OSError now, not after hours of work, if ``path`` cannot be written."""
    path = _followed(path)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a folder, not a file", str(path))
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "is a file, not a folder", str(folder))
    with tempfile.TemporaryFile(dir=folder):
        pass


def _followed(path: str | Path) -> Path:
    path = Path(path).expanduser()
    return path.resolve() if path.is_symlink() else path


def _no_room(error: BaseException | None) -> str:
    """Why there is no room, if that is among the causes of an error; else empty."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            return f"{error.strerror}"
        error = error.__cause__ or error.__context__
    return ""


def _told(path: Path, size: int, cause: str) -> str:
    left = f"{shutil.disk_usage(path.parent).free / 1e6:,.1f} MB are left there"
    needed = f"it needs {size / 1e6:,.1f} MB, and {left}" if size else left
    kept = ". The file that was there is as it was" if path.exists() else ""
    return f"{path} cannot be written ({cause}): {needed}{kept}"


def write_json(value: object, path: str | Path) -> None:
    """Write ``value`` as JSON for people and programs to read, whole or not at all."""
    text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
    content = text.encode("utf-8")
    with whole_file(path, len(content)) as file:
        file.write(content)
