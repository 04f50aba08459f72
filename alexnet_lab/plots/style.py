"""What every plot of the course shares: palette, fonts, and how a figure is made.

Only :func:`use_style` changes Matplotlib's global settings, and Matplotlib is imported
only when a plot is made.
"""

from __future__ import annotations

import functools
import io
import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from cycler import Cycler
    from matplotlib.figure import Figure
    from matplotlib.text import Text
    from matplotlib.transforms import Bbox

# Okabe and Ito's palette, which people with any of the common colour-vision
# deficiencies can tell apart (jfly.uni-koeln.de/color). As lines, the colours come
# with a line style and a marker each, so that grey print keeps them apart too.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
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
MINUS = "\N{MINUS SIGN}"

_RC = {
    "font.size": 12,
    "axes.titlesize": 13,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlepad": 10,
    "axes.labelsize": 12,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "white",
    "figure.facecolor": "white",
    "figure.dpi": 100,
    "figure.titlesize": 14,
    "figure.titleweight": "bold",
    "grid.color": "#DDDDDD",
    "hatch.linewidth": 0.8,
    "legend.fontsize": 11,
    "legend.frameon": False,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "xtick.color": INK,
    "ytick.color": INK,
}

Plot = TypeVar("Plot", bound=Callable[..., Any])


def styled(function: Plot) -> Plot:
    """Decorate a plotting function: it runs with the course's Matplotlib settings."""

    @functools.wraps(function)
    def inner(*args: Any, **kwargs: Any) -> Any:
        import matplotlib

        # each plot says which of its lines are dashed, whatever use_style() has set
        with matplotlib.rc_context({**_RC, "axes.prop_cycle": _cycle(dashed=False)}):
            return function(*args, **kwargs)

    return inner  # type: ignore[return-value]


def use_style() -> None:
    """Draw with the course's settings from here on, in ``plt`` too.

    A notebook that draws for itself says so once; this changes Matplotlib's global
    settings, as ``plt.style.use`` does. Lines take the course's colours and dashes.
    """
    import matplotlib

    settings = {**_RC, "axes.prop_cycle": _cycle(dashed=True)}
    del settings["text.parse_math"]  # labels of logarithmic axes are formulas
    matplotlib.rcParams.update(settings)


def _cycle(dashed: bool) -> Cycler:
    """The colours of lines in their order, with a line style each or without."""
    from cycler import cycler

    colours, dashes, _ = zip(*LINES, strict=True)
    if not dashed:
        return cycler(color=colours)
    return cycler(color=colours, linestyle=dashes)


@functools.cache
def _figure_class() -> type[Figure]:
    from matplotlib.figure import Figure

    class LabFigure(Figure):
        """A figure outside pyplot's register: Jupyter shows it once, as a PNG."""

        def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
            data = png(self)
            return data, size_on_screen(data)

    return LabFigure


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of `width` × `height` inches.

    It is not registered with pyplot: nothing to close, nothing shown twice.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = _figure_class()(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def png(figure: Figure, dpi: int = FILE_DPI) -> bytes:
    """Return `figure` as a PNG, the same bytes for the same figure.

    Matplotlib's version is left out, so that committed outputs change only when the
    picture does.
    """
    buffer = io.BytesIO()
    figure.savefig(
        buffer,
        format="png",
        dpi=dpi,
        bbox_inches="tight",
        pad_inches=0.12,
        facecolor="white",
        metadata={"Software": None},
        pil_kwargs={"optimize": True},
    )
    return buffer.getvalue()


def size_on_screen(data: bytes) -> dict[str, int]:
    """Return the width and height to show a PNG of `png` at, read from its header."""
    scale = SCREEN_DPI / FILE_DPI
    width, height = (int.from_bytes(data[i : i + 4], "big") for i in (16, 20))
    return {"width": round(width * scale), "height": round(height * scale)}


@functools.lru_cache(maxsize=4096)
def text_width(text: str, size: float) -> float:
    """Return how wide `text` is, in points, in the default font at `size` points."""
    from matplotlib.textpath import TextPath

    if not text.strip():
        return 0.0
    return TextPath((0, 0), text, size=size, usetex=False).get_extents().width


def tick_step(points: float, room: float) -> int:
    """Return how many cells of `points` lie between labels that need `room` points.

    One of 1, 2, 5, 10, 20, 50, …
    """
    steps = (n * 10**k for k in itertools.count() for n in (1, 2, 5))
    return next(step for step in steps if step * points >= room)


def wrapped(text: str, size: float, width: float) -> str:
    """Return `text` broken into lines of at most `width` points, words kept whole.

    A word that is wider than a line is cut and ends in an ellipsis.
    """
    lines: list[str] = []
    for word in str(text).split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size) <= width:
            lines[-1] = longer
        else:
            lines.append(_cut(word, size, width))
    return "\n".join(lines)


def _cut(word: str, size: float, width: float) -> str:
    if text_width(word, size) <= width:
        return word
    while len(word) > 1 and text_width(word + "…", size) > width:
        word = word[:-1]
    return word + "…"


def overlapping(figure: Figure) -> list[tuple[str, str]]:
    """Return the pairs of visible texts that touch or overlap.

    Texts that both stand at the same slant are let off: their boxes say too little.
    """
    boxes = _boxes(figure)
    pairs = []
    for i, (one, slant, box) in enumerate(boxes):
        for other, second_slant, second in boxes[i + 1 :]:
            if slant == second_slant and slant % 90:
                continue
            wide = min(box.x1, second.x1) - max(box.x0, second.x0)
            high = min(box.y1, second.y1) - max(box.y0, second.y0)
            if wide > -2 and high > 1:
                pairs.append((one, other))
    return pairs


def cut_off(figure: Figure) -> list[str]:
    """Return the visible texts that reach beyond the figure's edge."""
    page = figure.bbox.padded(1)
    return [
        text
        for text, _, box in _boxes(figure)
        if not (page.x0 <= box.x0 <= box.x1 <= page.x1)
        or not (page.y0 <= box.y0 <= box.y1 <= page.y1)
    ]


def _boxes(figure: Figure) -> list[tuple[str, float, Bbox]]:
    """Return the visible texts of `figure`, their angles and their boxes in pixels."""
    from matplotlib.text import Text

    figure.draw_without_rendering()
    # Text's own method: an Annotation's would count its arrow in
    return [
        (t.get_text(), t.get_rotation(), Text.get_window_extent(t))
        for t in _texts(figure)
    ]


def _texts(figure: Figure) -> list[Text]:
    """Return the texts of `figure` that a reader sees."""
    from matplotlib.text import Text

    hidden = set()
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            shown = ax.axison and ax.get_visible() and axis.get_visible()
            low, high = sorted(axis.get_view_interval())
            for tick in axis.get_major_ticks() + axis.get_minor_ticks():
                if not shown or not low - 1e-9 <= tick.get_loc() <= high + 1e-9:
                    hidden.update((tick.label1, tick.label2))
            if not shown:
                hidden.add(axis.label)
    found = figure.findobj(Text)
    return [
        t for t in found if t not in hidden and t.get_visible() and t.get_text().strip()
    ]
