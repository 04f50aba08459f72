"""Whether a reader can read every text of a figure."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox


def assert_sound(figure: Figure) -> None:
    """Assert that no text is small, cut off or overlaps another."""
    texts = [t for t in figure.findobj(Text) if t.get_text().strip()]
    assert min(text.get_fontsize() for text in texts) >= 10
    assert overlapping(figure) == []
    assert cut_off(figure) == []


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
    figure.draw_without_rendering()
    # Text's own method: an Annotation's would count its arrow in
    return [
        (t.get_text(), t.get_rotation(), Text.get_window_extent(t))
        for t in _texts(figure)
    ]


def _texts(figure: Figure) -> list[Text]:
    """Return the texts of `figure` that a reader sees."""
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
