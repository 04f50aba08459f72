"""The course's plots. Each function returns a Matplotlib Figure; `show` displays it.

Matplotlib is imported when the first plot is made, not with this package. No plot
changes the tensors it is given, or Matplotlib's global settings; `use_style` does.
"""

from __future__ import annotations

import importlib
from typing import Any

# `show` and `curves` are functions in modules of the same name. They are imported here
# at once, so that `plots.show` is the function and never the module.
from alexnet_lab.plots.chronicle import timeline
from alexnet_lab.plots.confusion import confusion_matrix
from alexnet_lab.plots.curves import compare_curves, curves
from alexnet_lab.plots.effects import Cost, Effect, draw_costs, draw_effects
from alexnet_lab.plots.fields import draw_field_on_image, draw_receptive_fields
from alexnet_lab.plots.images import feature_maps, filters, image_grid
from alexnet_lab.plots.roof import draw_roofline
from alexnet_lab.plots.rows import labelled_rows
from alexnet_lab.plots.runs import (
    draw_long_runs,
    draw_losses,
    draw_range_test,
    draw_schedules,
    draw_silent,
)
from alexnet_lab.plots.shares import kind_shares, layer_shares
from alexnet_lab.plots.show import show
from alexnet_lab.plots.style import use_style
from alexnet_lab.plots.through import through_layers
from alexnet_lab.plots.windows import compare_floor_and_ceil, draw_windows
from alexnet_lab.plots.windows_2d import draw_windows_2d

_LATER = {"draw_network": "network", "draw_networks": "network"}

__all__ = [
    "Cost",
    "Effect",
    "compare_curves",
    "compare_floor_and_ceil",
    "confusion_matrix",
    "curves",
    "draw_costs",
    "draw_effects",
    "draw_field_on_image",
    "draw_long_runs",
    "draw_losses",
    "draw_network",  # noqa: F822 - found by __getattr__
    "draw_networks",  # noqa: F822
    "draw_range_test",
    "draw_receptive_fields",
    "draw_roofline",
    "draw_schedules",
    "draw_silent",
    "draw_windows",
    "draw_windows_2d",
    "feature_maps",
    "filters",
    "image_grid",
    "kind_shares",
    "labelled_rows",
    "layer_shares",
    "show",
    "through_layers",
    "timeline",
    "use_style",
]


def __getattr__(name: str) -> Any:
    if name in _LATER:
        module = importlib.import_module(f"{__name__}.{_LATER[name]}")
        return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
