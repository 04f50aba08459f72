"""Show a figure once, with alternative text for those who can't see it."""

from __future__ import annotations

import sys
from base64 import b64encode
from html import escape
from typing import TYPE_CHECKING

from alexnet_lab.plots.style import FILE_DPI, SCREEN_DPI, png

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def show(fig: Figure, alt: str, caption: str | None = None) -> None:
    """Display `fig` in the notebook as a PNG with alternative text, then close it.

    The picture goes out as HTML, ``<img alt="…" src="data:image/png;…">``, for that is
    where JupyterLab, nbconvert's pages and slides, and Sphinx all keep the text; a
    terminal shows the words alone. Outside IPython nothing is displayed, so that a
    notebook's code runs as a script.

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
    if "IPython" in sys.modules and sys.modules["IPython"].get_ipython() is not None:
        from IPython.display import display

        display(bundle(png(fig), alt, caption), raw=True)
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close(fig)


def bundle(data: bytes, alt: str, caption: str | None = None) -> dict[str, str]:
    """Return a PNG and its words as what IPython displays: HTML, and plain text.

    The width alone is given, so that a narrow page shrinks the picture in proportion.
    """
    words = [" ".join(text.split()) for text in (alt, caption or "")]
    shown_alt, small = (escape(text) for text in words)
    width = round(int.from_bytes(data[16:20], "big") * SCREEN_DPI / FILE_DPI)
    source = b64encode(data).decode("ascii")
    image = f'<img alt="{shown_alt}" width="{width}"'
    image += f' src="data:image/png;base64,{source}">'
    below = f"<figcaption><small>{small}</small></figcaption>" if small else ""
    return {
        "text/html": f'<figure style="margin: 0">{image}{below}</figure>',
        "text/plain": "\n".join(text for text in words if text),
    }
