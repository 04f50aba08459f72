"""fit, evaluate and History: exact counting, exact resume, nothing lost."""

import os
import re
import signal
import threading

import numpy as np
import pytest
import torch
from torch import nn

from alexnet_lab.data import Batches, fashion_mnist
from alexnet_lab.models import lenet5
from alexnet_lab.training import (
    CheckpointError,
    History,
    TemperedCrossEntropy,
    TrainingDiverged,
    checkpoints,
    evaluate,
    fit,
    precision,
    predictions,
)


def small_net():
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(16, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 3)
    )


def small_data(count=200, batch_size=32, **options):
    """4×4 images of three classes that differ in brightness."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 3, (count,), generator=generator)
    noise = torch.randint(0, 60, (count, 1, 4, 4), generator=generator)
    images = (noise + 80 * labels.view(-1, 1, 1, 1)).to(torch.uint8)
    return Batches(
        images, labels, ("a", "b", "c"), batch_size=batch_size, device="cpu", **options
    )


def train(net, data=None, **options):
    options = {"epochs": 4, "learning_rate": 0.1, "quiet": True, **options}
    data = data or small_data(shuffle=True)
    return fit(net, data, small_data(60), device="cpu", **options)


def same_weights(a, b):
    pairs = zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    return all(torch.equal(x, y) for x, y in pairs)


def test_it_learns():
    net = small_net()
    history = train(net)
    assert [record.epoch for record in history.epochs] == [1, 2, 3, 4]
    assert history.last.train_loss < history.epochs[0].train_loss
    assert history.last.validation_accuracy > 0.95
    assert len(history.batch_losses) == 4 * 7
    assert not history.interrupted and history.seconds > 0


def test_the_loop_is_the_loop_of_notebook_02():
    """Without schedule, decay and momentum, fit equals six lines of PyTorch."""
    ours, theirs = small_net(), small_net()
    ours[3].p = theirs[3].p = 0.0
    plain = {"momentum": 0.0, "weight_decay": 0.0, "schedule": "constant"}
    train(ours, epochs=2, **plain)
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.1)
    data = small_data(shuffle=True)
    for _ in range(2):
        for images, labels in data:
            loss = nn.functional.cross_entropy(theirs(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert same_weights(ours, theirs)


def test_same_seed_same_weights():
    first, second, third = small_net(), small_net(), small_net()
    train(first, seed=5)
    train(second, seed=5)
    train(third, seed=6)
    assert same_weights(first, second)
    assert not same_weights(first, third)


@pytest.mark.parametrize("count, size", [(200, 32), (201, 50), (7, 100), (97, 1)])
def test_accuracy_counts_images_whatever_the_batches(count, size):
    net = small_net().train()
    data = small_data(count, size)
    score = evaluate(net, data)
    with torch.inference_mode():
        logits = net.eval()(data.prepare(data.images))
    correct = (logits.argmax(1) == data.labels).sum().item()
    assert (score.correct, score.images) == (correct, count)
    assert score.accuracy == correct / count
    loss = nn.functional.cross_entropy(logits, data.labels).item()
    assert score.loss == pytest.approx(loss, rel=1e-5)


def test_the_last_short_batch_weighs_by_its_images():
    """Averaging 50 % of 4 images and 100 % of 1 image would give 75 %, not 60 %."""
    logits = torch.tensor([[9.0, 0], [9.0, 0], [9.0, 0], [9.0, 0], [9.0, 0]])
    labels = torch.tensor([0, 0, 1, 1, 0])
    net = nn.Sequential(nn.Identity())
    net.register_parameter("unused", nn.Parameter(torch.zeros(1)))
    batches = [(logits[:4], labels[:4]), (logits[4:], labels[4:])]
    assert evaluate(net, batches).accuracy == 0.6


def test_evaluation_leaves_each_layer_in_its_mode():
    net = small_net().train()
    net[3].eval()
    evaluate(net, small_data())
    assert net.training and not net[3].training


def test_predict_agrees_with_evaluate():
    net, data = small_net(), small_data()
    result = predictions(net, data)
    assert result.probabilities.sum(1).allclose(torch.ones(200))
    hits = (result.predicted == result.labels).sum().item()
    assert hits == evaluate(net, data).correct


def test_temperature_divides_the_logits():
    logits, labels = torch.tensor([[4.0, 0.0]]), torch.tensor([1])
    expected = torch.log(torch.exp(torch.tensor(4.0) / 8) + 1)
    assert TemperedCrossEntropy(8)(logits, labels).item() == pytest.approx(
        expected.item()
    )
    with pytest.raises(ValueError, match="above 0"):
        TemperedCrossEntropy(0)


def test_nothing_to_evaluate():
    with pytest.raises(ValueError, match="no images"):
        evaluate(small_net(), [])


class StopAt:
    """Batches that send a real Ctrl-C while a given batch is being served."""

    def __init__(self, data, epoch, batch):
        self.inner, self.at = data, (epoch, batch)

    def __getattr__(self, name):  # says of itself what the data say
        return getattr(self.inner, name)

    def __len__(self):
        return len(self.inner)

    def set_epoch(self, epoch):
        self.epoch = epoch
        self.inner.set_epoch(epoch)

    def batches_from(self, start):
        for number, pair in enumerate(self.inner.batches_from(start), start):
            if (self.epoch, number) == self.at:
                os.kill(os.getpid(), signal.SIGINT)
            yield pair


@pytest.mark.skipif(os.name == "nt", reason="os.kill ends the process on Windows")
@pytest.mark.parametrize("epoch, batch", [(0, 0), (1, 3), (2, 6), (3, 6)])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_interrupted_and_resumed_is_bit_for_bit_the_same(
    tmp_path, epoch, batch, optimizer
):
    whole, parts = small_net(), small_net()
    rate = {"learning_rate": 0.1 if optimizer == "sgd" else 0.01}
    expected = train(whole, optimizer=optimizer, **rate)
    options = {"optimizer": optimizer, "checkpoint": tmp_path / "run.pt", **rate}
    stopped = train(parts, StopAt(small_data(shuffle=True), epoch, batch), **options)
    assert stopped.interrupted is ((epoch, batch) != (3, 6))
    fresh = small_net()  # a new process would build it anew
    resumed = train(fresh, **options)
    assert same_weights(whole, fresh)
    assert resumed.batch_losses == expected.batch_losses
    assert not resumed.interrupted
    for a, b in zip(resumed.epochs, expected.epochs, strict=True):
        assert (a.train_loss, a.train_accuracy) == (b.train_loss, b.train_accuracy)
        assert a.validation_accuracy == b.validation_accuracy


def test_resume_with_a_shuffling_dataloader(tmp_path, monkeypatch):
    monkeypatch.setattr("alexnet_lab.training.run.SAVE_EVERY", 0)
    data = small_data()
    images, labels = data.prepare(data.images), data.labels
    dataset = torch.utils.data.TensorDataset(images, labels)

    def loader():
        return torch.utils.data.DataLoader(dataset, batch_size=32, shuffle=True)

    class Failing:
        def __getattr__(self, name):
            return getattr(loader(), name)

        def __len__(self):
            return 7

        def __iter__(self):
            self.passes = getattr(self, "passes", 0) + 1
            for number, pair in enumerate(loader()):
                if (self.passes, number) == (2, 4):
                    raise OSError("the power went off")
                yield pair

    whole, parts = small_net(), small_net()
    train(whole, loader())
    path = tmp_path / "run.pt"
    with pytest.raises(OSError, match="power"):
        train(parts, Failing(), checkpoint=path)
    train(parts, loader(), checkpoint=path)
    assert same_weights(whole, parts)


def test_interrupt_without_checkpoint_keeps_the_weights():
    net, before = small_net(), small_net()
    if os.name == "nt":
        pytest.skip("os.kill ends the process on Windows")
    history = train(net, StopAt(small_data(shuffle=True), 1, 3))
    assert history.interrupted and len(history.epochs) == 1
    assert not same_weights(net, before)
    assert "interrupted" in str(history)


def test_interrupt_in_a_thread_hands_back_the_history():
    class Raising(StopAt):
        def batches_from(self, start):
            for number, pair in enumerate(self.inner.batches_from(start), start):
                if (self.epoch, number) == self.at:
                    raise KeyboardInterrupt
                yield pair

    result = []
    data = Raising(small_data(shuffle=True), 1, 3)
    thread = threading.Thread(target=lambda: result.append(train(small_net(), data)))
    thread.start()
    thread.join()
    assert result[0].interrupted and len(result[0].epochs) == 1


def test_ctrl_c_is_as_before_afterwards():
    before = signal.getsignal(signal.SIGINT)
    train(small_net(), epochs=1)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_finished_run_is_not_run_again(tmp_path):
    path = tmp_path / "run.pt"
    first, second = small_net(), small_net()
    history = train(first, checkpoint=path)
    again = train(second, checkpoint=path)
    assert same_weights(first, second)
    assert again.epochs == history.epochs


def test_another_run_s_checkpoint_is_refused(tmp_path):
    path = tmp_path / "run.pt"
    train(small_net(), checkpoint=path)
    with pytest.raises(CheckpointError, match=r"learning_rate: 0\.1 there, 0\.2 here"):
        train(small_net(), checkpoint=path, learning_rate=0.2)
    with pytest.raises(
        CheckpointError, match=r"network: '\(1\): Linear\(in_features=16"
    ):
        train(nn.Sequential(nn.Flatten(), nn.Linear(16, 3)), checkpoint=path)
    same_shapes = small_net()
    same_shapes[2] = nn.Tanh()
    with pytest.raises(
        CheckpointError,
        match=r"network: '\(2\): ReLU\(\)' there, '\(2\): Tanh\(\)' here",
    ):
        train(same_shapes, checkpoint=path)
    with pytest.raises(CheckpointError, match="images: 200 there, 199 here"):
        train(small_net(), small_data(199, shuffle=True), checkpoint=path)


def test_two_schedules_of_one_name_are_two_runs(tmp_path):
    path = tmp_path / "run.pt"
    train(small_net(), checkpoint=path, schedule=lambda progress: 1 - progress)
    train(small_net(), checkpoint=path, schedule=lambda progress: 1 - progress)
    with pytest.raises(
        CheckpointError, match=r"rates: \[0.875, .* there, \[1.0, .* here"
    ):
        train(small_net(), checkpoint=path, schedule=lambda progress: 1.0)


def test_numpy_s_numbers_are_numbers(tmp_path):
    path = tmp_path / "run.pt"
    options = {
        "learning_rate": np.float32(0.1),
        "seed": np.int64(3),
        "epochs": np.int64(1),
        "schedule": lambda progress: np.float64(1 - progress),
    }
    history = train(small_net(), checkpoint=path, **options)
    history.save(tmp_path / "history.json")
    again = train(small_net(), checkpoint=path, **options)
    assert again.batch_losses == history.batch_losses
    assert History.load(tmp_path / "history.json").settings == history.settings


def test_an_empty_checkpoint_is_named(tmp_path):
    path = tmp_path / "run.pt"
    path.touch()
    with pytest.raises(CheckpointError, match=r"run\.pt cannot be read"):
        train(small_net(), checkpoint=path)


class Spoils(torch.optim.SGD):
    """Leaves a weight that is no number."""

    def step(self, closure=None):
        with torch.no_grad():
            self.param_groups[0]["params"][0][0, 0] = float("nan")


@pytest.mark.parametrize(
    "options",
    [{"validation": small_data(60), "learning_rate": 3e38}, {"optimizer": Spoils}],
    ids=["seen in the validation loss", "seen in the weights"],
)
def test_divergence_by_the_last_step_of_all(tmp_path, options):
    path = tmp_path / "run.pt"
    options = {"schedule": "constant", "quiet": True, "checkpoint": path, **options}
    with pytest.raises(TrainingDiverged):
        fit(small_net(), small_data(32), device="cpu", **options)  # a single batch
    assert not path.exists()


@pytest.mark.parametrize(
    "options, says",
    [
        ({"momentum": 1.5}, "momentum=1.5"),
        ({"weight_decay": -1}, "weight_decay=-1"),
        ({"learning_rate": "0.1"}, "learning_rate='0.1'"),
        ({"learning_rate": float("inf")}, "learning_rate=inf"),
        ({"validation": []}, "the validation set needs a length"),
        ({"validation": iter([1])}, "the validation set needs a length"),
        ({"validation": fashion_mnist(train_images=8)}, "as its validation set"),
    ],
)
def test_what_cannot_be_is_refused_before_any_training(options, says):
    with pytest.raises(ValueError, match=says):
        fit(small_net(), small_data(), device="cpu", quiet=True, **options)


def test_a_net_without_weights_can_be_evaluated():
    assert evaluate(nn.Sequential(nn.Flatten()), small_data(20)).images == 20


def test_damaged_checkpoint_is_named(tmp_path):
    path = tmp_path / "run.pt"
    train(small_net(), checkpoint=path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"run\.pt cannot be read"):
        train(small_net(), checkpoint=path)


def test_checkpoint_runs_nobody_s_code(tmp_path):
    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "was_here"),))

    torch.save({"net": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(CheckpointError):
        checkpoints.load(tmp_path / "evil.pt")
    assert not (tmp_path / "was_here").exists()


def test_a_checkpoint_is_whole_or_not_there(tmp_path, monkeypatch):
    path = tmp_path / "run.pt"
    checkpoints.save({"a": 1}, path)

    def die_halfway(state, file):
        file.write(b"half of it")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", die_halfway)
    with pytest.raises(OSError, match="disk full"):
        checkpoints.save({"a": 2}, path)
    assert checkpoints.load(path) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_divergence_stops_with_advice(tmp_path, monkeypatch):
    monkeypatch.setattr("alexnet_lab.training.run.SAVE_EVERY", 0)
    path = tmp_path / "run.pt"
    spoilt, data = small_net(), small_data(shuffle=True)

    def poison(module, given, output):
        return output * float("nan") if data.epoch == 3 and module.training else output

    spoilt.register_forward_hook(poison)
    with pytest.raises(TrainingDiverged, match="learning rate") as error:
        train(spoilt, data, checkpoint=path)
    assert "try 0.01" in str(error.value) and "its last save" in str(error.value)
    assert len(error.value.history.epochs) == 2
    weights = checkpoints.load(path)["net"].values()
    assert all(torch.isfinite(w).all() for w in weights)


@pytest.mark.parametrize("which", ["training", "validation"])
def test_images_that_are_no_numbers_are_not_blamed_on_the_rate(which):
    """One batch of them, the fifth of seven; the first one is looked at by itself."""
    good, bad = (small_data(200, shuffle=which == "training") for _ in range(2))
    plain = bad.prepare

    def prepare(images, generator=None):
        bad.served = getattr(bad, "served", 0) + 1
        spoils = bad.served in (5, 8)  # 8: the fifth is asked for once more
        return plain(images, generator) * (float("nan") if spoils else 1)

    bad.prepare = prepare
    sets = (bad, good) if which == "training" else (good, bad)
    if which == "validation":
        bad.prepare = lambda images, generator=None: plain(images) * float("nan")
    with pytest.raises(TrainingDiverged) as error:
        fit(small_net(), *sets, learning_rate=0.1, quiet=True, device="cpu")
    place = {"training": "Batch 5", "validation": "Batch 1"}[which]
    assert f"{place} of the {which} set has images that are not f" in str(error.value)
    assert "learning rate" not in str(error.value)


def test_decay_falls_on_weights_only():
    seen = []

    def make(groups):
        seen.extend(groups)
        return torch.optim.SGD(groups, lr=0.1)

    train(small_net(), optimizer=make, epochs=1, weight_decay=0.3)
    assert [group["weight_decay"] for group in seen] == [0.3, 0.0]
    assert {p.dim() for p in seen[0]["params"]} == {2}
    assert {p.dim() for p in seen[1]["params"]} == {1}


@pytest.mark.parametrize(
    "name, points",
    [
        ("constant", {0: 1, 0.99: 1}),
        ("cosine", {0: 1, 0.5: 0.5, 1: 0}),
        ("one-cycle", {0: 0.04, 0.25: 1, 0.625: 0.5, 1: 0}),
        ("steps", {0: 1, 0.25: 0.1, 0.5: 0.01, 0.75: 0.001, 0.999: 0.001}),
    ],
)
def test_schedules(name, points):
    from alexnet_lab.training.optimizers import choose_schedule

    schedule = choose_schedule(name)
    for progress, factor in points.items():
        assert schedule(progress) == pytest.approx(factor)


def test_history_survives_json(tmp_path):
    history = train(small_net(), epochs=2)
    history.save(tmp_path / "h.json")
    assert History.load(tmp_path / "h.json") == history


@pytest.mark.parametrize(
    "text",
    [
        "<html>404</html>",
        "[" * 100_000,
        "[1, 2]",
        '{"epochs": 3}',
        '{"epochs": [{"epoch": 1}]}',
        '{"epochs": [], "colour": "red"}',
    ],
)
def test_json_that_is_no_history_is_refused(tmp_path, text):
    (tmp_path / "h.json").write_text(text)
    with pytest.raises(ValueError, match=r"h\.json is no history of fit"):
        History.load(tmp_path / "h.json")


def test_a_record_of_other_things_is_refused(tmp_path):
    history = train(small_net())
    history.save(tmp_path / "h.json")
    text = (tmp_path / "h.json").read_text(encoding="utf-8")
    changed = re.sub('"train_loss": [^,]*', '"train_loss": "<script>"', text)
    (tmp_path / "h.json").write_text(changed, encoding="utf-8")
    with pytest.raises(ValueError, match="no history of fit"):
        History.load(tmp_path / "h.json")


@pytest.mark.parametrize("there, here", [(2.0, 0.1), (0.1, 2.0)])
def test_a_resumed_run_keeps_its_precision(tmp_path, monkeypatch, there, here):
    """Whatever the machine on which it goes on is fast at."""
    monkeypatch.setattr(precision, "is_large", lambda net: True)
    path, name = tmp_path / "run.pt", "bfloat16" if there > 1 else "float32"
    whole, parts = small_net(), small_net()
    monkeypatch.setattr(precision, "bfloat16_gain", lambda: there)
    expected = train(whole)
    stop = StopAt(small_data(shuffle=True), 1, 3)
    assert train(parts, stop, checkpoint=path).settings["precision"] == name
    monkeypatch.setattr(precision, "bfloat16_gain", lambda: here)
    resumed = train(parts, checkpoint=path)
    assert resumed.settings["precision"] == expected.settings["precision"] == name
    assert f"{name} (as the run began)" in resumed.machine
    assert same_weights(whole, parts)
    assert resumed.batch_losses == expected.batch_losses
    other = "float32" if there > 1 else "bfloat16"
    with pytest.raises(CheckpointError, match=f"precision: '{name}' there, '{other}'"):
        train(parts, checkpoint=path, precision=other)


def test_bfloat16_trains_and_keeps_float32_weights():
    net = small_net()
    history = train(net, precision="bfloat16")
    assert history.last.validation_accuracy > 0.9
    assert {p.dtype for p in net.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    "options, says",
    [
        ({"epochs": 0}, "epochs=0"),
        ({"epochs": 1.5}, "whole number"),
        ({"learning_rate": 0}, "above 0"),
        ({"learning_rate": float("nan")}, "above 0"),
        ({"optimizer": "adamm"}, "use sgd, adamw"),
        ({"schedule": "cosin"}, "one of constant, cosine"),
        ({"precision": "half"}, "use auto, float32"),
        ({"precision": "float16"}, "needs a CUDA GPU"),
    ],
)
def test_impossible_options_are_explained(options, says):
    with pytest.raises(ValueError, match=says):
        train(small_net(), **options)


def test_all_splits_at_once_is_explained():
    from alexnet_lab.data import Splits

    with pytest.raises(ValueError, match="unpack them"):
        fit(small_net(), Splits(small_data(), small_data(), small_data()), quiet=True)


def test_log_has_one_line_an_epoch(capsys):
    train(small_net(), quiet=False)
    out = capsys.readouterr().out
    assert out.count("epoch") == 1 and len(out.strip().splitlines()) == 6
    assert "\r" not in out


@pytest.mark.parametrize(
    ("asked", "stored"), [(None, True), (True, True), (False, False)]
)
def test_pictures_lie_pixel_by_pixel_on_a_cpu_unless_told(asked, stored):
    """Small networks, too; what is learned is the same but for rounding."""
    train = fashion_mnist(batch_size=64, train_images=256).train
    torch.manual_seed(0)
    net = lenet5("relu", "max")
    history = fit(net, train, channels_last=asked, device="cpu", quiet=True)
    weight = net.conv2.weight
    assert weight.is_contiguous(memory_format=torch.channels_last) is stored
    assert ("channels last" in history.machine) is stored
    torch.manual_seed(0)
    other = lenet5("relu", "max")
    fit(other, train, channels_last=not stored, device="cpu", quiet=True)
    assert torch.allclose(weight, other.conv2.weight, atol=1e-4)
