"""The project's own files: dependencies, the public workflow, git's attributes."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from lower_bounds import PYPROJECT, lower_bounds
from notebook_outputs import ROOT
from torchvision import datasets
from torchvision.models import AlexNet_Weights

# Before Python 3.11 pytest itself needs tomli, so it is there.
tomllib = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
PROJECT = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
GROUPS = PROJECT["optional-dependencies"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github").rglob("*.yml"))


def test_every_dependency_has_a_lower_bound() -> None:
    found = lower_bounds(PYPROJECT.read_text(encoding="utf-8"))
    everything = PROJECT["dependencies"] + sum(GROUPS.values(), [])
    assert [bound.replace("==", ">=") for bound in found] == everything


def test_requirements_are_the_package_with_all_its_groups() -> None:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    requirements = [line for line in lines if not line.startswith("#")]
    assert requirements == [f"-e .[{','.join(GROUPS)}]"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_runs_what_was_reviewed_with_least_rights(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    actions = re.findall(r"uses: *(.*)", text)
    assert actions
    for action in actions:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action
    assert "\npermissions:\n  contents: read\n\n" in text
    assert text.count("actions/checkout@") == text.count("persist-credentials: false")
    # a stranger's pull request must not run with this repository's rights or words
    assert "pull_request_target" not in text and "github.event." not in text
    assert "secrets." not in text
    assert text.count("timeout-minutes:") == text.count("runs-on:")


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_githubs_files_are_yaml_and_ask_for_doctor(path: Path) -> None:
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    if path not in WORKFLOWS:
        asked = {part.get("id"): part for part in found["body"]}
        assert "alexnet_lab doctor" in asked["doctor"]["attributes"]["description"]
        assert asked["doctor"]["validations"]["required"]


def test_no_example_turns_jupyters_token_off() -> None:
    """Nor its password, nor the check of where a request comes from."""
    off = re.compile(r"(token|password)\s*=\s*['\"]{2}|--no-auth|disable_check_xsrf")
    for path in _git("ls-files", "*.md", "*.ipynb", "Makefile", "*.yml", ".ci/*"):
        assert not off.search((ROOT / path).read_text(encoding="utf-8")), path


def test_what_torchvision_downloads_is_compared_with_a_hash() -> None:
    """SECURITY.md says so of what `download=True` fetches."""
    for address, md5 in datasets.Imagenette._ARCHIVES.values():
        assert address.startswith("https://") and re.fullmatch("[0-9a-f]{32}", md5)
    address = AlexNet_Weights.IMAGENET1K_V1.url
    assert re.fullmatch(r"https://.*-[0-9a-f]{8}\.pth", address)


def test_text_has_lf_on_every_system_and_notebooks_have_no_filter() -> None:
    listed = _git("ls-files", "--eol")
    assert len(listed) > 100
    for line in listed:
        committed, here, attributes, path = re.split(r"\s*\t|\s+(?=w/|attr/)", line)
        if attributes != "attr/-text":
            assert "eol=lf" in attributes, path
            assert committed in ("i/lf", "i/none"), f"{path}: {committed}"
            assert here in ("w/lf", "w/none", "w/"), f"{path}: {here}"
    answer = _git("check-attr", "filter", "notebooks/00_start_here.ipynb")
    assert answer[0].endswith("filter: unset"), "see CONTRIBUTING.md on nbstripout"


def _git(*arguments: str) -> list[str]:
    """The lines that git prints about this checkout; skips if it is not git's."""
    try:
        return subprocess.run(
            ["git", *arguments],
            cwd=ROOT,
            check=True,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        ).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"git does not answer: {error}")
