"""Which pixels an answer hangs on: occlusion, and the gradient with its limits."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from alexnet_lab.arithmetic import output_size
from alexnet_lab.inside.hooks import BATCH, check_images
from alexnet_lab.training.evaluation import device_of, evaluation_mode


def occlusion_maps(
    net: nn.Module,
    images: Tensor,
    labels: Sequence[int] | Tensor,
    *,
    size: int,
    stride: int = 1,
    fill: float = 0.0,
    of: str = "probability",
) -> Tensor:
    """How much each answer loses when a square of its image is covered. Taught in 08.

    Source: M. Zeiler, R. Fergus, *Visualizing and Understanding Convolutional
    Networks*, ECCV 2014, section 4.2.

    Args:
        net: (N, C, H, W) to logits (N, classes), in evaluation mode meanwhile.
        images: float (N, C, H, W), as the network reads them.
        labels: (N,) the class whose score is watched in each.
        size: side of the covering square, in pixels.
        stride: pixels from one square to the next.
        fill: what the square is filled with, in the network's units.
        of: "probability" or "logit".

    Returns:
        (N, rows, columns): the score of the whole image less the covered image's.
        Positive: the square hides evidence for the class. Negative: against it.

    Raises:
        ValueError: a square that does not fit, no such class, another `of`, images
            that are no batch, another number of labels.
    """
    classes = _one_each(images, labels)
    if of not in ("probability", "logit"):
        raise ValueError(f'of={of!r}: use "probability" or "logit"')
    rows, columns = (output_size(n, size, stride) for n in images.shape[2:])
    places = [(r * stride, c * stride) for r in range(rows) for c in range(columns)]

    def scores(batch: Tensor, label: int) -> Tensor:
        logits = net(batch.to(device_of(net))).float().cpu()
        _check_classes(classes, logits)
        return (logits.softmax(dim=1) if of == "probability" else logits)[:, label]

    maps = []
    with evaluation_mode(net), torch.no_grad():
        for image, label in zip(images, classes.tolist(), strict=True):
            lost = []
            for part in torch.tensor(places).split(BATCH):
                covered = image.repeat(len(part), 1, 1, 1)
                for one, (top, left) in zip(covered, part.tolist(), strict=True):
                    one[:, top : top + size, left : left + size] = fill
                lost.append(scores(image[None], label) - scores(covered, label))
            maps.append(torch.cat(lost).view(rows, columns))
    return torch.stack(maps)


def saliency(net: nn.Module, images: Tensor, labels: Sequence[int] | Tensor) -> Tensor:
    """The gradient of each class logit by the pixels, (N, C, H, W). Taught in 08.

    Arguments and errors are those of :func:`occlusion_maps`; the weights' own gradients
    are neither used nor changed.

    Source: K. Simonyan, A. Vedaldi, A. Zisserman, *Deep Inside Convolutional
    Networks*, ICLR workshop 2014. Their map is `.abs().amax(dim=1)` of this.
    """
    classes = _one_each(images, labels)
    where = device_of(net)
    with evaluation_mode(net), torch.enable_grad():
        pixels = images.detach().to(where).clone().requires_grad_()
        logits = net(pixels)
        _check_classes(classes, logits)
        chosen = logits.gather(1, classes.to(where)[:, None]).sum()
        # grad, not backward: nothing is added to the weights' own .grad
        (gradient,) = torch.autograd.grad(chosen, pixels)
    return gradient.float().cpu()


def rank_correlation(one: Tensor, other: Tensor, where: Tensor | None = None) -> Tensor:
    """Spearman's correlation of two maps (N, …), image by image: (N,), −1 to 1.

    1: both put all pixels into the same order; 0: the orders have nothing to do with
    each other; NaN: a map is constant. Equal values get their mean rank. `where` holds
    truth values: only these pixels are compared. ValueError for shapes that differ.
    """
    where = torch.ones_like(one, dtype=torch.bool) if where is None else where
    if not one.shape == other.shape == where.shape or one.dim() < 2:
        shapes = ", ".join(str(tuple(t.shape)) for t in (one, other, where))
        raise ValueError(f"maps must be of one shape (N, …), not {shapes}")
    pairs = [
        torch.stack([_ranks(a[here]), _ranks(b[here])])
        for a, b, here in zip(one, other, where, strict=True)
    ]
    return torch.stack([torch.corrcoef(pair)[0, 1] for pair in pairs]).float()


def _ranks(values: Tensor) -> Tensor:
    """Mean ranks (D,): half of those below and not above, for each value."""
    values = values.double().cpu()
    ordered = values.sort().values
    below = torch.searchsorted(ordered, values)
    up_to = torch.searchsorted(ordered, values, right=True)
    return (below + up_to).double() / 2


def _one_each(images: Tensor, labels: Sequence[int] | Tensor) -> Tensor:
    """The labels as a tensor (N,), or what is wrong with them or the images."""
    check_images(images)
    labels = torch.as_tensor(labels)
    if labels.shape != (len(images),):
        raise ValueError(f"{len(images)} images want {len(images)} labels, one each")
    return labels


def _check_classes(labels: Tensor, logits: Tensor) -> None:
    if logits.dim() != 2:
        raise ValueError(f"the network must give (N, classes), not {logits.shape}")
    last = logits.shape[1] - 1
    if labels.dtype != torch.int64 or labels.min() < 0 or labels.max() > last:
        got = sorted(set(labels.tolist()))
        raise ValueError(f"classes are whole numbers from 0 to {last}, not {got}")
