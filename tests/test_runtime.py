"""Device, budget, imports and the shell commands."""

import os
import platform
import subprocess
import sys

import pytest
import torch

import alexnet_lab
from alexnet_lab.__main__ import main
from alexnet_lab.training import History


def test_device_can_be_overridden(monkeypatch):
    monkeypatch.setenv("ALEXNET_LAB_DEVICE", "cpu")
    assert alexnet_lab.device() == torch.device("cpu")


@pytest.mark.parametrize(
    "wrong",
    [
        "gpu",
        "cuda:99",
        "cpu:3",
        "cuda:-1",
        "cuda:999999999999",
        "meta",
        "\x1b[2J",
        "cpu;",
    ],
)
def test_wrong_device_is_explained(monkeypatch, wrong):
    monkeypatch.setenv("ALEXNET_LAB_DEVICE", wrong)
    with pytest.raises(ValueError, match="ALEXNET_LAB_DEVICE") as error:
        alexnet_lab.device()
    assert str(error.value).isprintable()


def test_budget(monkeypatch):
    monkeypatch.delenv("ALEXNET_LAB_BUDGET", raising=False)
    monkeypatch.setenv("ALEXNET_LAB_DEVICE", "cpu")
    assert alexnet_lab.budget() == "quick"
    monkeypatch.setenv("ALEXNET_LAB_BUDGET", "full")
    assert alexnet_lab.budget() == "full"
    monkeypatch.setenv("ALEXNET_LAB_BUDGET", "huge")
    with pytest.raises(ValueError, match="use quick or full"):
        alexnet_lab.budget()


def test_versions_names_the_libraries():
    line = alexnet_lab.versions()
    assert torch.__version__ in line and "torchvision" in line


def test_ledger_command(capsys):
    assert main(["ledger", "lenet5", "--verify"]) == 0
    out = capsys.readouterr().out
    assert "61,706" in out and "exact" in out


def test_ledger_command_with_options(capsys):
    assert (
        main(["ledger", "lenet5", "--set", "in_channels=3", "--input", "3,28,28"]) == 0
    )
    assert "62,006" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["ledger", "lenet6"], "no model is called 'lenet6'"),
        (
            ["ledger", "nowhere:net", "--input", "1,2,3"],
            "no model is called 'nowhere:net'",
        ),
        (["ledger", "lenet5", "--input", "3,28,28"], "conv1"),
        (["ledger", "lenet5", "--set", "pooling"], "write NAME=VALUE"),
        (["ledger", "lenet5", "--set", "pooling=mean"], "use one of average, max"),
    ],
)
def test_mistakes_are_explained_without_a_traceback(capsys, arguments, says):
    assert main(arguments) == 1
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("name", ["short", "figure1"])
def test_study_command_hands_its_words_on(capsys, name):
    with pytest.raises(SystemExit) as end:
        main(["study", name, "--seeds", "2", "--help"])
    assert end.value.code == 0
    assert "--out" in capsys.readouterr().out


def test_help_shows_the_defaults(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    out = " ".join(capsys.readouterr().out.split())
    for shown in ("training images (default: 10)", "augmentation (default: 0)"):
        assert shown in out
    assert "None" not in out and "[]" not in out


def test_train_command_resumes_to_a_finished_run(tmp_path, capsys):
    arguments = ["train", "lenet5", "--set", "activation=relu", "--data", "mnist"]
    arguments += ["--train-images", "256", "--epochs", "1", "--out", str(tmp_path)]
    assert main(arguments) == 0
    assert {p.name for p in tmp_path.iterdir()} == {
        "checkpoint.pt",
        "history.json",
        "result.json",
        "weights.pt",
    }
    first = (tmp_path / "history.json").read_text()
    assert main([*arguments, "--test"]) == 0
    assert (tmp_path / "history.json").read_text() == first
    assert "of 10,000 correct" in capsys.readouterr().out
    assert main([*arguments, "--augment", "flip"]) == 1  # another run, the same shapes
    err = capsys.readouterr().err
    assert "belongs to another run" in err and "augment: [] there, ['flip'] here" in err
    assert (tmp_path / "history.json").read_text() == first
    more = ["--epochs", "2", "--resume", "anyway"]
    with pytest.warns(UserWarning, match="epochs: 1 there, 2 here"):
        assert main([*arguments, *more]) == 0
    assert len(History.load(tmp_path / "history.json").epochs) == 2


def test_train_command_knows_the_classes(tmp_path, capsys):
    arguments = ["train", "lenet5", "--data", "mnist", "--train-images", "64"]
    assert (
        main([*arguments, "--set", "num_classes=5", "--out", str(tmp_path / "x")]) == 1
    )
    assert "the images have 10 classes" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    "choice, row",
    [("image_size=224", "224 + 0 + 3 = 227"), ("in_channels=1", "(11·11·1 + 1)·96")],
)
def test_ledger_command_takes_the_size_that_was_set(capsys, choice, row):
    assert main(["ledger", "alexnet_2012", "--set", choice, "--verify"]) == 0
    assert row in capsys.readouterr().out


def test_train_command_with_colour_noise(tmp_path, monkeypatch):
    """The paper's noise comes from the photographs' own colours, and changes them."""
    from PIL import Image

    for number in range(12):
        folder = tmp_path / "pictures" / ("warm" if number % 2 else "cold")
        folder.mkdir(parents=True, exist_ok=True)
        red = 200 if number % 2 else 40
        Image.new("RGB", (80, 72), (red, 90, 240 - red)).save(folder / f"{number}.png")
    seen = []
    monkeypatch.setattr(
        "alexnet_lab.training.fit",
        lambda net, train, *rest, **options: seen.append(train) or _no_history(),
    )
    arguments = ["train", "lenet5", "--set", "in_channels=3", "--augment", "flip"]
    arguments += ["colour", "--data", str(tmp_path / "pictures")]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 0
    plain = torch.full((64, 3, 28, 28), 0.5)
    changed = seen[0].augment(plain, torch.Generator().manual_seed(0)) - plain
    spread = torch.linalg.svdvals(changed[:, :, 0, 0])
    assert spread[0] > 10 * spread[2]  # one axis: warm to cold


def _no_history():
    from alexnet_lab.training.history import EpochRecord, History

    return History(epochs=[EpochRecord(1, 1, 1.0, 0.5, 1.0, 0.5, 0.1, 1.0)])


def test_colour_noise_on_grey_images_is_refused(tmp_path, capsys):
    arguments = ["train", "lenet5", "--data", "mnist", "--augment", "colour"]
    assert main([*arguments, "--out", str(tmp_path)]) == 1
    assert "these are grey" in capsys.readouterr().err


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc")
def test_memory_is_given_back():
    """A process that keeps what it frees lets go of it when asked."""
    code = """if True:
        import psutil, torch
        from alexnet_lab.runtime import give_memory_back
        held = lambda: psutil.Process().memory_info().rss / 2**20
        net = torch.nn.Linear(10_000, 10_000)  # 381 MiB
        net.itself = [net]  # only the garbage collector frees it
        del net
        before = held()
        give_memory_back()
        print(before - held())
    """
    kept = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "2147483647"}
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | kept,
        capture_output=True,
        text=True,
        check=True,
    )
    assert 350 < float(result.stdout) < 450
