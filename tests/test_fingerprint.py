"""A checkpoint knows what made it; another run's is refused, or used if one insists."""

import dataclasses
import subprocess
import sys
import warnings
from functools import partial

import pytest
import torch
from test_training import StopAt, same_weights, small_data, small_net, train
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from alexnet_lab.data import RandomFlip, RandomShift, compose, fashion_mnist
from alexnet_lab.training import CheckpointError, checkpoints, fit
from alexnet_lab.training.fingerprint import in_words, of_data


def data(**options):
    return small_data(**{"shuffle": True, **options})


def brighter(images, generator):
    return images + 0.1


def another_brighter():
    def brighter(images, generator):
        return images + 0.2

    return brighter


def mnist_s(**options):
    return fashion_mnist(train_images=64, batch_size=32, device="cpu", **options).train


EIGHT = TensorDataset(torch.randn(8, 1, 28, 28), torch.arange(8))
BY_NAME = data(augment=brighter)
BY_NAME_ANEW = data(augment=another_brighter())
BY_NAME_ANEW.augment.__qualname__ = brighter.__qualname__
PAIRS = {  # what began a run, what goes on with it, and what the message says
    "seed of the data": lambda: (
        data(seed=1), data(seed=2), "data.seed: 1 there, 2 here"),
    "augmentation": lambda: (
        data(augment=RandomFlip()), data(), r"augment: 'RandomFlip\(\)' there, None"),
    "a setting of it": lambda: (
        data(augment=compose(RandomShift(1), RandomFlip())),
        data(augment=compose(RandomShift(2), RandomFlip())),
        r"RandomShift\(pixels 1\).* there, .*RandomShift\(pixels 2\)"),
    "a function of the same name": lambda: (
        BY_NAME, BY_NAME_ANEW, "data.augment: 'brighter"),
    "value range": lambda: (
        mnist_s(value_range=(0, 1)), mnist_s(value_range=(-1, 1)),
        r"data.normalise: '\(-?0, 1\)' there, '\(0.5, 0.5\)' here"),
    "other images": lambda: (mnist_s(), mnist_s(seed=7), "data.labels: 'int64"),
    "a shuffling loader": lambda: (
        DataLoader(EIGHT), DataLoader(EIGHT, shuffle=True),
        "data.sampler: 'SequentialSampler' there, 'RandomSampler' here"),
    "a loader's seed": lambda: (
        DataLoader(EIGHT, generator=torch.Generator().manual_seed(1)),
        DataLoader(EIGHT, generator=torch.Generator().manual_seed(2)),
        "data.seed: 1 there, 2 here"),
}  # fmt: skip


@pytest.mark.parametrize("kind", PAIRS)
def test_data_that_differ_are_another_run(tmp_path, kind):
    began, goes_on, says = PAIRS[kind]()

    def net():
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.LazyLinear(10))

    options = {"checkpoint": tmp_path / "run.pt", "quiet": True, "device": "cpu"}
    first, second = net(), net()
    for one in (first, second):
        one(next(iter(began))[0])  # sets up the lazy layer
    fit(first, began, **options)
    fit(second, began, **options)  # the same again: nothing differs
    with pytest.raises(CheckpointError, match=rf"(?s)belongs to another run.*{says}"):
        fit(second, goes_on, **options)


SETTINGS = {
    "loss": ({"loss": nn.CrossEntropyLoss(label_smoothing=0.1)}, "label_smoothing 0.1"),
    "weights of a loss": (
        {"loss": nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2, 3]))}, "mean 2"
    ),
    "settings of an optimizer": (
        {"optimizer": partial(torch.optim.SGD, lr=0.1, nesterov=True, momentum=0.9)},
        "nesterov True",
    ),
    "decay": ({"weight_decay": 0.01}, "weight_decay: 0.0005 there, 0.01 here"),
}  # fmt: skip


@pytest.mark.parametrize("kind", SETTINGS)
def test_settings_that_differ_are_another_run(tmp_path, kind):
    options, says = SETTINGS[kind]
    path = tmp_path / "run.pt"
    train(small_net(), checkpoint=path, epochs=1)
    with pytest.raises(CheckpointError, match=says):
        train(small_net(), checkpoint=path, epochs=1, **options)
    train(small_net(), checkpoint=tmp_path / "own.pt", epochs=1, **options)
    train(small_net(), checkpoint=tmp_path / "own.pt", epochs=1, **options)


def test_another_release_of_pytorch_is_another_run(tmp_path, monkeypatch):
    path = tmp_path / "run.pt"
    train(small_net(), checkpoint=path, epochs=1)
    here = torch.__version__.partition("+")[0]
    monkeypatch.setattr(torch, "__version__", f"{here}+cu999")  # the same, for a GPU
    train(small_net(), checkpoint=path, epochs=1)
    monkeypatch.setattr(torch, "__version__", "9.9.9")
    with pytest.raises(CheckpointError, match=f"torch: '{here}' there, '9.9.9' here"):
        train(small_net(), checkpoint=path, epochs=1)


def test_nothing_is_drawn_and_nothing_called(tmp_path):
    """Neither the augmentation of 07's impatient cell nor a random number."""
    calls = []

    def noted(images, generator):
        calls.append(len(images))
        return images

    torch.manual_seed(3)
    before = torch.get_rng_state()
    first = of_data(data(augment=noted))
    of_data(DataLoader(TensorDataset(torch.zeros(4, 1, 4, 4)), shuffle=True))
    assert not calls and torch.equal(torch.get_rng_state(), before)
    calls += [1, 2, 3]  # what a function notes is no setting of it
    assert of_data(data(augment=noted)) == first


def test_one_insists(tmp_path):
    """Twice as many epochs, at a lower rate, with other data, from where it was."""
    path, net = tmp_path / "run.pt", small_net()
    train(small_net(), StopAt(data(), 1, 3), checkpoint=path)
    more = {"checkpoint": path, "epochs": 6, "learning_rate": 0.02, "resume": "anyway"}
    with pytest.warns(
        UserWarning, match=r"(?s)another run.*epochs: 4 there, 6 here"
    ) as w:
        history = train(net, data(seed=4), **more)
    assert w[0].filename == train.__code__.co_filename  # who called fit
    assert "data.seed: 0 there, 4 here" in str(w[0].message)
    assert [record.epoch for record in history.epochs] == [1, 2, 3, 4, 5, 6]
    assert [record.images for record in history.epochs] == [200] * 6
    assert len(history.batch_losses) == 6 * 7
    assert history.settings["learning_rate"] == 0.02
    assert history.epochs[1].learning_rate < 0.02 < history.epochs[0].learning_rate
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(small_net(), data(seed=4), **more)  # by now it is this run's


@pytest.mark.parametrize("how", ["another optimizer", "a frozen layer"])
def test_velocities_of_other_weights_start_anew(tmp_path, how):
    path, net = tmp_path / "run.pt", small_net()
    train(small_net(), StopAt(data(), 1, 3), checkpoint=path)
    options = {"optimizer": "adamw", "learning_rate": 0.01}
    if how == "a frozen layer":
        net[1].requires_grad_(False)
        options = {}
    with pytest.warns(UserWarning, match="belongs to another run"):
        history = train(net, data(), checkpoint=path, resume="anyway", **options)
    assert [record.epoch for record in history.epochs] == [1, 2, 3, 4]
    assert history.last.train_loss < history.epochs[0].train_loss


def test_a_network_that_does_not_fit_stays_as_it_was(tmp_path):
    path = tmp_path / "run.pt"
    train(small_net(), checkpoint=path, epochs=1)
    wider = nn.Sequential(
        nn.Flatten(), nn.Linear(16, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 4)
    )
    before = {name: value.clone() for name, value in wider.state_dict().items()}
    says = r"4\.weight is \(3, 32\) there, \(4, 32\) here"
    with (
        pytest.warns(UserWarning),
        pytest.raises(CheckpointError, match=f"not fit this network: {says}"),
    ):
        train(wider, checkpoint=path, epochs=1, resume="anyway")
    assert all(torch.equal(v, before[k]) for k, v in wider.state_dict().items())


def test_an_older_checkpoint_goes_on_with_a_word(tmp_path):
    path, whole, parts = tmp_path / "run.pt", small_net(), small_net()
    train(whole)
    train(small_net(), StopAt(data(), 1, 3), checkpoint=path)
    state = checkpoints.load(path)
    new = {"torch", "loss.settings", "optimizer.groups"}
    old = {k: v for k, v in state["identity"].items() if k not in new and "." not in k}
    checkpoints.save(state | {"identity": old}, path)
    says = "momentum: 0.9 there, 0.5 here"
    with pytest.warns(UserWarning), pytest.raises(CheckpointError, match=says):
        train(parts, checkpoint=path, momentum=0.5)
    with pytest.warns(
        UserWarning, match="older version, which did not keep .*data.seed"
    ):
        train(parts, checkpoint=path)
    assert same_weights(whole, parts)


@dataclasses.dataclass
class Cut:
    size: int


class Cutout:
    def __init__(self, size):
        self.size, self.calls, self._hidden = size, 0, object()


SAME = """if True:
    from functools import partial
    from torchvision.transforms import v2
    from alexnet_lab.training.fingerprint import in_words
    def both(a, b=2):
        return a in {"x", "y", "z"} and (lambda c: c + b)
    class Own: pass
    for thing in (both, lambda x: x + 1, Own(), partial(both, b=3),
                  v2.Compose([v2.RandomCrop(24), v2.RandomHorizontalFlip(0.3)])):
        print(in_words(thing))
"""


def test_words_are_the_same_in_every_process():
    """Addresses, the order of sets and the place in a file are not among them."""
    first, second = (
        subprocess.check_output([sys.executable, "-c", "\n" * n + SAME], text=True)
        for n in (0, 3)
    )
    assert first == second and len(first.splitlines()) == 5
    assert "size=(24, 24)" in first and "p=0.3" in first and " at 0x" not in first


@pytest.mark.parametrize(
    ("thing", "words"),
    [
        (Cut(3), "Cut(size 3)"),
        (Cutout(5), "Cutout [size 5, calls 0]"),
        (torch.tensor([3, 1, 2]), "int64 (3,), mean 2, first [3, 1, 2]"),
        (torch.zeros(2, 3), "float32 (2, 3), mean 0"),
        (list(range(50)), "(0, 1, 2, 3, 4, 5, 6, 7, … 50 in all)"),
        (0.1 + 0.2, "0.3"),
        (torch.zeros(3).numpy(), "float32 (3,), mean 0"),
        (nn.CrossEntropyLoss(), "CrossEntropyLoss() [reduction 'mean', "
                                "ignore_index -100, label_smoothing 0]"),
    ],
)  # fmt: skip
def test_words(thing, words):
    assert in_words(thing) == words
