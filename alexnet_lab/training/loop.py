"""Notebook 02's training loop, with what long work needs around it.

:func:`_train` is the loop, on one screen. What it calls upon lies in the files beside.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from math import isfinite, nan
from numbers import Integral
from pathlib import Path
from threading import Event
from typing import Any

import torch
from torch import nn

from alexnet_lab.runtime import device as best_device
from alexnet_lab.training import checkpoints, distributed, optimizers
from alexnet_lab.training.evaluation import Batch, length_of
from alexnet_lab.training.history import (
    EpochRecord,
    Figures,
    History,
    Progress,
    TrainingDiverged,
)
from alexnet_lab.training.precision import Precision, choose_precision


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
    checkpoint: str | Path | None = None,
    checkpoint_every: float = 60.0,
    seed: int = 0,
    device: torch.device | str | None = None,
    quiet: bool = False,
) -> History:
    """Train ``net`` in place and return the record of it. Taught in 02.

    Args:
        net: (N, C, H, W) to logits (N, classes). ``net.compile()`` before, if wanted.
        train: batches of images and int64 labels; :class:`alexnet_lab.data.Batches`
            or a DataLoader. Passing over it once is an epoch.
        validation: evaluated after each epoch; never trained on.
        learning_rate: the peak of the schedule.
        optimizer: ``"sgd"`` (with ``momentum``), ``"adamw"``, or a function from
            parameter groups to a ``torch.optim.Optimizer``.
        weight_decay: on weights only, not on biases and normalisation layers.
        schedule: ``"one-cycle"``, ``"cosine"``, ``"steps"``, ``"constant"``, or a
            function from progress in 0..1 to a fraction of ``learning_rate``.
        loss: by default ``nn.CrossEntropyLoss()``, mean over the batch.
        precision: ``"float32"``, ``"bfloat16"``, ``"float16"`` (CUDA), or ``"auto"``:
            what a resumed run began with, else what is fast here.
        channels_last: store images pixel by pixel; by default in 16 bits and on a CPU.
        checkpoint: a file that is written after every epoch and every
            ``checkpoint_every`` seconds. If it is there already, the run goes on from
            it, bit for bit as if it had never stopped.
        seed: of the global generator (dropout); the order is that of ``train``.
        device: by default :func:`alexnet_lab.device`.
        quiet: print nothing.

    Returns:
        After an interrupt (Ctrl-C, or Jupyter's stop button) it has ``interrupted``
        set, and ``net`` holds what was learned so far.

    Raises:
        TrainingDiverged: the loss is no longer finite.
        CheckpointError: the checkpoint is damaged or belongs to another run.
        ValueError: an option that cannot be.
    """
    loss = loss or nn.CrossEntropyLoss()
    rates = optimizers.check_rates(learning_rate, momentum, weight_decay)
    settings = rates | _asked(train, epochs, seed, optimizer, schedule, loss)
    if validation is not None:
        length_of(validation, "validation")
    team = distributed.join(torch.device(device) if device else best_device())
    path = Path(checkpoint) if checkpoint else None
    saved = None
    if path and path.exists():
        saved = checkpoints.load(path, team.device, entry="rows")
    chosen = _precision(precision, saved, net.to(team.device), team.device)
    settings["precision"] = chosen.name
    layout = chosen.layout(channels_last)
    run = _Run(
        net.to(memory_format=layout),
        team.share(train),
        team.share(validation),
        loss.to(team.device),
        optimizers.make_optimizer(net, optimizer, **rates),
        optimizers.choose_schedule(schedule),
        chosen,
        layout,
        team,
        History(settings=settings),
        Progress(visible=team.leads and not quiet),
        path,
        checkpoint_every,
    )
    if saved:
        run.resume(saved)
    with checkpoints.interruptible() as stop, suppress(KeyboardInterrupt):
        _train(run, stop)
    run.history.interrupted = run.epoch < run.epochs
    run.show()
    return run.history


def _train(run: _Run, stop: Event) -> None:
    """The loop: forward, loss, zero, backward, step, as in notebook 02."""
    where = run.team.device
    while run.epoch < run.epochs and not stop.is_set():
        run.net.train()
        start = time.perf_counter() - run.seconds
        for images, labels in run.rest_of_epoch():
            images, labels = images.to(where), labels.to(where)
            run.set_learning_rate()
            with run.precision.autocast():
                logits = run.forward(images.contiguous(memory_format=run.layout))
                loss = run.loss(logits.float(), labels)
            loss = run.team.weigh(loss, logits)  # alone: as it is
            run.optimizer.zero_grad()
            run.scaler.scale(loss).backward()  # only float16 is scaled
            run.scaler.step(run.optimizer)
            run.scaler.update()
            run.figures.note(loss, logits, labels)
            run.seconds = time.perf_counter() - start
            if run.pause(stop):
                break
        run.collect()  # waits for a GPU, so that its time counts
        run.seconds = time.perf_counter() - start
        if run.figures.batches >= len(run.train):
            run.finish_epoch()
        else:  # interrupted, or there were fewer than promised
            stop.set()
        run.save()


def _asked(
    train: Any, epochs: int, seed: int, optimizer: Any, schedule: Any, loss: nn.Module
) -> dict[str, Any]:
    """What fit is asked, as plain values for the checkpoint and the record."""
    if not isinstance(epochs, Integral) or epochs < 1:
        raise ValueError(f"epochs={epochs!r}; use a whole number of at least 1")
    return {
        "epochs": int(epochs),
        "optimizer": _name(optimizer),
        "schedule": _name(schedule),
        "loss": repr(loss),
        "batches": length_of(train, "training"),
        "batch_size": getattr(train, "batch_size", None),
        "seed": int(seed),
    }


def _name(choice: Any) -> str:
    if isinstance(choice, str):
        return choice
    return getattr(choice, "__qualname__", type(choice).__qualname__)


def _precision(
    wanted: str, saved: dict[str, Any] | None, net: nn.Module, device: torch.device
) -> Precision:
    """What is wanted; but a run that is resumed keeps its own, on whatever machine."""
    chosen = choose_precision(wanted, net, device)
    began = saved["history"]["settings"]["precision"] if saved else chosen.name
    if wanted == "auto" and began != chosen.name:
        return Precision(began, device.type, "as the run began")
    return chosen


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
    save_every: float
    # of the epoch under way
    figures: Figures = field(default_factory=Figures)
    seconds: float = 0.0
    random: dict[str, torch.Tensor] | None = None  # to go on from, after a resume

    def __post_init__(self) -> None:
        self.forward = self.team.wrap(self.net)
        self.scaler = self.precision.scaler()
        self.saved_at = time.monotonic()
        self.origin = checkpoints.origin(self.net, self.train, self.schedule)
        self.epochs: int = self.history.settings["epochs"]
        threads, size = torch.get_num_threads(), self.team.size
        last = self.layout == torch.channels_last
        self.history.machine = (
            f"{self.team.device.type}, {threads} thread{'' if threads == 1 else 's'}, "
            f"{self.precision}{', channels last' if last else ''}"
            f"{f', {size} processes' if size > 1 else ''}"
        )

    @property
    def epoch(self) -> int:
        """How many are done."""
        return len(self.history.epochs)

    def rest_of_epoch(self) -> Iterator[Batch]:
        """The batches of this epoch that are not done; each epoch has its own seed."""
        seed = self.history.settings["seed"]
        torch.manual_seed(seed + 1_000_003 * self.epoch + 7_919 * self.team.rank)
        rest = checkpoints.batches_from(self.train, self.epoch, self.figures.batches)
        if self.random is not None and self.team.leads:
            checkpoints.restore_random_state(self.random, self.team.device)
        self.random = None
        return rest

    def set_learning_rate(self) -> None:
        steps, done = len(self.train), self.figures.batches
        progress = (self.epoch * steps + done) / (self.epochs * steps)
        peak = self.history.settings["learning_rate"]
        for group in self.optimizer.param_groups:
            group["lr"] = peak * float(self.schedule(progress))

    def collect(self) -> None:
        """Bring the pending figures over, and see that they are finite."""
        for loss in self.figures.read(self.team):
            self.check(loss)
            self.history.batch_losses.append(loss)

    def check(self, loss: float) -> None:
        if not isfinite(loss):
            raise TrainingDiverged(loss, self.history, self.path)

    def check_weights(self) -> None:
        """The loss of a batch says nothing yet of the step that it led to."""
        self.check(
            0.0 if all(p.isfinite().all() for p in self.net.parameters()) else nan
        )

    def pause(self, stop: Event) -> bool:
        """Show and save what is due; whether any process of the team is to stop.

        A figure on a GPU is read twice a second; but a team must add up in step.
        """
        if self.team.size > 1:
            self.collect()
        if self.progress.due():
            self.show()
        if self.team.anyone(stop.is_set()):
            stop.set()
        elif time.monotonic() - self.saved_at >= self.save_every:
            self.save()
        return stop.is_set()

    def finish_epoch(self) -> None:
        self.check_weights()
        validation: tuple[float | None, float | None] = (None, None)
        if self.validation is not None:
            how = self.loss, self.precision
            score = self.team.evaluate(self.net, self.validation, *how)
            self.check(score.loss)  # by the epoch's last step
            validation = score.loss, score.accuracy
        loss, hits, images = self.figures.totals()
        train = loss / images, hits / images
        rate = self.optimizer.param_groups[0]["lr"]
        self.history.epochs.append(
            EpochRecord(self.epoch + 1, images, *train, *validation, rate, self.seconds)
        )
        self.figures, self.seconds = Figures(), 0.0

    def show(self) -> None:
        self.collect()
        current, done = "", self.figures.batches
        if done:
            loss, _, images = self.figures.totals()
            current = (
                f"epoch {self.epoch + 1} of {self.epochs}: batch {done:,} of "
                f"{len(self.train):,}, loss {loss / images:.4f}, "
                f"{self.seconds:.0f} s"
            )
        self.progress.update(f"{self.history.machine}\n{self.history}", current)

    def save(self) -> None:
        """Write the checkpoint, if this process has one; never what is not finite."""
        if self.path is None or not self.team.leads:
            return
        self.collect()
        self.check_weights()
        state = {
            "net": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "random": checkpoints.random_state(self.team.device),
            "origin": self.origin,
            "history": asdict(self.history),
            "rows": self.figures.rows,
            "seconds": self.seconds,
        }
        checkpoints.save(state, self.path)
        self.saved_at = time.monotonic()

    def resume(self, saved: dict[str, Any]) -> None:
        """Go on from what :meth:`save` wrote."""
        history = History.from_dict(saved["history"])
        theirs, mine = saved["origin"], self.origin | self.history.settings
        checkpoints.check_same_run(self.path, theirs | history.settings, mine)
        self.net.load_state_dict(saved["net"])
        optimizers.load_state(self.optimizer, saved["optimizer"])
        self.scaler.load_state_dict(saved["scaler"])
        self.history = replace(history, machine=self.history.machine)
        self.figures, self.seconds = Figures(saved["rows"]), saved["seconds"]
        self.random = saved["random"] if saved["rows"] else None
