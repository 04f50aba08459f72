"""The course's plots: each function returns a Matplotlib Figure, `show` displays it.

What draws given numbers, and serves several notebooks or would be long in one, comes
in; a plot of a few lines that one notebook needs does not. Nothing here computes,
changes a tensor, imports Matplotlib before a plot is made or, except `use_style`,
changes its settings.
"""

from alexnet_lab.plots.explorer import explore_windows
from alexnet_lab.plots.images import image_grid, labelled_rows
from alexnet_lab.plots.network import draw_network, draw_networks
from alexnet_lab.plots.results import (
    compare_curves,
    confusion_matrix,
    curves,
    draw_effects,
)
from alexnet_lab.plots.style import LINES, show, use_style
from alexnet_lab.plots.windows import draw_windows

__all__ = [
    "LINES", "compare_curves", "confusion_matrix", "curves", "draw_effects",
    "draw_network", "draw_networks", "draw_windows", "explore_windows", "image_grid",
    "labelled_rows", "show", "use_style",
]  # fmt: skip
