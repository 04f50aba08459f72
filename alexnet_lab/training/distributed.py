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

import torch
import torch.distributed as dist
from torch import nn


@dataclass(frozen=True)
class Team:
    """This process's place among ``size`` processes; alone, rank 0 of 1."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """True in the one process that prints and writes files."""
        return self.rank == 0

    def wrap(self, net: nn.Module, device: torch.device) -> nn.Module:
        """The module to run forward, which averages gradients over the team."""
        if self.size == 1:
            return net
        ids = [device.index] if device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(net, device_ids=ids)

    def total(self, values: torch.Tensor) -> torch.Tensor:
        """The sum of ``values`` over the team."""
        if self.size > 1:
            dist.all_reduce(values)
        return values


def join(device: torch.device) -> tuple[Team, torch.device]:
    """The team that ``torchrun`` started, and this process's own device.

    NCCL is used on CUDA and gloo otherwise. A process that was not started by
    torchrun is a team of its own.

    Raises:
        ValueError: more processes on this machine than it has GPUs.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1 or "LOCAL_RANK" not in os.environ:
        return Team(), device
    local = int(os.environ["LOCAL_RANK"])
    if device.type == "cuda":
        if local >= torch.cuda.device_count():
            raise ValueError(
                f"process {local} has no GPU: there are {torch.cuda.device_count()}. "
                "Start one process a GPU: torchrun --nproc-per-node=gpu …"
            )
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return Team(dist.get_rank(), dist.get_world_size()), device


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
