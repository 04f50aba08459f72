"""Where and how long to compute, and results that are written whole or not at all."""

import ctypes
import datetime
import gc
import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import torch


def device() -> torch.device:
    """The best device here: CUDA, else MPS (Apple), else the CPU.

    ``ALEXNET_LAB_DEVICE`` (``cpu``, ``cuda``, ``cuda:1``, ``mps``) overrides it.
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


@contextmanager
def whole_file(path: str | Path) -> Iterator[BinaryIO]:
    """A file to write to, which replaces ``path`` when the block ends without error.

    It is written beside ``path``, flushed to the disk and then renamed over it: a run
    that is killed meanwhile leaves the previous file untouched. Folders are made.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(value: object, path: str | Path) -> None:
    """Write ``value`` as JSON for people and programs to read, whole or not at all."""
    text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
    with whole_file(path) as file:
        file.write(text.encode("utf-8"))
