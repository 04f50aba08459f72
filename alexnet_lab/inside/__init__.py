"""Looking inside a trained network, and measuring it, without changing it.

What belongs here runs the network in evaluation mode, puts each layer's own mode back,
takes its hooks off whatever happens, and leaves weights and gradients alone; results
are float32 on the CPU. `live` hands a network to a page that runs it. What trains a
network or draws it does not belong here.
"""

from alexnet_lab.inside.attribution import occlusion_maps, rank_correlation, saliency
from alexnet_lab.inside.costs import kept_bytes, layer_seconds, least_seconds
from alexnet_lab.inside.hooks import Top, activations, top_images
from alexnet_lab.inside.live import live

__all__ = [
    "Top", "activations", "kept_bytes", "layer_seconds", "least_seconds", "live",
    "occlusion_maps", "rank_correlation", "saliency", "top_images",
]  # fmt: skip
