"""alexnet_lab: what the notebooks of *From LeNet-5 to AlexNet* lean on.

The ideas are in the notebooks; here is the plumbing, in small files:

- ``output_size``, ``ledger``: feature-map arithmetic, and a whole network's accounts
- ``check``: exercises that say why an answer is wrong
- ``models``, ``data``, ``training``, ``plots``: networks, images, the loop, pictures
- ``device``, ``budget``: what this machine has, and how long a notebook may take
"""

import os
import sys

# GNU OpenMP's threads spin for long while they wait. Beside other busy programs they
# steal the cores from whoever works: LeNet-5 then trained up to 20 times slower. If
# they sleep at once, waking them costs a quarter of LeNet-5's speed. 2,500 turns are
# good enough at both. To be said before torch loads.
if "torch" not in sys.modules:
    os.environ.setdefault("GOMP_SPINCOUNT", "2500")
# Linux hands out memory in pages of 4 KiB and clears each one; a training step of
# AlexNet asks for a million. In pages of 2 MiB, where the system has them, it takes a
# third less time. To be said before the first large tensor is made.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

# ruff: noqa: E402
from alexnet_lab.allocator import keep_memory

keep_memory()

from alexnet_lab.accounting import ledger
from alexnet_lab.arithmetic import output_size
from alexnet_lab.exercises import check
from alexnet_lab.runtime import budget, device, versions
from alexnet_lab.verification import torchinfo_text

__all__ = [
    "budget",
    "check",
    "device",
    "ledger",
    "output_size",
    "torchinfo_text",
    "versions",
]
__version__ = "0.1.0"
