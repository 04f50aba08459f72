"""`make figures`: each drawing is whole, has words, and says how it may be used."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import figures
import pytest
from notebook_outputs import ROOT
from test_project import PROJECT


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("figures")
    figures.build(out)
    return out


def test_every_drawing_is_there_twice_with_licence_and_words(folder: Path) -> None:
    drawn = sorted(folder.glob("*.svg"))
    listed = (folder / "README.txt").read_text(encoding="utf-8")
    assert len(drawn) >= 8
    for file in drawn:
        root = ElementTree.fromstring(file.read_text(encoding="utf-8"))
        text = file.read_text(encoding="utf-8")
        words = root.attrib["aria-label"]
        assert root.attrib["role"] == "img" and words in listed
        assert "MIT licence" in text and "CITATION.cff" in text
        assert 4 <= len(words.split()) <= 60
        pdf = file.with_suffix(".pdf").read_bytes()
        assert pdf.startswith(b"%PDF-") and b"MIT licence" in pdf
    assert (folder / "LICENSE").is_file() and (folder / "CITATION.cff").is_file()


def test_the_ledger_as_a_table_keeps_its_columns() -> None:
    lines = ["layer  output", "conv1  96×55×55"]
    figure = figures.as_table("\n".join(lines))
    (text,) = figure.texts
    assert text.get_text().split("\n") == lines and text.get_family() == ["monospace"]


def test_the_citation_names_the_version_that_is_released() -> None:
    cff = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {PROJECT['version']}\n" in cff
    assert re.search(r"(?m)^cff-version: 1\.2\.0$", cff) and "license: MIT" in cff
