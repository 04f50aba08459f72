"""Several processes that train one network: what ``fit`` does under ``torchrun``.

``torchrun --nproc-per-node=N -m alexnet_lab train …`` starts N processes and tells each
its number through environment variables. Each gets its share of every batch; the
gradients are averaged by DistributedDataParallel, so that N processes take the same
steps as one with the same batches.
"""

from __future__ import annotations

import gc
import os
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.utils.data import DistributedSampler

from alexnet_lab.training.evaluation import Score, evaluate
from alexnet_lab.training.precision import Precision


@dataclass(frozen=True)
class Team:
    """This process's device, and its place among ``size``; alone, rank 0 of 1."""

    device: torch.device
    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """True in the one process that prints and writes files."""
        return self.rank == 0

    def wrap(self, net: nn.Module) -> nn.Module:
        """The module to run forward, which averages gradients over the team."""
        if self.size == 1:
            return net
        ids = [self.device.index] if self.device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(net, device_ids=ids)

    def total(self, values: torch.Tensor) -> torch.Tensor:
        """The sum of ``values`` over the team."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def anyone(self, wish: bool) -> bool:
        """Whether any of the team has this wish."""
        if self.size == 1:
            return wish
        return self.total(torch.tensor(float(wish), device=self.device)).item() > 0

    def evaluate(
        self, net: nn.Module, share: Any, loss: nn.Module, precision: Precision
    ) -> Score:
        """The score of all images, of which each process evaluates a share."""
        mine = evaluate(net, share, loss=loss, precision=precision)
        if self.size == 1:
            return mine
        sums = torch.tensor([mine.loss * mine.images, mine.correct, mine.images])
        loss_sum, correct, images = self.total(sums.to(self.device)).tolist()
        return Score(loss_sum / images, correct / images, round(correct), round(images))

    def share(self, batches: Any) -> Any:
        """This process's part of every batch; a DataLoader must come divided already.

        Raises:
            ValueError: a DataLoader without a DistributedSampler.
        """
        if self.size == 1 or batches is None:
            return batches
        if hasattr(batches, "share"):
            return batches.share(self.rank, self.size)
        if isinstance(getattr(batches, "sampler", None), DistributedSampler):
            return batches
        raise ValueError(
            "several processes need their own images: give the DataLoader a "
            "torch.utils.data.DistributedSampler, or use alexnet_lab.data"
        )

    def weigh(self, loss: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        """A share's mean loss as its part in the mean over the whole batch.

        DistributedDataParallel averages gradients over processes; where a batch does
        not divide evenly, each must count by its images.
        """
        if self.size == 1:
            return loss
        mine = len(logits)
        everyone = self.total(torch.tensor(float(mine), device=self.device)).item()
        if not mine:
            return logits.sum() * 0.0  # takes part, adds nothing
        return loss * (mine * self.size / everyone)


def join(device: torch.device) -> Team:
    """The team that ``torchrun`` started, each with its own device. Taught in 09.

    NCCL is used on CUDA and gloo otherwise. A process that was not started by
    torchrun is a team of its own.

    Raises:
        ValueError: more processes on this machine than it has GPUs.
    """
    if os.environ.get("WORLD_SIZE", "1") == "1" or "LOCAL_RANK" not in os.environ:
        return Team(device)
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        if device.index >= torch.cuda.device_count():
            raise ValueError(
                f"process {device.index} has no GPU: there are "
                f"{torch.cuda.device_count()}. Start one process a GPU: "
                "torchrun --nproc-per-node=gpu …"
            )
        torch.cuda.set_device(device)
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return Team(device, dist.get_rank(), dist.get_world_size())


def leads() -> bool:
    """True in the process that prints and writes files, and in one that is alone."""
    return not dist.is_initialized() or dist.get_rank() == 0


def leave() -> None:
    """End the team, if there is one; the command line calls it last.

    A DistributedDataParallel that awaits garbage collection keeps gloo's threads
    running; if they let go of a tensor while Python shuts down, the process aborts.
    """
    if dist.is_initialized():
        gc.collect()
        dist.destroy_process_group()
