"""The ablation study: what each variant changes, records, resume, arithmetic."""

import json
from math import nan

import pytest
import torch

from alexnet_lab import ledger
from alexnet_lab.models import alexnet_mini
from alexnet_lab.studies import study
from alexnet_lab.studies.study import Settings, read_runs, run_study
from alexnet_lab.studies.variants import ABLATIONS, MODERN, STUDIES
from alexnet_lab.training import History, TrainingDiverged

IMAGE = (1, 28, 28)
TINY = Settings(train_images=64, epochs=1, learning_rate=0.01, batch_size=32)

# name: (removed, replaced, change of the number of parameters), by hand
CHANGES = {
    "baseline": ("", "", 0),
    "tanh": ("", "relu1 relu2 relu3 relu4 relu5 relu6 relu7", 0),
    "no LRN": ("norm1 norm2", "", 0),
    "times 0.59": ("", "norm1 norm2", 0),
    "separate pools": ("", "pool1 pool2 pool3", 0),
    "no dropout": ("drop6 drop7", "", 0),
    "augmentation": ("", "", 0),
    "no groups": ("", "conv2 conv4 conv5", 25 * 12 * 64 + 9 * 48 * (96 + 64)),
    "no conv3": ("conv3 relu3", "conv4", -(9 * 64 + 1) * 96 - 9 * (48 - 32) * 96),
    "no conv4": ("conv4 relu4", "", -(9 * 48 + 1) * 96),
    "no conv5": ("conv5 relu5", "fc6", -(9 * 48 + 1) * 64 + 4 * 32 * 512),
    "no conv3, conv4": (
        "conv3 relu3 conv4 relu4",
        "conv5",
        -(9 * 64 + 1) * 96 - (9 * 48 + 1) * 96 - 9 * (48 - 32) * 64,
    ),
    "no fc6": ("fc6 relu6 drop6", "fc7", -513 * 512),
    "no fc7": ("fc7 relu7 drop7", "", -513 * 512),
    "no fc6, fc7": (
        "fc6 relu6 drop6 fc7 relu7 drop7",
        "fc8",
        -257 * 512 - 513 * 512 - 256 * 10,
    ),
}


def layers(net):
    return {name: repr(layer) for name, layer in net.named_children()}


@pytest.mark.parametrize("name", CHANGES)
def test_variant_changes_what_it_says(name):
    removed, replaced, parameters = CHANGES[name]
    before, after = layers(alexnet_mini()), layers(ABLATIONS[name].build())
    assert set(before) - set(after) == set(removed.split())
    assert {n for n in after if after[n] != before.get(n)} == set(replaced.split())
    assert list(after) == [n for n in before if n in after]  # the order is kept
    book = ledger(ABLATIONS[name].build(), IMAGE)
    mini = ledger(alexnet_mini(), IMAGE)
    assert book.total_parameters - mini.total_parameters == parameters


def test_half_width_halves_every_layer():
    mini, half = (
        ledger(alexnet_mini(), IMAGE),
        ledger(ABLATIONS["half width"].build(), IMAGE),
    )
    assert [row.name for row in mini] == [row.name for row in half]
    for whole, row in zip(mini.rows[:-1], half.rows[:-1], strict=True):
        assert whole.output_shape == (2 * row.output_shape[0], *row.output_shape[1:])


def test_every_ablation_is_tested():
    assert set(ABLATIONS) == {*CHANGES, "half width"}


@pytest.mark.parametrize(
    "variant", [*ABLATIONS.values(), *MODERN.values()], ids=[*ABLATIONS, *MODERN]
)
def test_variant_gives_logits(variant):
    net = variant.build()
    assert net(torch.zeros(2, *IMAGE)).shape == (2, 10)
    assert ledger(net, IMAGE).verify().exact


def test_weights_start_as_said():
    torch.manual_seed(0)
    he, glorot = alexnet_mini(), ABLATIONS["tanh"].build()
    assert he.fc7.weight.std().item() == pytest.approx((2 / 512) ** 0.5, rel=0.02)
    assert glorot.fc7.weight.std().item() == pytest.approx((1 / 512) ** 0.5, rel=0.02)
    unequal = ABLATIONS["no fc6, fc7"].build()  # a new layer starts by He's rule too
    assert unequal.fc8.weight.std().item() == pytest.approx((2 / 256) ** 0.5, rel=0.1)


def test_the_control_of_lrn_is_a_factor():
    net = ABLATIONS["times 0.59"].build()
    maps = 1000 * torch.randn(2, 24, 5, 5)  # so large that LRN would bite
    for layer in (net.norm1, net.norm2):
        assert torch.allclose(layer(maps), maps * 2**-0.75)
    assert not torch.allclose(alexnet_mini().norm1(maps), maps * 2**-0.75, rtol=0.1)


def test_only_augmentation_augments():
    assert [n for n, v in ABLATIONS.items() if v.augment] == ["augmentation"]
    images = torch.rand(3, *IMAGE)
    changed = ABLATIONS["augmentation"].augment(images, torch.Generator())
    assert changed.shape == images.shape
    assert not torch.equal(changed, images)


# the runner, with training replaced


@pytest.fixture
def trained(monkeypatch):
    """The (build, seed) of each training; its scores are made up."""
    calls = []

    def fake(variant, seed, settings):
        calls.append((variant, seed))
        scores = {**one(seed=seed), **vars(settings)}
        return {k: v for k, v in scores.items() if k not in ("study", "variant")}

    monkeypatch.setattr(study, "run_variant", fake)
    return calls


def one(variant="baseline", seed=0, accuracy=0.8, name="ablation"):
    return {
        "study": name, "variant": variant, "seed": seed, "parameters": 10, "macs": 20,
        "train_accuracy": 0.9, "validation_accuracy": accuracy,
        "validation_loss": 1 - accuracy, "seconds": 2.0,
    }  # fmt: skip


def silent(line):
    pass


def test_seeds_loop_outermost_and_each_run_is_a_line(tmp_path, trained):
    runs = run_study(
        tmp_path, studies=["ablation"], only=["tanh", "no LRN"], seeds=2, report=silent
    )
    order = [(run["seed"], run["variant"]) for run in runs]
    assert order == [(0, "tanh"), (0, "no LRN"), (1, "tanh"), (1, "no LRN")]
    assert read_runs(tmp_path / "runs.jsonl") == runs
    assert len(trained) == 4


def test_a_second_call_trains_only_what_is_missing(tmp_path, trained):
    options = {"studies": ["ablation"], "only": ["tanh"], "report": silent}
    run_study(tmp_path, seeds=1, **options)
    runs = run_study(tmp_path, seeds=2, **options)
    assert [seed for _, seed in trained] == [0, 1]
    assert [run["seed"] for run in runs] == [0, 1]


def test_half_a_line_is_tolerated_and_its_run_repeated(tmp_path, trained):
    options = {"studies": ["ablation"], "only": ["tanh", "no LRN"], "report": silent}
    first = run_study(tmp_path, seeds=1, **options)
    path = tmp_path / "runs.jsonl"
    path.write_text(path.read_text(encoding="utf-8")[:-40], encoding="utf-8")
    assert read_runs(path) == first[:1]
    assert run_study(tmp_path, seeds=1, **options) == first
    assert read_runs(path) == first
    assert len(trained) == 3


def test_a_whole_last_line_without_newline_counts(tmp_path, trained):
    options = {"studies": ["ablation"], "only": ["tanh"], "report": silent}
    run_study(tmp_path, seeds=1, **options)
    path = tmp_path / "runs.jsonl"
    path.write_text(path.read_text(encoding="utf-8").rstrip("\n"), encoding="utf-8")
    run_study(tmp_path, seeds=2, **options)
    assert [run["seed"] for run in read_runs(path)] == [0, 1]


def test_a_damaged_line_in_the_middle_is_named(tmp_path):
    path = tmp_path / "runs.jsonl"
    path.write_text(f"{{half\n{json.dumps(one())}\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 1 of .*runs.jsonl"):
        read_runs(path)


def test_other_settings_are_refused(tmp_path, trained):
    options = {"studies": ["ablation"], "only": ["tanh"], "seeds": 1, "report": silent}
    run_study(tmp_path, **options)
    with pytest.raises(ValueError, match="epochs 3, not 1"):
        run_study(tmp_path, settings=Settings(epochs=1), **options)


def test_a_run_that_diverges_is_left_out(tmp_path, monkeypatch):
    def diverges(*arguments):
        raise TrainingDiverged(nan, History(settings={"learning_rate": 0.1}))

    monkeypatch.setattr(study, "run_variant", diverges)
    lines = []
    runs = run_study(tmp_path, only=["tanh"], seeds=1, report=lines.append)
    assert runs == []
    assert "tanh" in lines[0] and "the loss became nan" in lines[0]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"studies": ["old"]}, "no study 'old'; there are ablation, modern"),
        ({"only": ["no conv9"]}, "no variant 'no conv9'"),
        ({"studies": ["modern"], "only": ["tanh"]}, "no variant 'tanh'"),
        ({"seeds": 0}, "seeds=0"),
    ],
)
def test_wrong_choices_are_refused(options, message, trained):
    with pytest.raises(ValueError, match=message):
        run_study(None, **options)
    assert not trained


def test_command_line(tmp_path, trained, capsys):
    command = ["--study", "modern", "--only", "2012", "--seeds", "2", "--epochs", "1"]
    assert study.main([*command, "--out", str(tmp_path)]) == 0
    result = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    wanted = "python -m alexnet_lab study variants --study modern"
    assert result["command"].startswith(wanted)
    assert (result["runs"], result["epochs"], result["training_seconds"]) == (2, 1, 4)
    path = tmp_path / "result.json"
    path.write_text(json.dumps(result | {"note": "by hand", "date": "2000-01-01"}))
    assert study.main([*command, "--out", str(tmp_path)]) == 0  # nothing to train
    assert json.loads(path.read_text(encoding="utf-8"))["date"] == "2000-01-01"
    more = [word if word != "2" else "3" for word in command]
    assert study.main([*more, "--out", str(tmp_path)]) == 0
    again = json.loads(path.read_text(encoding="utf-8"))
    assert (again["note"], again["runs"]) == ("by hand", 3) and again["date"] > "2020"
    assert study.main(["--only", "nothing", "--out", str(tmp_path)]) == 1
    assert "no variant 'nothing'" in capsys.readouterr().err


# a real run


def test_a_variant_trains_the_same_twice():
    variant = STUDIES["modern"]["+ global pooling"]
    first, second = (study.run_variant(variant, 5, TINY) for _ in range(2))
    for run in (first, second):
        run.pop("seconds")
    assert first == second
    assert first["macs"] == ledger(variant.build(), IMAGE).total_macs
    assert first["train_images"] == 64
    assert 0 <= first["train_accuracy"] <= 1
    assert 0 <= first["validation_accuracy"] <= 1
