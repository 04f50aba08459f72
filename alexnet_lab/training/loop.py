"""Notebook 02's training loop, with what long work needs around it.

:func:`_train` is the loop, on one screen. What it calls upon lies in the files beside.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from math import isfinite, nan
from pathlib import Path
from threading import Event
from typing import Any

import torch
from torch import Tensor, nn

from alexnet_lab.runtime import check_writable
from alexnet_lab.runtime import device as best_device
from alexnet_lab.training import (
    checkpoints,
    distributed,
    fingerprint,
    first_batch,
    optimizers,
)
from alexnet_lab.training.evaluation import Batch, evaluate
from alexnet_lab.training.graphs import Replayed, Step
from alexnet_lab.training.history import EpochRecord, History, Progress
from alexnet_lab.training.precision import Precision, choose_precision

SAVE_EVERY = 60.0  # seconds, and after each epoch


def fit(
    net: nn.Module,
    train: Iterable[Batch],
    validation: Iterable[Batch] | None = None,
    *,
    epochs: int = 1,
    learning_rate: float = 0.05,
    optimizer: str | optimizers.MakeOptimizer = "sgd",
    momentum: float = 0.9,
    weight_decay: float = 5e-4,
    schedule: str | optimizers.Schedule = "one-cycle",
    loss: nn.Module | None = None,
    precision: str = "auto",
    channels_last: bool | None = None,
    cuda_graph: bool = False,
    checkpoint: str | Path | None = None,
    resume: str = "exact",
    seed: int = 0,
    device: torch.device | str | None = None,
    quiet: bool = False,
) -> History:
    """Train ``net`` in place and return the record of it. Taught in 02.

    After an interrupt (Ctrl-C, Jupyter's stop button) the record has ``interrupted``
    set, and ``net`` holds what was learned. After an error ``net`` has the device,
    layout and modes that it had. The first batch is checked before any training.

    Args:
        net: (N, C, H, W) to logits (N, classes).
        train: batches of images and int64 labels; one pass is an epoch.
        validation: evaluated after each epoch; never trained on.
        learning_rate: the peak of the schedule.
        optimizer: ``"sgd"`` (with ``momentum``), ``"adamw"``, or a function from groups
            to an optimizer; a group's ``rate_factor``, if any, multiplies its rate.
        weight_decay: on weights only, not on biases and normalisation layers.
        schedule: ``"one-cycle"``, ``"cosine"``, ``"steps"``, ``"constant"``, or a
            function from progress in 0..1 to a fraction of ``learning_rate``.
        loss: the mean of a batch; by default cross-entropy.
        precision: ``"float32"``, ``"bfloat16"``, ``"float16"`` (CUDA), or ``"auto"``:
            what a resumed run began with, else what is fast here.
        channels_last: store images pixel by pixel; by default in 16 bits and on a CPU.
        cuda_graph: on a CUDA GPU a step is one launch, see ``graphs``.
        checkpoint: a file that is written after every epoch and every minute. If it is
            there already, the run goes on from it, bit for bit as if never stopped.
            With no room on the disk, training goes on in memory, with a warning.
        resume: ``"exact"``, only what the same data, settings and release of PyTorch
            began; ``"anyway"`` goes on with whatever fits the network, with these
            settings, and begins the epoch anew in which it was stopped.
        seed: of the global generator (dropout); the order is that of ``train``.
        device: by default :func:`alexnet_lab.device`.

    Raises:
        TrainingDiverged: the loss is no longer finite.
        CheckpointError: the checkpoint is damaged or belongs to another run.
        OSError: it cannot be read, or be written where it shall be.
        ValueError: an option that cannot be, or a network or batches that cannot be
            trained; the message has the line that mends it.
    """
    first_batch.check_arguments(net, train, validation, loss)
    loss = loss or nn.CrossEntropyLoss()
    wishes = "exact", "anyway"
    optimizers.require("resume", resume, resume in wishes, " or ".join(wishes))
    rates = optimizers.check_rates(learning_rate, momentum, weight_decay)
    asked = checkpoints.asked(
        train, validation, epochs, seed, optimizer, schedule, loss
    )
    path = None if checkpoint is None else Path(checkpoint).expanduser()
    with first_batch.unchanged_by_errors(net):
        team = distributed.join(torch.device(device or best_device()))
        saved = checkpoints.load_run(path, team.device)
        chosen = choose_precision(precision, net.to(team.device), team.device)
        began = saved["identity"]["precision"] if saved else chosen.name
        if precision == "auto" and began != chosen.name:
            chosen = replace(chosen, name=began, why="as the run began")
        run = _Run(
            net,
            team.share(train),
            team.share(validation),
            loss.to(team.device),
            optimizers.make_optimizer(net, optimizer, **rates),
            optimizers.choose_schedule(schedule),
            chosen,
            chosen.layout(channels_last),
            team,
            History(settings=rates | asked | {"precision": chosen.name}),
            Progress(visible=team.leads and not quiet),
            path,
        )
        if saved:
            run.resume(saved, insist=resume == "anyway")
        if path is not None and run.epoch < run.epochs:
            check_writable(path)
        if cuda_graph and team.device.type == "cuda" and team.size == 1:
            run.step = Replayed(run.step, run.optimizer)
        with checkpoints.interruptible() as stop, suppress(KeyboardInterrupt):
            _train(run, stop)
        run.history.interrupted = run.epoch < run.epochs
        run.show()
        return run.history


def _train(run: _Run, stop: Event) -> None:
    """The loop of notebook 02; its step is `_Run.one_step`."""
    while run.epoch < run.epochs and not stop.is_set():
        run.net.train()
        start = time.perf_counter() - run.seconds
        for images, labels in run.rest_of_epoch():
            images, labels = (x.to(run.team.device) for x in (images, labels))
            images = images.contiguous(memory_format=run.layout)
            run.set_learning_rate()
            loss, logits = run.step(images, labels)
            run.note(loss, logits, labels)
            run.seconds = time.perf_counter() - start
            if run.pause(stop):
                break
        run.collect()  # waits for a GPU, so that its time counts
        run.seconds = time.perf_counter() - start
        if run.done >= len(run.train):
            run.finish_epoch()
        else:  # interrupted, or there were fewer than promised
            stop.set()
        run.save()


@dataclass
class _Run:
    """What one call of :func:`fit` works with, and how far it has come."""

    net: nn.Module
    train: Any  # this process's share
    validation: Any
    loss: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: optimizers.Schedule
    precision: Precision
    layout: torch.memory_format
    team: distributed.Team
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
        loss = self.team.weigh(loss, logits)  # alone: as it is
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()  # only float16 is scaled
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss, logits

    @property
    def epoch(self) -> int:  # whole ones
        return len(self.history.epochs)

    @property
    def done(self) -> int:  # batches of the next one
        return len(self.rows) + len(self.pending)

    def rest_of_epoch(self) -> Iterator[Batch]:
        """The batches of this epoch that are not done; each epoch has its own seed."""
        seed = self.history.settings["seed"]
        torch.manual_seed(seed + 1_000_003 * self.epoch + 7_919 * self.team.rank)
        rest = checkpoints.batches_from(self.train, self.epoch, self.done)
        if self.random is not None and self.team.leads:
            checkpoints.restore_random_state(self.random, self.team.device)
        self.random = None
        return self._examined(rest)

    def _examined(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """The same batches; the first is looked at before the net is trained on it."""
        for batch in batches:
            if not self.outputs:
                how = self.train, self.precision, self.layout
                self.outputs, layout = first_batch.examine(self.net, batch, *how)
                if layout != self.layout:
                    self.history.machine += " off: the network rejects it"
                self.layout = layout
            yield batch

    def set_learning_rate(self) -> None:
        steps = len(self.train)
        progress = (self.epoch * steps + self.done) / (self.epochs * steps)
        peak = self.history.settings["learning_rate"]
        optimizers.set_rates(self.optimizer, peak * float(self.schedule(progress)))

    def note(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
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
