"""What a training run says of itself: one record an epoch, shown while it goes on."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from alexnet_lab.files import write_json
from alexnet_lab.training.distributed import Team


@dataclass
class EpochRecord:
    """One pass over the training images.

    Losses are means over images (nats), accuracies are correct images divided by all
    images. The training figures are gathered while the weights change, with dropout
    and augmentation on; the validation figures afterwards, with both off.
    """

    epoch: int
    images: int
    train_loss: float
    train_accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None
    learning_rate: float
    seconds: float

    def __str__(self) -> str:
        validation = f"{'–':>11}  {'–':>11}"
        if self.validation_loss is not None:
            validation = (
                f"{self.validation_loss:11.4f}  {self.validation_accuracy:11.2%}"
            )
        return (
            f"{self.epoch:5}  {self.train_loss:10.4f}  {self.train_accuracy:10.2%}  "
            f"{validation}  {self.seconds:7.1f}"
        )


@dataclass
class History:
    """The records of a run, and the settings that made it.

    Attributes:
        epochs: one :class:`EpochRecord` for each whole epoch.
        batch_losses: the loss of every batch, in order.
        settings: what :func:`alexnet_lab.training.fit` was asked to do, and the
            precision that it chose.
        machine: one line on where it ran.
        interrupted: True if the run was stopped before its end.
    """

    epochs: list[EpochRecord] = field(default_factory=list)
    batch_losses: list[float] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    machine: str = ""
    interrupted: bool = False

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
        """Read what :meth:`save` wrote."""
        return cls.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))


class TrainingDiverged(RuntimeError):
    """The loss became infinite or NaN. ``history`` holds what came before."""

    def __init__(
        self, loss: float, history: History, saved: Path | None = None
    ) -> None:
        before = ", ".join(f"{x:.3g}" for x in history.batch_losses[-3:])
        rate = history.settings["learning_rate"]
        kept = "The network's weights are spoilt: build it anew"
        if saved and saved.exists():
            kept = f"The checkpoint {saved} still holds its last save"
        super().__init__(
            f"the loss became {loss} in epoch {len(history.epochs) + 1} (before that: "
            f"{before or 'nothing'}). Usual causes: a learning rate that is too high "
            f"(it was {rate:g}; try {rate / 10:g}), images that are not normalised, or "
            f"a log of zero. {kept}."
        )
        self.history = history


class Figures:
    """What the batches of one epoch gave: rows of summed loss, hits, images.

    Reading a number waits for a GPU: so ``note`` keeps it there, ``read`` fetches all.
    """

    def __init__(self, rows: Sequence[tuple] = ()) -> None:
        self.rows = list(rows)
        self.pending: list[tuple] = []
        self.batches = len(self.rows)  # read or not

    def note(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Count a batch that is done."""
        self.batches += 1
        hits = (logits.detach().argmax(dim=1) == labels).sum()
        self.pending.append((loss.detach(), hits, len(labels)))

    def read(self, team: Team) -> Iterator[float]:
        """The mean losses of the batches that were noted since, of the whole team."""
        if not self.pending:
            return
        new = [
            torch.stack([loss.float(), hits.float(), loss.new_tensor(count).float()])
            for loss, hits, count in self.pending
        ]
        self.pending.clear()
        for loss, hits, count in team.total(torch.stack(new)).tolist():
            self.rows.append((loss / team.size * count, round(hits), round(count)))
            yield loss / team.size

    def totals(self) -> tuple[float, int, int]:
        """Summed loss in nats, correct images, images."""
        loss, hits, images = map(sum, zip(*self.rows, strict=True))
        return loss, hits, images


class Progress:
    """Shows a text that changes while work goes on, and keeps only the last one.

    In a notebook it is one output, updated in place; in a terminal the last line is
    rewritten; in a log file only finished lines appear.
    """

    def __init__(self, visible: bool = True) -> None:
        self.visible = visible
        self._next = 0.0
        self._shown = 0  # lines, or times in a notebook

    def due(self) -> bool:
        """True twice a second."""
        return time.monotonic() >= self._next

    def update(self, finished: str, current: str = "") -> None:
        """Show ``finished`` (whole lines, which only grow) and a passing line."""
        self._next = time.monotonic() + 0.5
        if not self.visible:
            return
        if hasattr(_shell(), "kernel"):  # in a notebook
            self._display(f"{finished}\n{current}".rstrip("\n"))
            return
        lines = finished.splitlines()
        terminal = sys.stdout.isatty()
        for line in lines[self._shown :]:
            print(f"\r{line:<78}" if terminal else line, flush=True)
        self._shown = len(lines)
        if terminal and current:
            print(f"\r{current:<78}", end="", flush=True)

    def _display(self, text: str) -> None:
        from IPython.display import display

        display(
            {"text/plain": text},
            raw=True,
            display_id=str(id(self)),
            update=self._shown > 0,
        )
        self._shown += 1


def _shell() -> Any:
    """IPython's, if this process has one."""
    return "IPython" in sys.modules and sys.modules["IPython"].get_ipython()
