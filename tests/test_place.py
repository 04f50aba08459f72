"""The data are found from wherever one stands, and every advice about them works."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from alexnet_lab.data import DataFileError, data_folder, idx, photos, place, unpacked

COURSE = Path(__file__).resolve().parents[1]
LABELS = "t10k-labels-idx1-ubyte"
PACKED = Path("data", "MNIST", "raw", f"{LABELS}.gz")


def git(folder: Path, *arguments: str) -> None:
    settings = ["-c", "user.name=A", "-c", "user.email=a@b", "-c", "commit.gpgsign=no"]
    subprocess.run(
        ["git", *settings, *arguments], cwd=folder, check=True, capture_output=True
    )


@pytest.fixture
def course(tmp_path: Path, monkeypatch) -> Path:
    """A copy with a little of the data, in a folder whose name must be quoted."""
    copy = tmp_path / "my [first] course's"
    (copy / "notebooks").mkdir(parents=True)
    (copy / PACKED.parent).mkdir(parents=True)
    shutil.copy(data_folder() / PACKED.relative_to("data"), copy / PACKED)
    shutil.copytree(data_folder() / "photos", copy / "data" / "photos")
    shutil.copy(COURSE / "pyproject.toml", copy)
    (copy / "alexnet_lab").mkdir()
    shutil.copy(COURSE / "alexnet_lab" / "__init__.py", copy / "alexnet_lab")
    monkeypatch.delenv("ALEXNET_LAB_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    which = idx.FILES.index(LABELS)
    monkeypatch.setattr(idx, "FILES", (LABELS,))  # the others are not copied
    monkeypatch.setattr(
        idx, "SHA256", {"MNIST": idx.SHA256["MNIST"][which : which + 1]}
    )
    return copy


@pytest.fixture
def clone(course: Path) -> Path:
    git(course, "init", "--quiet")
    git(course, "add", ".")
    git(course, "commit", "--quiet", "--message", "The course")
    return course


def labels(course: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALEXNET_LAB_DATA", str(course / "data"))
        return unpacked("MNIST") / "MNIST" / "raw" / LABELS


def follow(advice: str) -> str:
    """Type the command that stands, indented, in an advice; return it."""
    [command] = [line for line in advice.splitlines() if line.startswith("    ")]
    subprocess.run(command, shell=True, check=True, capture_output=True)
    return command


# ----------------------------------------------------------------------- found
def test_beside_the_package_wherever_one_stands(course, monkeypatch):
    monkeypatch.chdir(course)  # another course; the package's own comes first
    assert data_folder() == COURSE / "data"


@pytest.mark.parametrize("inside", [".", "notebooks", "notebooks/answers/week 1"])
def test_an_installed_package_finds_them_from_the_notebook_upward(
    course, inside, monkeypatch, tmp_path
):
    monkeypatch.setattr(place, "BESIDE", tmp_path / "site-packages")
    (course / inside).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(course / inside)
    assert data_folder() == course / "data"
    assert "astronaut" in photos()
    shutil.rmtree(course / "alexnet_lab")  # notebooks and data alone do as well
    assert data_folder() == course / "data"


def test_a_home_folder_that_is_nobody_s_is_named(monkeypatch):
    monkeypatch.setenv("ALEXNET_LAB_DATA", "~no-such-user/data")
    with pytest.raises(DataFileError, match=r"~no-such-user/data/photos.* set ALEXNET"):
        photos()


def test_another_projects_data_are_not_taken_for_the_course_s(tmp_path, monkeypatch):
    monkeypatch.delenv("ALEXNET_LAB_DATA", raising=False)
    monkeypatch.setattr(place, "BESIDE", tmp_path / "site-packages")
    (tmp_path / "mine" / "data" / "MNIST").mkdir(parents=True)
    (tmp_path / "mine" / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path / "mine")
    with pytest.raises(DataFileError, match="set ALEXNET_LAB_DATA to its data folder"):
        data_folder()


def test_a_package_copied_away_reads_the_data_from_a_notebook(course, tmp_path):
    """As after `pip install .`, in a Python of its own."""
    shutil.copytree(
        COURSE / "alexnet_lab",
        tmp_path / "site" / "alexnet_lab",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    code = (
        "import alexnet_lab; from alexnet_lab.data import photos;"
        "print(alexnet_lab.__file__); print(len(photos()))"
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site")}
    file, count = subprocess.check_output(
        [sys.executable, "-c", code],
        cwd=course / "notebooks",
        env=environment,
        text=True,
    ).splitlines()
    assert Path(file).is_relative_to(tmp_path) and count == "8"


# -------------------------------------------------------------------- restored
def test_in_a_clone_a_missing_file_comes_back_by_the_command_shown(clone):
    (clone / PACKED).unlink()
    with pytest.raises(DataFileError, match="No such file") as error:
        labels(clone)
    assert "checkout -- data/MNIST/raw/" in follow(str(error.value))
    assert labels(clone).stat().st_size == 10_008


@pytest.mark.parametrize("unpacked_too", [False, True])
def test_in_a_clone_damage_is_mended_by_the_command_shown(clone, unpacked_too):
    if unpacked_too:
        (clone / PACKED).with_suffix("").write_bytes(b"half")
    (clone / PACKED).write_bytes(b"<html>404</html>")
    with pytest.raises(DataFileError, match="cannot be read") as error:
        labels(clone)
    follow(str(error.value))
    assert labels(clone).stat().st_size == 10_008


def test_only_a_damaged_unpacked_file_is_left(clone):
    (clone / PACKED).unlink()
    (clone / PACKED).with_suffix("").write_bytes(b"half")
    with pytest.raises(DataFileError, match="cannot be read.* It ships") as error:
        labels(clone)
    follow(str(error.value))
    assert labels(clone).stat().st_size == 10_008


def test_in_a_clone_a_photograph_comes_back(clone, monkeypatch):
    monkeypatch.setattr(place, "BESIDE", clone)
    (clone / "data" / "photos" / "cat.jpg").write_bytes(b"half")
    with pytest.raises(DataFileError, match="cat.jpg cannot be read") as error:
        photos()
    follow(str(error.value))
    assert len(photos()) == 8


def test_a_sparse_checkout_is_told_to_add_the_folder(clone, monkeypatch):
    git(clone, "sparse-checkout", "set", "--cone", "alexnet_lab", "notebooks")
    assert not (clone / "data").exists()
    monkeypatch.setattr(place, "BESIDE", clone)
    with pytest.raises(DataFileError) as error:
        unpacked("MNIST")
    assert "sparse-checkout add data/MNIST/raw" in follow(str(error.value))
    assert (unpacked("MNIST") / "MNIST" / "raw" / LABELS).is_file()
    with pytest.raises(DataFileError) as error:
        photos()
    assert "sparse-checkout add data/photos" in follow(str(error.value))
    assert len(photos()) == 8


def test_in_a_zip_the_course_is_fetched_again(course, monkeypatch):
    (course / PACKED).unlink()
    with pytest.raises(DataFileError) as error:
        labels(course)
    assert "set ALEXNET_LAB_DATA to its data folder" in str(error.value)
    assert "git -C" not in str(error.value)
    monkeypatch.setenv("ALEXNET_LAB_DATA", str(COURSE / "data"))
    assert (unpacked("MNIST") / "MNIST" / "raw" / LABELS).is_file()


def test_a_zip_within_somebody_s_own_repository(clone):
    """That repository does not know the course's files, so git cannot help."""
    inner = clone / "unzipped"
    (inner / PACKED.parent).mkdir(parents=True)
    with pytest.raises(DataFileError, match="Get the course again"):
        labels(inner)


def test_without_git_no_command_of_its_is_shown(clone, monkeypatch):
    (clone / PACKED).unlink()
    monkeypatch.setenv("PATH", str(clone))
    with pytest.raises(DataFileError, match="Get the course again"):
        labels(clone)


def test_git_starts_no_program_that_a_folder_names(clone):
    """Who sends a folder with data can send its .git/config along."""
    started = clone / "started"
    git(clone, "config", "core.fsmonitor", f"touch {shlex.quote(str(started))}; false")
    (clone / PACKED).unlink()
    with pytest.raises(DataFileError, match="checkout -- "):
        labels(clone)
    assert not started.exists()
