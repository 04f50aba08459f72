"""How an optimizer's step is computed is the machine's business, its result is not."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from alexnet_lab.training.optimizers import load_state, make_optimizer
from alexnet_lab.training.precision import is_large


def large_net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(128, 256, 3), nn.ReLU(), nn.Flatten())


def step(net, optimizer, seed):
    generator = torch.Generator().manual_seed(seed)
    optimizer.zero_grad()
    net(torch.randn(2, 128, 4, 4, generator=generator)).square().mean().backward()
    optimizer.step()


def fused(optimizer):
    return [group["fused"] for group in optimizer.param_groups]


def test_only_large_networks_on_a_cpu_are_fused():
    assert is_large(large_net())
    assert fused(make_optimizer(large_net(), learning_rate=0.1)) == [True, True]
    small = nn.Linear(4, 3)
    assert fused(make_optimizer(small, learning_rate=0.1)) == [None, None]
    meta = large_net().to("meta")  # stands for any device that is no CPU
    assert fused(make_optimizer(meta, learning_rate=0.1)) == [None, None]


def test_a_run_goes_on_fused_from_a_state_that_was_not():
    """Momentum and all: five steps are the same whoever computed the first two."""
    one, two = large_net(), large_net()
    plain = make_optimizer(one, learning_rate=0.1)
    for group in plain.param_groups:
        group["fused"] = None
    for seed in range(2):
        step(one, plain, seed)
    two.load_state_dict(one.state_dict())
    other = make_optimizer(two, learning_rate=0.1)
    load_state(other, deepcopy(plain.state_dict()))  # as from a file
    assert fused(other) == [True, True] and fused(plain) == [None, None]
    assert [g["lr"] for g in other.param_groups] == [0.1, 0.1]
    for seed in range(2, 5):
        step(one, plain, seed)
        step(two, other, seed)
    assert torch.allclose(one[0].weight, two[0].weight, rtol=1e-5, atol=1e-7)
    assert not torch.equal(one[0].weight, large_net()[0].weight)


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_state_survives(name):
    net = nn.Linear(4, 3)
    optimizer = make_optimizer(net, name, learning_rate=0.1)
    net(torch.ones(1, 4)).sum().backward()
    optimizer.step()
    again = make_optimizer(net, name, learning_rate=0.1)
    load_state(again, optimizer.state_dict())
    assert str(again.state_dict()) == str(optimizer.state_dict())
