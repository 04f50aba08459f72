"""The commands where things go wrong: records, pipes, interrupts, odd names."""

from __future__ import annotations

import errno
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import alexnet_lab
from alexnet_lab.__main__ import main
from alexnet_lab.studies import main as study
from alexnet_lab.training.checkpoints import load

ROOT = Path(alexnet_lab.__file__).parents[1]
posix = pytest.mark.skipif(os.name == "nt", reason="links, sh and pipes of POSIX")
SMALL = ["train", "lenet5", "--data", "mnist", "--train-images", "64", "--epochs", "1"]


def whole(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# -------------------------------------------------------------------------- records
@pytest.fixture
def record(tmp_path, monkeypatch):
    """One of a course of its own: a failing test must not harm the real ones."""
    folder = tmp_path / "data" / "runs" / "mine"
    folder.mkdir(parents=True)
    (folder / "weights.pt").write_bytes(b"of weeks")
    monkeypatch.setenv("ALEXNET_LAB_DATA", str(tmp_path / "data"))
    return folder


@posix
@pytest.mark.parametrize("checkpoint", [False, True])
def test_a_record_of_the_course_is_left_alone(capsys, tmp_path, record, checkpoint):
    """In a clone, whatever else lies there, and by whatever way one comes to it."""
    if checkpoint:
        (record / "checkpoint.pt").write_bytes(b"of weeks")
    for words in (["init", "-q"], ["add", "data/runs/mine/weights.pt"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    before = whole(record)
    link = tmp_path / "mine"
    link.symlink_to(record)
    for out in (record, link, os.path.relpath(record)):
        assert main([*SMALL, "--out", str(out)]) == 1
        err = capsys.readouterr().err
        assert "is a record of the course" in err and "data/my_runs/NAME" in err
    assert whole(record) == before


def test_a_record_in_an_archive_is_left_alone(capsys, record):
    """Where git knows nothing, the result without a checkpoint tells."""
    before = whole(record)
    assert main([*SMALL, "--out", str(record)]) == 1
    assert "without its checkpoint.pt" in capsys.readouterr().err
    assert whole(record) == before


def test_a_record_that_ships_is_one_without_git_too(capsys, record):
    """Even with a checkpoint that somebody put there."""
    ours = record.parent / "figure1" / "seed 0"
    ours.mkdir(parents=True)
    (ours / "checkpoint.pt").write_bytes(b"of weeks")
    for out in (ours, ours.parent):
        assert main([*SMALL, "--out", str(out)]) == 1
        assert "is a record of the course" in capsys.readouterr().err
    assert whole(ours) == {"checkpoint.pt": b"of weeks"}


@pytest.mark.parametrize("name", ["result.json", "runs.jsonl", "weights.pt"])
def test_a_result_whose_checkpoint_is_gone_is_not_replaced(tmp_path, capsys, name):
    (tmp_path / name).write_text("{}")
    assert main([*SMALL, "--out", str(tmp_path)]) == 1
    err = capsys.readouterr().err
    assert f"holds the result of another run ({name})" in err
    assert "use another folder, or delete it" in err
    assert whole(tmp_path) == {name: b"{}"}
    assert main([*SMALL, "--out", str(tmp_path / "another")]) == 0
    (tmp_path / name).unlink()  # the other advice
    assert main([*SMALL, "--out", str(tmp_path)]) == 0


def test_a_disk_that_stays_full_costs_nothing_that_was_learned(
    tmp_path, monkeypatch, capsys
):
    out, elsewhere, replace = tmp_path / "full", tmp_path / "spare", os.replace
    elsewhere.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(elsewhere))

    def full(old, new):
        if Path(new).parent == out:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(old, new)

    monkeypatch.setattr("os.replace", full)
    with pytest.warns(UserWarning, match="goes on in memory"):
        assert main([*SMALL, "--test", "--out", str(out)]) == 1
    (kept,) = elsewhere.iterdir()
    said = capsys.readouterr().err
    assert f"cannot be written ({os.strerror(errno.ENOSPC)})" in said
    assert f"What was learned is in {kept}" in said
    assert set(whole(kept)) == {"history.json", "weights.pt", "result.json"}
    assert load(kept / "weights.pt") and not list(out.iterdir())


def test_a_seed_that_no_generator_takes(tmp_path, capsys):
    assert main([*SMALL, "--seed", str(2**64), "--out", str(tmp_path)]) == 1
    assert "is no whole number below 2⁶²" in capsys.readouterr().err


def test_a_study_leaves_the_result_of_a_run_alone(tmp_path, capsys):
    (tmp_path / "result.json").write_text("{}")
    assert study("quick", ["--out", str(tmp_path), "--seeds", "1"]) == 1
    assert "holds the result of something else" in capsys.readouterr().err
    assert whole(tmp_path) == {"result.json": b"{}"}


# ------------------------------------------------------------------- names of files
@posix
def test_the_recorded_command_can_be_typed_again(tmp_path, monkeypatch, capsys):
    out = tmp_path / "it's my [first] run; $HOME"
    assert main([*SMALL, "--out", str(out)]) == 0
    command = json.loads((out / "result.json").read_text())["command"]
    words = shlex.split(command)
    assert words[:3] == ["python", "-m", "alexnet_lab"]
    assert words[3:] == [*SMALL, "--out", str(out)]
    assert main(words[3:]) == 0  # a finished run
    monkeypatch.chdir(tmp_path)
    line = command.replace("python", shlex.quote(sys.executable), 1)
    typed = subprocess.run(
        ["sh", "-c", line], capture_output=True, text=True, env=with_package()
    )
    assert typed.returncode == 0, typed.stderr


def with_package() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT)}


@pytest.mark.parametrize("command", [SMALL, ["study", "quick"]])
def test_an_empty_name_is_no_folder(command, capsys):
    with pytest.raises(SystemExit):
        main([*command, "--out", ""])
    assert "is empty; name a folder" in capsys.readouterr().err


def test_where_marks_and_key_go_is_tried_before_the_work(tmp_path, monkeypatch, capsys):
    def work(*arguments, **options):
        raise AssertionError("the work began")

    for name in ("marking.mark_folder", "key.cells"):
        monkeypatch.setattr(f"alexnet_lab.{name}", work)
    assert main(["mark", str(tmp_path), "--out", str(tmp_path)]) == 1
    assert "is a folder, not a file" in capsys.readouterr().err
    (tmp_path / "file").touch()
    below = ["--out", str(tmp_path / "file" / "below")]
    for command in (["mark", str(tmp_path), *below], ["key", *below]):
        assert main(command) == 1
        assert "is a file, not a folder" in capsys.readouterr().err


def test_the_home_folder_can_be_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert main([*SMALL, "--out=~/runs/mine"]) == 0  # which no shell expands
    assert (tmp_path / "runs" / "mine" / "result.json").is_file()
    assert main([*SMALL[:3], "~/pictures", "--out=~/o"]) == 1
    assert f"no folder of classes: {tmp_path / 'pictures'}" in capsys.readouterr().err


def test_a_file_that_ends_python_is_no_model(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("leaves.py").write_text("import sys; sys.exit(0)")
    assert main(["ledger", "leaves.py:Net"]) == 1
    assert (
        "no model is called 'leaves.py:Net' (SystemExit: 0)" in capsys.readouterr().err
    )


# -------------------------------------------------------------- pipes and interrupts
@posix
def test_a_closed_output_is_no_error():
    """As a service starts it; -S and -E, so that it starts in no time."""
    call = f"{shlex.quote(sys.executable)} -S -E -m alexnet_lab doctor >&-"
    done = subprocess.run(["sh", "-c", call], cwd=ROOT, capture_output=True, text=True)
    assert done.stderr == ""


def test_ctrl_c_outside_of_training_is_no_traceback(tmp_path, monkeypatch, capsys):
    def interrupted(**options):
        raise KeyboardInterrupt

    monkeypatch.setattr("alexnet_lab.data.mnist", interrupted)
    assert main([*SMALL, "--out", str(tmp_path / "o")]) == 130
    assert capsys.readouterr().err == "train: interrupted\n"
    assert not (tmp_path / "o").exists()


@posix
def test_a_reader_that_has_read_enough_is_no_error():
    """As in `… ledger alexnet_2012 | head`."""
    command = [sys.executable, "-m", "alexnet_lab", "ledger", "alexnet_2012"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=with_package(),
        text=True,
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
