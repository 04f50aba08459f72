"""Pages in Chromium, without a network: what they ask for and complain of is a failure.

Tests are skipped, with a word, where Playwright (``pip install playwright``) or
Chromium is missing. A module starts one browser for all its tests::

    @pytest.fixture(scope="module")
    def chromium():
        with started() as browser:
            yield browser

    def test_it_lives(chromium):
        with page_in_chromium(chromium, plots.explore_windows(9, 3).document) as page:
            assert page.locator("svg").count() == 1
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

OWN = ("about:", "data:", "blob:")  # what a page holds itself
ON_DISK = ("file:", "data:")
# axe reads the style sheets once more, which Chromium refuses without a server
REFUSED = "XMLHttpRequest|ERR_FAILED"


@contextmanager
def started() -> Iterator[Any]:
    """Start Debian's or anybody's Chromium; yields Playwright's Browser.

    Playwright holds this thread's event loop until the end, and nbclient needs it too:
    so a browser lives as long as a module's tests, not longer.
    """
    playwright = pytest.importorskip("playwright.sync_api", reason="no Playwright here")
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip("no Chromium here")
    with playwright.sync_playwright() as started_playwright:
        browser = started_playwright.chromium.launch(executable_path=path)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def watched(browser: Any, *, own: tuple[str, ...] = OWN, forgiven: str = "(?!)",
            **options: Any) -> Iterator[Any]:  # fmt: skip
    """An empty tab of its own, without a network; yields Playwright's Page.

    `options` are those of ``browser.new_context``: ``color_scheme="dark"``,
    ``reduced_motion="reduce"``, ``has_touch=True``. At the end it asserts that the
    page asked only for what is its `own`, as addresses begin, and that its console
    shows no error, except lines in which the pattern `forgiven` is found.
    """
    context = browser.new_context(offline=True, **options)
    said: list[str] = []
    errors: list[str] = []
    asked: list[str] = []
    try:
        page = context.new_page()
        page.on("console", lambda m: m.type == "error" and said.append(m.text))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        yield page
        assert [url[:90] for url in asked if not url.startswith(own)] == []
        assert [text for text in said if not re.search(forgiven, text)] == []
        assert errors == []
    finally:
        context.close()


@contextmanager
def page_in_chromium(browser: Any, html: str, width: int = 900, height: int = 700,
                     **options: Any) -> Iterator[Any]:  # fmt: skip
    """Show HTML in a tab that is `watched`; yields Playwright's Page."""
    size = {"width": width, "height": height}
    with watched(browser, viewport=size, **options) as page:
        page.set_content(html)
        yield page


def serious(page: Any, *within: str) -> list[str]:
    """Return what axe-core finds serious or critical in a page, in words.

    `within`: CSS selectors of the parts to look at; without any, the whole page.
    """
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="no axe-playwright-python here"
    )
    parts = {"include": [[selector] for selector in within]} if within else None
    found = axe.Axe().run(page, context=parts).response["violations"]
    return [
        f"{finding['impact']}: {finding['help']}: {node['html'][:120]}"
        for finding in found
        if finding["impact"] in ("serious", "critical")
        for node in finding["nodes"]
    ]
