"""What `fit` and `evaluate` are given: a network, batches, and what a batch holds.

What cannot be used is a ValueError: it says what came, and ends in the line that mends
it.
"""

from numbers import Integral
from typing import Any, NoReturn

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset


def check_network(net: Any) -> None:
    """Raise ValueError unless this is a network that was built."""
    if not isinstance(net, nn.Module):
        name = getattr(net, "__name__", type(net).__name__)
        refuse(f"{name} is no network that was built", f"net = {name}()")


def check_batches(batches: Any, called: str, options: str = "batch_size=64") -> None:
    """Raise ValueError for what is often given in place of batches."""
    loader = f"torch.utils.data.DataLoader(dataset, {options})"
    if isinstance(batches, Dataset):
        refuse("a Dataset gives single images; needed are batches", loader)
    first = batches[0] if isinstance(batches, tuple) and batches else batches
    if isinstance(first, Tensor):
        came = f"{called} is no batches of images with labels, but tensors"
        dataset = "torch.utils.data.TensorDataset(images, labels)"
        refuse(came, loader.replace("dataset", dataset))


def are_splits(batches: Any) -> bool:
    """Whether these are all of training, validation and test, as data sets give."""
    return isinstance(batches, tuple) and hasattr(batches, "train")


def check_pair(batch: Any) -> None:
    """See that a batch is a pair of images and the int64 label of each."""
    if isinstance(batch, dict):
        a, b, *_ = [*batch, "image", "label"]
        came = f"a batch is a dictionary of {', '.join(batch)}, not (images, labels)"
        refuse(came, f'batches = [(b["{a}"], b["{b}"]) for b in batches]')
    parts = batch if isinstance(batch, (tuple, list)) else [batch]
    if len(parts) != 2 or not all(isinstance(part, Tensor) for part in parts):
        came = f"a batch is ({', '.join(type(part).__name__ for part in parts)})"
        refuse(f"{came}, not two tensors", "batches = [(images, labels), …]")
    images, labels = batch
    shape, count = tuple(labels.shape), len(images) if images.dim() else 0
    if images.dim() not in (2, 4) or not shape:
        one = "images[None], labels.view(1)" if shape != (count,) else "images[:, None]"
        size = "×".join(map(str, images.shape))
        refuse(f"images of {size} are no batch N×channels×height×width", one)
    if len(shape) > 1:
        mend = "labels.argmax(dim=1)" if shape[1] > 1 else "labels.flatten()"
        refuse(f"labels of shape {shape} are not one class's number an image", mend)
    if shape != (count,):
        refuse(f"{count} images, but {shape[0]} labels", "one label an image")
    if labels.dtype != torch.int64:
        refuse(f"labels are {labels.dtype}, not torch.int64", "labels.long()")


def check_outputs(outputs: Any, count: int) -> None:
    """See that a net gives each of so many images one logit a class."""
    if not isinstance(outputs, Tensor):
        came = f"the network returns a {type(outputs).__name__}, not a tensor of logits"
        refuse(came, "`return logits` at the end of forward")
    if outputs.dim() != 2 or len(outputs) != count:
        came = f"{count} images give outputs of {tuple(outputs.shape)}"
        refuse(f"{came}, not ({count}, classes)", "x.flatten(1) before linear layers")


def check_seed(seed: Any) -> int:
    """Return a seed as an int; ValueError for what PyTorch's generators cannot take."""
    if not isinstance(seed, Integral) or abs(int(seed)) >= 2**62:
        refuse(f"seed={seed!r} is no whole number below 2⁶²", "seed=0")
    return int(seed)


def check_mean(loss: Any) -> None:
    """See that a loss is one number, the mean of a batch."""
    if not isinstance(loss, Tensor) or loss.dim():
        shape = list(loss.shape) if isinstance(loss, Tensor) else type(loss).__name__
        came = f"the loss of a batch is {shape}, not one number"
        refuse(came, 'reduction="mean" in the loss, or return loss.mean()')


def refuse(came: str, mend: str) -> NoReturn:
    """Raise the ValueError."""
    raise ValueError(f"{came}. Write {mend}")
