"""The window explorer: a page in which one moves the settings of `draw_windows`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alexnet_lab.arithmetic.sizes import Field, Padding, Sweep
from alexnet_lab.plots.page import Page
from alexnet_lab.plots.windows import Sliding, draw_windows

MOST_LAYERS = 3


def explore_windows(
    size: int = 9,
    kernel_size: int = 3,
    stride: int = 1,
    padding: Padding = 0,
    *,
    dilation: int = 1,
    ceil_mode: bool = False,
    then: Sequence[Sequence[Any]] = (),
    square: bool = False,
) -> Page:
    """Return a page in which sliders move a window's settings, starting from these.

    It shows where the windows land on a row of `size` pixels, or on a `square`, which
    pixels none of them reads, the working of the size, and what a unit sees. `then` has
    up to two layers more, each as (kernel_size, stride, padding, dilation, ceil_mode)
    or the first few of these. Arguments and errors are those of `output_size`, except
    that padding is alike at both ends. The still picture is `draw_windows`'s, of the
    first layer. Taught in 01.
    """
    layers = [(kernel_size, stride, padding, dilation, ceil_mode), *then]
    if len(layers) > MOST_LAYERS:
        text = f"the explorer stacks up to {MOST_LAYERS} layers, not {len(layers)}"
        raise ValueError(f"{text}: leave some out.")
    settings, field, now = list[dict[str, int]](), Field(), size
    for layer in layers:
        sweep = Sweep(now, *layer)
        if sweep.before != sweep.after:
            pair = f"({sweep.before}, {sweep.after})"
            raise ValueError(f"padding here is a number for both ends, not {pair}.")
        now, field = sweep.positions, field.through(sweep.field)
        window = dict(kernel=sweep.kernel_size, stride=sweep.stride)
        ends = dict(padding=sweep.before, ceil=sweep.ceil_mode)
        settings.append(window | ends | dict(dilation=sweep.dilation))
    first = Sliding(size, *layers[0])
    windows, units = ("s" * (n > 1) for n in (first.positions, now))
    words = [f"{first.words}: {first.positions} window{windows}", first.rest]
    if then:
        words.append(f"{len(then)} more: {now} unit{units}, field {field.size}")
    files = [f"explorer.{kind}" for kind in ("css", "html", "js")]
    data = {"size": first.size, "layers": settings, "square": square}
    still = draw_windows(size, *layers[0][:3], dilation=dilation, ceil_mode=ceil_mode)
    alt = f"{'; '.join(filter(None, words))}."
    return Page("The window explorer", files, data, still, alt)
