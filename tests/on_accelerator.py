"""What the package moves to an accelerator and back. test_accelerator.py runs this.

These run on the CUDA or MPS device that is here, or else on the one that
`pretend_cuda` imitates, where two devices never meet unnoticed.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import alexnet_lab
from alexnet_lab import check, expect, inside, ledger, plots, reveal
from alexnet_lab.data import (
    Batches,
    ColourNoise,
    RandomCrop,
    RandomFlip,
    RandomShift,
    compose,
    image_folder,
)
from alexnet_lab.models import (
    LocalResponseNorm,
    krizhevsky_11pct,
    krizhevsky_18pct,
    lenet5,
    lenet5_1998,
)
from alexnet_lab.training import (
    TemperedCrossEntropy,
    TenViews,
    checkpoints,
    choose_precision,
    evaluate,
    fit,
    predictions,
)

WHERE = alexnet_lab.device()
CLASSES = ("dark", "grey", "bright")


def small_net() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(4 * 4 * 4, 3),
    )


def pictures(count: int = 96, **options: object) -> Batches:
    """8×8 in colour, three classes that differ in brightness, on the device."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 3, (count,), generator=generator)
    noise = torch.randint(0, 60, (count, 3, 8, 8), generator=generator)
    images = (noise + 80 * labels.view(-1, 1, 1, 1)).to(torch.uint8)
    return Batches(images, labels, CLASSES, **{"batch_size": 32, **options})


def test_it_is_found() -> None:
    assert WHERE.type != "cpu" and alexnet_lab.budget() == "full"
    assert "device cpu" not in alexnet_lab.versions()


@pytest.mark.parametrize("precision", ["auto", "float32", "bfloat16", "float16"])
def test_fit_learns_there(precision: str) -> None:
    if precision == "float16" and WHERE.type != "cuda":
        pytest.skip("of CUDA")
    net, loss = small_net(), TemperedCrossEntropy(2.0)
    history = fit(
        net,
        pictures(shuffle=True),
        pictures(48),
        epochs=20,
        learning_rate=0.1,
        loss=loss,
        precision=precision,
        quiet=True,
    )
    assert history.machine.startswith(WHERE.type)
    assert {p.device.type for p in net.parameters()} == {WHERE.type}
    assert history.last.validation_accuracy > 0.9


@pytest.mark.skipif(WHERE.type != "cuda", reason="of CUDA")
@pytest.mark.parametrize(
    ("capability", "fast"), [((7, 5), "float16"), ((8, 0), "bfloat16")]
)
def test_auto_takes_what_a_gpu_is_fast_at(monkeypatch, capability, fast) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: capability)
    assert choose_precision("auto", small_net(), WHERE).name == fast


CALLS: list[int] = []


def impatient(images: Tensor, generator: torch.Generator) -> Tensor:
    CALLS.append(len(images))
    if len(CALLS) == 4:
        signal.raise_signal(signal.SIGINT)
    return images


def test_a_stopped_run_goes_on_there_and_on_the_cpu(tmp_path: Path) -> None:
    CALLS.clear()
    run = {"checkpoint": tmp_path / "run.pt", "epochs": 2, "quiet": True}
    run |= {"precision": "float32", "learning_rate": 0.02}
    data = pictures(shuffle=True, augment=impatient)
    assert fit(small_net(), data, **run).interrupted
    resumed, unbroken = small_net(), small_net()
    assert len(fit(resumed, data, **run).batch_losses) == 6
    fit(unbroken, data, **run | {"checkpoint": None})
    for a, b in zip(resumed.parameters(), unbroken.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-3)
    saved = checkpoints.load(run["checkpoint"])["net"]
    assert {t.device.type for t in saved.values()} == {"cpu"}
    on_cpu = pictures(shuffle=True, augment=impatient, device="cpu")
    again = small_net()
    assert len(fit(again, on_cpu, device="cpu", **run).batch_losses) == 6
    assert torch.equal(again[0].weight, saved["0.weight"])


def test_scores_and_predictions_are_counted() -> None:
    net = small_net().to(WHERE)
    score, found = evaluate(net, pictures()), predictions(net, pictures())
    right = (found.predicted == found.labels).sum().item()  # on the CPU, both
    assert score.correct == right and found.probabilities.device.type == "cpu"
    views = TenViews(nn.Sequential(nn.AdaptiveAvgPool2d(8), net), 6)
    assert evaluate(views, pictures()).images == 96


def test_batches_come_augmented_from_the_device() -> None:
    data = pictures(shuffle=True, padding=1, mean_image=torch.full((3, 8, 8), 0.5))
    noise = ColourNoise.fit(data.images)
    data.augment = compose(RandomShift(1), RandomFlip(), noise, RandomCrop(6))
    images, labels = next(iter(data))
    assert (images.device.type, labels.device.type) == (WHERE.type, WHERE.type)
    assert images.shape == (32, 3, 8, 8) and images.isfinite().all()
    at_home = torch.Generator().manual_seed(0)  # draws on the CPU, cuts there
    assert RandomCrop(6)(data.images, at_home).device.type == WHERE.type


def test_a_folder_s_pictures_go_there(tmp_path: Path) -> None:
    for name, level in (("dark", 20), ("bright", 200)):
        (tmp_path / name).mkdir()
        for number in range(6):
            values = np.full((40, 48, 3), level + number, np.uint8)
            Image.fromarray(values).save(tmp_path / name / f"{number}.png")
    train = image_folder(tmp_path, 16, 4).train
    images, labels = next(iter(train))
    assert images.device.type == labels.device.type == WHERE.type


def test_what_inside_finds_comes_back_to_the_cpu() -> None:
    net, data = small_net().to(WHERE), pictures()
    images, labels = next(iter(data))
    options = {"size": 4, "stride": 2}
    results = [
        *inside.activations(net, images).values(),
        *inside.top_images(net, images, "0", k=2),
        inside.occlusion_maps(net, images[:2], labels[:2].cpu(), **options),
        inside.saliency(net, images[:2], labels[:2].cpu()),
    ]
    assert {result.device.type for result in results} == {"cpu"}
    assert min(inside.layer_seconds(net, images, repeats=1).values()) > 0
    assert inside.kept_bytes(net, images)["0"] >= images.numel() * 4
    assert inside.least_seconds(lambda: net(images), WHERE, repeats=1) > 0


def test_a_ledger_verifies_a_net_where_it_is() -> None:
    net = lenet5("relu", "max").to(WHERE)
    assert ledger(net, (1, 28, 28)).verify().exact
    assert net.conv1.weight.device.type == WHERE.type


NETS = [(lenet5_1998, (1, 32, 32)), (lenet5, (1, 28, 28))]
NETS += [(krizhevsky_18pct, (3, 32, 32)), (krizhevsky_11pct, (3, 24, 24))]


@pytest.mark.parametrize(("build", "shape"), NETS)
def test_nets_give_there_what_they_give_here(build, shape) -> None:
    torch.manual_seed(0)
    net, images = build().eval(), torch.rand(2, *shape)
    with torch.no_grad():
        here = net(images)
        there = net.to(WHERE)(images.to(WHERE)).cpu()
    assert torch.allclose(here, there, rtol=0.02, atol=0.02 * here.abs().max().item())
    net(images.to(WHERE)).sum().backward()
    gradients = [p.grad for p in net.parameters() if p.grad is not None]
    assert {gradient.device.type for gradient in gradients} == {WHERE.type}


def test_response_normalisation_and_loaded_weights() -> None:
    norm, maps = LocalResponseNorm(5, 1e-4, 0.75, 2), torch.rand(2, 8, 5, 5) * 100
    assert torch.allclose(norm(maps.to(WHERE)).cpu(), norm(maps), rtol=1e-3)
    net = lenet5("relu", "max").to(WHERE)
    net.load_state_dict(lenet5("relu", "max").state_dict())  # from the CPU
    assert net.fc3.weight.device.type == WHERE.type


def test_answers_and_results_may_lie_there(capsys, monkeypatch) -> None:
    monkeypatch.setenv("ALEXNET_LAB_STRICT", "1")
    check("00.1", torch.tensor(784, device=WHERE))
    expect(torch.tensor(0.9, device=WHERE), "accuracy", at_least=0.88)
    reveal("00.z", torch.tensor([3, 4], device=WHERE), "pixels")
    assert "00.z: (3, 4)" in capsys.readouterr().out


def test_plots_draw_what_lies_there() -> None:
    data = pictures()
    figure = plots.image_grid(data.images[:4], ["a", "b", "c", "d"])
    assert figure.axes
    found = predictions(small_net().to(WHERE), data)
    labels = data.labels[: len(found.predicted)]
    assert plots.confusion_matrix(found.predicted, labels, CLASSES).axes


def test_the_environment_can_say_cpu(monkeypatch) -> None:
    monkeypatch.setitem(os.environ, "ALEXNET_LAB_DEVICE", "cpu")
    assert alexnet_lab.device().type == "cpu" and alexnet_lab.budget() == "quick"
