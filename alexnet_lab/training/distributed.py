"""Several processes that train one network: what ``fit`` does under ``torchrun``.

Each gets its share of every batch; the gradients are averaged by
DistributedDataParallel, so that N processes take the same steps as one.
"""

import atexit
import gc
import os
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.utils.data import DistributedSampler


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
        """The sum of ``values`` over the team, in their place."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def sums(self, *numbers: float) -> list[float]:
        """Of each number the sum over the team."""
        if self.size == 1:
            return list(numbers)
        return self.total(torch.tensor(numbers, device=self.device)).tolist()

    def share(self, batches: Any) -> Any:
        """This process's part of every batch; a DataLoader must come divided."""
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

        Gradients are averaged over processes; where a batch does not divide evenly,
        each must count by its images.
        """
        if self.size == 1:
            return loss
        (everyone,) = self.sums(len(logits))
        if not len(logits):
            return logits.sum() * 0.0  # takes part, adds nothing
        return loss * (len(logits) * self.size / everyone)


def join(device: torch.device) -> Team:
    """The team that ``torchrun`` started; else one of one. Taught in 09.

    ValueError: there are more processes on this machine than GPUs.
    """
    if os.environ.get("WORLD_SIZE", "1") == "1" or "LOCAL_RANK" not in os.environ:
        return Team(device)
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        if device.index >= torch.cuda.device_count():
            raise ValueError(
                f"process {device.index} has no GPU of its own; start one a GPU: "
                "torchrun --nproc-per-node=gpu …"
            )
        torch.cuda.set_device(device)
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        atexit.register(leave)
    return Team(device, dist.get_rank(), dist.get_world_size())


def leave() -> None:
    """End the team, if there is one; a process that joined one does it at its end."""
    if dist.is_initialized():
        # A DistributedDataParallel that awaits collection keeps gloo's threads running;
        # if they let go of a tensor while Python shuts down, the process aborts.
        gc.collect()
        dist.destroy_process_group()
