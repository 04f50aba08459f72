"""The recorded studies: what each variant changes, records, resume, arithmetic."""

import json
from math import nan

import pytest
import torch

from alexnet_lab import __main__, ledger
from alexnet_lab.models import alexnet_cifar
from alexnet_lab.studies import STUDIES, Settings, read_runs, run_study, study
from alexnet_lab.studies.variants import ABLATIONS, four_layers, lenet5_cifar
from alexnet_lab.training import History, TrainingDiverged

IMAGE = (3, 32, 32)
TINY = Settings(epochs=1, learning_rate=0.01, train_images=64, batch_size=32)

# name: (removed, replaced, change of the number of parameters), by hand
CHANGES = {
    "baseline": ("", "", 0),
    "no crops": ("", "", 0),
    "colour noise": ("", "", 0),
    "no dropout": ("drop6 drop7", "", 0),
    "no crops, no dropout": ("drop6 drop7", "", 0),
    "tanh": ("", "relu1 relu2 relu3 relu4 relu5 relu6 relu7", 0),
    "separate pools": ("", "pool1 pool2 pool3", 0),
    "LRN": ("", "norm1 norm2", 0),
    "no groups": ("", "conv2 conv4 conv5", 25 * 12 * 64 + 9 * 48 * (96 + 64)),
    "no conv3, conv4": (
        "conv3 relu3 conv4 relu4",
        "conv5",
        -(9 * 64 + 1) * 96 - (9 * 48 + 1) * 96 - 9 * (48 - 32) * 64,
    ),
}


def layers(net):
    return {name: repr(layer) for name, layer in net.named_children()}


@pytest.mark.parametrize("name", CHANGES)
def test_variant_changes_what_it_says(name):
    removed, replaced, parameters = CHANGES[name]
    narrow = alexnet_cifar(width=24)
    before, after = layers(narrow), layers(ABLATIONS[name].build())
    assert set(before) - set(after) == set(removed.split())
    assert {n for n in after if after[n] != before.get(n)} == set(replaced.split())
    kept = [n for n in before if n in after]
    assert [n for n in after if n in before] == kept  # the order is kept
    book = ledger(ABLATIONS[name].build(), IMAGE)
    assert book.total_parameters - ledger(narrow, IMAGE).total_parameters == parameters


def test_half_width_halves_every_layer():
    whole, half = (
        ledger(alexnet_cifar(width=24), IMAGE),
        ledger(ABLATIONS["half width"].build(), IMAGE),
    )
    assert [row.name for row in whole] == [row.name for row in half]
    for one, row in zip(whole.rows[:-1], half.rows[:-1], strict=True):
        assert one.output_shape == (2 * row.output_shape[0], *row.output_shape[1:])


def test_the_command_line_knows_every_study():
    assert list(STUDIES) == __main__.STUDIES


def test_every_ablation_is_tested():
    assert set(ABLATIONS) == {*CHANGES, "half width"}


def test_who_sees_crops_and_mirror_images():
    plain = {name for name, v in ABLATIONS.items() if v.augment is None}
    assert plain == {"no crops", "no crops, no dropout"}
    images, generator = torch.rand(3, *IMAGE), torch.Generator().manual_seed(0)
    noisy = ABLATIONS["colour noise"].augment(images, generator)
    assert noisy.shape == images.shape
    shifts = noisy.mean(dim=(2, 3)) - images.mean(dim=(2, 3))
    assert shifts.abs().max() > 1e-3  # each image has got a tint of its own


@pytest.mark.parametrize(
    "name, variant", [(n, v) for n, s in STUDIES.items() for v in s.variants]
)
def test_every_network_of_every_study_gives_logits(name, variant):
    net = STUDIES[name].variants[variant].build()
    side = 24 if name == "lrn" else 32
    classes = len(STUDIES[name].images.get("classes", range(10)))
    assert net(torch.zeros(2, 3, side, side)).shape == (2, classes)
    assert ledger(net, (3, side, side)).verify().exact


def test_weights_start_as_said():
    torch.manual_seed(0)
    he, glorot = alexnet_cifar(width=24), ABLATIONS["tanh"].build()
    assert he.fc6.weight.std().item() == pytest.approx((2 / 1024) ** 0.5, rel=0.02)
    wanted = (2 / (1024 + 128)) ** 0.5
    assert glorot.fc6.weight.std().item() == pytest.approx(wanted, rel=0.02)


def test_figure_1_has_four_layers_and_nothing_that_regularises():
    names = [name for name, p in four_layers().named_parameters() if p.dim() > 1]
    assert len(names) == 4
    for variant in STUDIES["figure1"].variants.values():
        assert variant.augment is None and variant.options["weight_decay"] == 0


def test_lenet5_for_32_pixels_keeps_its_sizes():
    book = ledger(lenet5_cifar(), IMAGE)
    assert [book[n].output_shape[1] for n in ("conv1", "pool1", "pool2")] == [28, 14, 5]


# the runner, with training replaced


@pytest.fixture
def trained(monkeypatch):
    """The (build, seed) of each training; its scores are made up."""
    calls = []

    def fake(name, variant, seed, settings, out):
        calls.append((variant, seed))
        scores = {**one(seed=seed), **vars(settings)}
        return {k: v for k, v in scores.items() if k not in ("study", "variant")}

    monkeypatch.setattr(study, "run_variant", fake)
    return calls


def one(variant="baseline", seed=0, accuracy=0.8, name="short"):
    return {
        "study": name, "variant": variant, "seed": seed, "parameters": 10, "macs": 20,
        "train_curve": [0.9], "accuracy": accuracy, "loss": 1 - accuracy,
        "seconds": 2.0, "machine": "cpu",
    }  # fmt: skip


def silent(line):
    pass


def test_seeds_loop_outermost_and_each_run_is_a_line(tmp_path, trained):
    runs = run_study("short", tmp_path, only=["tanh", "LRN"], seeds=2, report=silent)
    order = [(run["seed"], run["variant"]) for run in runs]
    assert order == [(0, "tanh"), (0, "LRN"), (1, "tanh"), (1, "LRN")]
    assert read_runs(tmp_path / "runs.jsonl") == runs
    assert len(trained) == 4


def test_a_second_call_trains_only_what_is_missing(tmp_path, trained):
    options = {"only": ["tanh"], "report": silent}
    run_study("short", tmp_path, seeds=1, **options)
    runs = run_study("short", tmp_path, seeds=2, **options)
    assert [seed for _, seed in trained] == [0, 1]
    assert [run["seed"] for run in runs] == [0, 1]


def test_half_a_line_is_tolerated_and_its_run_repeated(tmp_path, trained):
    options = {"only": ["tanh", "LRN"], "report": silent}
    first = run_study("short", tmp_path, seeds=1, **options)
    path = tmp_path / "runs.jsonl"
    path.write_text(path.read_text(encoding="utf-8")[:-40], encoding="utf-8")
    assert read_runs(path) == first[:1]
    assert run_study("short", tmp_path, seeds=1, **options) == first
    assert read_runs(path) == first
    assert len(trained) == 3


def test_a_whole_last_line_without_newline_counts(tmp_path, trained):
    options = {"only": ["tanh"], "report": silent}
    run_study("short", tmp_path, seeds=1, **options)
    path = tmp_path / "runs.jsonl"
    path.write_text(path.read_text(encoding="utf-8").rstrip("\n"), encoding="utf-8")
    run_study("short", tmp_path, seeds=2, **options)
    assert [run["seed"] for run in read_runs(path)] == [0, 1]


def test_a_damaged_line_in_the_middle_is_named(tmp_path):
    path = tmp_path / "runs.jsonl"
    path.write_text(f"{{half\n{json.dumps(one())}\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 1 of .*runs.jsonl"):
        read_runs(path)


def test_other_settings_are_refused(tmp_path, trained):
    options = {"only": ["tanh"], "seeds": 1, "report": silent}
    run_study("short", tmp_path, **options)
    with pytest.raises(ValueError, match="epochs 6, not 1"):
        run_study("short", tmp_path, settings=Settings(1, 0.05), **options)


def test_a_run_that_diverges_is_left_out(tmp_path, monkeypatch):
    def diverges(*arguments):
        raise TrainingDiverged(nan, History(settings={"learning_rate": 0.1}))

    monkeypatch.setattr(study, "run_variant", diverges)
    lines = []
    runs = run_study("short", tmp_path, only=["tanh"], seeds=1, report=lines.append)
    assert runs == []
    assert "tanh" in lines[0] and "the loss became nan" in lines[0]


@pytest.mark.parametrize(
    "name, options, message",
    [
        ("old", {}, "no study 'old'; there are short, long"),
        ("short", {"only": ["no conv9"]}, "no variant 'no conv9'"),
        ("modern", {"only": ["tanh"]}, "no variant 'tanh'"),
        ("short", {"seeds": 0}, "seeds=0"),
    ],
)
def test_wrong_choices_are_refused(name, options, message, trained):
    with pytest.raises(ValueError, match=message):
        run_study(name, None, **options)
    assert not trained


def test_command_line(tmp_path, trained, capsys):
    command = ["--only", "2012", "--seeds", "2", "--epochs", "1"]
    assert study.main("modern", [*command, "--out", str(tmp_path)]) == 0
    result = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    wanted = "python -m alexnet_lab study modern --only 2012"
    assert result["command"].startswith(wanted)
    assert (result["runs"], result["epochs"], result["training_seconds"]) == (2, 1, 4)
    path = tmp_path / "result.json"
    path.write_text(json.dumps(result | {"note": "by hand", "date": "2000-01-01"}))
    again = study.main("modern", [*command, "--out", str(tmp_path)])
    assert again == 0  # nothing to train
    assert json.loads(path.read_text(encoding="utf-8"))["date"] == "2000-01-01"
    more = [word if word != "2" else "3" for word in command]
    assert study.main("modern", [*more, "--out", str(tmp_path)]) == 0
    later = json.loads(path.read_text(encoding="utf-8"))
    assert (later["note"], later["runs"]) == ("by hand", 3) and later["date"] > "2020"
    assert study.main("short", ["--only", "nothing", "--out", str(tmp_path)]) == 1
    assert "no variant 'nothing'" in capsys.readouterr().err


# real runs


def test_a_variant_trains_the_same_twice():
    first, second = (
        study.run_variant("short", "half width", 5, TINY) for _ in range(2)
    )
    for run in (first, second):
        run.pop("seconds")
    assert first == second
    book = ledger(ABLATIONS["half width"].build(), IMAGE)
    assert (first["macs"], first["train_images"]) == (book.total_macs, 64)
    assert 0 <= first["train_curve"][0] <= 1 and 0 <= first["accuracy"] <= 1


def test_processes_train_what_one_does(tmp_path):
    options = {"only": ["half width"], "seeds": 2, "settings": TINY, "report": silent}
    here = run_study("short", tmp_path / "one", **options)
    there = run_study("short", tmp_path / "two", workers=2, **options)
    for one_run, other in zip(here, there, strict=True):
        assert one_run["train_curve"] == other["train_curve"]
        assert one_run["accuracy"] == other["accuracy"]
