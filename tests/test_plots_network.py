"""The drawing of a network says what the ledger says, legibly."""

import pytest
import torch
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
from alexnet_lab.plots.network import draw_network, draw_networks, network_blocks
from alexnet_lab.plots.style import cut_off, overlapping

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


def texts(figure, kind):
    """Texts of one kind, by the layer's name."""
    found = {}
    for text in figure.axes[0].texts:
        first, _, rest = (text.get_gid() or "").partition(":")
        if first == kind:
            found[rest] = text.get_text()
    return found


def patches(figure, gid):
    return [p for p in figure.axes[0].patches if p.get_gid() == gid]


def height(figure, gid):
    return patches(figure, gid)[0].get_path().get_extents().height


@pytest.mark.parametrize("name", CASES)
def test_sizes_on_the_drawing_are_those_of_the_ledger(name):
    net, shape = build(name)
    led = ledger(net, shape)
    figure = draw_network(net, shape)
    sizes = texts(figure, "size")
    assert sizes.pop("input") == "×".join(map(str, shape))
    for layer, size in sizes.items():
        assert size == "×".join(f"{n:,}" for n in led[layer].output_shape)
    weighty = {row.name for row in led.rows if row.macs}
    assert weighty <= set(sizes), "a layer with weights was not drawn"
    assert f"{led.total_parameters:,} parameters" in figure.axes[0].texts[-2].get_text()


@pytest.mark.parametrize("name", CASES)
def test_no_text_overlaps_or_is_cut_off(name):
    net, shape = build(name)
    figure = draw_network(net, shape, name="A name")
    assert overlapping(figure) == []
    assert cut_off(figure) == []
    width, height = figure.get_size_inches()
    assert width <= 12 and height <= 4


def test_every_block_of_the_papers_net_up_to_pool3_has_two_lanes():
    net, shape = build("2012")
    lanes = {block.name: block.lanes for block in network_blocks(net, shape)}
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
    for name in lanes:
        assert len(patches(figure, f"block:{name}:1")) == (name in two)
    numbers = texts(figure, "lane")
    assert (numbers["conv2:0"], numbers["conv3:1"]) == ("128", "192")


def test_one_tower_has_one_lane():
    net, shape = build("one tower")
    assert {block.lanes for block in network_blocks(net, shape)} == {1}


def test_towers_cross_at_conv3_and_nowhere_else():
    net, shape = build("2012")
    figure = draw_network(net, shape)
    blocks = network_blocks(net, shape)
    kernels = len(patches(figure, "kernel"))
    # Two kernels a step with towers, four where they cross; from one input to two: two.
    maps = [b for b in blocks[1:] if b.kind != "dense"]
    assert kernels == 2 * len(maps) + 2


def test_networks_drawn_together_have_one_scale():
    lenet, alexnet = build("lenet5"), build("2012")
    figure = draw_networks([("LeNet-5", *lenet), ("AlexNet", *alexnet)])
    assert overlapping(figure) == [] and cut_off(figure) == []
    faces = patches(figure, "block:input:0")
    small, large = (face.get_path().get_extents().height for face in faces)
    assert large / small == pytest.approx(227 / 28)
    assert [t.get_text() for t in figure.axes[0].texts if t.get_gid() == "title"] == [
        "LeNet-5",
        "AlexNet",
    ]


def test_heights_are_pixels_and_bars_are_roots_of_units():
    net, shape = build("2012")
    figure = draw_network(net, shape)
    pixel = height(figure, "block:input:0") / 227
    assert height(figure, "block:conv1:0") == pytest.approx(55 * pixel)
    assert height(figure, "block:pool3:0") == pytest.approx(6 * pixel)
    assert height(figure, "block:fc6:0") == pytest.approx(64 * pixel)


def test_kernels_and_notes_are_written():
    net, shape = build("2012")
    figure = draw_network(net, shape)
    steps, details = texts(figure, "step"), texts(figure, "detail")
    assert (steps["conv1"], steps["pool1"], steps["fc6"]) == (
        "11×11 /4",
        "3×3 /2",
        "flatten",
    )
    assert (details["conv2"], details["pool1"], details["fc6"]) == (
        "pad 2",
        "max",
        "9,216",
    )
    assert network_blocks(net, shape)[1].notes == ["ReLU", "LRN"]


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
    assert list(texts(figure, "size").values()) == [
        "3×20×40",
        "8×20×40",
        "8×1×1",
        "10",
    ]


def test_drawing_in_given_axes_shrinks_the_text():
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6))
    ax = figure.add_subplot(2, 1, 1)
    net, shape = build("2012")
    assert draw_network(net, shape, ax=ax) is figure
    assert max(t.get_fontsize() for t in ax.texts) < 9
    assert overlapping(figure) == [] and cut_off(figure) == []


def test_bad_input_is_explained():
    net, shape = build("2012")
    with pytest.raises(ValueError, match="do not fit 3 ×.*larger size"):
        draw_network(net, shape, size=(3, 4))
    with pytest.raises(ValueError, match=r"\(channels, height, width\)"):
        draw_network(net, (227, 227))
    with pytest.raises(ValueError, match="networks is empty"):
        draw_networks([])
