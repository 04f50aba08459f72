"""The course's networks, each a function that returns a flat nn.Sequential.

What belongs here builds a network, starts its weights or loads them, and defines the
few layers that torch.nn lacks, each with its rule for the ledger. What trains, reads
data or draws does not. The steps of notebook 10's study are in modern.py.
"""

from alexnet_lab.models.alexnet import (
    LocalResponseNorm,
    alexnet_2012,
    alexnet_cifar,
    alexnet_mini,
    alexnet_one_tower,
    alexnet_torchvision,
    initialise_alexnet,
    lrn_per_tower,
)
from alexnet_lab.models.krizhevsky import (
    LocallyConnected2d,
    MapNorm,
    krizhevsky_11pct,
    krizhevsky_13pct,
    krizhevsky_18pct,
    krizhevsky_80sec,
)
from alexnet_lab.models.lenet import C3_TABLE, digit_bitmaps, lenet5, lenet5_1998
from alexnet_lab.models.weights import load_torchvision_weights

__all__ = [
    "C3_TABLE", "LocalResponseNorm", "LocallyConnected2d", "MapNorm", "alexnet_2012",
    "alexnet_cifar", "alexnet_mini", "alexnet_one_tower", "alexnet_torchvision",
    "digit_bitmaps", "initialise_alexnet", "krizhevsky_11pct", "krizhevsky_13pct",
    "krizhevsky_18pct", "krizhevsky_80sec", "lenet5", "lenet5_1998",
    "load_torchvision_weights", "lrn_per_tower",
]  # fmt: skip
