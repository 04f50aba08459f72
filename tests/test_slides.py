"""The decks, in Chromium: every slide of every notebook fits, and nothing is fetched.

What is measured is where the letters and pictures are, not what deck.js believes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import decks
import pytest
from browser import ON_DISK, REFUSED, serious, started, watched
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from notebook_pages import (
    Library,
    copy_library,
    empty_folder,
    pictures_as_files,
    relink,
)

import notebooks

PATHS = notebooks.select([])
IMPORT = "from alexnet_lab import predict"
EXERCISE = "### Exercise 04.1 (★, 5 minutes)\n\nHow?"
NUMBERS = [path.stem[:2] for path in PATHS]


# ------------------------------------------------------------------ what is on a slide
def cell_of(kind: Any, source: str, id: str, slide: str = "-", *tags: str) -> Any:
    cell = kind(source, id=id)
    cell.metadata["slideshow"] = {"slide_type": slide}
    if tags:
        cell.metadata["tags"] = list(tags)
    return cell


def small_notebook() -> Any:
    md, code = new_markdown_cell, new_code_cell
    answer = cell_of(code, "6 * 7", "answer-code", "fragment", "answer")
    answer.outputs = [
        decks.COVER,
        new_output("display_data", {"text/html": "<p>42</p><script>live()</script>"}),
    ]
    return new_notebook(
        cells=[
            cell_of(md, "# 04 · Title", "title", "slide"),
            cell_of(code, "import torch", "setup"),
            cell_of(md, "## 1. One\n\n" + "word " * 200, "one", "slide"),
            cell_of(code, f'{IMPORT}\n\npredict("04.a", ...)', "guess"),
            answer,
            cell_of(code, "expect(1, 'one', 1)", "guard", "-", "proof"),
            cell_of(md, EXERCISE, "question", "subslide"),
            cell_of(code, "x = ...", "blank", "-", "exercise"),
            cell_of(code, 'check("04.1", x)', "checked", "-", "check"),
            cell_of(md, "<details>x = 1</details>", "solved", "skip", "solution"),
            cell_of(md, "# Going deeper", "going-deeper", "slide"),
            cell_of(md, "## 2. Two\n\n[terms](../GLOSSARY.md#bias)", "two", "slide"),
            cell_of(md, "## To discuss\n\n[02](02_lenet5.ipynb)", "discuss", "slide"),
        ]
    )  # fmt: skip


def test_a_deck_holds_what_is_projected_and_no_more() -> None:
    deck = decks.prepare(small_notebook(), {"one": "Ask the room."})
    marks = {cell.id: cell.metadata["deck"] for cell in deck.cells}
    assert list(marks) == ["title", "one", "answer-code", "question", "blank",
                           "going-deeper", "two", "discuss"]  # fmt: skip
    assert marks["answer-code"]["step"] == "answer-code"
    assert marks["answer-code"]["outputs"] == "answer-code-answer"
    (output,) = deck.cells[2].outputs
    assert output.data["text/html"] == "<p>42</p>"
    opens = {name: mark["opens"] for name, mark in marks.items() if "opens" in mark}
    columns = {name: slide["column"] for name, slide in opens.items()}
    assert columns["one"] == "one" and columns["discuss"] == "discuss"
    assert columns["going-deeper"] == columns["two"] == "going-deeper"
    # 202 words and two code cells: 4 minutes, all of them the first slide's
    assert opens["one"]["seconds"] == pytest.approx(240, abs=5)
    assert opens["question"]["seconds"] == 300
    for slide in ("one", "question"):
        assert "Ask the room." in opens[slide]["note"]
        assert "4 minutes and 5 for exercises" in opens[slide]["note"]
    assert deck.cells[-2].source.endswith("\n\nterms")
    assert deck.cells[-1].source.endswith("[02](02.html)")


def test_notes_are_read_by_the_headings_id(tmp_path: Path) -> None:
    (tmp_path / "04.md").write_text("Words.\n\n## one\nAsk.\n\n- a\n\n## two\n\nSay.\n")
    assert decks.read_notes("04", tmp_path) == {"one": "Ask.\n\n- a", "two": "Say."}
    assert decks.read_notes("05", tmp_path) == {}


@pytest.mark.parametrize("number", NUMBERS)
def test_every_note_has_its_section(number: str) -> None:
    notebook = notebooks.read(PATHS[NUMBERS.index(number)])
    heads = {head for _, (head, _) in decks._section_of_cells(notebook)}
    assert decks.read_notes(number).keys() <= heads


def test_links_lead_on_and_code_is_left_alone() -> None:
    text = "[a `b`](x.md), [n](https://n.org), [h](#h)\n```\n[c](x.md)\n```\n[d](y.md)"
    moved = relink(text, {"x.md": "x.html"}.get)
    assert moved == text.replace("](x.md),", "](x.html),").replace("[d](y.md)", "d")


def test_a_picture_becomes_a_file_once(tmp_path: Path) -> None:
    tag = '<img alt="a" width="3" src="data:image/png;base64,AAEC">'
    html = pictures_as_files(f"{tag} and {tag}", tmp_path / "p", "p")
    (file,) = (tmp_path / "p").iterdir()
    assert file.read_bytes() == b"\0\1\2"
    shown = f'<img alt="a" width="3" src="p/{file.name}">'
    assert html == f"{shown} and {shown}"


def test_only_a_folder_of_ours_is_emptied(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years")
    with pytest.raises(FileExistsError, match="holds other files"):
        empty_folder(tmp_path, "lib/deck.js")
    assert (tmp_path / "thesis.tex").exists()
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "deck.js").touch()
    empty_folder(tmp_path, "lib/deck.js")
    assert list(tmp_path.iterdir()) == []


def test_a_library_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no-such-package is not installed"):
        copy_library(Library("no-such-package", "static", ("*.js",)), tmp_path)
    with pytest.raises(FileNotFoundError, match=r"numpy [\d.]+ holds no numpy/\*\.xyz"):
        copy_library(Library("numpy", "numpy", ("*.xyz",)), tmp_path)


# ------------------------------------------------------------------------- in a browser
@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with started() as browser:
        yield browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("sphinx_revealjs", reason="no reveal.js: make slides")
    out = tmp_path_factory.mktemp("a stick") / "slides"
    decks.build(PATHS, out)
    return out


@contextmanager
def shown(browser: Any, address: str) -> Iterator[Any]:
    """A page at 1280×720 without a network; what it asks for or complains of fails."""
    size = {"width": 1280, "height": 720}
    with watched(browser, own=ON_DISK, forgiven=REFUSED, viewport=size) as page:
        page.goto(address)
        yield page


def ready(page: Any) -> None:
    page.wait_for_function("window.Reveal?.isReady()", timeout=60_000)


def go_to(page: Any, selector: str, step: int) -> None:
    """Show the slide that holds the first such element, at a step of it."""
    script = """([selector, step]) => {
      const slide = document.querySelector(selector).closest("section");
      const { h, v } = Reveal.getIndices(slide);
      Reveal.slide(h, v, step);
    }"""
    page.evaluate(script, [selector, step])


WALK = Path(__file__).with_name("measure_slides.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("number", NUMBERS)
def test_nothing_is_cut_and_nothing_is_fetched(
    chromium: Any, folder: Path, number: str
) -> None:
    with shown(chromium, (folder / f"{number}.html").as_uri()) as page:
        ready(page)
        count, found = page.evaluate(WALK)
        assert found == []
        assert count >= 10
        texts = page.evaluate("Reveal.getSlides().map((slide) => slide.textContent)")
        assert not [text for text in texts if "Solution" in text]
        source = PATHS[NUMBERS.index(number)].read_text(encoding="utf-8")
        formulas = page.evaluate(
            'document.querySelectorAll("mjx-container svg").length'
        )
        assert formulas > 0 or "\\\\frac" not in source
        notes = page.evaluate(
            "Reveal.getSlides().map((slide) => Reveal.getSlideNotes(slide))"
        )
        assert all("minutes" in note for note in notes)


def test_going_deeper_stands_below_and_time_is_shared_out(
    chromium: Any, folder: Path
) -> None:
    with shown(chromium, (folder / "04.html").as_uri()) as page:
        ready(page)
        below = page.evaluate(
            "Reveal.getSlides().filter((s) => Reveal.getIndices(s).v > 0).length"
        )
        stacks = page.evaluate(
            "Reveal.getHorizontalSlides().filter((s) => s.matches('.stack')).length"
        )
        assert below and stacks == 1
        seconds = page.evaluate(
            "Reveal.getHorizontalSlides().filter((s) => !s.matches('.stack'))"
            ".reduce((sum, s) => sum + Number(s.dataset.timing), 0)"
        )
        minutes = notebooks.notebook_minutes.times(notebooks.read(PATHS[4]))
        planned = minutes.core + minutes.core_exercises
        assert seconds / 60 == pytest.approx(planned, abs=4)


def test_a_prediction_and_its_answer_are_two_steps(chromium: Any, folder: Path) -> None:
    with shown(chromium, (folder / "01.html").as_uri()) as page:
        ready(page)
        output = '.output[data-cell="channels-count"]'
        go_to(page, output, step=-1)
        answer = page.locator(output).first
        assert not answer.is_visible()
        for _ in range(2):
            page.keyboard.press("Space")
        assert answer.is_visible()


def test_a_page_comes_to_life_on_its_slide(chromium: Any, folder: Path) -> None:
    with shown(chromium, (folder / "01.html").as_uri()) as page:
        ready(page)
        go_to(page, "button.live", step=99)
        page.locator("button.live").first.click()
        live = page.frame_locator("dialog iframe")
        live.get_by_label("Stride").first.wait_for()
        page.keyboard.press("Escape")
        page.locator("dialog").wait_for(state="detached")


def test_printed_each_slide_is_one_page(chromium: Any, folder: Path) -> None:
    address = (folder / "04.html").as_uri()
    with shown(chromium, address) as page:
        ready(page)
        count = page.evaluate("Reveal.getSlides().length")
    with shown(chromium, f"{address}?print-pdf") as page:
        page.wait_for_selector(".pdf-page", timeout=60_000)
        page.wait_for_timeout(500)
        heights = page.evaluate(
            "[...document.querySelectorAll('.pdf-page')].map((p) => p.offsetHeight)"
        )
        assert len(heights) == count and max(heights) <= 720
        cut = page.evaluate(
            "[...document.querySelectorAll('.pdf-page .page')].filter((p) => {"
            "const last = p.lastElementChild;"
            "return last.offsetTop + last.offsetHeight > 720; }).length"
        )
        assert cut == 0
        pdf = page.pdf(prefer_css_page_size=True, print_background=True)
        assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == count


def test_the_speakers_view_opens_from_a_stick(chromium: Any, folder: Path) -> None:
    with shown(chromium, (folder / "01.html").as_uri()) as page:
        ready(page)
        with page.expect_popup() as opened:
            page.keyboard.press("s")
        view = opened.value
        notes = view.locator(".speaker-controls-notes .value")
        notes.get_by_text("minutes").first.wait_for(timeout=60_000)
        before = notes.inner_text()
        page.evaluate("Reveal.slide(2)")
        view.wait_for_function(
            "before => document.querySelector('.speaker-controls-notes .value')"
            ".innerText !== before",
            arg=before,
        )
        assert view.locator(".pacing").first.is_visible()


def test_axe_finds_nothing_serious(chromium: Any, folder: Path) -> None:
    for name in ("index.html", "04.html"):
        with shown(chromium, (folder / name).as_uri()) as page:
            if name != "index.html":
                ready(page)
            assert serious(page) == [], name
