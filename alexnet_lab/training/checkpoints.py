"""Stopping and going on: files written whole or not at all, and Ctrl-C as a wish."""

import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral
from pathlib import Path
from typing import Any

import torch

from alexnet_lab.runtime import whole_file
from alexnet_lab.training.evaluation import length_of
from alexnet_lab.training.fingerprint import CheckpointError
from alexnet_lab.training.given import check_seed
from alexnet_lab.training.precision import require


def save(state: dict[str, Any], path: str | Path) -> None:
    """Write ``state`` so that ``path`` always holds a whole file."""
    with whole_file(path, _bytes(state)) as file:
        torch.save(state, file)


def _bytes(state: Any) -> int:
    """What the tensors in a state take; the rest is little."""
    if isinstance(state, torch.Tensor):
        return state.nbytes
    parts = state.values() if isinstance(state, dict) else state
    return sum(map(_bytes, parts)) if isinstance(state, (dict, list)) else 0


def load(path: str | Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """What :func:`save` wrote, only tensors and plain values; else CheckpointError."""
    path = Path(path).expanduser()
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except OSError:  # not there, a folder, not allowed: it says so itself
        raise
    except Exception as error:
        lines = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip().splitlines()
        reason = ": ".join([type(error).__name__, *lines[:1]])  # without colours
        raise CheckpointError(
            f"{path} cannot be read as a checkpoint ({reason}). Delete it, or use "
            "another name."
        ) from error


def load_run(path: Path | None, device: torch.device) -> dict[str, Any] | None:
    """What ``fit`` wrote to ``path``; None if it has not yet."""
    if path is None or not path.exists():
        return None
    run = load(path, device)
    if not isinstance(run, dict) or "identity" not in run:
        raise CheckpointError(
            f"{path} is no checkpoint of this version. Delete it, or use another name."
        )
    return run


def fit_in(path: Path | None, net: torch.nn.Module, state: dict[str, Any]) -> None:
    """Load all weights, or none: then CheckpointError names one that does not fit."""
    here, there = (
        {name: tuple(getattr(value, "shape", ())) for name, value in one.items()}
        for one in (net.state_dict(), state)
    )
    for name in {**here, **there}:
        if here.get(name) != there.get(name):
            shapes = f"{there.get(name, 'nothing')} there, {here.get(name, 'nothing')}"
            text = f"{path} does not fit this network: {name} is {shapes} here"
            raise CheckpointError(text)
    net.load_state_dict(state)


def asked(
    train: Any, validation: Any, epochs: int, seed: int, *choices: Any
) -> dict[str, Any]:
    """What fit is asked, as plain values for the checkpoint and the record."""
    fine = isinstance(epochs, Integral) and epochs >= 1
    require("epochs", epochs, fine, "a whole number of at least 1")
    if validation is not None:
        length_of(validation, "validation")
    optimizer, schedule, loss = choices
    return {
        "epochs": int(epochs),
        "optimizer": _name(optimizer),
        "schedule": _name(schedule),
        "loss": repr(loss),
        "batches": length_of(train, "training"),
        "batch_size": getattr(train, "batch_size", None),
        "seed": check_seed(seed),
    }


def _name(choice: Any) -> str:
    if isinstance(choice, str):
        return choice
    return getattr(choice, "__qualname__", type(choice).__qualname__)


def batches_from(batches: Any, epoch: int, start: int) -> Iterator[Any]:
    """The batches of an epoch from number ``start`` on.

    A DataLoader draws its order from the global generator, so it is led past what is
    done before dropout's generator is put back. (Random transforms that share it, with
    no worker processes, then differ; those of ``alexnet_lab.data`` have their own.)
    """
    for source in (batches, getattr(batches, "sampler", batches)):
        if hasattr(source, "set_epoch"):
            source.set_epoch(epoch)
    if hasattr(batches, "batches_from"):
        return iter(batches.batches_from(start))
    rest = iter(batches)
    for _ in range(start):
        next(rest)
    return rest


def random_state(device: torch.device) -> dict[str, torch.Tensor]:
    """The global generators' states, so that dropout continues where it was."""
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        state["mps"] = torch.mps.get_rng_state()
    return state


def restore_random_state(state: dict[str, torch.Tensor], device: torch.device) -> None:
    """Undo :func:`random_state`; a state of another kind of device is passed over."""
    torch.set_rng_state(state["cpu"].cpu())
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"].cpu(), device)
    elif device.type == "mps" and "mps" in state:
        torch.mps.set_rng_state(state["mps"].cpu())


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Ctrl-C, or Jupyter's stop button, as a wish: no batch is left half done.

    A second one interrupts at once. Only the main thread can catch signals.
    """
    wish = threading.Event()

    def note(number: int, frame: Any) -> None:
        if wish.is_set():
            raise KeyboardInterrupt
        wish.set()

    main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, note) if main else None
    try:
        yield wish
    finally:
        if main:
            signal.signal(signal.SIGINT, before or signal.SIG_DFL)
