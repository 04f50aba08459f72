"""The course's networks, each a function that returns a flat nn.Sequential."""

from alexnet_lab.models.alexnet import (
    alexnet_2012,
    alexnet_mini,
    alexnet_one_tower,
    alexnet_torchvision,
    initialise_alexnet,
    load_torchvision_weights,
)
from alexnet_lab.models.lenet import digit_bitmaps, lenet5, lenet5_1998
from alexnet_lab.models.modern import (
    Residual,
    mini_batch_norm,
    mini_global_pool,
    mini_residual,
    mini_stacks,
)
from alexnet_lab.models.normalisation import LocalResponseNorm

__all__ = [
    "LocalResponseNorm",
    "Residual",
    "alexnet_2012",
    "alexnet_mini",
    "alexnet_one_tower",
    "alexnet_torchvision",
    "digit_bitmaps",
    "initialise_alexnet",
    "lenet5",
    "lenet5_1998",
    "load_torchvision_weights",
    "mini_batch_norm",
    "mini_global_pool",
    "mini_residual",
    "mini_stacks",
]
