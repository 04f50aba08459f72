"""The course's images, and what is done to them on their way to a network.

Here are the sets that ship, read through torchvision, folders of photographs, batches
from memory or from disk, and augmentation. What may come in: another data set, a change
of images that a notebook taught and that two places need. What may not: networks,
training and pictures of results; testing on several crops is written in notebook 06.
"""

from alexnet_lab.data.augment import (
    ColourNoise,
    RandomCrop,
    RandomFlip,
    RandomShift,
    compose,
)
from alexnet_lab.data.batches import Batches, Splits
from alexnet_lab.data.cifar import cifar10
from alexnet_lab.data.folders import image_folder, imagenette
from alexnet_lab.data.idx import fashion_mnist, mnist, unpacked
from alexnet_lab.data.pictures import photos
from alexnet_lab.data.place import DataFileError, data_folder

__all__ = [
    "Batches", "ColourNoise", "DataFileError", "RandomCrop", "RandomFlip",
    "RandomShift", "Splits", "cifar10", "compose", "data_folder", "fashion_mnist",
    "image_folder", "imagenette", "mnist", "photos", "unpacked",
]  # fmt: skip
