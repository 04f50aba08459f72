"""Load torchvision's AlexNet weights into a network with this course's names."""

import os
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

# torchvision numbers its layers; this course names them.
_TORCHVISION_NAMES = {
    "conv1": "features.0",
    "conv2": "features.3",
    "conv3": "features.6",
    "conv4": "features.8",
    "conv5": "features.10",
    "fc6": "classifier.1",
    "fc7": "classifier.4",
    "fc8": "classifier.6",
}


def load_torchvision_weights(
    net: nn.Sequential,
    source: str | os.PathLike | Mapping | nn.Module | None = None,
    *,
    fc8: bool = True,
    download: bool = False,
) -> nn.Sequential:
    """Copy weights of torchvision's alexnet into an `alexnet_torchvision`, in place.

    All of them are checked first: after an error the network is as it was. `source` is
    a .pth file, a state dict, also with `module.` before the names or inside of a
    checkpoint, a model, or None for torchvision's published ImageNet weights (244 MB)
    in torch.hub's checkpoints folder, which download=True fetches if they are not
    there. fc8=False leaves fc8 as it is, for a network with classes of its own. Taught
    in 04.

    Raises:
        FileNotFoundError: no such file, or no published weights on this machine.
        ValueError: not a state dict of torchvision's alexnet; shapes that differ.
    """
    if not isinstance(source, (Mapping, nn.Module)):
        source = _read(source, download)
    state = _unwrapped(source)
    new, own = {}, net.state_dict()
    for ours, theirs in _TORCHVISION_NAMES.items():
        if ours == "fc8" and not fc8:
            continue
        for part in ("weight", "bias"):
            here, there = f"{ours}.{part}", f"{theirs}.{part}"
            if here not in own:
                raise ValueError(f"no {here}: net must be an alexnet_torchvision()")
            if there not in state:
                why = "this is no state dict of torchvision's alexnet"
                first = ", ".join(list(state)[:4]) or "nothing"
                raise ValueError(f"no {there}: {why}. It begins with {first}")
            if own[here].is_meta:
                raise ValueError("net is on the meta device, which holds no weights")
            want, have = tuple(own[here].shape), tuple(state[there].shape)
            if want != have:
                hint = "; net = alexnet_torchvision() has torchvision's widths"
                if ours == "fc8":
                    hint = "; fc8=False loads all but fc8, and a net with "
                    hint += f"num_classes={have[0]} takes all"
                shapes = f"{there} has shape {have}, net's {here} has {want}"
                raise ValueError(shapes + hint)
            new[here] = state[there]
    net.load_state_dict(new, strict=False)
    return net


def _unwrapped(source: Mapping | nn.Module) -> Mapping:
    """Return the state dict out of what is often around it, or before its names."""
    state = source.state_dict() if isinstance(source, nn.Module) else source
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(state.get(key), (Mapping, nn.Module)):
            return _unwrapped(state[key])
    for prefix in ("module.", "model.", "_orig_mod."):
        if state and all(str(name).startswith(prefix) for name in state):
            return _unwrapped({k.removeprefix(prefix): v for k, v in state.items()})
    return state


def _read(source: str | os.PathLike | None, download: bool) -> Mapping:
    """Read a state dict from a file, or torchvision's published one for None."""
    if source is None:
        from torchvision.models import AlexNet_Weights

        published = AlexNet_Weights.IMAGENET1K_V1
        source = Path(torch.hub.get_dir(), "checkpoints", Path(published.url).name)
        if download:
            try:
                return published.get_state_dict(check_hash=True, weights_only=True)
            except (OSError, RuntimeError) as error:  # no network, no room, other bytes
                where = f"get {published.url} with a browser and put it at {source}"
                text = f"torchvision's weights did not come ({error}); {where}"
                raise FileNotFoundError(text) from error
    path = Path(source).expanduser()
    if not path.is_file():
        hint = "torchvision's own weights (244 MB) come with download=True"
        raise FileNotFoundError(
            f"no weights file at {path}; {hint}, or copy them there"
        )
    try:
        # weights_only: a file of weights must not be able to run code.
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        why = f"is no readable file of weights: {error}"
        if "Unsupported global" in why:
            why = "holds more than weights, such as a whole model. If you trust it: "
            why += f"torch.load({str(path)!r}, weights_only=False)"
        raise ValueError(f"{path} {why}") from error
    if not isinstance(state, Mapping):
        raise ValueError(f"{path} holds a {type(state).__name__}, not a state dict")
    return state
