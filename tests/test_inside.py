"""Looking inside: hooks come off, answers are known, weights stay as they are."""

from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
from torch import nn

from alexnet_lab import inside, ledger
from alexnet_lab.models import alexnet_mini
from alexnet_lab.studies.photo_crops import CROP, PhotoCrops, photo_net, prepared


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
    "occlusion_map": lambda net: inside.occlusion_map(net, IMAGES[0], 1, size=2),
    "occlusion_maps": lambda net: inside.occlusion_maps(net, IMAGES, LABELS, size=2),
    "saliency": lambda net: inside.saliency(net, IMAGES, LABELS),
    "randomised": lambda net: inside.randomised(net, small(), ["fc"]),
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
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), inside.watching(net, stop):
        assert hooks(net) == 5
        net(IMAGES)
    assert hooks(net) == 0


def test_a_hook_of_the_students_own_stays() -> None:
    net = small()
    net.conv.register_forward_hook(lambda *_: None)
    inside.activations(net, IMAGES)
    assert hooks(net) == 1


def test_activations_are_those_of_a_forward_pass_by_hand() -> None:
    net = small().train()
    found = inside.activations(net, IMAGES, batch_size=2)
    assert list(found) == ["conv", "relu", "flatten", "drop", "fc"]
    with torch.no_grad():
        conv = net.conv(IMAGES)
        expected = net.fc(conv.relu().flatten(1))
    assert torch.allclose(found["conv"], conv, atol=1e-6)
    assert found["conv"].min() < 0  # not what the in-place ReLU left of it
    assert torch.allclose(found["fc"], expected, atol=1e-6)
    assert list(inside.activations(net, IMAGES, ["fc", "conv"])) == ["conv", "fc"]


def test_a_layer_in_two_places_has_two_outputs() -> None:
    relu = nn.ReLU()
    layers = OrderedDict(
        relu1=relu, flatten=nn.Flatten(), fc=nn.Linear(36, 4), relu2=relu
    )
    found = inside.activations(nn.Sequential(layers), IMAGES, batch_size=2)
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
def test_top_images_finds_the_brightest_and_its_place() -> None:
    net = nn.Sequential(OrderedDict(conv=nn.Conv2d(1, 2, 1, bias=False)))
    with torch.no_grad():
        net.conv.weight.copy_(torch.tensor([1.0, -1.0]).view(2, 1, 1, 1))
    images = torch.zeros(4, 1, 3, 5)
    images[2, 0, 1, 4], images[0, 0, 2, 3], images[3, 0, 0, 1] = 9.0, 5.0, -7.0
    top = inside.top_images(net, images, "conv", 2, batch_size=3)
    assert top.images[0].tolist() == [2, 0] and top.values[0].tolist() == [9, 5]
    assert top.rows[0].tolist() == [1, 2] and top.columns[0].tolist() == [4, 3]
    assert top.images[1, 0] == 3 and top.values[1, 0] == 7
    with pytest.raises(ValueError, match="there are 1 to 4 images"):
        inside.top_images(net, images, "conv", 5)


def test_patch_holds_exactly_what_the_unit_depends_on() -> None:
    torch.manual_seed(0)
    net = photo_net().eval()
    book = ledger(net, (3, CROP, CROP))
    image = torch.randn(1, 3, CROP, CROP, requires_grad=True)
    row, column = 3, 5  # this field reaches beyond the image's right edge
    net[:5](image)[0, :, row, column].sum().backward()
    used = image.grad[0].abs().sum(dim=0) > 0
    rows, columns = used.any(dim=1).nonzero(), used.any(dim=0).nonzero()
    place = torch.tensor([row]), torch.tensor([column])
    patch = inside.field_patches(book, "relu2", image.detach(), *place)[0]
    field = book["relu2"].receptive_field
    assert patch.shape == (3, field, field) == (3, 51, 51)
    seen = image.detach()[0, :, rows.min() : rows.max() + 1, columns.min() :]
    assert torch.equal(patch[:, : seen.shape[1], : seen.shape[2]], seen)


@pytest.mark.parametrize(
    ("net", "size", "unit"),
    [
        (nn.Sequential(nn.Conv2d(1, 1, 5, 2, 2), nn.AvgPool2d(2)), 28, (3, 2)),
        (nn.Sequential(nn.ZeroPad2d((0, 3, 1, 0)), nn.Conv2d(1, 1, 5, 3)), 21, (2, 4)),
        (
            nn.Sequential(
                nn.AvgPool2d(3, 2, 1),
                nn.Sequential(nn.Conv2d(1, 1, 4, padding="same", dilation=2)),
            ),
            31,
            (7, 9),
        ),
        (nn.Sequential(nn.Conv2d(1, 1, (3, 5), (2, 1), (0, 2))), 20, (1, 0)),
    ],
)
def test_a_field_is_where_the_gradient_is(net, size, unit):
    for name, parameter in net.named_parameters():
        nn.init.ones_(parameter) if "weight" in name else nn.init.zeros_(parameter)
    x = torch.zeros(1, 1, size, size, requires_grad=True)
    net(x)[0, 0][unit].backward()
    rows = x.grad[0, 0].sum(1).nonzero().flatten()
    columns = x.grad[0, 0].sum(0).nonzero().flatten()
    led = ledger(net, (1, size, size))
    top, left, high, wide = inside.units.field_of(led, led.rows[-1], *unit)
    assert (max(top, 0), min(top + high, size) - 1) == (rows[0], rows[-1])
    assert (max(left, 0), min(left + wide, size) - 1) == (columns[0], columns[-1])


def test_top_patches_are_the_fields_of_the_best_places() -> None:
    net = photo_net().eval()
    book = ledger(net, (3, CROP, CROP))
    images = torch.randn(4, 3, CROP, CROP, generator=torch.Generator().manual_seed(3))
    top = inside.top_images(net, images, "relu2", 2)
    got = inside.top_patches(book, "relu2", images, top, 5, outside=9)
    places = top.rows[5], top.columns[5]
    chosen = images[top.images[5]]
    want = inside.field_patches(book, "relu2", chosen, *places, outside=9)
    assert got.shape == (2, 3, 51, 51) and torch.equal(got, want)


def test_weight_pictures_have_zero_in_the_middle_and_spare_the_weights() -> None:
    weight = torch.zeros(3, 1, 1, 2)
    weight[0, 0, 0] = torch.tensor([0.5, -0.5])
    weight[1, 0, 0] = torch.tensor([0.0, 3.0])
    before = weight.clone()
    pictures = inside.weight_pictures(nn.Parameter(weight))
    assert pictures.dtype == torch.uint8 and not pictures.requires_grad
    assert pictures.flatten(1).tolist() == [[254, 0], [127, 254], [127, 127]]
    assert inside.weight_pictures(weight, 2).flatten(1).tolist() == [
        [127, 254],
        [254, 0],
    ]
    assert torch.equal(weight, before)
    with pytest.raises(ValueError, match="there are 1 to 3"):
        inside.weight_pictures(weight, 4)
    with pytest.raises(ValueError, match="N×C×H×W"):
        inside.weight_pictures(weight[0])


def test_patch_beyond_the_edge_is_zero() -> None:
    book = ledger(photo_net(), (3, CROP, CROP))
    image = torch.full((1, 3, CROP, CROP), 7, dtype=torch.uint8)
    at = torch.tensor([0])
    patch = inside.field_patches(book, "conv2", image, at, at)[0]
    assert (patch[:, :16] == 0).all() and (patch[:, 16:, 16:] == 7).all()
    with pytest.raises(ValueError, match="the ledger is for"):
        inside.field_patches(book, "conv2", image[..., :50], at, at)


# ----------------------------------------------------------------------- neighbours
def test_neighbours_by_hand() -> None:
    features = torch.tensor([[0.0, 0], [3, 4], [1, 0], [-6, 8]])
    found = inside.nearest_neighbours(features, torch.tensor([[0.0, 0]]), 3)
    assert found.indices.tolist() == [[0, 2, 1]]
    assert found.distances.tolist() == [[0, 1, 5]]


def test_neighbours_of_images_far_from_zero_are_exact() -> None:
    near = torch.full((1, 1, 28, 28), 1000.0)
    twins = torch.cat([near + 0.02, near + 0.01])
    found = inside.nearest_neighbours(twins, near, 2)
    assert found.indices.tolist() == [[1, 0]]
    assert torch.allclose(found.distances, torch.tensor([[0.28, 0.56]]), rtol=0.01)


@pytest.mark.parametrize(
    ("features", "queries", "k", "message"),
    [
        (torch.ones(3, 2), torch.ones(1, 2), 4, "there are 1 to 3"),
        (torch.ones(3, 2), torch.ones(1, 2), 0, "there are 1 to 3"),
        (torch.ones(3, 2), torch.ones(1, 5), 1, "the same layer"),
        (torch.ones(0, 2), torch.ones(1, 2), 1, "at least one row"),
    ],
)
def test_neighbours_say_what_is_wrong(features, queries, k, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        inside.nearest_neighbours(features, queries, k)


# -------------------------------------------------------------------------- mistakes
def test_confused_pairs_by_hand() -> None:
    labels = torch.tensor([0, 0, 1, 2, 2, 2, 0])
    predicted = torch.tensor([0, 1, 1, 0, 0, 1, 1])
    first, second, third = inside.confused_pairs(predicted, labels, 5)
    assert first[:2] == (0, 1) and first.images.tolist() == [1, 6]
    assert second[:2] == (2, 0) and second.images.tolist() == [3, 4]
    assert third[:2] == (2, 1) and third.images.tolist() == [5]
    assert len(inside.confused_pairs(predicted, labels, 1)) == 1
    assert inside.confused_pairs(labels, labels) == []
    with pytest.raises(ValueError, match="one answer for each"):
        inside.confused_pairs(predicted[:3], labels)
    with pytest.raises(ValueError, match="1 or more"):
        inside.confused_pairs(predicted, labels, 0)


# ---------------------------------------------------------------------- attribution
def test_occlusion_of_a_linear_network_is_the_sum_under_the_square() -> None:
    net, image = linear(), torch.randn(1, 4, 4)
    part = (net[1].weight[2].view(4, 4) * image[0]).detach()
    found = inside.occlusion_map(net, image, 2, size=2, stride=2, of="logit")
    expected = part.unfold(0, 2, 2).unfold(1, 2, 2).sum(dim=(2, 3))
    assert torch.allclose(found, expected, atol=1e-6)
    one = inside.occlusion_map(net, image, 2, size=1, of="logit", batch_size=3)
    assert torch.allclose(one, part, atol=1e-6)


def test_occlusion_fill_and_probability() -> None:
    net, image = linear(), torch.full((1, 4, 4), 0.7)
    same = inside.occlusion_map(net, image, 0, size=3, fill=0.7)
    assert same.shape == (2, 2) and (same == 0).all()
    whole = inside.occlusion_map(net, image, 0, size=4)
    drop = net(image[None]).softmax(1)[0, 0] - net[1].bias.softmax(0)[0]
    assert torch.allclose(whole, drop.detach().view(1, 1), atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label": 3, "size": 2}, "from 0 to 2"),
        ({"label": 0, "size": 5}, "5"),
        ({"label": 0, "size": 2, "of": "loss"}, "probability"),
    ],
)
def test_occlusion_says_what_is_wrong(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        inside.occlusion_map(linear(), torch.ones(1, 4, 4), **options)


def test_occlusion_maps_are_one_map_for_each_image() -> None:
    net, images, labels = linear(), torch.randn(3, 1, 4, 4), [2, 0, 1]
    found = inside.occlusion_maps(net, images, labels, size=2, of="logit")
    for one, image, label in zip(found, images, labels, strict=True):
        want = inside.occlusion_map(net, image, label, size=2, of="logit")
        assert torch.equal(one, want)
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


def test_randomised_changes_the_named_layers_only() -> None:
    net, fresh = alexnet_mini(), alexnet_mini()
    mixed = inside.randomised(net, fresh, ["fc8", "fc7"])
    assert torch.equal(mixed.fc8.weight, fresh.fc8.weight)
    assert torch.equal(mixed.fc6.weight, net.fc6.weight)
    whole = inside.randomised(net, fresh).state_dict()
    assert all(torch.equal(whole[k], v) for k, v in fresh.state_dict().items())
    with pytest.raises(ValueError, match="relu1"):
        inside.randomised(net, fresh, ["relu1"])


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
    with pytest.raises(ValueError, match="as the maps are"):
        inside.rank_correlation(one, other, where=where[:1])


# ------------------------------------------------------- weights, crops, photographs
def test_published_weights_load_if_there_and_are_none_if_not(tmp_path) -> None:
    from torchvision.models import alexnet

    with torch.device("meta"):
        shapes = {k: v.shape for k, v in alexnet(weights=None).state_dict().items()}
    state = {key: torch.full((1,), 0.5).expand(s) for key, s in shapes.items()}
    net = inside.published_alexnet(state)
    assert net.conv1.weight.shape == (64, 3, 11, 11) and not net.training
    assert (net.conv1.weight == 0.5).all() and (net.fc8.bias == 0.5).all()
    before, folder = torch.hub.get_dir(), str(tmp_path)
    torch.hub.set_dir(folder)
    try:
        assert inside.published_alexnet() is None
    finally:
        torch.hub.set_dir(before)


def test_photo_crops_are_seeded_and_apart() -> None:
    crops = PhotoCrops(3, 16, device="cpu")
    first = [images for images, _ in crops]
    crops.set_epoch(0)
    assert torch.equal(torch.cat(first), torch.cat([x for x, _ in crops]))
    crops.set_epoch(1)
    images, labels = next(iter(crops))
    assert images.shape == (16, 3, CROP, CROP) and labels.dtype == torch.int64
    assert not torch.equal(images, first[0])
    held = PhotoCrops(2, 8, held_out=True, device="cpu")
    passes = [torch.cat([x for x, _ in held]) for _ in range(2)]
    assert torch.equal(*passes)
    assert held.parts.shape[-1] + crops.parts.shape[-1] == 256
    with pytest.raises(ValueError, match="batches"):
        PhotoCrops(0)


def test_photo_net_has_the_papers_sizes_and_takes_photographs() -> None:
    net = photo_net().eval()
    sizes = [
        ledger(net, (3, CROP, CROP))[n].output_shape[1] for n in ("conv1", "pool1")
    ]
    assert sizes == [15, 7]
    assert ledger(net, (3, CROP, CROP)).total_parameters == 187_848
    assert net.conv1.weight.std() < 0.0035
    pictures = prepared(torch.zeros(1, 3, 256, 256, dtype=torch.uint8))
    assert net(pictures).shape == (1, 8) and pictures.min() == -2
    with pytest.raises(ValueError, match="start"):
        photo_net(0)
