"""The drawing of a network says what the ledger says, legibly."""

import pytest
import torch
from figure_checks import assert_sound
from torch import nn

from alexnet_lab import ledger
from alexnet_lab.models import (
    alexnet_2012,
    alexnet_mini,
    alexnet_one_tower,
    alexnet_torchvision,
    lenet5,
    lenet5_1998,
)
from alexnet_lab.plots import draw_network, draw_networks
from alexnet_lab.plots.network import network_blocks

CASES = {
    "2012": (alexnet_2012, (3, 227, 227)),
    "2012 at 224": (lambda: alexnet_2012(image_size=224), (3, 224, 224)),
    "one tower": (alexnet_one_tower, (3, 227, 227)),
    "torchvision": (alexnet_torchvision, (3, 224, 224)),
    "torchvision at 256": (alexnet_torchvision, (3, 256, 256)),
    "mini": (alexnet_mini, (1, 28, 28)),
    "lenet5": (lenet5, (1, 28, 28)),
    "lenet5_1998": (lenet5_1998, (1, 32, 32)),
}


def build(name):
    """A network without memory: a drawing may look at no weight."""
    make, shape = CASES[name]
    if name == "lenet5_1998":  # its connection table is a tensor that must exist
        return make(), shape
    with torch.device("meta"):
        return make(), shape


def texts(figure):
    """The size of each drawn layer and the notes below it, by the layer's name."""
    said = [text for ax in figure.axes for text in ax.texts]
    pairs = zip(said, said[1:], strict=False)
    return {
        name.get_text(): below.get_text().split("\n")
        for name, below in pairs
        if name.get_fontweight() == "bold"
    }


def fronts(figure, name):
    """The fronts of a block's lanes; each lane has a front, a top and a side."""
    gids = [f"{name}:{lane}" for lane in (0, 1)]
    return [p for ax in figure.axes for p in ax.patches if p.get_gid() in gids][::3]


def height(figure, name):
    return fronts(figure, name)[0].get_path().get_extents().height


@pytest.mark.parametrize("name", CASES)
def test_sizes_on_the_drawing_are_those_of_the_ledger(name):
    net, shape = build(name)
    led = ledger(net, shape)
    figure = draw_network(net, shape)
    said = texts(figure)
    assert said["input"][0] == "×".join(map(str, shape))
    for row in led.rows:
        size = "×".join(f"{n:,}" for n in row.output_shape)
        if row.name in said:
            assert said[row.name][0] == size
        else:
            assert not row.macs, "a layer with weights was not drawn"
    totals = f"{led.total_parameters:,} parameters, {led.total_macs:,} multiply"
    assert any(text.get_text().startswith(totals) for text in figure.axes[0].texts)


@pytest.mark.parametrize("name", CASES)
def test_no_text_overlaps_or_is_cut_off(name):
    net, shape = build(name)
    figure = draw_network(net, shape, name="A name")
    assert_sound(figure)
    width, height = figure.get_size_inches()
    assert width <= 13 and height <= 5


def test_every_block_of_the_papers_net_up_to_pool3_has_two_lanes():
    net, shape = build("2012")
    lanes = {block.name: block.lanes for block in network_blocks(net, shape, 0.01)[1]}
    two = {name for name, count in lanes.items() if count == 2}
    assert two == {
        "conv1",
        "pool1",
        "conv2",
        "pool2",
        "conv3",
        "conv4",
        "conv5",
        "pool3",
    }
    figure = draw_network(net, shape)
    for name, count in lanes.items():
        assert len(fronts(figure, name)) == count
    said = [text.get_text() for text in figure.axes[0].texts]
    assert said.count("128") == 6 and said.count("192") == 4  # channels of a tower


def test_one_tower_has_one_lane():
    net, shape = build("one tower")
    assert {block.lanes for block in network_blocks(net, shape, 0.01)[1]} == {1}


def test_towers_cross_at_conv3_and_nowhere_else():
    net, shape = build("2012")
    figure = draw_network(net, shape)
    blocks = network_blocks(net, shape, 0.01)[1]
    kernels = sum(patch.get_gid() == "kernel" for patch in figure.axes[0].patches)
    # Two kernels a step with towers, four where they cross; from one input to two: two.
    maps = [b for b in blocks[1:] if b.kind != "dense"]
    assert kernels == 2 * len(maps) + 2


def test_networks_drawn_together_have_one_scale():
    lenet, alexnet = build("lenet5"), build("2012")
    figure = draw_networks([("LeNet-5", *lenet), ("AlexNet", *alexnet)])
    assert_sound(figure)
    small, large = (patch.get_path().get_extents() for patch in fronts(figure, "input"))
    assert large.height / small.height == pytest.approx(227 / 28)
    assert [ax.texts[-2].get_text() for ax in figure.axes] == ["LeNet-5", "AlexNet"]


def test_heights_are_pixels_and_bars_are_roots_of_units():
    net, shape = build("2012")
    figure = draw_network(net, shape)
    pixel = height(figure, "input") / 227
    assert height(figure, "conv1") == pytest.approx(55 * pixel)
    assert height(figure, "pool3") == pytest.approx(6 * pixel)
    assert height(figure, "fc6") == pytest.approx(64 * pixel)


def test_kernels_and_notes_are_written():
    net, shape = build("2012")
    blocks = {block.name: block for block in network_blocks(net, shape, 0.01)[1]}
    assert blocks["conv1"].step.strip() == "11×11/4"
    assert blocks["conv2"].step.strip() == "5×5 p2 g2"
    assert blocks["pool1"].step == "3×3/2\nmax"
    assert blocks["fc6"].step == "flatten\n9,216"
    assert blocks["conv2"].kernel == (5, 5) and blocks["pool3"].kernel == (3, 3)
    assert texts(draw_network(net, shape))["conv1"] == ["96×55×55", "ReLU", "LRN"]


def test_drawing_changes_neither_weights_nor_mode():
    net = alexnet_mini().train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    draw_network(net, (1, 28, 28))
    assert net.training
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())


def test_nested_networks_and_whole_map_pools_can_be_drawn():
    features = nn.Sequential(nn.Conv2d(3, 8, 3, padding="same"), nn.ReLU())
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10))
    figure = draw_network(nn.Sequential(features, head), (3, 20, 40))
    sizes = [texts(figure)[name][0] for name in ("input", "0.0", "1.0", "1.2")]
    assert sizes == ["3×20×40", "8×20×40", "8×1×1", "10"]


def test_bad_input_is_explained():
    net, shape = build("2012")
    with pytest.raises(ValueError, match=r"\(channels, height, width\)"):
        draw_network(net, (227, 227))
    with pytest.raises(ValueError, match="networks is empty"):
        draw_networks([])
