"""A page of HTML, CSS and JavaScript as a cell's output: it needs no network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from alexnet_lab.plots.style import image

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LOADER = "loader.js"  # puts the page, in a frame of its own, in the picture's place
# where no script runs, as in a notebook that one does not trust or on GitHub
_WORDS = "A still picture. It comes to life where scripts may run: in JupyterLab, run "
_WORDS += "this cell, or trust the notebook."


class Page:
    """What a cell shows: a still picture, which becomes a page where scripts run.

    `scripts` names files of ``alexnet_lab/plots/pages``: scripts, run in this order
    with `data` (anything that JSON holds) as the constant ``DATA``, style sheets,
    which come after ``page.css``, and what stands in ``<main>`` before a script runs.
    `still` with `alt` stands where no script runs: on GitHub, on paper, in a notebook
    that one does not trust.
    """

    def __init__(
        self, title: str, scripts: Sequence[str], data: Any, still: Figure, alt: str
    ) -> None:
        self.title, self.alt = title, " ".join(alt.split())
        self.still = image(still, alt)
        names = ["page.css", *scripts]
        styles, body, code = (
            "".join(_text(name) for name in names if name.endswith(kind))
            for kind in (".css", ".html", ".js")
        )
        constant = f"const DATA = {_json(data)};"
        self.document = (
            '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(title)}</title><style>{styles}</style></head><body>"
            f"<main>{body}</main><script>{constant}\n{code}</script></body></html>"
        )

    def _repr_html_(self) -> str:
        loader = _text(_LOADER).replace("PAGE", _json([self.title, self.document]), 1)
        return (
            f'<div><figure style="margin: 0">{self.still}'
            f"<figcaption><small>{_WORDS}</small></figcaption></figure>"
            f"<script>{loader}</script></div>"
        )

    def __repr__(self) -> str:
        return f"{self.alt}\n{self.title}"  # as plots.show: first what is seen


def _text(name: str) -> str:
    return files("alexnet_lab.plots").joinpath("pages", name).read_text("utf-8")


def _json(data: Any) -> str:
    """As JavaScript that may stand in HTML: no tag in it ends the script."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
