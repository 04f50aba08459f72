"""The steps from 2012 to today: sizes, counts, and the ledger's rule for Residual."""

import pytest
import torch
from torch import nn

from alexnet_lab import ledger
from alexnet_lab.arithmetic.accounting import LedgerError
from alexnet_lab.models import alexnet_mini
from alexnet_lab.models.modern import (
    Residual,
    changed,
    mini_batch_norm,
    mini_global_pool,
    mini_residual,
    mini_stacks,
)

STEPS = [mini_batch_norm, mini_global_pool, mini_stacks, mini_residual]
IMAGE = (1, 28, 28)


def kinds(net):
    return [type(layer) for layer in net.modules()]


@pytest.mark.parametrize("build", STEPS)
def test_logits_ledger_and_budget(build):
    net = build(in_channels=3, num_classes=7)
    assert isinstance(net, nn.Sequential)
    assert net(torch.zeros(2, 3, 28, 28)).shape == (2, 7)
    book = ledger(build(), IMAGE)
    assert book.verify().exact
    mini = ledger(alexnet_mini(), IMAGE).total_macs
    assert 0.5 * mini < book.total_macs < 4 * mini


@pytest.mark.parametrize("build", STEPS)
def test_every_weight_learns(build):
    net = build()
    net(torch.randn(4, *IMAGE)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


@pytest.mark.parametrize("build", STEPS)
def test_wrong_counts_are_refused(build):
    with pytest.raises(ValueError, match="num_classes"):
        build(num_classes=0)


def test_batch_norm_changes_norms_and_biases_only():
    mini, step = ledger(alexnet_mini(), IMAGE), ledger(mini_batch_norm(), IMAGE)
    channels = 24 + 64 + 96 + 96 + 64
    assert step.total_parameters - mini.total_parameters == 2 * channels - channels
    assert step.total_macs == mini.total_macs
    assert [r.output_shape for r in step if r.name[:4] in ("conv", "pool")] == [
        r.output_shape for r in mini if r.name[:4] in ("conv", "pool")
    ]


def test_global_pool_removes_fc6_and_fc7():
    before, after = ledger(mini_batch_norm(), IMAGE), ledger(mini_global_pool(), IMAGE)
    heads = before["fc6"].parameters + before["fc7"].parameters
    saved = before.total_parameters - after.total_parameters
    assert saved == heads + 10 * (512 - 64)
    assert nn.Dropout not in kinds(mini_global_pool())


def test_stacks_hold_3x3_only():
    for layer in mini_stacks().modules():
        if isinstance(layer, nn.Conv2d):
            assert layer.kernel_size == (3, 3)


def test_residual_net_adds_shortcuts_only():
    before, after = ledger(mini_stacks(), IMAGE), ledger(mini_residual(), IMAGE)
    shortcuts = 24 * 64 + 2 * 64 + 64 * 96 + 2 * 96
    assert after.total_parameters - before.total_parameters == shortcuts
    convolutions = kinds(mini_residual()).count(nn.Conv2d)
    assert convolutions == kinds(mini_stacks()).count(nn.Conv2d) + 2


def test_residual_adds_its_input():
    branch = nn.Conv2d(3, 3, 3, padding=1)
    x = torch.randn(2, 3, 5, 5)
    assert torch.equal(Residual(branch)(x), branch(x) + x)
    assert torch.equal(Residual(branch, branch)(x), 2 * branch(x))


def test_residual_rule():
    branch = nn.Sequential(
        nn.Conv2d(4, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 6, 3, padding=1)
    )
    net = nn.Sequential(
        nn.MaxPool2d(2), Residual(branch, nn.Conv2d(4, 6, 1)), nn.Conv2d(6, 1, 3)
    )
    book = ledger(net, (4, 20, 20))
    row = book[1]
    assert row.output_shape == (6, 10, 10)
    assert row.parameters == (4 * 9 + 1) * 8 + (8 * 9 + 1) * 6 + (4 + 1) * 6
    assert row.macs == 100 * (8 * 4 * 9 + 6 * 8 * 9 + 6 * 4)
    assert row.connections == row.macs + 100 * (8 + 6 + 6)
    assert (row.receptive_field, row.jump) == (2 + 2 * 2 + 2 * 2, 2)
    assert book[2].receptive_field == 10 + 2 * 2
    assert book.verify().exact


def test_residual_takes_the_wider_window():
    narrow, wide = nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 5, padding=2)
    assert ledger(Residual(narrow, wide), (2, 9, 9))[0].receptive_field == 5


def test_residual_whose_ways_pad_on_opposite_sides_sees_what_both_see():
    above = nn.Sequential(nn.ZeroPad2d((2, 0, 2, 0)), nn.Conv2d(1, 1, 3))
    below = nn.Sequential(nn.ZeroPad2d((0, 2, 0, 2)), nn.Conv2d(1, 1, 3))
    net = nn.Sequential(Residual(above, below))
    row = ledger(net, (1, 9, 9))[0]
    assert row.receptive_field == 5 and row.sees(4, 4) == (2, 2, 5, 5)
    image = torch.ones(1, 1, 9, 9, requires_grad=True)
    net(image)[0, 0, 4, 4].backward()
    rows, columns = image.grad[0, 0].nonzero().T
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (2, 6, 2, 6)


def test_residual_on_features():
    row = ledger(Residual(nn.Linear(5, 5)), (5,))[0]
    assert (row.parameters, row.macs, row.receptive_field) == (30, 25, None)


def test_residual_of_unequal_shapes_is_refused():
    net = nn.Sequential(Residual(nn.Conv2d(3, 4, 3, padding=1)))
    with pytest.raises(LedgerError, match="4×8×8.*3×8×8"):
        ledger(net, (3, 8, 8))


def test_changed_names_what_it_does_not_know():
    with pytest.raises(ValueError, match="no layer 'conv9'; there are conv1"):
        changed(alexnet_mini(), conv9=None)


def test_changed_leaves_the_net_as_it_was():
    net = alexnet_mini()
    other = changed(
        net, norm1=None, relu1=nn.Tanh(), fc8={"a": nn.ReLU(), "b": net.fc8}
    )
    assert [n for n, _ in other.named_children()][:2] == ["conv1", "relu1"]
    assert list(dict(other.named_children()))[-2:] == ["a", "b"] and other.b is net.fc8
    assert isinstance(net.relu1, nn.ReLU) and net.norm1 is not None
