"""The course's images: MNIST and Fashion-MNIST whole, in memory, offline."""

from alexnet_lab.data.idx import DataFileError, data_folder
from alexnet_lab.data.memory import Batches, Splits, fashion_mnist, mnist

__all__ = [
    "Batches",
    "DataFileError",
    "Splits",
    "data_folder",
    "fashion_mnist",
    "mnist",
]
