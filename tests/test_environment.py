"""What must be so before PyTorch starts; and that the package changes nothing."""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import alexnet_lab
from alexnet_lab import doctor, environment
from alexnet_lab.__main__ import main
from alexnet_lab.data import data_folder
from alexnet_lab.data.place import RUNS

ROOT = Path(environment.__file__).parents[1]

# ``sys.addaudithook`` hears of each file opened and each C library asked for.
IMPORT = """
import json, os, sys
import torch
before, modules, events = dict(os.environ), set(sys.modules), []
sys.addaudithook(lambda event, args: events.append((event, str(args[:1]))))
import alexnet_lab
for name in alexnet_lab.__all__:
    getattr(alexnet_lab, name)
import alexnet_lab.models
new = {name.split(".")[0] for name in set(sys.modules) - modules}
told = [f"{e} {a}" for e, a in events if e.startswith("ctypes") or (
    e == "open" and not a.rstrip("',)").endswith((".py", ".pyc")))]
print(json.dumps([told, dict(os.environ) != before, sorted(new)]))
"""


def run(code, **variables):
    plain = {k: v for k, v in os.environ.items() if k not in environment.FAST_CPU}
    return subprocess.run(
        [sys.executable, "-c", code],
        env=plain | variables,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )


def test_import_changes_nothing():
    """No variable, no C library, no file, and no package that torch does not load."""
    result = run(IMPORT)
    assert result.returncode == 0, result.stderr
    told, changed, modules = json.loads(result.stdout)
    assert told == []
    assert not changed
    assert set(modules) - sys.stdlib_module_names <= {"alexnet_lab", "numpy", "torch"}
    assert "alexnet_lab" in modules


def test_import_alone_loads_no_torch():
    code = "import sys, alexnet_lab; print('torch' in sys.modules); alexnet_lab.ledgr"
    result = run(code)
    assert result.stdout.strip() == "False"
    assert "module 'alexnet_lab' has no attribute 'ledgr'" in result.stderr


def test_public_names_are_the_functions():
    """Also after the modules with like names were loaded."""
    code = (
        "import alexnet_lab.exercises, alexnet_lab.arithmetic, alexnet_lab.runtime\n"
        "from alexnet_lab import *\n"
        "print([globals()[name].__name__ for name in alexnet_lab.__all__])"
    )
    assert run(code).stdout.split("'")[1::2] == alexnet_lab.__all__


# -------------------------------------------------------------------------- settings
FAULTS = """
import resource, torch

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(10_000_000)  # 40 MB, as the first maps of a batch in AlexNet
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
print(faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc")
def test_memory_is_asked_for_once_with_the_settings():
    """Tensor after tensor comes to lie in the same pages; without them, in new ones."""
    assert int(run(FAULTS, **environment.FAST_CPU).stdout) < 100
    assert int(run(FAULTS).stdout) > 200  # pages of 4 KiB or of 2 MiB


def test_what_is_set_already_wins(monkeypatch, capsys):
    for name in environment.FAST_CPU:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    assert environment.settings() == environment.FAST_CPU | {"GOMP_SPINCOUNT": "7"}
    assert environment.main("run") == 0
    words = capsys.readouterr().out.split()
    assert words == [f"{k}={v}" for k, v in environment.settings().items()]


def test_kernel_specification_holds_them(tmp_path):
    """As make installs it: in the environment's own folder."""
    command = [sys.executable, "-m", "ipykernel", "install", "--prefix", str(tmp_path)]
    subprocess.run([*command, *environment.kernel_options()], check=True)
    (spec,) = tmp_path.rglob("kernel.json")
    assert json.loads(spec.read_text())["env"] == environment.FAST_CPU
    assert spec.parts[-3:-1] == ("kernels", "python3")


# ---------------------------------------------------------------- Pythons and systems
@pytest.mark.parametrize(
    "here, says",
    [
        (((3, 9), "linux", "x86_64", 64), "this is 3.9"),
        (((3, 15), "linux", "x86_64", 64), "make ANYWAY=1"),
        (((3, 12), "darwin", "x86_64", 64), "Apple silicon"),
        (((3, 12), "win32", "ARM64", 64), "Windows on ARM"),
        (((3, 12), "win32", "x86", 32), "32-bit"),
    ],
)
def test_where_no_pytorch_comes_it_is_said_why(here, says):
    assert says in environment.unsupported(*here)


@pytest.mark.parametrize("minor", range(10, 15))
@pytest.mark.parametrize(
    "system, machine",
    [
        ("linux", "x86_64"),
        ("linux", "aarch64"),
        ("darwin", "arm64"),
        ("win32", "AMD64"),
    ],
)
def test_where_pytorch_comes_nothing_is_said(minor, system, machine):
    assert environment.unsupported((3, minor), system, machine, 64) == ""


def test_oldest_python_is_the_package_s():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    oldest = re.search(r'requires-python = ">=3\.(\d+)', text)
    assert (3, int(oldest[1])) == environment.OLDEST


def test_readme_and_makefile_say_which_pythons():
    known = "{}.{} to {}.{}".format(*environment.OLDEST, *environment.NEWEST)
    for name in ("README.md", "Makefile"):
        assert f"Python {known}" in (ROOT / name).read_text(encoding="utf-8"), name


# ---------------------------------------------------------------------------- doctor
def test_doctor_finds_everything_in_order(capsys, monkeypatch):
    monkeypatch.setattr(doctor, "_speeds", lambda where: iter(()))  # seconds of work
    assert main(["doctor"]) == 0
    assert "All is well" in capsys.readouterr().out


def test_doctor_names_damaged_data(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "_speeds", lambda where: iter(()))
    monkeypatch.setenv("ALEXNET_LAB_DATA", str(tmp_path))
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "BAD" in out and "Get the course again" in out


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """With photographs and records."""
    course = tmp_path_factory.mktemp("course") / "my course"
    for name in ("photos", "runs"):
        shutil.copytree(data_folder() / name, course / "data" / name)
    settings = ["-c", "user.name=A", "-c", "user.email=a@b", "-c", "commit.gpgsign=no"]
    for words in (["init"], ["add", "data"], ["commit", "-m", "The course"]):
        command = ["git", *settings, *words]
        subprocess.run(command, cwd=course, check=True, capture_output=True)
    return course


@pytest.fixture
def clone(repository, tmp_path, monkeypatch):
    """The repository, where the data sets are not looked at."""
    monkeypatch.setattr(doctor, "_speeds", lambda where: iter(()))
    monkeypatch.setattr("alexnet_lab.data.unpacked", lambda name: None)
    monkeypatch.setattr("alexnet_lab.data.cifar.pictures", lambda: None)
    monkeypatch.setenv("ALEXNET_LAB_DATA", str(repository / "data"))
    monkeypatch.chdir(tmp_path)
    return repository


@pytest.mark.parametrize(
    "name",
    ["photos/cat.jpg", "runs/seven_classes/runs.jsonl", "runs/seven_classes/alexnet.pt",
     "runs/ablations_long/result.json", "runs/lenet5_1998_mnist/history.json"],
)  # fmt: skip
@pytest.mark.parametrize("harm", ["missing", "half"])
def test_doctor_finds_what_is_missing_and_its_command_brings_it_back(
    clone, capsys, name, harm
):
    path = clone / "data" / name
    original = path.read_bytes()
    path.write_bytes(original[: len(original) // 2])
    if harm == "missing":
        path.unlink()
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert f"{path} cannot be read" in out and "All is well" not in out
    [command] = [line for line in out.splitlines() if line.startswith("    git -C ")]
    subprocess.run(command, shell=True, check=True, capture_output=True)
    assert path.read_bytes() == original
    assert main(["doctor"]) == 0
    assert "photographs, recorded runs" in capsys.readouterr().out


def test_doctor_knows_every_record_that_ships():
    listed = subprocess.run(
        ["git", "ls-files", "data/runs"], cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip("no repository")
    files = {f"{n}/{f}" for n, s in RUNS.items() for f in ["result.json", *s.split()]}
    assert files == {name.removeprefix("data/runs/") for name in listed.stdout.split()}


def test_doctor_names_what_is_missing_without_it():
    """In a Python with nothing installed; -S and -E leave out all but the standard."""
    command = [sys.executable, "-S", "-E", "-m", "alexnet_lab"]
    result = subprocess.run(
        [*command, "doctor"], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 1 and result.stderr == ""
    for name in ("torch", "jupyterlab", sys.executable, "to install"):
        assert name in result.stdout
    result = subprocess.run(
        [*command, "ledger", "lenet5"], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 1 and "doctor` says what is missing" in result.stderr
    assert "Traceback" not in result.stderr


def test_doctor_knows_a_torch_that_does_not_load(tmp_path):
    (tmp_path / "torch.py").write_text("raise OSError('libcudart.so: not there')")
    code = "import sys; from alexnet_lab import doctor; sys.exit(doctor.main())"
    result = run(code, PYTHONPATH=os.pathsep.join([str(tmp_path), str(ROOT)]))
    assert result.returncode == 1, result.stderr
    assert "does not load: libcudart.so: not there" in result.stdout


def test_doctor_asks_for_what_is_required():
    files = [ROOT / "pyproject.toml", ROOT / "requirements.txt"]
    text = "".join(file.read_text(encoding="utf-8") for file in files)
    required = set(re.findall(r"([\w-]+)>=\d", text)) - {"setuptools"}
    assert {name.removeprefix("pytest-") for name in required} == set(doctor.NEEDED)


@pytest.mark.parametrize("there", [True, False])
def test_doctor_shows_the_way_into_the_environment(tmp_path, monkeypatch, there):
    python = tmp_path / ".venv" / "bin" / "python"
    monkeypatch.setattr(doctor, "COURSE", tmp_path)
    monkeypatch.setattr(doctor, "PYTHON", python)
    (tmp_path / "requirements.txt").touch()
    if there:
        python.parent.mkdir(parents=True)
        python.touch()
    said = "\n".join(text for _, text in [*doctor._python(), *doctor._packages(["x"])])
    assert ("is its Python" in said and f'"{python}" -m pip' in said) is there
    assert (f"`make lab` in {tmp_path}" in said) is not there


@pytest.mark.skipif(sys.platform != "linux", reason="they are settings for Linux")
def test_doctor_says_which_settings_are_in_force(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    for name, value in environment.FAST_CPU.items():
        monkeypatch.setenv(name, value)
    (here, _), (kernel, how) = doctor._settings()
    assert (here, kernel) == (doctor.OK, doctor.NOTE)
    command = [sys.executable, *how.partition('"')[2].partition('" ')[2].split()]
    assert "--sys-prefix" in command
    command[command.index("--sys-prefix")] = f"--prefix={tmp_path}"
    subprocess.run(command, check=True)
    monkeypatch.delenv("GOMP_SPINCOUNT")
    (here, how), (kernel, _) = doctor._settings()
    assert (here, kernel) == (doctor.NOTE, doctor.OK)
    assert "env GOMP_SPINCOUNT=2500" in how


def test_doctor_says_that_full_has_not_run_on_a_gpu():
    assert [state for state, _ in doctor._budget("quick")] == [doctor.OK]
    ((state, sentence),) = doctor._budget("full")
    assert state == doctor.NOTE and "not run so on a GPU yet" in sentence


@pytest.mark.parametrize("name", ["memory.max", "memory/memory.limit_in_bytes"])
def test_doctor_warns_of_little_memory(name, tmp_path):
    assert list(doctor._room(None)) == list(doctor._room(2.0)) == []
    limit = tmp_path / name
    limit.parent.mkdir(exist_ok=True)
    limit.write_text("max\n")
    machine = doctor.memory_limit(tmp_path)
    assert machine is None or machine > 0.5
    limit.write_text(f"{3 * 2**29}\n")
    ((state, sentence),) = doctor._room(doctor.memory_limit(tmp_path))
    assert state == doctor.NOTE and "only 1.5 GiB" in sentence and "07" in sentence
