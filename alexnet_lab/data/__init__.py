"""The course's images.

MNIST and Fashion-MNIST whole and in memory, eight photographs, all offline; folders of
photographs, ImageNet's and Imagenette's among them; augmentation in ``augment`` and
testing on several crops in ``crops``.
"""

from alexnet_lab.data import augment, crops
from alexnet_lab.data.folder_batches import FolderBatches
from alexnet_lab.data.folders import image_folder, imagenette
from alexnet_lab.data.memory import Batches, Splits, fashion_mnist, mnist
from alexnet_lab.data.photos import photos
from alexnet_lab.data.place import DataFileError, data_folder

__all__ = [
    "Batches",
    "DataFileError",
    "FolderBatches",
    "Splits",
    "augment",
    "crops",
    "data_folder",
    "fashion_mnist",
    "image_folder",
    "imagenette",
    "mnist",
    "photos",
]
