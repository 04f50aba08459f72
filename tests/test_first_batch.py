"""Other people's networks and data in fit: told in words, and nothing left changed."""

import re
import warnings
from collections import OrderedDict

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from alexnet_lab.data import Batches, Splits
from alexnet_lab.models import lenet5
from alexnet_lab.training import checkpoints, evaluate, fit, predictions
from alexnet_lab.training.first_batch import verdict

SHAPE = (1, 12, 12)


def net(outputs=10, *more):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 5), nn.ReLU(), nn.Flatten(), nn.Linear(256, outputs), *more
    )


def images(count=16, shape=SHAPE):
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(0))


def labels(count=16, classes=10):
    return torch.arange(count) % classes


def train(network, batches, **options):
    options = {"quiet": True, "device": "cpu", "learning_rate": 0.01, **options}
    return fit(network, batches, **options)


class Returns(nn.Module):
    """A network that returns something of its logits."""

    def __init__(self, what, outputs=10):
        super().__init__()
        self.body, self.what = net(outputs), what

    def forward(self, x):
        return self.what(self.body(x))


class Views(nn.Module):
    """Flattens by view, as many do, which images stored pixel by pixel do not allow."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        )  # fmt: skip
        self.head = nn.Linear(400, 10)

    def forward(self, x):
        x = self.features(x)
        return self.head(x.view(x.size(0), -1))


class Several(list):
    """Batches that name their classes."""

    classes = ("cat", "dog")


GOOD = (images(), labels())
REFUSED = {
    "no batch dimension": (
        net(), (images()[0], torch.tensor(3)), r"1×12×12 .*images\[None\]"),
    "one image": (net(), (images()[0], labels(1)), r"images\[:, None\]"),
    "no channels": (net(), (images()[:, 0], labels()), r"images\[:, None\]"),
    "uint8": (
        net(), (images().byte(), labels()), r"uint8, .*images\.float\(\) / 255"),
    "float64": (net(), (images().double(), labels()), r"float64, .*images\.float\(\)$"),
    "labels from 1": (net(), (images(), labels() + 1), r"from 1 to 10; .*labels - 1"),
    "one-hot": (net(), (images(), F.one_hot(labels(), 10)), r"argmax\(dim=1\)"),
    "one-hot, float": (net(), (images(), F.one_hot(labels(), 10).float()), "argmax"),
    "int32": (net(), (images(), labels().int()), r"int32, not torch.int64.*\.long\(\)"),
    "float labels": (net(), (images(), labels().float()), r"float32, .*\.long\(\)"),
    "a column": (net(), (images(), labels()[:, None]), r"\(16, 1\) .*flatten"),
    "as many labels": (net(), (images(), labels(15)), "16 images, but 15 labels"),
    "negative labels": (net(), (images(), labels() - 1), "labels from -1 to 8"),
    "five outputs": (net(5), GOOD, r"5 outputs .* 0 to 9.*nn\.Linear\(…, 10\)"),
    "one output": (net(1), (images(), labels(classes=1)), r"nn\.Linear\(…, 2\)"),
    "two outputs of one network": (
        Returns(lambda x: (x, x)), GOOD, r"returns a tuple, .*`return logits`"),
    "None": (Returns(lambda x: None), GOOD, "returns a NoneType, not a tensor"),
    "a dictionary of outputs": (Returns(lambda x: {"out": x}), GOOD, "returns a dict"),
    "maps for logits": (
        Returns(lambda x: x[..., None, None]), GOOD, r"\(2, 10, 1, 1\), .*flatten"),
    "a dictionary": (
        net(), {"image": images(), "label": labels()},
        r'dictionary of image, label.*\[\(b\["image"\], b\["label"\]\) for b in'),
    "a tensor": (net(), images(), r"a batch is \(Tensor\), not two tensors"),
    "not finite": (
        net(), (images() / (images() > 0), labels()), r"not finite.*to_num\(0, 0, 0\)"),
    "labels as a list": (net(), (images(), [1] * 16), r"\(Tensor, list\), not two"),
    "another size": (
        lenet5(), GOOD, r"\(1, 12, 12\) do not go through: .*expects 400 features"),
    "a wrong number of channels": (
        net(), (images(16, (3, 12, 12)), labels()), "expects 1 channels, but gets 3"),
}  # fmt: skip


def state_of(network):
    held = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    layout = {name: (t.device, t.stride()) for name, t in held.items()}
    values = {name: t.detach().clone() for name, t in held.items()}
    return layout, values, [m.training for m in network.modules()]


def assert_unchanged(network, before):
    layout, values, modes = state_of(network)
    assert layout == before[0] and modes == before[2]
    assert all(torch.equal(values[name], before[1][name]) for name in values)


@pytest.mark.parametrize("kind", REFUSED)
def test_the_first_batch_is_told_in_words_and_nothing_is_changed(kind):
    network, batch, says = REFUSED[kind]
    network.eval()
    before = state_of(network)
    with pytest.raises(ValueError, match=f"(?s){says}"):
        train(network, [batch, batch])
    assert_unchanged(network, before)


@pytest.mark.parametrize(
    "kind",
    ["no channels", "uint8", "float64", "labels from 1", "one-hot", "one-hot, float",
     "int32", "float labels", "a column", "not finite"],
)  # fmt: skip
def test_the_line_that_mends_it_does(kind):
    network, (given, classes), _ = REFUSED[kind]
    with pytest.raises(ValueError) as error:
        train(network, [(given, classes)])
    line = str(error.value).rpartition("Write ")[2].partition(", or ")[0]
    mended = eval(line, {"images": given, "labels": classes})
    pair = (mended, classes) if line.startswith("images") else (given, mended)
    assert len(train(network, [pair]).epochs) == 1


def test_the_lines_that_make_something_do():
    names = {"torch": torch, "nn": nn, "images": images(), "labels": labels()}
    names["dataset"] = TensorDataset(*GOOD)
    for wrong in (TensorDataset(*GOOD), GOOD):
        with pytest.raises(ValueError) as error:
            train(net(), wrong)
        loader = eval(str(error.value).rpartition("Write ")[2], names)
        assert len(train(net(), loader).epochs) == 1
    with pytest.raises(ValueError) as error:
        train(net(), [GOOD], loss=F.cross_entropy)
    loss = eval(str(error.value).rpartition("loss=")[2], names)
    assert len(train(net(), [GOOD], loss=loss).epochs) == 1


@pytest.mark.parametrize(
    ("network", "batches", "says"),
    [
        (net, [GOOD], "no network that was built.*net = net"),
        (Views, [GOOD], r"Views is no network that was built. Write net = Views\(\)"),
        (net(), TensorDataset(*GOOD), r"single images; .*DataLoader\(dataset, batch"),
        (net(), iter([GOOD]), "needs a length"),
        (net(), GOOD, r"training set is no batches .*TensorDataset\(images, labels\)"),
        (net(), images(), "training set is no batches of images with labels, but"),
    ],
)  # fmt: skip
def test_arguments_that_are_something_else(network, batches, says):
    with pytest.raises(ValueError, match=says):
        train(network, batches)


NONE = nn.CrossEntropyLoss(reduction="none")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"loss": nn.CrossEntropyLoss}, r"Write loss=CrossEntropyLoss\(\)"),
        ({"loss": F.cross_entropy}, r"cross_entropy .*loss=nn\.CrossEntropyLoss\(\)"),
        ({"validation": GOOD}, "the validation set is no batches of images with la"),
        ({"validation": TensorDataset(*GOOD)}, "a Dataset gives single images"),
        ({"loss": NONE}, r"a batch is \[16\], not one number\. Write reduction=\"m"),
        ({"seed": 2**64}, "seed=18446744073709551616 is no whole number below"),
        ({"schedule": print}, r"schedule\(0\.0\)=None; use a function that returns"),
        ({"seed": 0.5}, "seed=0.5 is no whole number"),
        ({"resume": True}, "resume=True; use exact or anyway"),
        ({"optimizer": lambda groups: 3}, "returns 3; use sgd, adamw, or a function"),
    ],
)  # fmt: skip
def test_options_that_are_something_else_are_told_before_training(options, says):
    network = net()
    before = state_of(network)
    with pytest.raises(ValueError, match=says):
        train(network, [GOOD], **options)
    assert_unchanged(network, before)


def with_norm():
    layers = OrderedDict(a=nn.Flatten(), b=nn.Linear(144, 10), c=nn.BatchNorm1d(10))
    return nn.Sequential(layers)


@pytest.mark.parametrize(
    "batches",
    [
        [GOOD, (images(1), labels(1))],
        DataLoader(TensorDataset(images(17), labels(17)), batch_size=16),
        Batches(
            (images(17) * 50 + 99).byte(), labels(17), (), batch_size=16, device="cpu"),
    ],
    ids=["list", "DataLoader", "ours"],
)  # fmt: skip
def test_a_last_batch_of_one_is_told_before_batch_norm_stops_the_epoch(batches):
    network = with_norm()
    before = state_of(network)
    with pytest.raises(ValueError, match="one image, too few .*drop_last=True"):
        train(network, batches)
    assert_unchanged(network, before)
    train(net(), batches)  # without batch norm one image is enough


@pytest.mark.parametrize(
    ("network", "batches", "says"),
    [
        (net(), [(images().abs() * 80, labels())], r"values go up to \d+.*images / 25"),
        (net(), [(images() / 900 - 2.1, labels())], "nearly of one colour"),
        (net(1000), Several([(images(), labels(classes=2))]), "1,000 outputs for 2 cl"),
    ],
)  # fmt: skip
def test_what_is_only_suspicious_is_a_warning(network, batches, says):
    with pytest.warns(UserWarning, match=says):
        train(network, batches)


def test_what_is_right_is_not_worth_a_word():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(net(), [GOOD])
        train(with_norm(), DataLoader(TensorDataset(*GOOD), batch_size=16))
        train(net(), [(images().abs() * 200 - 120, labels())])  # Krizhevsky's pixels


def test_a_network_that_views_trains_and_still_runs_afterwards(capsys):
    network, batch = Views(), (images(16, (1, 28, 28)), labels())
    history = train(network, [batch] * 3, epochs=2, quiet=False)
    assert "channels last off: the network rejects it" in capsys.readouterr().out
    assert history.last.images == 48
    assert network(batch[0]).shape == (16, 10)
    plain = Views()
    plain.load_state_dict(network.state_dict())
    assert torch.equal(network(batch[0]), plain(batch[0]))


def test_features_in_rows_train_too():
    network = nn.Sequential(nn.Linear(144, 10))
    assert train(network, [(images().flatten(1), labels())]).last.images == 16


class Breaks(list):
    """Batches of which the second epoch's cannot be read."""

    passes = 0

    def __iter__(self):
        self.passes += 1
        if self.passes > 1:
            raise OSError("the disk is gone")
        return super().__iter__()


def test_an_error_in_the_middle_puts_layout_and_modes_back():
    network = net().eval()
    network[0].train()
    layout, values, modes = state_of(network)
    with pytest.raises(OSError, match="the disk"):
        train(network, Breaks([GOOD]), epochs=2, channels_last=True)
    after = state_of(network)
    assert (after[0], after[2]) == (layout, modes)
    assert not torch.equal(after[1]["0.weight"], values["0.weight"])  # it had learned


def test_the_check_leaves_no_trace_in_what_is_learned():
    """Running averages and random numbers are as without it: six lines of PyTorch."""
    ours = nn.Sequential(net(4), nn.BatchNorm1d(4), nn.Dropout(0.3))
    theirs = nn.Sequential(net(4), nn.BatchNorm1d(4), nn.Dropout(0.3))
    batch = images(), labels(classes=4)
    train(ours, [batch] * 2, momentum=0, weight_decay=0, schedule="constant", seed=3)
    torch.manual_seed(3)
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.01)
    for x, y in [batch] * 2:
        loss = F.cross_entropy(theirs(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for name, value in ours.state_dict().items():
        assert torch.allclose(value, theirs.state_dict()[name], atol=1e-6), name


def test_a_checkpoint_never_holds_the_data(tmp_path):
    batches = [(torch.randn(64, 1, 28, 28), torch.randint(0, 10, (64,)))] * 20
    path = tmp_path / "l.pt"
    first = train(lenet5(), batches, checkpoint=path)
    weights = sum(p.numel() for p in lenet5().parameters())
    assert path.stat().st_size < 4 * 4 * weights  # weights, momentum and some words
    again = train(lenet5(), batches, checkpoint=path)
    assert again.batch_losses == first.batch_losses
    assert checkpoints.load(path)["identity"]["images"] is None


def test_a_loss_that_does_not_move_is_told(capsys):
    still = [2.31, 2.30] * 10
    assert re.match(r"the loss stays at ln\(10\) = 2\.303", verdict(still, 10))
    assert verdict([2.3 - 0.05 * n for n in range(20)], 10) == ""
    assert verdict(still[:5], 10) == ""
    assert "0 from the start" in verdict([0.0, 0.0], 10)
    network = net()
    nn.init.zeros_(network[3].weight)
    history = train(network, [GOOD] * 12, learning_rate=1e-9, quiet=False)
    assert "that of guessing" in capsys.readouterr().out
    assert "that of guessing" in history.last.remark


# ------------------------------------------------------------------------ evaluation
THREE = Splits([GOOD], [GOOD], [GOOD])


@pytest.mark.parametrize("use", [evaluate, predictions])
@pytest.mark.parametrize(
    ("network", "batches", "says"),
    [
        (net(), GOOD, r"no batches of images.*TensorDataset\(images, labels\)"),
        (net(), images(), "no batches of images with labels, but tensors"),
        (net(), TensorDataset(*GOOD), r"Write torch\S+DataLoader\(dataset, batch_"),
        (net(), THREE, "all three splits, .*Write splits.test"),
        (net(), [images()], r"a batch is \(Tensor\), not two tensors"),
        (net(), [{"image": 1, "label": 2}], "a batch is a dictionary of image, label"),
        (net(), [(images(), labels(15))], "16 images, but 15 labels"),
        (net(), [(images(), labels().int())], r"int32, .*Write labels\.long\(\)"),
        (net, [GOOD], "no network that was built.*net = net"),
        (Returns(lambda x: (x, x)), [GOOD], "returns a tuple, .*`return logits`"),
        (Returns(lambda x: x[..., None]), [GOOD], r"\(16, 10, 1\), not \(16, classes"),
    ],
)  # fmt: skip
def test_what_cannot_be_evaluated_is_told_in_words(use, network, batches, says):
    with pytest.raises(ValueError, match=says):
        use(network, batches)


def test_a_loss_that_is_no_mean_is_told_in_evaluation_too():
    with pytest.raises(ValueError, match="not one number"):
        evaluate(net(), [GOOD], NONE)
