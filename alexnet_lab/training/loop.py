"""The training loop of notebook 02, with what long work needs around it.

The heart is still ``for images, labels in train: …``. Around it: a learning-rate
schedule, mixed precision where the machine is fast at it, live progress, checkpoints
from which a run resumes exactly, an interrupt that keeps what was learned, and a stop
with advice when the loss is no longer a number. Under ``torchrun`` the same call trains
with several processes.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from math import inf, isfinite
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DistributedSampler

from alexnet_lab.runtime import device as best_device
from alexnet_lab.training import checkpoints, distributed
from alexnet_lab.training.checkpoints import CheckpointError, first_line
from alexnet_lab.training.evaluation import Predictions, Score, evaluate, predict
from alexnet_lab.training.history import EpochRecord, History
from alexnet_lab.training.interrupt import Interrupt
from alexnet_lab.training.optimizers import (
    MakeOptimizer,
    TemperedCrossEntropy,
    load_state,
    make_optimizer,
)
from alexnet_lab.training.precision import choose_layout, choose_precision
from alexnet_lab.training.progress import Progress
from alexnet_lab.training.schedules import Schedule, choose_schedule

__all__ = [
    "CheckpointError",
    "EpochRecord",
    "History",
    "Predictions",
    "Score",
    "TemperedCrossEntropy",
    "TrainingDiverged",
    "evaluate",
    "fit",
    "predict",
]

Batch = tuple[torch.Tensor, torch.Tensor]


class TrainingDiverged(RuntimeError):
    """The loss became infinite or NaN. ``history`` holds what came before."""

    def __init__(self, message: str, history: History) -> None:
        super().__init__(message)
        self.history = history


def fit(
    net: nn.Module,
    train: Iterable[Batch],
    validation: Iterable[Batch] | None = None,
    *,
    epochs: int = 1,
    learning_rate: float = 0.05,
    optimizer: str | MakeOptimizer = "sgd",
    momentum: float = 0.9,
    weight_decay: float = 5e-4,
    schedule: str | Schedule = "one-cycle",
    loss: nn.Module | None = None,
    precision: str = "auto",
    channels_last: bool | None = None,
    compile: bool = False,
    checkpoint: str | Path | None = None,
    checkpoint_every: float = 60.0,
    seed: int = 0,
    device: torch.device | str | None = None,
    quiet: bool = False,
) -> History:
    """Train ``net`` in place and return the record of it.

    Args:
        net: (N, C, H, W) to logits (N, classes).
        train: batches of images and int64 labels; :class:`alexnet_lab.data.Batches`
            or a DataLoader. Passing over it once is an epoch.
        validation: evaluated after each epoch; never trained on.
        epochs: passes over ``train``.
        learning_rate: the peak of the schedule.
        optimizer: ``"sgd"`` (with ``momentum``), ``"adamw"``, or a function from
            parameter groups to a ``torch.optim.Optimizer``.
        weight_decay: on weights only, not on biases and normalisation layers.
        schedule: ``"one-cycle"``, ``"cosine"``, ``"steps"``, ``"constant"``, or a
            function from progress in 0..1 to a fraction of ``learning_rate``.
        loss: by default ``nn.CrossEntropyLoss()``, mean over the batch.
        precision: ``"auto"``, ``"float32"``, ``"bfloat16"`` or ``"float16"`` (CUDA).
        channels_last: store images pixel by pixel; None does so in 16 bits, and on
            a CPU.
        compile: run through ``torch.compile``.
        checkpoint: a file that is written after every epoch and every
            ``checkpoint_every`` seconds. If it is there already, the run goes on from
            it, bit for bit as if it had never stopped.
        seed: of the global generator (dropout); the order is that of ``train``.
        device: by default :func:`alexnet_lab.device`.
        quiet: print nothing.

    Returns:
        A :class:`History`. After an interrupt (Ctrl-C, or Jupyter's stop button) it
        has ``interrupted`` set, and ``net`` holds what was learned so far.

    Raises:
        TrainingDiverged: the loss is no longer finite.
        CheckpointError: the checkpoint is damaged or belongs to another run.
        ValueError: an option that cannot be.
    """
    _check_options(epochs, learning_rate, momentum, weight_decay, train, validation)
    where = torch.device(device) if device else best_device()
    team, where = distributed.join(where)
    settings = {
        "epochs": int(epochs),  # plain numbers, for the checkpoint and the record
        "learning_rate": float(learning_rate),
        "optimizer": _name(optimizer),
        "momentum": float(momentum),
        "weight_decay": float(weight_decay),
        "schedule": _name(schedule),
        "loss": repr(loss or nn.CrossEntropyLoss()),
        "batches": len(train),
        "batch_size": getattr(train, "batch_size", None),
        "seed": int(seed),
    }
    run = _Run(net.to(where), train, validation, settings, where, team)
    run.choose_arithmetic(precision, channels_last, compile)
    run.schedule = choose_schedule(schedule)
    # two functions may bear one name, all lambdas do
    run.origin["rates"] = [float(run.schedule(n / 8)) for n in range(9)]
    run.loss = (loss or nn.CrossEntropyLoss()).to(where)
    run.optimizer = make_optimizer(net, settings, optimizer)
    run.checkpoint = Path(checkpoint) if checkpoint else None
    run.checkpoint_every = checkpoint_every
    run.progress = Progress(visible=team.leads and not quiet)
    if run.checkpoint and run.checkpoint.exists():
        run.resume()
    with Interrupt() as interrupt:
        run.train(interrupt)
    return run.history


def _check_options(epochs, learning_rate, momentum, weight_decay, train, validation):
    if isinstance(epochs, bool) or not isinstance(epochs, Integral) or epochs < 1:
        raise ValueError(f"epochs={epochs!r}; use a whole number of at least 1")
    if not isinstance(learning_rate, Real) or not 0 < learning_rate < inf:
        raise ValueError(f"learning_rate={learning_rate!r}; use a number above 0")
    if not 0 <= momentum < 1:
        raise ValueError(f"momentum={momentum}; use a number from 0 to below 1")
    if not weight_decay >= 0:
        raise ValueError(f"weight_decay={weight_decay}; use 0 or more")
    _check_batches(train, "training")
    if validation is not None:
        _check_batches(validation, "validation")


def _check_batches(batches: Iterable[Batch], name: str) -> None:
    if isinstance(batches, tuple) and hasattr(batches, "train"):
        raise ValueError(
            f"fit got all three splits as its {name} set; unpack them: "
            "fit(net, splits.train, splits.validation)"
        )
    try:
        some = len(batches) > 0
    except TypeError:  # an iterator, or a DataLoader of an IterableDataset
        some = False
    if not some:
        raise ValueError(f"the {name} set needs a length of at least one batch")


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _name(choice: Any) -> str:
    if isinstance(choice, str):
        return choice
    return getattr(choice, "__qualname__", type(choice).__qualname__)


def _origin(train: Any) -> dict[str, Any]:
    """What the data say of themselves; a checkpoint must agree with it."""
    known = {"images": "count", "classes": "classes"}
    return {
        key: getattr(train, name) for key, name in known.items() if hasattr(train, name)
    }


class _Run:
    """The state of one call of :func:`fit`."""

    def __init__(self, net, train, validation, settings, device, team) -> None:
        self.net = net
        self.train_set = _share(train, team)
        self.validation = _share(validation, team)
        self.origin = {"network": repr(net), **_origin(train)}
        self.settings = settings
        self.device = device
        self.team = team
        self.history = History(settings=settings)
        self.epoch = 0
        self.batch = 0  # batches of this epoch that are done
        self.random = None  # generators' states to go on from, after a resume
        self._fresh_sums()
        self._saved_at = time.monotonic()

    def choose_arithmetic(
        self, precision: str, channels_last: bool | None, compile: bool
    ) -> None:
        self.precision = choose_precision(precision, self.net, self.device)
        self.layout = choose_layout(channels_last, self.precision, self.device)
        channels_last = self.layout == torch.channels_last
        if channels_last:
            self.net.to(memory_format=torch.channels_last)
        self.forward = self.team.wrap(self.net, self.device)
        if compile:
            self.forward = torch.compile(self.forward)
        self.scaler = torch.amp.GradScaler(
            self.device.type, enabled=self.precision.needs_scaling
        )
        self.history.machine = (
            f"{self.device.type}, {_counted(torch.get_num_threads(), 'thread')}, "
            f"{self.precision.name} ({self.precision.why})"
            f"{', channels last' if channels_last else ''}"
            f"{f', {self.team.size} processes' if self.team.size > 1 else ''}"
        )

    # the loop

    def train(self, interrupt: Interrupt) -> None:
        epochs = self.settings["epochs"]
        self.history.interrupted = False
        while self.epoch < epochs and not interrupt.wanted:
            try:
                self.train_epoch(interrupt)
            except KeyboardInterrupt:
                # Not by signal: from within a batch, whose step may be half done. The
                # last checkpoint stays as it is.
                interrupt.wanted = True
                self.history.interrupted = True
                break
            if self.batch < len(self.train_set):
                self.history.interrupted = True
                self.save()
                break
            self.finish_epoch()
            self.save()
        else:
            self.history.interrupted = self.epoch < epochs
        self.show()

    def train_epoch(self, interrupt: Interrupt) -> None:
        self.net.train()
        start = time.perf_counter() - self.seconds
        for images, labels in self.batches():
            self.step(images.to(self.device), labels.to(self.device))
            self.seconds = time.perf_counter() - start
            if self.progress.due():
                self.show()
            if self.anyone(interrupt):
                return
            if self.time_to_save():
                self.save()
        self.collect()  # waits for a GPU, so that its time counts
        self.seconds = time.perf_counter() - start

    def anyone(self, interrupt: Interrupt) -> bool:
        """Whether any process of the team was interrupted: all stop together."""
        if self.team.size > 1:
            wish = torch.tensor([float(interrupt.wanted)], device=self.device)
            interrupt.wanted = self.team.total(wish).item() > 0
        return interrupt.wanted

    def batches(self) -> Iterable[Batch]:
        """The rest of this epoch, from the first batch that is not done.

        Every epoch begins from its own seed. A DataLoader draws its order from there,
        so it can be led past the batches that are done before dropout's generator is
        put back. (Random transforms that share that generator, with no worker
        processes, are then different; those of ``Batches`` have their own.)
        """
        torch.manual_seed(
            self.settings["seed"] + 1_000_003 * self.epoch + 7_919 * self.team.rank
        )
        if hasattr(self.train_set, "set_epoch"):
            self.train_set.set_epoch(self.epoch)
        if hasattr(self.train_set, "batches_from"):
            rest = iter(self.train_set.batches_from(self.batch))
        else:
            sampler = getattr(self.train_set, "sampler", None)
            if hasattr(sampler, "set_epoch"):
                sampler.set_epoch(self.epoch)
            rest = iter(self.train_set)
            for _ in range(self.batch):
                next(rest)
        if self.random is not None and self.team.leads:
            checkpoints.restore_random_state(self.random, self.device)
        self.random = None
        return rest

    def step(self, images: torch.Tensor, labels: torch.Tensor) -> None:
        rate = self.set_learning_rate()
        images = images.contiguous(memory_format=self.layout)
        with self.precision.autocast():
            logits = self.forward(images)
            loss = self.loss(logits.float(), labels)
        if self.team.size > 1:
            loss = self.weigh(loss, logits, len(labels))
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.batch += 1
        self.rate = rate
        hits = (logits.detach().argmax(dim=1) == labels).sum()
        self.pending.append((loss.detach(), hits, len(labels)))
        # Reading a number waits for a GPU, so it is done rarely there; but a team
        # must add up in step.
        if self.device.type == "cpu" or self.team.size > 1 or len(self.pending) >= 50:
            self.collect()

    def weigh(self, loss: torch.Tensor, logits: torch.Tensor, count: int):
        """This share's part in the mean over the whole batch.

        DistributedDataParallel averages gradients over processes; where the last batch
        does not divide evenly, each must count by its images.
        """
        images = torch.tensor([float(count)], device=self.device)
        everyone = self.team.total(images.clone()).item()
        if not count:
            return logits.sum() * 0.0  # takes part, adds nothing
        return loss * (count * self.team.size / everyone)

    def set_learning_rate(self) -> float:
        steps = len(self.train_set)
        progress = (self.epoch * steps + self.batch) / (self.settings["epochs"] * steps)
        rate = self.settings["learning_rate"] * float(self.schedule(progress))
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return rate

    def collect(self) -> None:
        """Bring the pending batches' figures over, and see that they are finite."""
        if not self.pending:
            return
        rows = [
            torch.stack([loss.float(), hit.float(), loss.new_tensor(count).float()])
            for loss, hit, count in self.pending
        ]
        self.pending.clear()
        for loss, hit, count in self.team.total(torch.stack(rows)).tolist():
            loss, hit, count = loss / self.team.size, round(hit), round(count)
            if not abs(loss) < float("inf"):
                raise TrainingDiverged(self.advice(loss), self.history)
            self.history.batch_losses.append(loss)
            self.images += count  # of the whole team
            self.loss_sum += loss * count
            self.correct += hit

    def advice(self, loss: float) -> str:
        before = self.history.batch_losses[-3:]
        rate = self.settings["learning_rate"]
        saved = self.checkpoint is not None and self.checkpoint.exists()
        kept = (
            f"The checkpoint {self.checkpoint} still holds the state of its last save"
            if saved
            else "The network's weights are spoilt: build it anew"
        )
        return (
            f"the loss became {loss} in epoch {self.epoch + 1} (before that: "
            f"{', '.join(f'{x:.3g}' for x in before) or 'nothing'}). Usual causes: a "
            f"learning rate that is too high (it was {rate:g}; try {rate / 10:g}), "
            f"images that are not normalised, or a log of zero. {kept}."
        )

    def finish_epoch(self) -> None:
        self.collect()
        self.check_weights()
        score = None
        if self.validation is not None:
            score = self.validate()
            if not isfinite(score.loss):  # by the epoch's last step
                raise TrainingDiverged(self.advice(score.loss), self.history)
        self.history.epochs.append(
            EpochRecord(
                epoch=self.epoch + 1,
                images=self.images,
                train_loss=self.loss_sum / self.images,
                train_accuracy=self.correct / self.images,
                validation_loss=score.loss if score else None,
                validation_accuracy=score.accuracy if score else None,
                learning_rate=self.rate,
                seconds=self.seconds,
            )
        )
        self.epoch += 1
        self.batch = 0
        self._fresh_sums()

    def check_weights(self) -> None:
        """The loss of a batch says nothing yet of the step that it led to."""
        if not all(p.isfinite().all() for p in self.net.parameters()):
            raise TrainingDiverged(self.advice(float("nan")), self.history)

    def validate(self) -> Score:
        mine = evaluate(
            self.net, self.validation, loss=self.loss, precision=self.precision
        )
        if self.team.size == 1:
            return mine
        sums = torch.tensor([mine.loss * mine.images, mine.correct, mine.images])
        loss_sum, correct, images = self.team.total(sums.to(self.device)).tolist()
        return Score(loss_sum / images, correct / images, round(correct), round(images))

    def _fresh_sums(self) -> None:
        self.loss_sum, self.correct, self.images = 0.0, 0, 0
        self.seconds, self.rate = 0.0, 0.0
        self.pending: list[tuple[torch.Tensor, torch.Tensor, int]] = []

    # what is shown and what is kept

    def show(self) -> None:
        current = ""
        self.collect()
        if self.images:
            current = (
                f"epoch {self.epoch + 1} of {self.settings['epochs']}: batch "
                f"{self.batch:,} of {len(self.train_set):,}, loss "
                f"{self.loss_sum / self.images:.4f}, {self.seconds:.0f} s"
            )
        self.progress.update(f"{self.history.machine}\n{self.history}", current)

    def time_to_save(self) -> bool:
        due = time.monotonic() - self._saved_at >= self.checkpoint_every
        return self.checkpoint is not None and due

    def save(self) -> None:
        if self.checkpoint is None or not self.team.leads:
            return
        self.collect()  # never save what is not finite
        self.check_weights()
        sums = {
            name: getattr(self, name)
            for name in ("loss_sum", "correct", "images", "seconds", "rate")
        }
        state = {
            "net": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "random": checkpoints.random_state(self.device),
            "epoch": self.epoch,
            "batch": self.batch,
            "sums": sums,
            "history": self.history.to_dict(),
            "origin": self.origin,
        }
        checkpoints.save(state, self.checkpoint)
        self._saved_at = time.monotonic()

    def resume(self) -> None:
        state = checkpoints.load(self.checkpoint, self.device)
        try:
            history = History.from_dict(state["history"])
            self._check_same_run(history.settings, state.get("origin", self.origin))
            self.net.load_state_dict(state["net"])
            load_state(self.optimizer, state["optimizer"])
            self.scaler.load_state_dict(state["scaler"])
            self.epoch, self.batch = state["epoch"], state["batch"]
            vars(self).update(state["sums"])
        except (KeyError, TypeError, RuntimeError, ValueError) as error:
            if isinstance(error, CheckpointError):
                raise
            raise CheckpointError(
                f"{self.checkpoint} does not fit this network or is no checkpoint of "
                f"fit: {first_line(error)}. Delete it or use another name."
            ) from error
        history.machine = self.history.machine
        self.history = history
        self.random = state["random"] if self.batch else None

    def _check_same_run(self, saved: dict[str, Any], origin: dict[str, Any]) -> None:
        mine = {key: self.origin[key] for key in self.origin.keys() & origin.keys()}
        differing = [  # too long to be shown
            f"another {key}"
            for key in ("network", "rates")
            if origin.get(key) != mine.pop(key, None)
        ]
        differing += checkpoints.differences(origin, mine)
        differing += checkpoints.differences(saved, self.settings)
        if differing:
            raise CheckpointError(
                f"{self.checkpoint} belongs to another run ({'; '.join(differing)}). "
                "Use the same settings to go on with it, or another file name."
            )


def _share(batches: Any, team: distributed.Team) -> Any:
    """This process's part of every batch; a DataLoader must come divided already."""
    if batches is None or team.size == 1:
        return batches
    if hasattr(batches, "share"):
        return batches.share(team.rank, team.size)
    if isinstance(getattr(batches, "sampler", None), DistributedSampler):
        return batches
    raise ValueError(
        "several processes need their own images: give the DataLoader a "
        "torch.utils.data.DistributedSampler, or use alexnet_lab.data"
    )
