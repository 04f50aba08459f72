"""Show a figure once, with alternative text for those who can't see it."""

from __future__ import annotations

import sys
from base64 import b64encode
from typing import TYPE_CHECKING

from alexnet_lab.plots.style import png, size_on_screen

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def show(fig: Figure, alt: str, caption: str | None = None) -> None:
    """Display `fig` in the notebook as a PNG with alternative text, then close it.

    The text goes where each reader looks for it: nbconvert takes it from the output's
    metadata, `{"image/png": {"alt": …}}`; VS Code, and a terminal, from `text/plain`.
    Outside IPython nothing is displayed, so that a notebook's code runs as a script.

    Args:
        fig: the figure; pyplot will not show it a second time.
        alt: what the picture shows, in a sentence or two, for a reader who can't see
            it. State the finding ("accuracy rises to 90 %"), not just the kind of plot.
        caption: Markdown shown in small type below the figure.

    Raises:
        ValueError: if `alt` is empty.
    """
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError(
            "show(fig, alt): alt is empty. Say in a sentence what the figure shows, "
            "for readers who can't see it."
        )
    alt = " ".join(alt.split())
    if _in_ipython():
        from IPython.display import display

        data = png(fig)
        display(
            {"image/png": b64encode(data).decode("ascii"), "text/plain": alt},
            metadata={"image/png": {"alt": alt, **size_on_screen(data)}},
            raw=True,
        )
        if caption:
            small = {"text/markdown": f"<small>{caption}</small>"}
            display({**small, "text/plain": caption}, raw=True)
    _close(fig)


def _in_ipython() -> bool:
    """Return whether this code runs inside IPython, without importing it."""
    module = sys.modules.get("IPython")
    return module is not None and module.get_ipython() is not None


def _close(fig: Figure) -> None:
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close(fig)
