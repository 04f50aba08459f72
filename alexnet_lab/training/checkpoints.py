"""Checkpoints: written whole or not at all, read without running anyone's code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch

from alexnet_lab.files import whole_file


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be used; the text says what would be right."""


def first_line(error: BaseException) -> str:
    """What an error says, in one line without a terminal's colours."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip()
    return text.splitlines()[0] if text else type(error).__name__


def differences(saved: dict[str, Any], mine: dict[str, Any]) -> list[str]:
    """Which settings of a run are not those of the saved one, in words."""
    return [
        f"{key}: {saved.get(key)!r} there, {value!r} here"
        for key, value in mine.items()
        if saved.get(key) != value
    ]


def save(state: dict[str, Any], path: str | Path) -> None:
    """Write ``state`` so that ``path`` always holds a whole file."""
    with whole_file(path) as file:
        torch.save(state, file)


def load(path: str | Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Read what :func:`save` wrote; only tensors and plain values are accepted.

    Raises:
        CheckpointError: the file is damaged or is no checkpoint of this course.
    """
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:
        raise CheckpointError(
            f"{path} cannot be read as a checkpoint ({type(error).__name__}: "
            f"{first_line(error)}). Delete it to start afresh."
        ) from error
    if not isinstance(state, dict):
        raise CheckpointError(
            f"{path} holds a {type(state).__name__}, not a checkpoint"
        )
    return state


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
