"""The words of a picture arrive where a blind reader reads: in the page and the slides.

`notebook_form` demands them of every notebook; here nbconvert makes pages of one.
"""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

import notebooks

PATH = notebooks.select(["04"])[0]


class Page(HTMLParser):
    """The alternative texts of a page's pictures, and all of its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.alts: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.alts.append(dict(attrs).get("alt") or "")

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("exporter", ["html", "slides"])
def test_a_page_has_the_words_of_every_picture(exporter: str) -> None:
    from nbconvert.exporters import get_exporter

    notebook = notebooks.read(PATH)
    words = [
        output.data["text/plain"].split("\n")
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "<img" in output.get("data", {}).get("text/html", "")
    ]
    html, _ = get_exporter(exporter)().from_notebook_node(notebook)
    page = Page(html)
    assert page.alts == [alt for alt, *_ in words] and len(words) >= 4
    for _, *captions in words:
        assert all(caption in page.text for caption in captions)
