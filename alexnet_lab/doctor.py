"""``python -m alexnet_lab doctor``: what this machine has, what will run how fast."""

from __future__ import annotations

import importlib.util
import os
import platform
import time
from collections.abc import Callable, Iterator

import torch
from torch import nn

from alexnet_lab.data.idx import SHA256, DataFileError, data_folder, unpacked
from alexnet_lab.runtime import budget, device, versions
from alexnet_lab.training.optimizers import make_optimizer
from alexnet_lab.training.precision import (
    bfloat16_gain,
    choose_layout,
    choose_precision,
)

OK, NOTE, BAD = "ok  ", "note", "BAD "


def report() -> Iterator[tuple[str, str]]:
    """Findings, one at a time: (``ok``, ``note`` or ``BAD``, a sentence)."""
    yield OK, versions()
    where = device()
    yield OK, f"{platform.platform()}; {_processor()}; {_memory()}"
    yield from _packages()
    yield from _data()
    if where.type == "cpu":
        gain = bfloat16_gain()
        use = "fit will use it for large networks" if gain >= 1.3 else "not used"
        yield OK, f"bfloat16 is {gain:.1f}× as fast as float32 here ({use})"
    yield from _speeds(where)
    yield (
        OK,
        f"notebooks run on the {budget()!r} budget (ALEXNET_LAB_BUDGET changes it)",
    )


def _processor() -> str:
    return f"{os.cpu_count()} logical cores, torch uses {torch.get_num_threads()}"


def _memory() -> str:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows
        return "memory unknown"
    return f"{total / 2**30:.0f} GiB of memory"


def _packages() -> Iterator[tuple[str, str]]:
    needed = {
        "jupyterlab": "to open the notebooks",
        "matplotlib": "to draw",
        "torchinfo": "to verify ledgers",
        "nbmake": "to run the tests",
    }
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    for name in missing:
        yield BAD, f"{name} is missing, needed {needed[name]}: pip install {name}"
    if not missing:
        yield OK, f"packages: {', '.join(needed)}"


def _data() -> Iterator[tuple[str, str]]:
    try:
        for dataset in SHA256:
            unpacked(dataset)
    except DataFileError as error:
        yield BAD, str(error)
        return
    folder = data_folder()
    yield OK, f"data: {' and '.join(SHA256)} whole, checked against their SHA-256"
    if not os.access(folder, os.W_OK):
        yield NOTE, "the data folder is read-only: files are unpacked elsewhere"


def _speeds(where: torch.device) -> Iterator[tuple[str, str]]:
    from alexnet_lab.models import alexnet_2012, lenet5

    rate, how = images_per_second(
        lambda: lenet5("relu", "max"), (1, 28, 28), 128, where
    )
    yield (
        OK,
        f"LeNet-5 trains on {rate:,.0f} images/s ({how}): "
        f"{55_000 / rate:.1f} s an epoch of Fashion-MNIST",
    )
    rate, how = images_per_second(alexnet_2012, (3, 227, 227), 32, where)
    yield (
        OK,
        f"AlexNet trains on {rate:,.0f} images/s ({how}): "
        f"{55_000 / rate / 60:.0f} min an epoch of Fashion-MNIST at 227×227, "
        f"{1_281_167 / rate / 3600:.1f} h an epoch of ImageNet",
    )


def images_per_second(
    build: Callable[[], nn.Module],
    shape: tuple[int, int, int],
    batch: int,
    where: torch.device,
    seconds: float = 1.0,
) -> tuple[float, str]:
    """Measured training speed on random images: (images/s, the type computed in)."""
    net = build().to(where).train()
    precision = choose_precision("auto", net, where)
    layout = choose_layout(None, precision, where)
    if layout == torch.channels_last:
        net.to(memory_format=layout)
    settings = {"learning_rate": 1e-3, "momentum": 0.9, "weight_decay": 5e-4}
    optimizer = make_optimizer(net, settings, "sgd")
    images = torch.randn(batch, *shape, device=where).contiguous(memory_format=layout)
    labels = torch.zeros(batch, dtype=torch.long, device=where)

    def step() -> None:
        with precision.autocast():
            logits = net(images)
        nn.functional.cross_entropy(logits.float(), labels).backward()
        optimizer.step()
        optimizer.zero_grad()
        if where.type != "cpu":
            labels.sum().item()  # wait for the device

    step()  # warms up
    steps, start = 0, time.perf_counter()
    while steps == 0 or time.perf_counter() - start < seconds:
        step()
        steps += 1
    return steps * batch / (time.perf_counter() - start), precision.name


def main() -> int:
    """Print the report; 0 if everything is in order, 1 if something is bad."""
    bad = False
    for state, sentence in report():
        bad |= state == BAD
        print(f"{state}  {sentence}", flush=True)
    print("Something needs mending, see BAD above." if bad else "All is well.")
    return int(bad)
