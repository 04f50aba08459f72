"""Files are written whole or not at all, and a full disk takes nothing that was."""

import errno
import os
import shutil
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
import torch
from test_training import StopAt, same_weights, small_data, small_net, train

from alexnet_lab.runtime import (
    DiskFullError,
    check_writable,
    whole_file,
    write_json,
)
from alexnet_lab.training import History, checkpoints, fit

posix = pytest.mark.skipif(os.name == "nt", reason="of POSIX")


@pytest.fixture
def tiny_disk(tmp_path):
    """A disk of one megabyte, where this user may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    command = [mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if not mount or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("this user may not mount a disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def fill(disk: Path) -> None:
    with (disk / "other").open("wb", buffering=0) as file:
        while True:
            try:
                file.write(bytes(4096))
            except OSError:
                return


# ------------------------------------------------------------------- a full disk
def test_a_checkpoint_too_large_for_the_disk_says_so(tiny_disk):
    path = tiny_disk / "run.pt"
    checkpoints.save({"a": torch.ones(10)}, path)
    with pytest.raises(DiskFullError) as error:
        checkpoints.save({"a": torch.ones(1_000, 1_000)}, path)
    text = str(error.value)
    assert str(path) in text and "No space left on device" in text
    assert "it needs 4.0 MB, and 1.0 MB are left there" in text
    assert "The file that was there is as it was" in text
    assert torch.equal(checkpoints.load(path)["a"], torch.ones(10))
    assert list(tiny_disk.iterdir()) == [path]


def test_training_on_a_full_disk_goes_on_in_memory(tiny_disk):
    path, whole, parts = tiny_disk / "run.pt", small_net(), small_net()
    expected = train(whole)
    train(small_net(), StopAt(small_data(shuffle=True), 1, 3), checkpoint=path)
    saved = path.read_bytes()
    fill(tiny_disk)
    with pytest.warns(UserWarning, match="goes on in memory") as caught:
        history = train(parts, checkpoint=path)
    assert len(caught) == 1  # three epochs could not be saved
    assert str(path) in str(caught[0].message)
    assert same_weights(whole, parts)
    assert history.batch_losses == expected.batch_losses and not history.interrupted
    assert path.read_bytes() == saved
    assert {p.name for p in tiny_disk.iterdir()} == {"run.pt", "other"}
    (tiny_disk / "other").unlink()  # there is room again, and all goes on from there
    train(small_net(), checkpoint=path)
    assert len(checkpoints.load(path)["history"]["epochs"]) == 4


LIMITED = """if True:
    import resource, sys, torch
    from alexnet_lab.training import checkpoints
    path = sys.argv[1]
    checkpoints.save({"a": 1}, path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), -1))
    try:
        checkpoints.save({"a": torch.ones(1_000_000)}, path)
    except OSError as error:
        print(type(error).__name__, error)
    print(checkpoints.load(path))
"""


@posix
@pytest.mark.parametrize("most", [100, 300_000, 3_999_999])
def test_whatever_pytorch_makes_of_the_error_its_cause_is_shown(tmp_path, most):
    """It ends at any byte: in the head, between two tensors, in the last buffer."""
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "run.pt"), str(most)]
    done = subprocess.run(command, capture_output=True, text=True)
    said, kept = done.stdout.splitlines()
    assert said.startswith(
        f"DiskFullError {tmp_path / 'run.pt'} cannot be written (Fil"
    )
    assert "it needs 4.0 MB" in said and kept == "{'a': 1}" and not done.stderr
    assert list(tmp_path.iterdir()) == [tmp_path / "run.pt"]


def test_a_full_disk_without_a_disk(tmp_path, monkeypatch):
    """Where no disk can be mounted: the write itself is refused, behind an error."""

    def refuse(state, file):
        file.write(b"half of it")
        try:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise RuntimeError("unexpected pos 64 vs 0") from error

    net = small_net()
    monkeypatch.setattr(torch, "save", refuse)
    with pytest.warns(UserWarning, match=r"needs 0\.0 MB, and [\d,.]+ MB are left"):
        history = train(net, checkpoint=tmp_path / "deep" / "run.pt")
    assert len(history.epochs) == 4 and list((tmp_path / "deep").iterdir()) == []


def test_an_error_of_another_kind_stays_what_it_is(tmp_path):
    with pytest.raises(ValueError, match="mine"), whole_file(tmp_path / "a"):
        raise ValueError("mine")
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------- links, leftovers, ~
@posix
def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far" / "run.json", tmp_path / "run.json"
    for there in (False, True):  # a link to nothing yet, too
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        write_json(there, link)
        assert link.is_symlink() and target.read_text() == f"{there}\n".lower()
    assert {p.name for p in tmp_path.rglob("*")} == {"far", "run.json"}


def test_what_a_killed_run_left_is_cleared_away(tmp_path):
    old, young, other = (
        tmp_path / name
        for name in ("run.pt.11.tmp", "run.pt.12.tmp", "another.pt.11.tmp")
    )
    for path in (old, young, other):
        path.write_bytes(b"half")
    hour_ago = time.time() - 3_600
    for path in (old, other):
        os.utime(path, (hour_ago, hour_ago))
    checkpoints.save({}, tmp_path / "run.pt")
    assert (
        not old.exists() and young.exists() and other.exists()
    )  # young: being written


def test_the_home_folder_can_be_named(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    history = train(small_net(), checkpoint="~/mine/run.pt", epochs=1)
    history.save("~/mine/history.json")
    assert History.load("~/mine/history.json") == history
    assert "net" in checkpoints.load("~/mine/run.pt")
    again = train(small_net(), checkpoint="~/mine/run.pt", epochs=1)
    assert again.epochs == history.epochs and not (tmp_path / "~").exists()


# --------------------------------------------------------- told before the work
@posix
@pytest.mark.parametrize(
    ("wrong", "says"),
    [("", "irectory"), ("folder", "irectory"), ("file/run.pt", "is a file, not a fo")],
)
def test_where_nothing_can_be_written_is_told_before_training(
    tmp_path, monkeypatch, wrong, says
):
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("file").touch()
    net, before = small_net(), small_net()
    with pytest.raises(OSError, match=says):
        fit(net, small_data(), checkpoint=wrong, quiet=True, device="cpu")
    assert same_weights(net, before)


def test_a_trial_leaves_nothing(tmp_path):
    check_writable(tmp_path / "new" / "run.pt")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match=r"not a folder: .*file'$"):
        check_writable(tmp_path / "file" / "run.pt")


def test_a_finished_run_needs_no_room(tmp_path, monkeypatch):
    path = tmp_path / "run.pt"
    train(small_net(), checkpoint=path)

    def refuse(path):
        raise PermissionError(errno.EACCES, "read-only", str(path))

    monkeypatch.setattr("alexnet_lab.training.loop.check_writable", refuse)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(small_net(), checkpoint=path)
