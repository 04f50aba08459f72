"""Measured time, kept memory and the roof."""

from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
from torch import nn

from alexnet_lab import ledger
from alexnet_lab.inside.roofline import (
    Machine,
    Point,
    kept_bytes,
    layer_points,
    layer_seconds,
    measure_machine,
    operations,
)
from alexnet_lab.models import alexnet_2012, alexnet_mini


class Broken(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("no way on")


def small() -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(1, 4, 3),  # 4×6×6
            relu=nn.ReLU(),
            pool=nn.MaxPool2d(2),  # 4×3×3
            flatten=nn.Flatten(),
            drop=nn.Dropout(0.5),
            fc=nn.Linear(36, 10),
        )
    )


def hooks(net: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in net.modules())


IMAGES = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))


# ----------------------------------------------------------------------- measured time
def test_each_layer_is_timed_and_the_net_is_left_as_it_was() -> None:
    net = small().train()
    net.fc.eval()
    seconds = layer_seconds(net, IMAGES, repeats=2)
    assert list(seconds) == ["conv", "relu", "pool", "flatten", "drop", "fc"]
    assert all(0 < value < 1 for value in seconds.values())
    assert hooks(net) == 0
    assert net.training and net.drop.training and not net.fc.training


def test_nested_layers_and_one_layer_used_twice_are_timed_in_order() -> None:
    relu = nn.ReLU()
    net = nn.Sequential(nn.Sequential(nn.Conv2d(1, 2, 3), relu), nn.Sequential(relu))
    assert list(layer_seconds(net, IMAGES, 1)) == ["0.0", "0.1", "1.0"]


@pytest.mark.parametrize("measure", [layer_seconds, kept_bytes])
def test_hooks_come_off_after_an_error(measure) -> None:
    net = nn.Sequential(nn.ReLU(), Broken()).train()
    with pytest.raises(RuntimeError, match="no way on"):
        measure(net, IMAGES)
    assert hooks(net) == 0 and net.training


def test_no_repeats_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1, not 0"):
        layer_seconds(small(), IMAGES, repeats=0)


# ------------------------------------------------------------------- kept for backward
def test_kept_bytes_of_a_net_that_can_be_counted_by_hand() -> None:
    net = small().eval()
    kept = kept_bytes(net, IMAGES)
    assert kept["conv"] == IMAGES.nbytes  # its input, for the gradient of its weights
    assert kept["relu"] == 4 * 5 * 4 * 6 * 6  # its output, which the pool shares
    assert kept["pool"] == 8 * 5 * 4 * 3 * 3  # where each maximum was, as int64
    assert kept["flatten"] == 0
    assert not net.training and hooks(net) == 0
    assert all(parameter.grad is None for parameter in net.parameters())


def test_weights_do_not_count_as_kept() -> None:
    net = nn.Sequential(nn.Linear(100, 100), nn.Linear(100, 100))
    kept = kept_bytes(net, torch.rand(2, 100))
    assert kept == {"0": 800, "1": 800}


def test_buffers_do_not_count_as_kept() -> None:
    kept = kept_bytes(nn.Sequential(nn.BatchNorm1d(100)), torch.rand(2, 100))
    # its input, and the mean and deviation of this batch; not the running ones
    assert kept == {"0": 800 + 400 + 400}


# ------------------------------------------------------------------------ counted work
def test_points_follow_the_ledger() -> None:
    with torch.device("meta"):
        net = alexnet_2012()
    points = {p.name: p for p in layer_points(net, (3, 227, 227), batch=2)}
    conv1 = points["conv1"]
    assert conv1.operations == 2 * 2 * 105_415_200
    assert conv1.bytes == 4 * (2 * (3 * 227 * 227 + 290_400) + 34_944)
    assert "flatten" not in points and "drop6" not in points
    assert points["fc6"].intensity == pytest.approx(1, rel=0.01)  # 2 images: 2·2/4
    assert points["pool1"].operations == 2 * 96 * 27 * 27 * 9


def test_operations_of_response_normalisation() -> None:
    net = nn.Sequential(nn.LocalResponseNorm(5))
    row = ledger(net, (8, 4, 4)).rows[0]
    assert operations(row, net[0]) == 8 * 4 * 4 * 10


def test_more_images_raise_the_intensity_of_linear_layers_only() -> None:
    one, many = (
        {p.name: p.intensity for p in layer_points(alexnet_mini(), (1, 28, 28), batch)}
        for batch in (1, 100)
    )
    assert many["fc7"] > 20 * one["fc7"]
    assert many["relu1"] == one["relu1"]
    with pytest.raises(ValueError, match="at least 1 image, not 0"):
        layer_points(alexnet_mini(), (1, 28, 28), batch=0)


# -------------------------------------------------------------------------- the machine
def test_the_roof() -> None:
    machine = Machine(peak=100e9, bandwidth=10e9)
    assert machine.ridge == 10
    assert machine.attainable(2) == 20e9 and machine.attainable(50) == 100e9
    assert machine.seconds(Point("dense", 10**9, 10**6)) == pytest.approx(0.01)
    assert machine.seconds(Point("thin", 10**6, 10**9)) == pytest.approx(0.1)


def test_machine_is_measured() -> None:
    machine = measure_machine(size=128, megabytes=2)
    assert 1e8 < machine.peak < 1e15 and 1e8 < machine.bandwidth < 1e14
    with pytest.raises(ValueError, match="must be at least 1"):
        measure_machine(size=0)


def test_point_without_time_has_no_speed() -> None:
    assert Point("relu", 10, 80).speed is None
    assert Point("relu", 10, 80, seconds=2.0).speed == 5
    assert Point("relu", 10, 80).intensity == 0.125
