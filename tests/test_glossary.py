"""The glossary's anchors and the formula sheet's numbers; it prints on one page."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from alexnet_lab import ledger
from alexnet_lab.models import alexnet_2012, lenet5

ROOT = Path(__file__).parent.parent
GLOSSARY = (ROOT / "GLOSSARY.md").read_text(encoding="utf-8")
SHEET = ROOT / "notebooks" / "formula_sheet.html"
ANCHORS = re.findall(r'<a id="([a-z0-9-]+)">', GLOSSARY)


def test_every_term_has_a_line_a_formula_and_its_own_anchor() -> None:
    rows = [line for line in GLOSSARY.splitlines() if line.startswith("| <a ")]
    assert len(rows) == len(ANCHORS) == len(set(ANCHORS)) >= 50
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split(" | ")]
        assert len(cells) == 3 and all(cells), row


def test_notebooks_link_to_terms_that_are_there() -> None:
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        text = path.read_text(encoding="utf-8")
        assert set(re.findall(r"GLOSSARY\.md#([\w-]+)", text)) <= set(ANCHORS), path


def test_the_sheet_says_what_the_ledger_says() -> None:
    with torch.device("meta"):
        books = ledger(lenet5(), (1, 28, 28)), ledger(alexnet_2012(), (3, 227, 227))
    sheet = SHEET.read_text(encoding="utf-8")
    for book in books:
        for number in (book.total_parameters, book.total_macs):
            assert f"{number:,}" in sheet
        for row in book.rows:
            if row.name.startswith(("conv", "pool")):
                assert "×".join(map(str, row.output_shape)) in sheet, row.name


@pytest.mark.skipif(not shutil.which("chromium"), reason="no Chromium here")
def test_the_sheet_prints_on_one_page(tmp_path: Path) -> None:
    pdf = tmp_path / "sheet.pdf"
    options = "--headless --no-sandbox --disable-gpu --no-pdf-header-footer"
    command = ["chromium", *options.split(), f"--print-to-pdf={pdf}", str(SHEET)]
    subprocess.run(command, check=True, capture_output=True, timeout=1800)
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", pdf.read_bytes())) == 1
