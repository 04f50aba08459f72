"""Show a figure once, with alternative text for those who can't see it."""

from __future__ import annotations

import sys
from base64 import b64encode
from html import escape
from typing import TYPE_CHECKING

from alexnet_lab.plots.style import png, size_on_screen

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def show(fig: Figure, alt: str, caption: str | None = None) -> None:
    """Display `fig` in the notebook as a PNG with alternative text, then close it.

    The picture goes out as HTML, ``<img alt="…" src="data:image/png;…">``, for that is
    where JupyterLab, nbconvert's pages and slides, and Sphinx all keep the text. None
    of them shows the one in the metadata of an ``image/png`` output. A terminal shows
    `text/plain`: the words alone.
    Outside IPython nothing is displayed, so that a notebook's code runs as a script.

    Args:
        fig: the figure; pyplot will not show it a second time.
        alt: what the picture shows, in a sentence or two, for a reader who can't see
            it. State the finding ("accuracy rises to 90 %"), not just the kind of plot.
        caption: plain text, shown in small type below the figure.

    Raises:
        ValueError: if `alt` is empty.
    """
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError(
            "show(fig, alt): alt is empty. Say in a sentence what the figure shows, "
            "for readers who can't see it."
        )
    if _in_ipython():
        from IPython.display import display

        display(bundle(png(fig), alt, caption), raw=True)
    _close(fig)


def bundle(data: bytes, alt: str, caption: str | None = None) -> dict[str, str]:
    """Return a PNG and its words as what IPython displays: HTML, and plain text.

    The width alone is given, so that a narrow page shrinks the picture in proportion.
    """
    words = [" ".join(text.split()) for text in (alt, caption or "")]
    shown_alt, small = (escape(text) for text in words)
    width, source = size_on_screen(data)["width"], b64encode(data).decode("ascii")
    image = f'<img alt="{shown_alt}" width="{width}"'
    image += f' src="data:image/png;base64,{source}">'
    below = f"<figcaption><small>{small}</small></figcaption>" if small else ""
    return {
        "text/html": f'<figure style="margin: 0">{image}{below}</figure>',
        "text/plain": "\n".join(text for text in words if text),
    }


def _in_ipython() -> bool:
    """Return whether this code runs inside IPython, without importing it."""
    module = sys.modules.get("IPython")
    return module is not None and module.get_ipython() is not None


def _close(fig: Figure) -> None:
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close(fig)
