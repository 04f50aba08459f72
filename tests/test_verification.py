"""Ledger.verify(): what it finds, and what it leaves as it was."""

from types import SimpleNamespace

import pytest
import torch
from test_ledger import alexnet, lenet5
from torch import nn
from torchinfo import summary

from alexnet_lab import torchinfo_text
from alexnet_lab.arithmetic import Step, ledger, rule, rule_of, verification
from alexnet_lab.arithmetic.verification import _differences


class Own(nn.Module):
    pass


def test_verify_prints_a_line_a_row():
    verification = ledger(alexnet(), (3, 227, 227)).verify()
    lines = str(verification).splitlines()
    assert verification.exact and len(lines) == 24
    assert all(line.endswith("  exact") for line in lines[:-1])
    assert lines[-1] == "23 of 23 rows exact; total parameters 60,965,224: exact"


def test_verify_catches_a_wrong_rule(clean_rules):
    right = rule_of(nn.Conv2d)

    @rule(nn.Conv2d)
    def forgets_the_biases(layer, shape):
        step = right(layer, shape)
        fields = {**vars(step), "parameters": step.parameters - layer.out_channels}
        return Step(**fields)

    verification = ledger(lenet5(), (1, 28, 28)).verify()
    assert not verification.exact
    assert "parameters: ledger 150, torchinfo 156" in str(verification)
    assert (
        "10 of 12 rows exact; total parameters 61,684: differs, torchinfo 61,706"
        in (str(verification))
    )


def test_verify_says_when_the_net_itself_fails(clean_rules):
    rule(Own)(lambda layer, shape: Step(output_shape=shape))
    with pytest.raises(RuntimeError, match="does not run on an input of 4"):
        ledger(nn.Sequential(Own()), (4,)).verify()


@pytest.mark.parametrize(("macs", "differences"), [(10, 0), (150, 0), (11, 1)])
def test_verify_knows_both_ways_of_counting_a_linear_layer(macs, differences):
    row = ledger(nn.Linear(4, 2), (3, 5, 4))[0]  # torchinfo 1.8.0 has 10, later 15·10
    info = SimpleNamespace(
        output_size=(1, 3, 5, 2), num_params=10, is_recursive=False, macs=macs
    )
    assert len(_differences(row, info)) == differences


@pytest.mark.parametrize("once", [False, True])
def test_verify_knows_both_ways_of_counting_tied_weights(monkeypatch, once):
    """Up to release 1.8.0 torchinfo counts them in each layer, later once."""
    net = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    net[2].weight = net[0].weight
    run = verification._summary

    def summary_of_later(*arguments):
        found = run(*arguments)
        found[-1].num_params -= 16 * once
        return found

    monkeypatch.setattr(verification, "_summary", summary_of_later)
    book = ledger(net, (4,))
    assert book.total_parameters == 24 and book.verify().exact


class Noisy(nn.Module):
    def forward(self, x):
        return x + torch.rand_like(x)


def test_verify_leaves_the_net_and_the_random_numbers_alone(clean_rules):
    rule(Noisy)(lambda layer, shape: Step(output_shape=shape))
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(), Noisy())
    net.train()
    net[1].eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    assert ledger(net, (3, 8, 8)).verify().exact
    assert torch.equal(torch.rand(3), expected)
    assert [m.training for m in net.modules()] == [True, True, False, True, True]
    assert all(torch.equal(v, before[n]) for n, v in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_verify_runs_in_the_net_s_own_precision(dtype):
    assert ledger(lenet5().to(dtype), (1, 28, 28)).verify().exact


@pytest.mark.parametrize(
    "line", ["Total mult-adds (M): 1.96", "Total mult-adds (Units.MEGABYTES): 1.96"]
)
def test_torchinfo_s_unit_is_the_same_on_every_python(line):
    """As Python 3.10 prints it, and as 3.11 and newer do."""
    assert torchinfo_text(line) == "Total mult-adds (M): 1.96"


@pytest.mark.parametrize("channels, total", [(1, "(M): 1.96"), (1_000, "(G): 1.76")])
def test_torchinfo_s_table_names_no_constant(channels, total):
    net = nn.Sequential(nn.Conv2d(channels, 1_000, 3, padding=1))
    text = torchinfo_text(summary(net, (1, channels, 14, 14), verbose=0))
    assert f"Total mult-adds {total}" in text and "Units" not in text
