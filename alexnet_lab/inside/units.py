"""What excites a unit most: whole images, and the patches that it sees of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from alexnet_lab.arithmetic.accounting import Ledger, Row, named_layers
from alexnet_lab.arithmetic.rules import pair
from alexnet_lab.arithmetic.sizes import Sweep
from alexnet_lab.inside.hooks import check_images, device_of, watching
from alexnet_lab.training.evaluation import evaluation_mode


class Top(NamedTuple):
    """The result of :func:`top_images`: for each unit, its k images, best first."""

    values: Tensor  # float32 (units, k)
    images: Tensor  # int64 (units, k), numbers of the images
    rows: Tensor  # int64 (units, k), place in the map; 0 in a fully connected layer
    columns: Tensor  # int64 (units, k)


def top_images(
    net: nn.Module, images: Tensor, layer: str, k: int = 8, *, batch_size: int = 256
) -> Top:
    """The k images that excite each unit of a layer most.

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
    check_images(images)
    if isinstance(k, bool) or not 1 <= k <= len(images):
        raise ValueError(f"k={k}: there are 1 to {len(images):,} images")
    best, place, wide = [], [], 1

    def see(name: str, output: Tensor) -> None:
        nonlocal wide
        wide = output.shape[-1] if output.dim() == 4 else 1
        maps = output.detach().float().cpu()
        maps = maps.flatten(2) if maps.dim() > 2 else maps[..., None]
        peak = maps.max(dim=2)
        best.append(peak.values)
        place.append(peak.indices)

    where = device_of(net)
    with evaluation_mode(net), torch.no_grad(), watching(net, see, [layer]):
        for part in images.split(batch_size):
            net(part.to(where))
    found = torch.cat(best).T.topk(k, dim=1)  # (units, k)
    places = torch.cat(place).T.gather(1, found.indices)
    return Top(found.values, found.indices, places // wide, places % wide)


def field_patches(
    ledger: Ledger,
    layer: str,
    images: Tensor,
    rows: Tensor,
    columns: Tensor,
    outside: float = 0,
) -> Tensor:
    """Cut out of each image what one unit of a layer sees, by the ledger's arithmetic.

    Args:
        ledger: of the network, for images of this size.
        layer: name of a layer with a receptive field.
        images: (k, C, H, W) of any type.
        rows, columns: (k,) place of the unit in the layer's map, one an image.
        outside: what stands for the field's pixels beyond the image's edge.

    Returns:
        (k, C, h, w), h×w the receptive field.

    Raises:
        KeyError: no layer of this name.
        ValueError: another size than the ledger's; a unit outside the map.
    """
    size = tuple(ledger.input_shape)
    if tuple(images.shape[1:]) != size:
        raise ValueError(f"the ledger is for {size}, images are {tuple(images.shape)}")
    if not len(images) == len(rows) == len(columns):
        raise ValueError("give one row and one column an image")
    patches = []
    for image, row, column in zip(images, rows, columns, strict=True):
        top, left, high, wide = field_of(ledger, ledger[layer], int(row), int(column))
        edge = max(0, -top, -left, top + high - size[1], left + wide - size[2])
        padded = F.pad(image, [edge] * 4, value=outside)
        top, left = top + edge, left + edge
        patches.append(padded[:, top : top + high, left : left + wide])
    return torch.stack(patches)


def top_patches(
    ledger: Ledger, layer: str, images: Tensor, top: Top, unit: int, outside: float = 0
) -> Tensor:
    """Cut out what excites one unit most: the patches behind `top.images[unit]`.

    Args:
        ledger: of the network, for images of this size.
        layer: the layer that `top` was found for.
        images: (N, C, H, W) of any type: those that `top` numbers.
        top: what :func:`top_images` returned.
        unit: number of the channel.
        outside: what stands for the field's pixels beyond the image's edge.

    Returns:
        (k, C, h, w), best first.

    Raises:
        KeyError, ValueError: as :func:`field_patches`.
    """
    chosen = images[top.images[unit]]
    rows, columns = top.rows[unit], top.columns[unit]
    return field_patches(ledger, layer, chosen, rows, columns, outside)


def field_of(ledger: Ledger, row: Row, i: int, j: int) -> tuple[int, int, int, int]:
    """Return (top, left, height, width) of the pixels that unit (i, j) depends on.

    Pixel 0 is the image's first; padding may make top and left negative. Padding of a
    layer moves the fields by its own number of positions, times the jump before it.

    Raises:
        ValueError: the layer has no receptive field, or no unit (i, j).
    """
    if row.receptive_field is None or len(row.output_shape) != 3:
        raise ValueError(f"{row.name} has no receptive field: its units have no place")
    high, wide = row.output_shape[1:]
    if not (0 <= i < high and 0 <= j < wide):
        raise ValueError(
            f"{row.name} has units (0, 0) to ({high - 1}, {wide - 1}), not ({i}, {j})"
        )
    top = left = 0
    jump = (1, 1)
    for (_, layer), passed in zip(named_layers(ledger.net), ledger.rows, strict=True):
        above, before = _padding(layer, passed)
        top, left = top - above * jump[0], left - before * jump[1]
        jump = pair(passed.jump)
        if passed is row:
            break
    return top + i * jump[0], left + j * jump[1], *pair(row.receptive_field)


def _padding(layer: Any, row: Row) -> tuple[int, int]:
    """Return the positions that a layer adds above and left of its input."""
    padding = getattr(layer, "padding", 0)
    if isinstance(padding, tuple) and len(padding) == 4:  # nn.ZeroPad2d and its kin
        return padding[2], padding[0]
    if isinstance(padding, str):
        sizes, kernel, dilation = row.input_shape[1:], layer.kernel_size, layer.dilation
        ways = zip(sizes, kernel, dilation, strict=True)
        return pair([Sweep.of(n, k, 1, padding, d).before for n, k, d in ways])
    return pair(padding)
