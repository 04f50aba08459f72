"""A training step as one launch: what makes small networks fast on an NVIDIA GPU.

A step of a small network is some two hundred kernels of a few microseconds each, and
the processor needs longer to launch them than the GPU to run them. A CUDA graph records
the launches once and repeats them as a whole.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Step = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
WARM_UP = 3  # ordinary steps first: they allocate the optimizer's state


class Replayed:
    """A step that is recorded after its first calls, and then replayed.

    What Python does in the step (hooks, counters, a branch) is not done again. Batches
    of another shape than the first's go through ``step`` itself.

    Args:
        step: images and labels to their loss and logits; it also moves the weights.
        optimizer: SGD with ``fused=True``, whose rate may lie in the GPU's memory.
    """

    def __init__(self, step: Step, optimizer: torch.optim.Optimizer) -> None:
        if not all(group.get("fused") for group in optimizer.param_groups):
            raise ValueError("cuda_graph=True needs SGD with fused=True, on a CUDA GPU")
        self.step, self.optimizer = step, optimizer
        self.calls = 0
        self.stream = torch.cuda.Stream()

    def __call__(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """One step: the batch's loss and logits."""
        self.calls += 1
        if self.calls <= WARM_UP:
            return self._aside(images, labels)
        if self.calls == WARM_UP + 1:
            self._record(images, labels)
        if images.shape != self.images.shape:
            return self.step(images, labels)
        self.images.copy_(images)
        self.labels.copy_(labels)
        self.graph.replay()
        return self.loss.clone(), self.logits

    def _aside(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """A step on a stream of its own, as PyTorch asks for before a recording."""
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            result = self.step(images, labels)
        torch.cuda.current_stream().wait_stream(self.stream)
        return result

    def _record(self, images: Tensor, labels: Tensor) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = torch.tensor(float(group["lr"]), device=images.device)
        self.images, self.labels = images.clone(), labels.clone()
        self.optimizer.zero_grad(set_to_none=True)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph, stream=self.stream):
            loss, logits = self.step(self.images, self.labels)
            self.loss, self.logits = loss.detach(), logits.detach()
