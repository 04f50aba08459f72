"""Every notebook: its form, its solutions, and that its outputs are current.

Each notebook is executed once, in a copy, with its solutions proven on the way: the
committed one, or with MINE=1 what is in the file.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from notebook_form import form_problems
from notebook_versions import VERSIONS

import notebooks

each_notebook = pytest.mark.parametrize(
    "path", VERSIONS.paths, ids=lambda path: path.stem
)


def test_there_are_notebooks() -> None:
    assert VERSIONS.paths, f"no notebook in {notebooks.FOLDER}"


@each_notebook
def test_form(path: Path) -> None:
    problems = form_problems(VERSIONS.read(path), path)
    assert not problems, "\n" + "\n".join(problems)


@each_notebook
def test_notebook(path: Path, tmp_path: Path) -> None:
    try:
        differences = notebooks.prove(path, tmp_path, VERSIONS.read(path))
    except notebooks.NotebookFailure as failure:
        pytest.fail(str(failure), pytrace=False)
    if differences:
        advice = "If the change is meant: make notebooks, and commit the outputs."
        pytest.fail("\n".join([*differences, advice]), pytrace=False)
