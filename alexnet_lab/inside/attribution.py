"""Which pixels an answer hangs on: occlusion, and the gradient with its limits."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from alexnet_lab.arithmetic.sizes import output_size
from alexnet_lab.inside.hooks import check_images, device_of
from alexnet_lab.training.evaluation import evaluation_mode


def occlusion_map(
    net: nn.Module,
    image: Tensor,
    label: int,
    *,
    size: int,
    stride: int = 1,
    fill: float = 0.0,
    of: str = "probability",
    batch_size: int = 256,
) -> Tensor:
    """How much the answer loses when a square of the image is covered.

    Source: M. Zeiler, R. Fergus, *Visualizing and Understanding Convolutional
    Networks*, ECCV 2014, section 4.2.

    Args:
        net: (N, C, H, W) to logits (N, classes), in evaluation mode meanwhile.
        image: one image, float (C, H, W), as the network reads it.
        label: the class whose score is watched.
        size: side of the covering square, in pixels.
        stride: pixels from one square to the next.
        fill: what the square is filled with, in the network's units.
        of: "probability" or "logit".
        batch_size: covered images at a time.

    Returns:
        (rows, columns): the score of the whole image less the covered image's.
        Positive: the square hides evidence for the class. Negative: against it.

    Raises:
        ValueError: a square that does not fit, no such class, another `of`.
    """
    check_images(image[None] if image.dim() == 3 else image[:0])
    rows, columns = (output_size(n, size, stride) for n in image.shape[1:])
    places = [(r * stride, c * stride) for r in range(rows) for c in range(columns)]
    with evaluation_mode(net), torch.no_grad():
        whole = _scores(net, image[None], label, of)
        covered = []
        for start in range(0, len(places), batch_size):
            part = places[start : start + batch_size]
            batch = image.repeat(len(part), 1, 1, 1)
            for one, (top, left) in zip(batch, part, strict=True):
                one[:, top : top + size, left : left + size] = fill
            covered.append(_scores(net, batch, label, of))
    return (whole - torch.cat(covered)).view(rows, columns)


def occlusion_maps(
    net: nn.Module, images: Tensor, labels: Sequence[int] | Tensor, **options
) -> Tensor:
    """One :func:`occlusion_map` for each image, all with the same options.

    Args:
        net: as there.
        images: float (N, C, H, W), as the network reads them.
        labels: (N,) the class that is watched in each.
        options: `size`, `stride`, `fill`, `of` and `batch_size`, as there.

    Returns:
        (N, rows, columns).

    Raises:
        ValueError: another number of labels, and whatever the single map raises.
    """
    check_images(images)
    if len(labels) != len(images):
        raise ValueError(f"{len(images)} images want {len(images)} labels, one each")
    pairs = zip(images, labels, strict=True)
    return torch.stack([occlusion_map(net, x, int(n), **options) for x, n in pairs])


def _scores(net: nn.Module, images: Tensor, label: int, of: str) -> Tensor:
    """The class's score in each image, on the CPU."""
    if of not in ("probability", "logit"):
        raise ValueError(f'of={of!r}: use "probability" or "logit"')
    logits = net(images.to(device_of(net))).float().cpu()
    _check_labels(torch.as_tensor([label]), logits)
    return (logits.softmax(dim=1) if of == "probability" else logits)[:, label]


def saliency(net: nn.Module, images: Tensor, labels: Sequence[int] | Tensor) -> Tensor:
    """The gradient of each image's class logit with respect to its pixels.

    Source: K. Simonyan, A. Vedaldi, A. Zisserman, *Deep Inside Convolutional
    Networks*, ICLR workshop 2014. Their map is `.abs().amax(dim=1)` of this.

    Args:
        net: (N, C, H, W) to logits (N, classes), in evaluation mode meanwhile. The
            weights' own gradients are neither used nor changed.
        images: float (N, C, H, W), as the network reads them.
        labels: (N,) the class of each.

    Returns:
        (N, C, H, W): logits a unit of pixel value.

    Raises:
        ValueError: images that are no batch, another number of labels, no such class.
    """
    check_images(images)
    labels = torch.as_tensor(labels)
    if labels.shape != (len(images),):
        raise ValueError(f"{len(images)} images want {len(images)} labels, one each")
    where = device_of(net)
    with evaluation_mode(net), torch.enable_grad():
        pixels = images.detach().to(where).clone().requires_grad_()
        logits = net(pixels)
        _check_labels(labels, logits)
        chosen = logits.gather(1, labels.to(where)[:, None]).sum()
        # grad, not backward: nothing is added to the weights' own .grad
        (gradient,) = torch.autograd.grad(chosen, pixels)
    return gradient.float().cpu()


def randomised(
    net: nn.Module, fresh: nn.Module, layers: Sequence[str] | None = None
) -> nn.Module:
    """A copy of `net` in which some layers have the weights of `fresh`.

    Args:
        net: the trained network; it is not changed.
        fresh: the same layers with other weights, say just initialised.
        layers: names of the layers to take from `fresh`; None for all.

    Raises:
        ValueError: a layer without weights in either network.
    """
    state, other = net.state_dict(), fresh.state_dict()
    mixed = copy.deepcopy(net)
    for name in layers if layers is not None else {k.split(".")[0] for k in state}:
        keys = [key for key in state if key.startswith(f"{name}.")]
        if not keys or any(key not in other for key in keys):
            raise ValueError(f"no layer {name!r} with weights in both networks")
        state.update({key: other[key] for key in keys})
    mixed.load_state_dict(state)
    return mixed


def rank_correlation(one: Tensor, other: Tensor, where: Tensor | None = None) -> Tensor:
    """Spearman's correlation of two maps, image by image.

    1: both put all pixels into the same order; 0: the orders have nothing to do with
    each other. Equal values get their mean rank.

    Args:
        one, other: (N, …) of the same shape.
        where: (N, …) truth values of that shape: only these pixels are compared.

    Returns:
        (N,), −1 to 1; NaN where a map is constant.

    Raises:
        ValueError: shapes that differ.
    """
    if where is not None:
        if where.shape != one.shape:
            raise ValueError(
                f"`where` must be {tuple(one.shape)}, as the maps are, not "
                f"{tuple(where.shape)}"
            )
        triples = zip(one, other, where, strict=True)
        found = [
            rank_correlation(a[mask][None], b[mask][None]) for a, b, mask in triples
        ]
        return torch.cat(found)
    if one.shape != other.shape or one.dim() < 2:
        raise ValueError(
            f"two maps of one shape (N, …), not {tuple(one.shape)} "
            f"and {tuple(other.shape)}"
        )
    a, b = (_ranks(maps.flatten(1).double().cpu()) for maps in (one, other))
    a, b = (ranks - ranks.mean(dim=1, keepdim=True) for ranks in (a, b))
    return ((a * b).sum(dim=1) / (a.norm(dim=1) * b.norm(dim=1))).float()


def _ranks(values: Tensor) -> Tensor:
    """(N, D) to mean ranks: half of those below and not above, for each value."""
    ordered = values.sort(dim=1).values.contiguous()
    below = torch.searchsorted(ordered, values)
    up_to = torch.searchsorted(ordered, values, right=True)
    return (below + up_to).double() / 2


def _check_labels(labels: Tensor, logits: Tensor) -> None:
    if logits.dim() != 2:
        raise ValueError(f"the network must give (N, classes), not {logits.shape}")
    if (
        labels.dtype != torch.int64
        or not 0 <= labels.min() <= labels.max() < (logits.shape[1])
    ):
        raise ValueError(
            f"classes are whole numbers from 0 to {logits.shape[1] - 1}, not "
            f"{sorted(set(labels.tolist()))}"
        )
