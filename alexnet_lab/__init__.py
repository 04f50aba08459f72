"""alexnet_lab: what the notebooks of *From LeNet-5 to AlexNet* lean on.

The ideas are in the notebooks; here is the plumbing, in small files:

- ``output_size``, ``ledger``: feature-map arithmetic, and a whole network's accounts
- ``as_sequential``: anybody's straight network as a flat nn.Sequential
- ``check``, ``hint``: exercises that say why an answer is wrong; ``predict``,
  ``reveal``, ``progress``: guesses, and how far they were; ``expect``: a result held
  against the text
- ``models``, ``data``, ``training``, ``plots``: networks, images, the loop, pictures
- ``device``, ``budget``: what this machine has, and how long a notebook may take

Importing it changes nothing and loads nothing: each name is fetched when it is first
used. So ``python -m alexnet_lab doctor`` runs where PyTorch is missing, and says so.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alexnet_lab.arithmetic import as_sequential, ledger, output_size
    from alexnet_lab.arithmetic import torchinfo_text as torchinfo_text
    from alexnet_lab.exercises import check, expect, hint, predict, progress, reveal
    from alexnet_lab.runtime import budget, device, versions

__all__ = ["as_sequential", "budget", "check", "device", "expect", "hint", "ledger",
           "output_size", "predict", "progress", "reveal", "torchinfo_text",
           "versions"]  # fmt: skip

_HOMES = {
    "as_sequential": "arithmetic",
    "budget": "runtime",
    "check": "exercises",
    "device": "runtime",
    "expect": "exercises",
    "hint": "exercises",
    "ledger": "arithmetic",
    "output_size": "arithmetic",
    "predict": "exercises",
    "progress": "exercises",
    "reveal": "exercises",
    "torchinfo_text": "arithmetic",
    "versions": "runtime",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
