"""Looking inside: hooks come off, answers are known, weights stay as they are."""

from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
from torch import nn

from alexnet_lab import inside
from alexnet_lab.inside.hooks import run_and_see


def small() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(1, 3, 3),
            relu=nn.ReLU(inplace=True),
            flatten=nn.Flatten(),
            drop=nn.Dropout(0.5),
            fc=nn.Linear(3 * 4 * 4, 2),
        )
    )


def linear(pixels: int = 16, classes: int = 3) -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Flatten(), nn.Linear(pixels, classes))


def hooks(net: nn.Module) -> int:
    return sum(len(module._forward_hooks) for module in net.modules())


IMAGES = torch.randn(5, 1, 6, 6, generator=torch.Generator().manual_seed(2))
LABELS = torch.tensor([0, 1, 1, 0, 1])

USES = {
    "activations": lambda net: inside.activations(net, IMAGES),
    "top_images": lambda net: inside.top_images(net, IMAGES, "relu", 2),
    "occlusion_maps": lambda net: inside.occlusion_maps(net, IMAGES, LABELS, size=2),
    "saliency": lambda net: inside.saliency(net, IMAGES, LABELS),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize("training", [True, False])
def test_network_stays_as_it_was(use, training: bool) -> None:
    net = small().train(training)
    net.drop.train(not training)  # a mode of its own, to be put back
    net.conv.weight.grad = torch.ones_like(net.conv.weight)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    pixels = IMAGES.clone()
    use(net)
    assert all(torch.equal(net.state_dict()[name], before[name]) for name in before)
    assert torch.equal(net.conv.weight.grad, torch.ones_like(net.conv.weight))
    assert net.fc.weight.grad is None and net.fc.weight.requires_grad
    assert net.training is training and net.drop.training is not training
    assert hooks(net) == 0 and torch.equal(IMAGES, pixels)


@pytest.mark.parametrize("use", list(USES.values())[:2], ids=list(USES)[:2])
def test_hooks_come_off_and_mode_comes_back_after_an_error(use) -> None:
    net = small()
    net.fc = nn.Linear(7, 2)  # does not fit: the forward pass raises
    with pytest.raises(RuntimeError):
        use(net)
    assert hooks(net) == 0 and net.training


def test_hooks_come_off_after_an_interrupt() -> None:
    net = small()

    def stop(name: str, output: torch.Tensor) -> None:
        assert hooks(net) == 5
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_and_see(net, IMAGES, stop)
    assert hooks(net) == 0


def test_a_hook_of_the_students_own_stays() -> None:
    net = small()
    net.conv.register_forward_hook(lambda *_: None)
    inside.activations(net, IMAGES)
    assert hooks(net) == 1


def test_activations_are_those_of_a_forward_pass_by_hand(monkeypatch) -> None:
    monkeypatch.setattr("alexnet_lab.inside.hooks.BATCH", 2)
    net = small().train()
    found = inside.activations(net, IMAGES)
    assert list(found) == ["conv", "relu", "flatten", "drop", "fc"]
    with torch.no_grad():
        conv = net.conv(IMAGES)
        expected = net.fc(conv.relu().flatten(1))
    assert torch.allclose(found["conv"], conv, atol=1e-6)
    assert found["conv"].min() < 0  # not what the in-place ReLU left of it
    assert torch.allclose(found["fc"], expected, atol=1e-6)
    assert list(inside.activations(net, IMAGES, ["fc", "conv"])) == ["conv", "fc"]


def test_a_layer_in_two_places_has_two_outputs(monkeypatch) -> None:
    monkeypatch.setattr("alexnet_lab.inside.hooks.BATCH", 2)
    relu = nn.ReLU()
    layers = OrderedDict(
        relu1=relu, flatten=nn.Flatten(), fc=nn.Linear(36, 4), relu2=relu
    )
    found = inside.activations(nn.Sequential(layers), IMAGES)
    assert found["relu1"].shape == (5, 1, 6, 6) and found["relu2"].shape == (5, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((IMAGES, ["conv7"]), "no layer is called 'conv7'; there are conv, relu"),
        ((IMAGES, "conv"), r'write a list, \["conv"\]'),
        ((IMAGES, []), "layers is empty"),
        ((IMAGES[0],), r"N×C×H×W.*image\[None\]"),
        ((IMAGES[:0],), "N ≥ 1"),
        ((IMAGES.byte(),), "must be floats"),
    ],
)
def test_activations_say_what_is_wrong(arguments, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        inside.activations(small(), *arguments)


# ------------------------------------------------------------------- units, patches
def test_top_images_finds_the_brightest_and_its_place(monkeypatch) -> None:
    monkeypatch.setattr("alexnet_lab.inside.hooks.BATCH", 3)
    net = nn.Sequential(OrderedDict(conv=nn.Conv2d(1, 2, 1, bias=False)))
    with torch.no_grad():
        net.conv.weight.copy_(torch.tensor([1.0, -1.0]).view(2, 1, 1, 1))
    images = torch.zeros(4, 1, 3, 5)
    images[2, 0, 1, 4], images[0, 0, 2, 3], images[3, 0, 0, 1] = 9.0, 5.0, -7.0
    top = inside.top_images(net, images, "conv", 2)
    assert top.images[0].tolist() == [2, 0] and top.values[0].tolist() == [9, 5]
    assert top.rows[0].tolist() == [1, 2] and top.columns[0].tolist() == [4, 3]
    assert top.images[1, 0] == 3 and top.values[1, 0] == 7
    with pytest.raises(ValueError, match="there are 1 to 4 images"):
        inside.top_images(net, images, "conv", 5)


# ---------------------------------------------------------------------- attribution
def test_occlusion_of_a_linear_network_is_the_sum_under_the_square(
    monkeypatch,
) -> None:
    net, image = linear(), torch.randn(1, 4, 4)
    part = (net[1].weight[2].view(4, 4) * image[0]).detach()
    (found,) = inside.occlusion_maps(
        net, image[None], [2], size=2, stride=2, of="logit"
    )
    expected = part.unfold(0, 2, 2).unfold(1, 2, 2).sum(dim=(2, 3))
    assert torch.allclose(found, expected, atol=1e-6)
    monkeypatch.setattr("alexnet_lab.inside.attribution.BATCH", 3)
    (one,) = inside.occlusion_maps(net, image[None], [2], size=1, of="logit")
    assert torch.allclose(one, part, atol=1e-6)


def test_occlusion_fill_and_probability() -> None:
    net, image = linear(), torch.full((1, 4, 4), 0.7)
    (same,) = inside.occlusion_maps(net, image[None], [0], size=3, fill=0.7)
    assert same.shape == (2, 2) and (same == 0).all()
    (whole,) = inside.occlusion_maps(net, image[None], [0], size=4)
    drop = net(image[None]).softmax(1)[0, 0] - net[1].bias.softmax(0)[0]
    assert torch.allclose(whole, drop.detach().view(1, 1), atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": [3], "size": 2}, "from 0 to 2"),
        ({"labels": [0], "size": 5}, "5"),
        ({"labels": [0], "size": 2, "of": "loss"}, "probability"),
    ],
)
def test_occlusion_says_what_is_wrong(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        inside.occlusion_maps(linear(), torch.ones(1, 1, 4, 4), **options)


def test_occlusion_maps_are_one_map_for_each_image() -> None:
    net, images, labels = linear(), torch.randn(3, 1, 4, 4), [2, 0, 1]
    found = inside.occlusion_maps(net, images, labels, size=2, of="logit")
    for one, image, label in zip(found, images, labels, strict=True):
        want = inside.occlusion_maps(net, image[None], [label], size=2, of="logit")
        assert torch.allclose(one, want[0], atol=1e-6)
    with pytest.raises(ValueError, match="3 images want 3 labels"):
        inside.occlusion_maps(net, images, [1], size=2)


def test_saliency_of_a_linear_network_is_its_weights() -> None:
    net, images = linear(), torch.randn(3, 1, 4, 4)
    with torch.no_grad():  # also from inside no_grad
        found = inside.saliency(net, images, [2, 0, 2])
    assert torch.equal(found, net[1].weight[[2, 0, 2]].view(3, 1, 4, 4).detach())
    with pytest.raises(ValueError, match="3 images want 3 labels"):
        inside.saliency(net, images, [1])
    with pytest.raises(ValueError, match="from 0 to 2"):
        inside.saliency(net, images, [0, 1, 3])


def test_rank_correlation_of_known_orders() -> None:
    one = torch.tensor([[1.0, 2, 3, 4], [1, 2, 3, 4], [1, 2, 2, 3]])
    other = torch.tensor([[1.0, 8, 27, 64], [4, 3, 2, 1], [1, 2, 2, 3]])
    assert inside.rank_correlation(one, other).tolist() == pytest.approx([1, -1, 1])
    # ranks 1 2 3 4 against 2 1 4 3: 1 − 6·4/(4·15)
    swapped = inside.rank_correlation(one[:1], torch.tensor([[2.0, 1, 4, 3]]))
    assert swapped.item() == pytest.approx(0.6)
    with pytest.raises(ValueError, match="one shape"):
        inside.rank_correlation(one, other[:, :2])


def test_rank_correlation_of_some_pixels_only() -> None:
    one = torch.tensor([[9.0, 1, 2, 3], [1, 2, 3, 9]])
    other = torch.tensor([[0.0, 4, 5, 6], [3, 2, 1, 9]])
    where = torch.tensor([[False, True, True, True], [True, True, True, False]])
    found = inside.rank_correlation(one, other, where=where)
    assert found.tolist() == pytest.approx([1, -1])
    with pytest.raises(ValueError, match="one shape"):
        inside.rank_correlation(one, other, where=where[:1])
