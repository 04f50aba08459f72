"""Two processes on the CPU take the same steps as one."""

import subprocess
import sys

import pytest
import torch

from alexnet_lab.data import fashion_mnist
from alexnet_lab.training import checkpoints
from alexnet_lab.training.history import History

# 199 images in batches of 64: the last batch of 7 does not divide by two.
COMMAND = ["-m", "alexnet_lab", "train", "lenet5", "--set", "activation=relu"]
COMMAND += ["--data", "fashion_mnist", "--train-images", "199", "--batch-size", "64"]
COMMAND += ["--epochs", "2", "--learning-rate", "0.1"]


def run(folder, processes, *extra):
    start = [sys.executable]
    if processes > 1:
        start += ["-m", "torch.distributed.run", "--standalone"]
        start += [f"--nproc-per-node={processes}"]
    result = subprocess.run(
        [*start, *COMMAND, *extra, "--out", str(folder)],
        capture_output=True,
        text=True,
        timeout=1800,  # it hangs; a busy machine is slow
    )
    assert result.returncode == 0, result.stderr
    return result.stdout, checkpoints.load(folder / "weights.pt")


@pytest.mark.skipif(sys.platform == "win32", reason="torchrun needs libuv on Windows")
def test_two_processes_equal_one(tmp_path):
    _, one = run(tmp_path / "one", 1)
    out, two = run(tmp_path / "two", 2)
    for name, weight in one.items():
        assert torch.allclose(weight, two[name], atol=2e-6), name
    alone, team = (History.load(tmp_path / n / "history.json") for n in ("one", "two"))
    for a, b in zip(alone.epochs, team.epochs, strict=True):
        assert (a.images, b.images) == (199, 199)
        assert a.train_loss == pytest.approx(b.train_loss, abs=1e-5)
        assert a.train_accuracy == b.train_accuracy
        assert a.validation_loss == pytest.approx(b.validation_loss, abs=1e-5)
    assert "2 processes" in out
    assert out.count("epoch  train loss") == 1  # one process prints
    # one process takes over the checkpoint of two, which was finished
    _, resumed = run(tmp_path / "two", 1)
    assert all(torch.equal(two[name], resumed[name]) for name in two)


@pytest.mark.parametrize("shares", [1, 2, 3])
def test_shares_together_are_the_whole(shares):
    data = fashion_mnist(train_images=199, batch_size=64).train
    data.labels = torch.arange(199, device=data.device)
    whole = [labels.tolist() for _, labels in data]
    data.set_epoch(0)
    parts = [
        [labels.tolist() for _, labels in data.share(r, shares)] for r in range(shares)
    ]
    assert {len(part) for part in parts} == {len(whole)}
    for number, batch in enumerate(whole):
        together = sum((part[number] for part in parts), [])
        assert sorted(together) == sorted(batch)
