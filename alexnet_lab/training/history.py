"""What a training run has learned about itself: one record an epoch."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from alexnet_lab.files import write_json


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


@dataclass
class History:
    """The records of a run, and the settings that made it.

    Attributes:
        epochs: one :class:`EpochRecord` for each whole epoch.
        batch_losses: the loss of every batch, in order.
        settings: what :func:`alexnet_lab.training.fit` was asked to do.
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
        """The newest record.

        Raises:
            ValueError: no epoch has been finished.
        """
        if not self.epochs:
            raise ValueError("no epoch has been finished yet")
        return self.epochs[-1]

    @property
    def best(self) -> EpochRecord:
        """The record with the highest validation accuracy (the first of equals)."""
        validated = [e for e in self.epochs if e.validation_accuracy is not None]
        if not validated:
            raise ValueError("no epoch was validated: give fit a validation set")
        return max(validated, key=lambda record: record.validation_accuracy)

    @property
    def seconds(self) -> float:
        """Seconds of training, validation not counted."""
        return sum(record.seconds for record in self.epochs)

    def __str__(self) -> str:
        lines = ["epoch  train loss  train acc.  valid. loss  valid. acc.  seconds"]
        for e in self.epochs:
            lines.append(
                f"{e.epoch:5}  {e.train_loss:10.4f}  {e.train_accuracy:10.2%}  "
                f"{_or_dash(e.validation_loss, '11.4f')}  "
                f"{_or_dash(e.validation_accuracy, '11.2%')}  {e.seconds:7.1f}"
            )
        if self.interrupted:
            lines.append("interrupted: the network keeps what it has learned so far")
        return "\n".join(lines)

    def plot(self):
        """The curves of loss and accuracy, as a matplotlib figure."""
        from alexnet_lab.plots import curves

        return curves(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings, lists and dictionaries."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> History:
        """The inverse of :meth:`to_dict`."""
        epochs = [EpochRecord(**record) for record in plain["epochs"]]
        return cls(**{**plain, "epochs": epochs})

    def save(self, path: str | Path) -> None:
        """Write as JSON, whole or not at all."""
        write_json(self.to_dict(), path)

    @classmethod
    def load(cls, path: str | Path) -> History:
        """Read what :meth:`save` wrote."""
        return cls.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))


def _or_dash(value: float | None, form: str) -> str:
    width = int(form.split(".")[0])
    return f"{'–':>{width}}" if value is None else f"{value:{form}}"
