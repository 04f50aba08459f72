"""What a training run says of itself: one record an epoch, shown while it goes on."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from alexnet_lab.runtime import write_json


@dataclass
class EpochRecord:
    """One pass over the training images: mean losses (nats), accuracies in 0..1.

    Those of training are gathered while the weights change, with dropout and
    augmentation on; those of validation afterwards, with both off.
    """

    epoch: int
    images: int
    train_loss: float
    train_accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None
    learning_rate: float
    seconds: float
    remark: str = ""  # where nothing moves

    def __str__(self) -> str:
        loss, accuracy = "–", "–"
        if self.validation_loss is not None:
            loss = f"{self.validation_loss:.4f}"
            accuracy = f"{self.validation_accuracy:.2%}"
        return (
            f"{self.epoch:5}  {self.train_loss:10.4f}  {self.train_accuracy:10.2%}  "
            f"{loss:>11}  {accuracy:>11}  {self.seconds:7.1f}"
            + f"\n{self.remark}"
            * bool(self.remark)
        )


@dataclass
class History:
    """The records of a run, and the settings that made it."""

    epochs: list[EpochRecord] = field(default_factory=list)  # whole ones
    batch_losses: list[float] = field(default_factory=list)  # in order
    settings: dict[str, Any] = field(default_factory=dict)  # fit's, precision chosen
    machine: str = ""  # one line on where it ran
    interrupted: bool = False  # stopped before its end

    def check(
        self, loss: float, saved: str | Path | None = None, images: str = ""
    ) -> None:
        """Raise TrainingDiverged, of these arguments, unless a loss is finite."""
        if not isfinite(loss):
            raise TrainingDiverged(loss, self, saved, images)

    @property
    def last(self) -> EpochRecord:
        """The newest record; ValueError if no epoch has been finished."""
        if not self.epochs:
            raise ValueError("no epoch has been finished yet")
        return self.epochs[-1]

    @property
    def seconds(self) -> float:
        """Seconds of training, validation not counted."""
        return sum(record.seconds for record in self.epochs)

    def __str__(self) -> str:
        head = "epoch  train loss  train acc.  valid. loss  valid. acc.  seconds"
        lines = [head, *map(str, self.epochs)]
        if self.interrupted:
            lines.append("interrupted: the network keeps what it has learned so far")
        return "\n".join(lines)

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> History:
        """The inverse of ``dataclasses.asdict``."""
        epochs = [EpochRecord(**record) for record in plain["epochs"]]
        return cls(**{**plain, "epochs": epochs})

    def save(self, path: str | Path) -> None:
        """Write as JSON, whole or not at all."""
        write_json(asdict(self), path)

    @classmethod
    def load(cls, path: str | Path) -> History:
        """Read what :meth:`save` wrote; ValueError if a file holds something else."""
        text = Path(path).expanduser().read_text(encoding="utf-8")
        wrong = (ValueError, TypeError, KeyError, AttributeError, RecursionError)
        try:
            history = cls.from_dict(json.loads(text))
            str(history)  # all that belongs in a record is there
        except wrong as error:
            raise ValueError(f"{path} is no history of fit: {error!r}") from error
        return history


class TrainingDiverged(RuntimeError):
    """The loss became infinite or NaN. ``history`` holds what came before.

    ``saved`` is a checkpoint; ``images`` says which are to blame, if any are.
    """

    def __init__(
        self,
        loss: float,
        history: History,
        saved: str | Path | None = None,
        images: str = "",
    ) -> None:
        before = ", ".join(f"{x:.3g}" for x in history.batch_losses[-3:])
        rate = history.settings["learning_rate"]
        kept = "The network's weights are spoilt: build it anew"
        if saved and Path(saved).exists():
            kept = f"The checkpoint {saved} still holds its last save"
        why = (
            f"Usual causes: a learning rate that is too high (it was {rate:g}; try "
            f"{rate / 10:g}), images that are not normalised, or a log of zero"
        )
        super().__init__(
            f"the loss became {loss} in epoch {len(history.epochs) + 1} (before that: "
            f"{before or 'nothing'}). {images or why}. {kept}."
        )
        self.history = history


class Progress:
    """One output in a notebook, one last line in a terminal, whole lines in a log."""

    def __init__(self, visible: bool = True) -> None:
        self.visible = visible
        self._next = 0.0
        self._shown = 0  # lines, or 1 in a notebook

    def due(self) -> bool:
        """True twice a second."""
        return time.monotonic() >= self._next

    def update(self, finished: str, current: str = "") -> None:
        """Show ``finished`` (whole lines, which only grow) and a passing line."""
        self._next = time.monotonic() + 0.5
        if not self.visible:
            return
        shell = "IPython" in sys.modules and sys.modules["IPython"].get_ipython()
        if hasattr(shell, "kernel"):
            from IPython.display import display

            text = {"text/plain": f"{finished}\n{current}".rstrip("\n")}
            display(text, raw=True, display_id=str(id(self)), update=self._shown > 0)
            self._shown = 1
            return
        lines = finished.splitlines()
        terminal = sys.stdout.isatty()
        for line in lines[self._shown :]:
            print(f"\r{line:<78}" if terminal else line, flush=True)
        self._shown = len(lines)
        if terminal and current:
            print(f"\r{current:<78}", end="", flush=True)
