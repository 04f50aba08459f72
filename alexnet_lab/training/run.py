"""One run of ``fit``: a step, what is counted, how it is saved and how it goes on."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from math import isfinite, nan
from pathlib import Path
from threading import Event
from typing import Any

import torch
from torch import Tensor, nn

from alexnet_lab.training import checkpoints, fingerprint, first_batch, optimizers
from alexnet_lab.training.distributed import Team
from alexnet_lab.training.evaluation import Batch, evaluate
from alexnet_lab.training.given import check_mean
from alexnet_lab.training.graphs import Step
from alexnet_lab.training.history import EpochRecord, History, Progress
from alexnet_lab.training.precision import Precision

SAVE_EVERY = 60.0  # seconds, and after each epoch


@dataclass
class Run:
    """What one call of :func:`fit` works with, and how far it has come."""

    net: nn.Module
    train: Any  # this process's share
    validation: Any
    loss: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: optimizers.Schedule
    precision: Precision
    layout: torch.memory_format
    team: Team
    history: History
    progress: Progress
    path: Path | None  # of the checkpoint
    # of the epoch under way: summed loss, hits and images of each batch, read or, as
    # reading waits for a GPU, not yet
    rows: list[tuple[float, int, int]] = field(default_factory=list)
    pending: list[tuple[Tensor, Tensor, int]] = field(default_factory=list)
    seconds: float = 0.0
    random: dict[str, Tensor] | None = None  # to go on from, after a resume
    unsaved: bool = False  # the last checkpoint could not be written
    outputs: int = 0  # of the network, once it has seen a batch

    def __post_init__(self) -> None:
        self.forward = self.team.wrap(self.net.to(memory_format=self.layout))
        self.scaler = self.precision.scaler()
        self.step: Step = self.one_step
        self.saved_at = time.monotonic()
        self.epochs: int = self.history.settings["epochs"]
        self.identity = {} if self.path is None else self._identity()
        threads, size = torch.get_num_threads(), self.team.size
        last = self.layout == torch.channels_last
        self.history.machine = (
            f"{self.team.device.type}, {threads} thread{'' if threads == 1 else 's'}, "
            f"{self.precision}{f', {size} processes' if size > 1 else ''}"
            f"{', channels last' if last else ''}"
        )

    def one_step(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Forward, loss, zero, backward, step, as in notebook 02."""
        with self.precision.autocast():
            logits = self.forward(images)
            loss = self.loss(logits.float(), labels)
        check_mean(loss)
        loss = self.team.weigh(loss, logits)  # alone: as it is
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()  # only float16 is scaled
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss, logits

    @property
    def epoch(self) -> int:
        """How many are whole, validated and recorded."""
        return len(self.history.epochs)

    @property
    def done(self) -> int:
        """How many batches of the epoch under way."""
        return len(self.rows) + len(self.pending)

    def rest_of_epoch(self) -> Iterator[Batch]:
        """The batches of this epoch that are not done; each epoch has its own seed.

        The run's first batch is looked at before the net is trained on it.
        """
        seed = self.history.settings["seed"]
        torch.manual_seed(seed + 1_000_003 * self.epoch + 7_919 * self.team.rank)
        rest = checkpoints.batches_from(self.train, self.epoch, self.done)
        if self.random is not None and self.team.leads:
            checkpoints.restore_random_state(self.random, self.team.device)
        self.random = None
        for batch in rest:
            if not self.outputs:
                how = self.train, self.precision, self.layout
                self.outputs, layout = first_batch.examine(self.net, batch, *how)
                if layout != self.layout:
                    self.history.machine += " off: the network rejects it"
                self.layout = layout
            yield batch

    def set_learning_rate(self) -> None:
        """Set the next step's, as the schedule has it."""
        steps = len(self.train)
        progress = (self.epoch * steps + self.done) / (self.epochs * steps)
        peak = self.history.settings["learning_rate"]
        optimizers.set_rates(self.optimizer, peak * float(self.schedule(progress)))

    def note(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Keep what a batch gave, on its device."""
        hits = (logits.detach().argmax(dim=1) == labels).sum()
        self.pending.append((loss.detach(), hits, len(labels)))

    def collect(self) -> None:
        """Read what is pending, of the whole team, and see that it is finite."""
        if not self.pending:
            return
        losses, hits_each, counts = zip(*self.pending, strict=True)
        self.pending.clear()
        summed = [torch.stack(column).float() for column in (losses, hits_each)]
        rows = torch.stack([*summed, torch.tensor(counts).to(summed[0])], dim=1)
        for loss, hits, count in self.team.total(rows).tolist():
            loss /= self.team.size
            if not isfinite(loss):
                self.blame(loss, "training", self.train, len(self.rows))
            self.history.batch_losses.append(loss)
            self.rows.append((loss * count, round(hits), round(count)))

    def blame(self, loss: float, name: str, batches: Any, *number: int) -> None:
        """Raise TrainingDiverged; its text says whether the images are to blame."""
        images = first_batch.spoilt(name, batches, self.epoch, *number)
        self.history.check(loss, self.path, images)

    def check_weights(self) -> None:
        """The loss of a batch says nothing yet of the step that it led to."""
        sound = all(p.isfinite().all() for p in self.net.parameters())
        self.history.check(0.0 if sound else nan, self.path)

    def pause(self, stop: Event) -> bool:
        """Show and save what is due; whether any process of the team is to stop."""
        if self.team.size > 1:  # it must add up in step
            self.collect()
        if self.progress.due():
            self.show()
        if any(self.team.sums(float(stop.is_set()))):
            stop.set()
        elif time.monotonic() - self.saved_at >= SAVE_EVERY:
            self.save()
        return stop.is_set()

    def totals(self) -> tuple[int, float, float]:
        """Images, mean loss and accuracy of the epoch so far."""
        loss, hits, images = map(sum, zip(*self.rows, strict=True))
        return images, loss / images, hits / images

    def finish_epoch(self) -> None:
        """Evaluate, and write the epoch's line into the history."""
        self.check_weights()
        validation: tuple[float | None, float | None] = (None, None)
        if self.validation is not None:
            how = self.loss, self.precision, self.team
            score = evaluate(self.net, self.validation, *how)
            if not isfinite(score.loss):  # by the epoch's last step, or by the images
                self.blame(score.loss, "validation", self.validation)
            validation = score.loss, score.accuracy
        rate = float(self.optimizer.param_groups[0]["lr"])
        record = self.epoch + 1, *self.totals(), *validation, rate, self.seconds
        first = self.outputs if self.epoch == 0 else 0
        said = first_batch.verdict(self.history.batch_losses, first) if first else ""
        self.history.epochs.append(EpochRecord(*record, said))
        self.rows, self.seconds = [], 0.0

    def show(self) -> None:
        """Print the epochs so far, and where the next one stands."""
        self.collect()
        current = ""
        if self.rows:
            loss, place = self.totals()[1], f"epoch {self.epoch + 1} of {self.epochs}"
            place += f": batch {self.done:,} of {len(self.train):,}"
            current = f"{place}, loss {loss:.4f}, {self.seconds:.0f} s"
        head = [self.history.machine, *getattr(self.train, "remarks", ())]
        self.progress.update("\n".join([*head, f"{self.history}"]), current)

    def _identity(self) -> dict[str, Any]:
        """What makes this run, before it begins: layers and settings may change."""
        known = {
            "network": repr(self.net),
            # two functions may bear one name, all lambdas do
            "rates": [float(self.schedule(n / 8)) for n in range(9)],
            "optimizer.groups": fingerprint.of_optimizer(self.optimizer),
            "loss.settings": fingerprint.in_words(self.loss),
            "torch": torch.__version__.partition("+")[0],  # without the device's kind
            **fingerprint.of_data(self.train),
            **getattr(self.train, "origin", {}),  # the command line's options
        }
        return self.history.settings | known

    def save(self) -> None:
        """Write the checkpoint, if there is one; never what is not finite."""
        if self.path is None or not self.team.leads:
            return
        self.collect()
        self.check_weights()
        state = {
            "identity": self.identity,
            "net": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "random": checkpoints.random_state(self.team.device),
            "history": asdict(self.history),
            "rows": self.rows,
            "seconds": self.seconds,
        }
        try:
            checkpoints.save(state, self.path)
            self.unsaved = False
        except OSError as error:  # hours of work are not thrown away for it
            if not self.unsaved:
                text = f"{error}. Training goes on in memory, and tries again"
                warnings.warn(text, stacklevel=4)
            self.unsaved = True
        self.saved_at = time.monotonic()

    def resume(self, saved: dict[str, Any], insist: bool) -> None:
        """Go on from a checkpoint, of another run if one insists."""
        old, mine = saved["identity"], self.identity
        same = fingerprint.compare(self.path, old, mine, insist)
        checkpoints.fit_in(self.path, self.net, saved["net"])
        if same or old["optimizer"] == mine["optimizer"]:
            optimizers.load_state(self.optimizer, saved["optimizer"])
        if saved["scaler"]:  # empty in all types but float16
            self.scaler.load_state_dict(saved["scaler"])
        history = History.from_dict(saved["history"])
        here = self.history
        self.history = replace(history, machine=here.machine, settings=here.settings)
        if not same:  # its batches may be others: the epoch under way begins anew
            whole = len(history.batch_losses) - len(saved["rows"])
            del history.batch_losses[whole:]
            return
        self.rows, self.seconds = saved["rows"], saved["seconds"]
        self.random = saved["random"] if self.rows else None
