"""The command line with networks and folders that people bring."""

import sys

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from alexnet_lab.__main__ import main
from alexnet_lab.arithmetic.accounting import own_input
from alexnet_lab.models import alexnet_2012, lenet5, lenet5_1998
from alexnet_lab.training import History

MINE = """
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self, channels=3, num_classes=5, init_weights: bool = True, rate=0.5):
        super().__init__()
        self.conv = nn.Conv2d(channels, 4, 5)
        self.fc = nn.Linear(4 * 8 * 8, num_classes)
        self.extra = nn.Linear(1, 2) if init_weights else None
        self.rate = rate
        assert isinstance(rate, float)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv(x)), 2)
        return self.fc(x.view(-1, 4 * 8 * 8))


class Fixed(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.body = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten())
        self.head = nn.Linear(48, width)

    def forward(self, x):
        return self.head(self.body(x))


class Broken(nn.Module):
    def __init__(self):
        raise ZeroDivisionError("boom")


built = Net(num_classes=2)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with `mine.py` and with pictures of cats and dogs; we are in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "broken.py").write_text("def net(:")
    for name, colour in (("cat", 60), ("dog", 190)):
        (tmp_path / "pics" / name).mkdir(parents=True)
        for number in range(10):
            noise = np.random.default_rng(number).integers(0, 60, (100, 80, 3))
            picture = Image.fromarray((noise + colour).astype(np.uint8))
            picture.save(tmp_path / "pics" / name / f"{number}.jpg")
    yield tmp_path
    sys.modules.pop("mine", None)


def train(model, *more):
    common = ["--data", "pics", "--epochs", "1", "--out", "o", "--batch-size", "8"]
    return main(["train", model, *common, *more])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["mine.py:Net", "--input", "3,20,20"], "1,589 parameters"),
        (["mine:Net", "--set", "channels=1", "--set", "init_weights=False"],
         "1,389 parameters"),
        (["mine.py:Net"], "Input 3×20×20"),  # the network's own
        (["mine.py:built", "--verify"], "rows exact"),
        (["mine.py:Fixed", "--set", "width=7", "--input", "3,9,9"], "343 parameters"),
        (["torchvision.models:alexnet", "--input", "3,224,224"], "61,100,840 para"),
    ],
)  # fmt: skip
def test_ledger_of_a_class_in_a_file(folder, capsys, arguments, says):
    assert main(["ledger", *arguments]) == 0
    assert says in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["mine.py:Nett"], "no model is called 'mine.py:Nett' (AttributeError"),
        (["broken.py:net"], "SyntaxError"),
        (["mine.py:Net", "--set", "classes=3"],
         "Net takes channels, num_classes, init_weights, rate"),
        (["mine.py:Net", "--set", "init_weights=maybe"], "maybe is no bool"),
        (["mine.py:Net", "--set", "num_classes=two"], "two is no int"),
        (["mine.py:Fixed", "--set", "width=2"], "say which, such as --input 3,224,224"),
        (["mine.py:Fixed", "--input", "3,9,9"], "cannot be built: "),
        (["mine.py:Broken"], "mine.py:Broken cannot be built: ZeroDivisionError: boom"),
        (["os:getcwd"], ", which is no network"),
        (["lenet5", "--set", f"num_classes={10**30}"], "cannot be built: "),
        (["lenet5", "--set", f"num_classes={'[' * 5_000}"], "[[[ is no int"),
        (["mine.py:Net", "--input", "1,20,20"], "expects 3 channels, but gets 1"),
        (["torchvision.models:resnet18", "--input", "3,64,64"],
         "two ways after maxpool"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_clear_line(folder, capsys, arguments, says):
    assert main(["ledger", *arguments]) == 1
    err = capsys.readouterr().err
    assert says in err and "Traceback" not in err and len(err) < 600


def test_the_size_is_the_network_s_own_and_never_silently_28(folder, capsys):
    assert train("mine.py:Net", "--set", "init_weights=False") == 0
    assert History.load("o/history.json").last.images == 16
    weights = torch.load("o/weights.pt", weights_only=True)
    assert weights["fc.weight"].shape == (2, 256) and "extra.weight" not in weights
    assert "channels last off: the network rejects it" in capsys.readouterr().out
    assert train("mine.py:Fixed", "--set", "width=2") == 1
    assert "takes images of many sizes" in capsys.readouterr().err
    assert train("mine.py:Broken") == 1
    assert "ZeroDivisionError: boom" in capsys.readouterr().err
    assert train("mine.py:Fixed", "--set", "width=2", "--input", "3,32,24") == 1
    assert "squares, not 32×24" in capsys.readouterr().err


def test_outputs_are_held_against_the_classes_before_training(folder, capsys):
    assert train("mine.py:Fixed", "--set", "width=1000", "--input", "3,24,24") == 1
    assert "1,000 outputs for 2 classes" in capsys.readouterr().err
    assert train("mine.py:Fixed", "--set", "width=1", "--input", "3,24,24") == 1
    assert "1 outputs do not serve labels from 0 to 1" in capsys.readouterr().err
    assert not (folder / "o").exists()


def test_torchvision_s_functions_get_the_number_of_classes(folder, capsys):
    assert train("torchvision.models:resnet18", "--input", "3,32,32") == 0
    weights = torch.load("o/weights.pt", weights_only=True)
    assert weights["fc.weight"].shape == (2, 512)
    assert train("torchvision.models:resnet18") == 1
    assert "such as --input 3,224,224" in capsys.readouterr().err


def test_train_counts_aloud_what_it_leaves_out(folder, capsys):
    for number in range(4):
        (folder / "pics" / "cat" / f"{number}.txt").write_text("a note")
    (folder / "pics" / "dog" / "IMG.HEIC").write_bytes(b"from a telephone")
    assert train("mine.py:Net") == 0
    out = capsys.readouterr().out
    assert "left out" in out and "4 .txt" in out and "1 .heic (python -m pip" in out


@pytest.mark.parametrize(
    ("net", "shape"),
    [
        (lenet5(), (1, 28, 28)),
        (lenet5_1998(), (1, 32, 32)),
        (nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), (1, 28, 28)),
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1)), None),
        (nn.Sequential(nn.Flatten(), nn.Linear(77, 10)), None),
    ],
)
def test_own_input(net, shape):
    assert own_input(net) == shape


def test_alexnet_s_own_input():
    with torch.device("meta"):
        assert own_input(alexnet_2012()) == (3, 227, 227)
