"""A student who solves an exercise and saves has green tests; an author tests hers."""

import shutil
import subprocess

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from notebook_versions import Versions

pytestmark = pytest.mark.skipif(not shutil.which("git"), reason="needs git")


def save(path, source):
    nbformat.write(new_notebook(cells=[new_code_cell(source, id="answer")]), path)


def git(folder, *arguments):
    who = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Three committed notebooks, of which one is solved, one deleted; and two new."""
    monkeypatch.delenv("MINE", raising=False)
    folder = tmp_path / "course" / "notebooks"
    folder.mkdir(parents=True)
    for name in ("00_kept", "01_solved", "02_deleted"):
        save(folder / f"{name}.ipynb", "answer = ...  # ≥ 2")
    git(folder.parent, "init", "-q")
    git(folder.parent, "add", ".")
    git(folder.parent, "commit", "-qm", "the course")
    save(folder / "01_solved.ipynb", "answer = 784")
    (folder / "02_deleted.ipynb").unlink()
    save(folder / "Untitled.ipynb", "1 + 1")
    save(folder / "03_draft.ipynb", "1 + 2")
    git(folder.parent, "add", "notebooks/03_draft.ipynb")  # not committed yet
    return folder


def names(versions):
    return [path.name for path in versions.paths]


def sources(versions):
    return [versions.read(path).cells[0].source for path in versions.paths]


def test_committed_ones_are_tested_and_the_others_named(folder):
    versions = Versions(folder)
    assert names(versions) == ["00_kept.ipynb", "01_solved.ipynb", "02_deleted.ipynb"]
    assert sources(versions) == ["answer = ...  # ≥ 2"] * 3
    assert versions.notice() == (
        "tested as committed, not as saved: 01_solved.ipynb, 02_deleted.ipynb; "
        "not committed, not tested: 03_draft.ipynb, Untitled.ipynb; "
        "make test MINE=1 tests the files as they are"
    )


def test_staging_changes_nothing(folder):
    git(folder, "add", ".")
    assert sources(Versions(folder)) == ["answer = ...  # ≥ 2"] * 3


def test_clean_clone_says_nothing(folder, tmp_path):
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{folder.parent}", str(clone))
    versions = Versions(clone / "notebooks")
    assert len(versions.paths) == 3 and versions.notice() == ""


@pytest.mark.parametrize("why", ["MINE", "no git", "no repository", "other repository"])
def test_files_as_they_are(folder, monkeypatch, why):
    if why == "MINE":
        monkeypatch.setenv("MINE", "1")
    elif why == "no git":
        monkeypatch.setenv("PATH", "")
    else:
        shutil.rmtree(folder.parent / ".git")
        monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(folder.parents[1]))
    if why == "other repository":  # a zip, unpacked among someone's own work
        git(folder.parents[1], "init", "-q")
        git(folder.parents[1], "commit", "-qm", "mine", "--allow-empty")
        monkeypatch.delenv("GIT_CEILING_DIRECTORIES")
    versions = Versions(folder)
    assert versions.changed == versions.new == [] and versions.notice() == ""
    assert "answer = 784" in sources(versions)
    assert names(versions) == [
        "00_kept.ipynb",
        "01_solved.ipynb",
        "03_draft.ipynb",
        "Untitled.ipynb",
    ]
