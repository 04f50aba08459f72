"""Notebook 02's training loop, with what long work needs around it.

:func:`_train` is the loop, on one screen. What it calls upon lies in the files beside.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Event

import torch
from torch import nn

from alexnet_lab.runtime import check_writable
from alexnet_lab.runtime import device as best_device
from alexnet_lab.training import checkpoints, distributed, first_batch, optimizers
from alexnet_lab.training.evaluation import Batch
from alexnet_lab.training.graphs import Replayed
from alexnet_lab.training.history import History, Progress
from alexnet_lab.training.precision import choose_precision
from alexnet_lab.training.run import Run


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
        run = Run(
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


def _train(run: Run, stop: Event) -> None:
    """The loop of notebook 02; its step is `Run.one_step`."""
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
