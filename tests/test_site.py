"""`make site`: it builds without a warning, and what it shows is there.

Every link inside is followed, every picture has words, nothing comes from the network;
answers, proofs and solutions are folded; the zip runs.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import pytest
from browser import ON_DISK, REFUSED, serious, started, watched
from notebook_outputs import ROOT
from solutions import has_tag

import notebooks

PATHS = notebooks.select([])
MOST_MB = 40
LOADS = {"img": "src", "script": "src", "link": "href", "iframe": "src"}


class Site(NamedTuple):
    folder: Path
    said: str


class Page(HTMLParser):
    """What a page links to, loads, and names."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.ids: set[str] = set()
        self.alts: list[str] = []
        self.opened: list[str] = []  # details, and pre within them
        self.folded: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.ids |= {found["id"]} if "id" in found else set()
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if found.get(LOADS.get(tag, "")):
            self.loads.append(found[LOADS[tag]])
        if tag == "img":
            self.alts.append(found.get("alt", "").strip())
        if tag == "details":
            self.opened.append(str("open" in found))

    def handle_data(self, data: str) -> None:
        if self.opened:
            self.folded.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "details":
            self.opened.pop()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    for name in ("sphinx", "myst_nb", "furo", "sphinx_revealjs"):
        pytest.importorskip(name, reason=f"no {name}: pip -r requirements-teach.txt")
    if not (ROOT / ".git").exists():
        pytest.skip("the zip is made by git, and this is no clone")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "tools/course_site.py", "--out", str(folder)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8")
    assert run.returncode == 0, run.stdout + run.stderr
    return Site(folder, run.stdout + run.stderr)


@pytest.fixture(scope="module")
def pages(site: Site) -> dict[Path, Page]:
    files = site.folder.rglob("*.html")
    return {file: Page(file.read_text(encoding="utf-8")) for file in files}


def test_it_builds_without_a_warning_and_is_light(site: Site) -> None:
    assert "warning" not in site.said.lower(), site.said
    files = [file for file in site.folder.rglob("*") if file.is_file()]
    megabytes = sum(file.stat().st_size for file in files) / 1e6
    assert megabytes <= MOST_MB
    assert {f"{path.stem}.html" for path in PATHS} <= {file.name for file in files}


def inner(page: Path, links: list[str]) -> Iterator[tuple[str, Path, str]]:
    for link in links:
        if re.match(r"[a-z][a-z0-9+.-]*:", link):
            continue
        name, _, anchor = link.partition("#")
        file = page.parent / unquote(name.partition("?")[0]) if name else page
        yield link, file, unquote(anchor)


def test_no_link_inside_is_broken(pages: dict[Path, Page]) -> None:
    broken, count = [], 0
    resolved = {file.resolve(): page for file, page in pages.items()}
    for file, page in pages.items():
        for link, there, anchor in inner(file, page.links):
            count += 1
            if not there.exists():
                broken.append(f"{file.name}: {link}")
            elif anchor and not anchor.startswith("/"):
                known = resolved.get(there.resolve())
                if known is not None and anchor not in known.ids:
                    broken.append(f"{file.name}: {link}")
    assert broken == [] and count > 500
    glossary = next(
        page for file, page in pages.items() if file.name == "glossary.html"
    )
    assert glossary.ids >= {"ablation", "kernel"}


def test_nothing_is_loaded_from_the_network(pages: dict[Path, Page]) -> None:
    for file, page in pages.items():
        assert [load for load in page.loads if "//" in load[:9]] == [], file.name
        for load, there, _ in inner(file, page.loads):
            assert there.exists(), f"{file.name}: {load}"


def test_every_picture_has_words(pages: dict[Path, Page]) -> None:
    for file, page in pages.items():
        assert all(page.alts), file.name
        assert all(len(alt.split()) <= 60 for alt in page.alts), file.name
    drawn = [len(page.alts) for file, page in pages.items() if file.stem[:2] == "04"]
    assert sum(drawn) >= 8  # on the page and on the slides


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem[:2])
def test_answers_proofs_and_solutions_are_folded(
    pages: dict[Path, Page], site: Site, path: Path
) -> None:
    page = pages[site.folder / f"{path.stem}.html"]
    cells = notebooks.read(path).cells
    answers = [c for c in cells if has_tag(c, "answer") and c.outputs]
    due = len(answers) + sum(has_tag(cell, "proof") for cell in cells)
    folded = "".join(page.folded)
    assert folded.count("Show the ") == due
    solutions = sum(has_tag(cell, "solution") for cell in cells)
    assert folded.count("Solution") >= solutions
    links = page.links
    assert f"slides/{path.stem[:2]}.html" in links and "course.zip" in links


def test_the_zip_runs_and_says_what_it_lacks(site: Site, tmp_path: Path) -> None:
    with zipfile.ZipFile(site.folder / "course.zip") as archive:
        archive.extractall(tmp_path)
    course = tmp_path / "course"
    said = (course / "READ_ME_FIRST.txt").read_text(encoding="utf-8")
    assert "Fashion-MNIST" in said and not (course / "data" / "CIFAR10").exists()
    assert len(list((course / "notebooks").glob("*.ipynb"))) == len(PATHS)
    run = subprocess.run(
        [sys.executable, "-m", "alexnet_lab", "ledger", "lenet5"],
        cwd=course,
        env={**os.environ, "PYTHONPATH": str(course)},
        capture_output=True,
        encoding="utf-8",
    )
    assert "61,706" in run.stdout, run.stderr


def test_in_a_browser_it_lives_and_axe_finds_nothing_serious(site: Site) -> None:
    with started() as browser:
        for scheme in ("light", "dark"):
            how: dict[str, Any] = {"own": ON_DISK, "forgiven": REFUSED}
            with watched(browser, **how, color_scheme=scheme) as page:
                for name in ("index.html", "04_alexnet_sequential.html"):
                    page.goto((site.folder / name).as_uri())
                    page.wait_for_load_state()
                    assert serious(page) == [], f"{name}, {scheme}"
                page.wait_for_selector("mjx-container svg")
                wide = page.evaluate(
                    "[...document.querySelectorAll('.cell_output img')]"
                    ".filter(i => i.offsetHeight).every(i =>"  # hidden: stills
                    " Math.abs(i.width * i.naturalHeight / i.height"
                    " / i.naturalWidth - 1) < 0.05)"
                )
                assert wide
