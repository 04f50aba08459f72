"""``python -m alexnet_lab doctor``: what this machine has, what will run how fast.

First what plain Python can say, so that it speaks where PyTorch is missing.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from alexnet_lab import environment

if TYPE_CHECKING:
    import torch

OK, NOTE, BAD = "ok  ", "note", "BAD "
COURSE = Path(__file__).resolve().parents[1]
PYTHON = COURSE / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
NEEDED = ["torch", "torchvision", "numpy", "matplotlib", "torchinfo"]
NEEDED += ["jupyterlab", "nbmake", "jupytext", "psutil"]
NEEDED += ["pytest", "xdist", "ruff", "mypy"]


def report() -> Iterator[tuple[str, str]]:
    """Findings, one at a time: (``ok``, ``note`` or ``BAD``, a sentence)."""
    yield from _python()
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    yield from _packages(missing)
    if missing:
        return
    if sys.platform == "linux":
        yield from _settings()
    try:
        import torch

        from alexnet_lab.runtime import budget, device, versions

        yield OK, versions()
    except (ImportError, OSError) as error:  # a broken library, or one too few
        yield BAD, f"PyTorch is here but does not load: {error}"
        return
    cores = f"{os.cpu_count()} logical cores, torch uses {torch.get_num_threads()}"
    gib = memory_limit()
    memory = f"{gib:.0f} GiB of memory" if gib else "memory unknown"
    yield OK, f"{platform.platform()}; {cores}; {memory}"
    yield from _data()
    yield from _speeds(device())
    yield from _budget(budget())
    yield from _room(gib)


def _python() -> Iterator[tuple[str, str]]:
    yield OK, f"Python {platform.python_version()}, {sys.executable}"
    if reason := environment.unsupported():
        yield BAD, reason
    here = Path(sys.prefix).resolve() == (COURSE / ".venv").resolve()
    if PYTHON.exists() and not here:
        yield NOTE, f'not in the .venv of the course: "{PYTHON}" is its Python'


def _packages(missing: list[str]) -> Iterator[tuple[str, str]]:
    wanted = COURSE / "requirements.txt"
    if not missing:
        yield OK, f"packages: {', '.join(NEEDED)}"
        return
    how = f"`make lab` in {COURSE}; without make see README.md"
    if not wanted.exists():  # installed without a checkout
        how = f'"{sys.executable}" -m pip install {" ".join(missing)}'
    elif PYTHON.exists():
        how = f'"{PYTHON}" -m pip install -r "{wanted}"'
    yield BAD, f"missing here: {', '.join(missing)}; to install: {how}"


def _settings() -> Iterator[tuple[str, str]]:
    """Whether this process and the notebooks' kernel have what makes a CPU fast."""
    names = environment.FAST_CPU.keys()
    if names <= os.environ.keys():
        yield OK, f"set here for a fast CPU: {', '.join(names)}"
    else:
        words = " ".join(f"{k}={v}" for k, v in environment.settings().items())
        yield NOTE, f"slower here than by make. To set before a command: env {words}"
    spec = Path(sys.prefix, "share/jupyter/kernels/python3/kernel.json")
    known = json.loads(spec.read_text("utf-8")).get("env", {}) if spec.exists() else {}
    if names <= known.keys():
        yield OK, "set for the notebooks, too"
    else:
        install = f'"{sys.executable}" -m ipykernel install --sys-prefix'
        words = " ".join(environment.kernel_options())
        yield NOTE, f"not set for the notebooks. To set them: {install} {words}"


def _data() -> Iterator[tuple[str, str]]:
    """Whether all that ships is there; the errors say how it comes back."""
    from alexnet_lab.data import DataFileError, photos, unpacked
    from alexnet_lab.data.cifar import pictures
    from alexnet_lab.data.idx import SHA256
    from alexnet_lab.data.place import check_runs

    parts: dict[str, Callable[[], object]]
    parts = {dataset: partial(unpacked, dataset) for dataset in SHA256}
    parts |= {"CIFAR-10": pictures, "photographs": photos, "recorded runs": check_runs}
    whole = []
    for name, look in parts.items():
        try:
            look()
            whole.append(name)
        except DataFileError as error:
            yield BAD, f"{name}: {error}"
    if whole:
        yield OK, f"whole, with the right check sums if data sets: {', '.join(whole)}"


def _speeds(where: torch.device) -> Iterator[tuple[str, str]]:
    from alexnet_lab.models import alexnet_2012, lenet5
    from alexnet_lab.training.precision import WORTH_IT_FROM, bfloat16_gain

    if where.type == "cpu":
        gain = bfloat16_gain()
        worth = gain >= WORTH_IT_FROM
        use = "fit will use it for large networks" if worth else "not used"
        yield OK, f"bfloat16 is {gain:.1f}× as fast as float32 here ({use})"
    rate, how = _images_per_second(lenet5("relu", "max"), 128, 100, 1, 28, 28)
    epoch = f"{55_000 / rate:.1f} s an epoch of Fashion-MNIST"
    yield OK, f"LeNet-5 trains on {rate:,.0f} images/s ({how}): {epoch}"
    steps = 1 if where.type == "cpu" else 20
    rate, how = _images_per_second(alexnet_2012(), 32, steps, 3, 227, 227)
    epoch = f"{55_000 / rate / 60:.0f} min an epoch of Fashion-MNIST at 227×227"
    epoch += f", {1_281_167 / rate / 3600:.1f} h an epoch of ImageNet"
    yield OK, f"AlexNet trains on {rate:,.0f} images/s ({how}): {epoch}"


def _images_per_second(
    net: torch.nn.Module, batch: int, steps: int, *shape: int
) -> tuple[float, str]:
    """The speed of ``fit`` on random images, after one step, and the type it chose."""
    import torch

    from alexnet_lab.training import fit

    batches = [(torch.randn(batch, *shape), torch.zeros(batch, dtype=torch.long))]
    fit(net, batches, learning_rate=1e-6, quiet=True)
    run = fit(net, batches * steps, learning_rate=1e-6, quiet=True)
    return batch * steps / run.seconds, run.settings["precision"]


def memory_limit(limits: Path = Path("/sys/fs/cgroup")) -> float | None:
    """GiB that this machine has, or its container may use; None where unknown."""
    found = []
    with suppress(AttributeError, ValueError, OSError):  # Windows
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        with suppress(ValueError, OSError):  # "max": no limit
            found.append(int((limits / name).read_text()))
    return min(found) / 2**30 if found else None


def _budget(chosen: str) -> Iterator[tuple[str, str]]:
    text = f"the {chosen!r} budget for notebooks (ALEXNET_LAB_BUDGET changes it)"
    if chosen == "full":
        yield NOTE, f"{text}; as a whole they have not run so on a GPU yet"
    else:
        yield OK, text


def _room(gib: float | None) -> Iterator[tuple[str, str]]:
    """Whether the largest notebooks fit; tools/notebooks.py memory measures them."""
    if gib is not None and gib < 2:
        need = "notebooks 07 and 09 need 2 GiB, and with less their kernels die"
        yield NOTE, f"only {gib:.1f} GiB of memory: {need}"


def main() -> int:
    """Print the report; 0 if everything is in order, 1 if something is bad."""
    bad = False
    for state, sentence in report():
        bad |= state == BAD
        print(f"{state}  {sentence}", flush=True)
    print("Something needs mending, see BAD above." if bad else "All is well.")
    return int(bad)
