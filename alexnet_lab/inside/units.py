"""What excites a unit most: whole images, and the patches that it sees of them."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from alexnet_lab.arithmetic import Ledger
from alexnet_lab.inside.hooks import run_and_see


class Top(NamedTuple):
    """The result of :func:`top_images`: for each unit, its k images, best first."""

    values: Tensor  # float32 (units, k)
    images: Tensor  # int64 (units, k), numbers of the images
    rows: Tensor  # int64 (units, k), place in the map; 0 in a fully connected layer
    columns: Tensor  # int64 (units, k)


def top_images(
    net: nn.Module, images: Tensor, layer: str, k: int = 8, *, batch_size: int = 256
) -> Top:
    """The k images that excite each unit of a layer most. Taught in 08.

    In a convolutional layer a unit is a channel, and an image counts by the largest
    value in the channel's map; `rows` and `columns` say where that is.

    Args:
        net: the network; run in evaluation mode, its own mode is put back.
        images: float (N, C, H, W), as the network reads them.
        layer: name of the layer.
        k: images a unit, 1 to N.
        batch_size: images at a time; only each unit's maximum is kept.

    Raises:
        ValueError: no layer of that name, k out of range, images that are no batch.
    """
    if isinstance(k, bool) or not 1 <= k <= len(images):
        raise ValueError(f"k={k}: there are 1 to {len(images):,} images")
    best, place, wide = [], [], 1

    def see(name: str, output: Tensor) -> None:
        nonlocal wide
        wide = output.shape[-1] if output.dim() == 4 else 1
        maps = output.flatten(2) if output.dim() > 2 else output[..., None]
        peak = maps.max(dim=2)
        best.append(peak.values)
        place.append(peak.indices)

    run_and_see(net, images, see, [layer], batch_size)
    found = torch.cat(best).T.topk(k, dim=1)  # (units, k)
    places = torch.cat(place).T.gather(1, found.indices)
    return Top(found.values, found.indices, places // wide, places % wide)


def top_patches(
    ledger: Ledger, layer: str, images: Tensor, top: Top, unit: int, outside: float = 0
) -> Tensor:
    """Cut out what excites one unit most: its receptive field in its best images.

    Args:
        ledger: of the network, for images of this size.
        layer: the layer that `top` was found for.
        images: (N, C, H, W) of any type: those that `top` numbers.
        top: what :func:`top_images` returned.
        unit: number of the channel.
        outside: what stands for the field's pixels beyond the image's edge.

    Returns:
        (k, C, h, w), best first, h×w the receptive field.

    Raises:
        KeyError: no layer of this name.
        ValueError: another size than the ledger's; a layer without a receptive field.
    """
    size = tuple(ledger.input_shape)
    if tuple(images.shape[1:]) != size:
        raise ValueError(f"the ledger is for {size}, images are {tuple(images.shape)}")
    places = zip(top.rows[unit].tolist(), top.columns[unit].tolist(), strict=True)
    patches = []
    for image, (row, column) in zip(images[top.images[unit]], places, strict=True):
        y, x, high, wide = ledger[layer].sees(row, column)
        edge = max(0, -y, -x, y + high - size[1], x + wide - size[2])
        padded = F.pad(image, [edge] * 4, value=outside)
        y, x = y + edge, x + edge
        patches.append(padded[:, y : y + high, x : x + wide])
    return torch.stack(patches)
