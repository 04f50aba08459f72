"""What comes out of each layer: forward hooks that always come off."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import cycle
from typing import NamedTuple

import torch
from torch import Tensor, nn

from alexnet_lab.training.evaluation import device_of, evaluation_mode

BATCH = 256  # images that go through a network at a time


@contextmanager
def hooked(layers: Iterable[nn.Module], after: Callable[..., None]) -> Iterator[None]:
    """Inside, `after(layer, inputs, output)` is called when one of the layers has run.

    One hook on every layer, however often it is named. They come off when the block
    ends, also by an error or an interrupt.
    """
    with ExitStack() as handles:
        for layer in dict.fromkeys(layers):
            handles.enter_context(layer.register_forward_hook(after))
        yield


def run_and_see(
    net: nn.Module,
    images: Tensor,
    see: Callable[[str, Tensor], None],
    layers: Sequence[str] | None = None,
) -> None:
    """Run the images through; `see(name, output)` is called when a layer has run.

    `see` gets a float32 copy on the CPU; the other arguments and errors are those of
    :func:`activations`.
    """
    check_images(images)
    names: dict[nn.Module, list[str]] = {}
    for name, layer in _chosen(net, layers).items():
        names.setdefault(layer, []).append(name)
    # a layer that stands in several places runs several times, in their order
    turns = {layer: cycle(own) for layer, own in names.items()}

    def after(layer: nn.Module, inputs: tuple, output: Tensor) -> None:
        # copied at once: the next layer may work in place
        see(next(turns[layer]), output.detach().float().cpu().clone())

    where = device_of(net)
    with evaluation_mode(net), torch.no_grad(), hooked(names, after):
        for part in images.split(BATCH):
            net(part.to(where))


def activations(
    net: nn.Module, images: Tensor, layers: Sequence[str] | None = None
) -> dict[str, Tensor]:
    """What each layer makes of the images. Taught in 08.

    Args:
        net: takes (N, C, H, W); run in evaluation mode, its own mode is put back.
        images: float (N, C, H, W), as the network reads them.
        layers: names as in `net.named_modules()`; None for every layer that has no
            layers inside, in the order they run.

    Returns name to output, (N, channels, height, width) or (N, features), on the CPU.
    ValueError for images that are no batch, an unknown layer, or none.
    """
    found: dict[str, list[Tensor]] = {}

    def keep(name: str, output: Tensor) -> None:
        found.setdefault(name, []).append(output)

    run_and_see(net, images, keep, layers)
    missing = [name for name in layers or () if name not in found]
    if missing:
        raise ValueError(f"the network never ran {', '.join(missing)}")
    return {name: torch.cat(parts) for name, parts in found.items()}


def _chosen(net: nn.Module, layers: Sequence[str] | None) -> dict[str, nn.Module]:
    known = dict(net.named_modules(remove_duplicate=False))
    leaves = {name: m for name, m in known.items() if not any(m.children())}
    if layers is None:
        return leaves
    if isinstance(layers, str):
        raise ValueError(f'layers={layers!r}: write a list, ["{layers}"]')
    if not layers:
        raise ValueError("layers is empty: name a layer, or leave it out for all")
    for name in layers:
        if name not in known:
            there = ", ".join(leaves) or "none"
            raise ValueError(f"no layer is called {name!r}; there are {there}")
    # the net's own order, so that a layer in two places keeps its names apart
    return {name: m for name, m in known.items() if name in layers}


def check_images(images: Tensor) -> None:
    """Raise ValueError unless these are floats (N, C, H, W), N at least 1."""
    if not isinstance(images, Tensor) or images.dim() != 4 or not len(images):
        got = "×".join(map(str, images.shape)) if isinstance(images, Tensor) else images
        one = "; write image[None] for one image" if getattr(images, "ndim", 0) else ""
        raise ValueError(f"images must be a batch N×C×H×W, N ≥ 1; got {got}{one}")
    if not images.is_floating_point():
        wanted = "floats, prepared as in training"
        raise ValueError(f"images must be {wanted}, not {images.dtype}")


class Top(NamedTuple):
    """The result of :func:`top_images`: for each unit, its k images, best first."""

    values: Tensor  # float32 (units, k)
    images: Tensor  # int64 (units, k), numbers of the images
    rows: Tensor  # int64 (units, k), place in the map; 0 in a fully connected layer
    columns: Tensor  # int64 (units, k)


def top_images(net: nn.Module, images: Tensor, layer: str, k: int = 8) -> Top:
    """The k images that excite each unit of a layer most. Taught in 08.

    In a convolutional layer a unit is a channel, and an image counts by the largest
    value in the channel's map; `rows` and `columns` say where that is. Only each unit's
    maximum is kept meanwhile. `net` and `images` as for :func:`activations`, `k` from 1
    to N; a ValueError says if it is not, or the layer or the images are none.
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

    run_and_see(net, images, see, [layer])
    found = torch.cat(best).T.topk(k, dim=1)  # (units, k)
    places = torch.cat(place).T.gather(1, found.indices)
    return Top(found.values, found.indices, places // wide, places % wide)
