"""Looking inside a trained network, without changing it (notebook 08).

Every function here runs the network in evaluation mode, puts each layer's own mode
back, takes its hooks off whatever happens, and leaves weights and their gradients
alone. Results are float32 on the CPU.
"""

from alexnet_lab.inside.attribution import (
    occlusion_map,
    occlusion_maps,
    randomised,
    rank_correlation,
    saliency,
)
from alexnet_lab.inside.confused import Confused, confused_pairs
from alexnet_lab.inside.hooks import activations, watching
from alexnet_lab.inside.neighbours import Neighbours, nearest_neighbours
from alexnet_lab.inside.pictures import weight_pictures
from alexnet_lab.inside.published import imagenet_pixels, published_alexnet
from alexnet_lab.inside.roofline import (
    kept_bytes,
    layer_points,
    layer_seconds,
    least_seconds,
    measure_machine,
)
from alexnet_lab.inside.units import Top, field_patches, top_images, top_patches

__all__ = [
    "Confused",
    "Neighbours",
    "Top",
    "activations",
    "confused_pairs",
    "field_patches",
    "imagenet_pixels",
    "kept_bytes",
    "layer_points",
    "layer_seconds",
    "least_seconds",
    "measure_machine",
    "nearest_neighbours",
    "occlusion_map",
    "occlusion_maps",
    "published_alexnet",
    "randomised",
    "rank_correlation",
    "saliency",
    "top_images",
    "top_patches",
    "watching",
    "weight_pictures",
]
