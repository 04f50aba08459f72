"""Krizhevsky's networks for CIFAR-10: sizes, weights, layers, recipes, ten views."""

import pytest
import torch
from torch import nn

from alexnet_lab import ledger
from alexnet_lab.models import (
    LocallyConnected2d,
    MapNorm,
    alexnet_cifar,
    krizhevsky_11pct,
    krizhevsky_13pct,
    krizhevsky_18pct,
    krizhevsky_80sec,
)
from alexnet_lab.training import TenViews, fit, recipe

NETS = {
    krizhevsky_80sec: (32, 145_578, {"conv1": 1e-4, "fc64": 0.1, "fc10": 0.1}),
    krizhevsky_18pct: (32, 89_578, {"conv2": 0.01, "fc10": 0.01}),
    krizhevsky_13pct: (24, 1_116_490, {"local3": 0.04, "local4": 0.04}),
    krizhevsky_11pct: (24, 1_116_490, {"local3": 0.04, "conv1": 1e-4}),
}


@pytest.mark.parametrize("build", NETS)
def test_parameters_and_first_weights(build):
    side, parameters, deviations = NETS[build]
    torch.manual_seed(0)
    net = build()
    book = ledger(net, (3, side, side))
    assert book.total_parameters == parameters
    assert sum(p.numel() for p in net.parameters()) == parameters
    assert net(torch.zeros(2, 3, side, side)).shape == (2, 10)
    for name, deviation in deviations.items():
        layer = net.get_submodule(name)
        assert layer.weight.std().item() == pytest.approx(deviation, rel=0.05)
        assert not layer.bias.any()


def test_pools_round_up():
    book = ledger(krizhevsky_80sec(), (3, 32, 32))
    sides = [book[name].output_shape[1] for name in ("pool1", "pool2", "pool3")]
    assert sides == [16, 8, 4]


def test_an_average_at_the_edge_is_of_the_pixels_that_are_there():
    """His pool divides by the pixels in the window, not by nine."""
    pool = krizhevsky_80sec().pool2
    assert torch.allclose(pool(torch.ones(1, 32, 16, 16)), torch.ones(1, 32, 8, 8))


def test_11pct_is_13pct_with_two_layers_more():
    one, other = dict(krizhevsky_13pct().named_children()), krizhevsky_11pct()
    names = [name for name, _ in other.named_children()]
    assert [name for name in names if name not in one] == ["norm1", "norm2"]
    assert names.index("norm1") == names.index("relu1") + 1
    assert names.index("norm2") == names.index("relu2") + 1


@pytest.mark.parametrize(
    "width, parameters", [(24, 294_762), (48, 1_171_658), (96, 4_671_882)]
)
def test_alexnet_for_32_pixels(width, parameters):
    book = ledger(alexnet_cifar(width=width), (3, 32, 32))
    assert book.total_parameters == parameters
    widths = [book[f"conv{n}"].output_shape[0] for n in range(1, 6)]
    paper = (96, 256, 384, 384, 256)
    assert widths == [channels * width // 96 for channels in paper]
    assert book["pool3"].output_shape[1:] == (4, 4)


@pytest.mark.parametrize("width", [0, 20, -6])
def test_towers_that_are_not_equal_are_refused(width):
    with pytest.raises(ValueError, match="multiple of 6"):
        alexnet_cifar(width=width)


def test_normalisation_within_a_map_by_hand():
    x = 100 * torch.randn(2, 3, 5, 5, dtype=torch.float64)
    y = MapNorm(size=3, alpha=0.01, beta=0.75)(x)
    window = x[:, :, 2:5, 0:3]  # around position (3, 1)
    divisor = (1 + 0.01 / 9 * window.square().sum(dim=(2, 3))) ** 0.75
    assert torch.allclose(y[:, :, 3, 1], x[:, :, 3, 1] / divisor, rtol=1e-4)


def test_a_locally_connected_layer_with_equal_kernels_is_a_convolution():
    conv, local = nn.Conv2d(4, 5, 3, padding=1), LocallyConnected2d(4, 5, 3, 1, 6)
    with torch.no_grad():
        local.weight.copy_(conv.weight.reshape(1, 5, -1).expand(36, -1, -1))
        local.bias.copy_(conv.bias[:, None].expand(-1, 36))
    x = torch.randn(3, 4, 6, 6)
    assert torch.allclose(local(x), conv(x), atol=1e-6)
    with torch.no_grad():  # and its kernels are its own
        local.weight[7].zero_()
    changed = (local(x) - conv(x)).abs().sum(dim=(0, 1)) > 1e-4
    assert changed.nonzero().tolist() == [[1, 1]]


def test_kernels_of_every_place_start_by_he_s_rule():
    torch.manual_seed(0)
    weight = LocallyConnected2d(64, 32, 3, 1, 6).weight  # 36 places
    wanted = (2 / (64 * 9)) ** 0.5
    for place in weight:
        assert place.std().item() == pytest.approx(wanted, rel=0.05)


def test_a_locally_connected_layer_refuses_other_sizes():
    with pytest.raises(ValueError, match="has kernels for 6×6 places"):
        ledger(nn.Sequential(LocallyConnected2d(4, 5, 3, 1, 6)), (4, 7, 7))


# recipes


def batches(count, side=32):
    generator = torch.Generator().manual_seed(0)
    images = 50 * torch.randn(4, 3, side, side, generator=generator)
    return [(images, torch.arange(4))] * count


def test_recipe_has_the_rates_and_decays_of_his_files():
    net = krizhevsky_18pct()
    groups = recipe("18pct", net)["optimizer"]([]).param_groups
    decays = {id(p): g["weight_decay"] for g in groups for p in g["params"]}
    factors = {id(p): g.get("rate_factor", 1) for g in groups for p in g["params"]}
    assert decays[id(net.conv2.weight)] == 0.004 and decays[id(net.fc10.weight)] == 1
    assert decays[id(net.fc10.bias)] == 0
    assert factors[id(net.conv1.weight)] == 1 and factors[id(net.conv1.bias)] == 2


@pytest.mark.parametrize("epochs", [None, 14])
def test_rates_are_cut_after_120_and_130_of_140_passes(epochs):
    schedule = recipe("18pct", krizhevsky_18pct(), epochs)["schedule"]
    passes = [0, 119.9, 120.1, 129.9, 130.1, 139.9]
    rates = [schedule(done / 140) for done in passes]
    assert rates == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])


def test_biases_learn_twice_as_fast():
    """One step from zero momentum moves each parameter by its rate."""
    net = krizhevsky_80sec()
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    fit(net, batches(1), quiet=True, **recipe("80sec", net, epochs=1))
    loss = nn.functional.cross_entropy
    again = krizhevsky_80sec()
    again.load_state_dict(before)
    images, labels = batches(1)[0]
    loss(again(images), labels).backward()
    for name, rate, decay in (("fc10.weight", 0.001, 0.03), ("fc10.bias", 0.002, 0)):
        gradient = again.get_parameter(name).grad + decay * before[name]
        moved = before[name] - net.get_parameter(name)
        assert torch.allclose(moved, rate * gradient, atol=1e-7)


def test_wrong_recipes_are_refused():
    with pytest.raises(ValueError, match="there are 80sec, 18pct"):
        recipe("19pct", krizhevsky_18pct())
    with pytest.raises(ValueError, match="a network with fc64"):
        recipe("80sec", krizhevsky_18pct())


# ten views


class Corner(nn.Module):
    """Logits that tell the first pixel of a view."""

    def forward(self, x):
        return torch.stack([x[:, 0, 0, 0], torch.zeros(len(x))], dim=1)


def test_ten_views_average_probabilities():
    image = torch.arange(36.0).view(1, 1, 6, 6) / 10
    seen = TenViews(Corner(), size=4)(image)
    firsts = [0, 2, 12, 14, 7]  # first pixels of four corners and the centre
    firsts += [5, 3, 17, 15, 10]  # and of their mirror images
    logits = torch.tensor([[first / 10, 0.0] for first in firsts])
    assert torch.allclose(seen.exp()[0], logits.softmax(dim=1).mean(dim=0))


def test_ten_views_widen_an_image_with_black():
    image = torch.ones(2, 1, 4, 4)
    seen = TenViews(Corner(), size=4, padding=2)(image).exp()[:, 0]
    one, none = torch.tensor([1.0, 0.0]).softmax(0)[0], 0.5
    # two of ten views, the centre and its mirror image, begin with a pixel of it; so
    # do the lower right corner and, mirrored, the lower left one
    assert torch.allclose(seen, (4 * one + 6 * none) / 10 * torch.ones(2))
