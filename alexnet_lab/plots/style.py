"""What every plot shares: palette, fonts, how a figure is made and how it is shown."""

from __future__ import annotations

import io
import sys
import textwrap
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's palette, which people with any of the common colour-vision
# deficiencies can tell apart (jfly.uni-koeln.de/color). As lines, the colours come
# with a line style and a marker each, so that grey print keeps them apart too.
BLACK, ORANGE, GREEN = "#000000", "#E69F00", "#009E73"
BLUE, VERMILION, PURPLE = "#0072B2", "#D55E00", "#CC79A7"
INK, GREY, PALE = "#222222", "#767676", "#E9EEF2"

# colour, line style, marker: no two alike in any of the three for the first six
LINES = [
    (BLUE, "-", "o"),
    (VERMILION, "--", "s"),
    (GREEN, "-.", "^"),
    (PURPLE, ":", "D"),
    (ORANGE, (0, (5, 1, 1, 1, 1, 1)), "v"),
    (BLACK, (0, (8, 2)), "P"),
]

SMALL = 10.5  # points: the smallest text in any plot
SCREEN_DPI = 100  # a figure 9 inches wide is shown 900 pixels wide
FILE_DPI = 150  # and is stored sharper than that, for projectors

_RC: Any = {
    "font.size": 12,
    "axes.titlesize": 13,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlepad": 10,
    "axes.edgecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.titlesize": 14,
    "figure.titleweight": "bold",
    "grid.color": "#DDDDDD",
    "hatch.linewidth": 0.8,
    "patch.linewidth": 0.8,
    "legend.fontsize": 11,
    "legend.frameon": False,
    "text.parse_math": False,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
}
_RC |= dict.fromkeys(
    ("axes.labelcolor", "text.color", "xtick.color", "ytick.color"), INK
)

Axes = Any  # matplotlib.axes.Axes, whose stubs refuse options handed on as **dict


@contextmanager
def styled() -> Iterator[None]:
    """Decorate a plotting function: it runs with the course's Matplotlib settings."""
    import matplotlib

    with matplotlib.rc_context(_RC):
        yield


def use_style() -> None:
    """Draw with the course's settings, colours and dashes from here on, in plt too."""
    import matplotlib
    from cycler import cycler

    colours, dashes, _ = zip(*LINES, strict=True)
    lines = cycler(color=colours, linestyle=dashes)
    # labels of logarithmic axes are formulas
    settings = {**_RC, "axes.prop_cycle": lines, "text.parse_math": True}
    matplotlib.rcParams.update(settings)


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure, in inches, that pyplot does not know: shown once."""
    from matplotlib.figure import Figure

    figure: Any = Figure(figsize=(width, height), layout="constrained")
    figure._repr_png_ = lambda: png(figure, SCREEN_DPI)  # as the last value of a cell
    return figure


def png(figure: Figure, dpi: int = FILE_DPI) -> bytes:
    """Return a figure as a PNG, the same bytes each time: without a version in it."""
    buffer = io.BytesIO()
    page: Any = {"bbox_inches": "tight", "pad_inches": 0.12, "facecolor": "white"}
    page |= {"metadata": {"Software": None}, "pil_kwargs": {"optimize": True}}
    figure.savefig(buffer, format="png", dpi=dpi, **page)
    return buffer.getvalue()


def image(fig: Figure, alt: str) -> str:
    """Return a figure as an HTML image, which holds its PNG and alternative text."""
    data = png(fig)
    # the width alone, so that a narrow page shrinks the picture in proportion
    width = round(int.from_bytes(data[16:20], "big") * SCREEN_DPI / FILE_DPI)
    source = b64encode(data).decode("ascii")
    text = escape(" ".join(alt.split()))
    return f'<img alt="{text}" width="{width}" src="data:image/png;base64,{source}">'


def show(fig: Figure, alt: str, caption: str | None = None) -> None:
    """Display `fig` in the notebook as a PNG with alternative text, then close it.

    `alt` says what the picture shows, in a sentence or two, for a reader who can't see
    it. State the finding ("accuracy rises to 90 %"), not just the kind of plot; a
    ValueError says if it is empty. `caption`, plain text, is shown in small type below.

    The picture goes out as HTML, for that is where JupyterLab and nbconvert's pages and
    slides keep the text; a terminal shows the words alone. Outside IPython nothing is
    displayed, so that a notebook's code runs as a script.
    """
    if not isinstance(alt, str) or not alt.strip():
        what = "say in a sentence what the figure shows, for readers who can't see it"
        raise ValueError(f"show(fig, alt): alt is empty: {what}")
    if "IPython" in sys.modules and sys.modules["IPython"].get_ipython() is not None:
        from IPython.display import display

        words = [" ".join(text.split()) for text in (alt, caption or "")]
        small = escape(words[1])
        below = f"<figcaption><small>{small}</small></figcaption>" if small else ""
        html = f'<figure style="margin: 0">{image(fig, alt)}{below}</figure>'
        plain = "\n".join(text for text in words if text)
        display({"text/html": html, "text/plain": plain}, raw=True)
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close(fig)


def rectangle(
    ax: Axes, x: float, y: float, wide: float, high: float, **style: Any
) -> None:
    """Add a rectangle; (x, y) is the corner with the smallest coordinates."""
    from matplotlib.patches import Rectangle

    ax.add_patch(Rectangle((x, y), wide, high, **style))


@lru_cache(maxsize=4096)
def text_width(text: str, size: float, weight: str = "normal") -> float:
    """Return how wide `text` is, in points, in the default font at `size` points."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    if not text.strip():
        return 0.0
    font = FontProperties(weight=weight, size=size)
    return TextPath((0, 0), text, prop=font).get_extents().width


def wrapped(text: str, size: float, width: float) -> str:
    """Return `text` broken into lines of about `width` points, at spaces if it can."""
    letter = 1.05 * text_width(text, size) / max(1, len(text))
    return textwrap.fill(text, int(width / max(letter, 1)))
