"""Measured time and kept memory, layer by layer."""

from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
from torch import nn

from alexnet_lab.inside import kept_bytes, layer_seconds


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
    assert all(value > 0 for value in seconds.values())
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
