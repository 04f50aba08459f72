"""``make`` in a copied or moved checkout: the Makefile is real, only pip is a stand-in.

Each environment is a real one of venv. What pip would install are modules that write
down which environment ran them, and from where.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = "alexnet_lab/plots/pages tools/slides"
pytestmark = pytest.mark.skipif(
    os.name == "nt" or not shutil.which("make"), reason="needs make"
)

# Stands for python3: makes environments without pip, in which stand-ins lie.
PYTHON = """#!{python}
import subprocess, sys
from pathlib import Path
if sys.argv[1:3] == ["-m", "venv"]:
    real = [{python!r}, "-m", "venv", "--without-pip", sys.argv[3]]
    status = subprocess.call(real)
    (site,) = Path(sys.argv[3]).glob("lib/python*/site-packages")
    for name in ("pip", "ipykernel", "jupyterlab", "pytest", "ruff", "mypy"):
        (site / (name + ".py")).write_text({module!r})
    sys.exit(status)
sys.exit(subprocess.call([{python!r}, *sys.argv[1:]]))
"""
MODULE = """
import os, sys
from pathlib import Path
if __name__ == "__main__":
    with open(os.environ["LOG"], "a") as log:
        words = [Path(__file__).stem, *sys.argv[1:]]
        settings = os.environ.get("GOMP_SPINCOUNT"), os.environ.get("MALLOC_MMAP_MAX_")
        print(sys.prefix, *settings, " ".join(words), sep="|", file=log)
"""


@pytest.fixture
def course(tmp_path):
    """A folder with a space in its name that holds what make reads."""
    folder = tmp_path / "my courses" / "alexnet"
    (folder / "alexnet_lab").mkdir(parents=True)
    for name in ("Makefile", "requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    shutil.copy(ROOT / "alexnet_lab" / "environment.py", folder / "alexnet_lab")
    python = tmp_path / "python3"
    real = getattr(sys, "_base_executable", sys.executable)
    python.write_text(PYTHON.format(python=real, module=MODULE))
    npx = tmp_path / "npx"
    npx.write_text('#!/bin/sh\necho "$PWD/.venv|||npx $*" >>"$LOG"\n')
    for stand_in in (python, npx):
        stand_in.chmod(0o755)
    return folder


def make(folder, *arguments, expect=0):
    """What make printed, and what its stand-ins wrote: [(environment, …, command)]."""
    log = folder.parents[1] / "log"
    log.write_text("")
    result = subprocess.run(
        ["make", f"PYTHON={folder.parents[1] / 'python3'}", *arguments],
        cwd=folder,
        env={"PATH": f"{log.parent}:{os.environ['PATH']}", "LOG": str(log)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == expect, result.stdout + result.stderr
    lines = [line.split("|") for line in log.read_text().splitlines()]
    return result.stdout + result.stderr, lines


def test_environment_is_built_once_and_used(course):
    said, lines = make(course, "test")
    assert {place for place, *_ in lines} == {str(course / ".venv")}
    pip, kernel, tests = [command for *_, command in lines]
    assert pip == "pip install -r requirements.txt"
    assert kernel.startswith("ipykernel install --sys-prefix --env GOMP_SPINCOUNT 2500")
    assert tests == "pytest -n 2 --dist loadgroup --no-loadscope-reorder tests"
    assert lines[-1][1:3] == ["2500", "0"]  # the settings, before Python starts
    assert "anew" not in said
    _, lines = make(course, "lab", "LAB_ARGS=--no-browser")
    assert [c for *_, c in lines] == ["jupyterlab --no-browser notebooks"]
    _, lines = make(course, "lint")
    *python, asked, pages = [c for *_, c in lines]
    assert python == ["ruff check .", "ruff format --check .", "mypy"]
    assert asked == "npx --yes eslint@9 --version"
    assert pages == f"{asked[:-10]} --config tools/eslint.config.mjs {PAGES}"
    os.utime(course / "requirements.txt", (2**31, 2**31))
    said, lines = make(course, "test")
    assert [c.split()[0] for *_, c in lines] == ["pip", "ipykernel", "pytest"]
    assert "anew" not in said


@pytest.mark.parametrize("how", [shutil.copytree, shutil.move])
@pytest.mark.parametrize("target", ["lab", "test", "lint"])
def test_copied_or_moved_checkout_builds_its_own(course, how, target):
    make(course, "test")
    other = course.with_name("another place")
    how(course, other, **({"symlinks": True} if how is shutil.copytree else {}))
    said, lines = make(other, target)
    assert "not built in this folder: it is built anew" in said
    assert {place for place, *_ in lines} == {str(other / ".venv")}
    assert lines[0][-1].startswith("pip install")
    said, lines = make(other, target)
    assert "anew" not in said and not any("pip" in c for *_, c in lines)


def test_environment_that_was_left_half_built_is_built(course):
    make(course, "test")
    (course / ".venv" / ".ready").unlink()
    _, lines = make(course, "test")
    assert [c.split()[0] for *_, c in lines] == ["pip", "ipykernel", "pytest"]


def test_python_without_pytorch_is_refused_before_pip(course):
    file = course / "alexnet_lab" / "environment.py"
    text = file.read_text(encoding="utf-8").replace("(3, 14)", "(3, 9)")
    file.write_text(text, encoding="utf-8")
    said, lines = make(course, "test", expect=2)
    assert lines == [] and "make ANYWAY=1" in said
    assert not (course / ".venv").exists()
    said, lines = make(course, "test", "ANYWAY=1")
    assert lines[0][-1].startswith("pip install")


def test_slides_and_site_install_what_they_need_once(course):
    shutil.copy(ROOT / "requirements-teach.txt", course)
    (course / "tools").mkdir()
    for name in ("decks", "course_site", "figures"):
        (course / "tools" / f"{name}.py").write_text(MODULE)
    _, lines = make(course, "slides")
    assert [command for *_, command in lines][-2:] == [
        "pip install -r requirements-teach.txt",
        "decks",
    ]
    _, lines = make(course, "site", "SITE_ARGS=--whole")
    assert [command for *_, command in lines] == ["course_site --whole"]
    _, lines = make(course, "figures")
    assert [command for *_, command in lines] == ["figures"]
