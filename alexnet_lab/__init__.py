"""alexnet_lab: what the notebooks of *From LeNet-5 to AlexNet* lean on.

The ideas are in the notebooks; here is the plumbing, in small files:

- ``output_size``, ``ledger``: feature-map arithmetic, and a whole network's accounts
- ``check``: exercises that say why an answer is wrong
- ``models``, ``data``, ``training``, ``plots``: networks, images, the loop, pictures
- ``device``, ``budget``: what this machine has, and how long a notebook may take
"""

import os
import sys

# OpenMP's threads spin while they wait, and on a busy machine steal the cores from
# whoever works: LeNet-5 then trains 20 times slower. To be said before torch loads.
if "torch" not in sys.modules:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# ruff: noqa: E402
from alexnet_lab.accounting import ledger
from alexnet_lab.arithmetic import output_size
from alexnet_lab.exercises import check
from alexnet_lab.runtime import budget, device, versions

__all__ = ["budget", "check", "device", "ledger", "output_size", "versions"]
__version__ = "0.1.0"
