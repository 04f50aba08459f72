"""AlexNet: every figure of the course's tables, and the proofs behind its sentences."""

import ast
from urllib.error import URLError

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from alexnet_lab import ledger
from alexnet_lab.models import (
    alexnet_2012,
    alexnet_mini,
    alexnet_one_tower,
    alexnet_torchvision,
    initialise_alexnet,
    load_torchvision_weights,
    lrn_per_tower,
)

PAPER_ROWS = {  # name: output, parameters, multiply-accumulates, receptive field, jump
    "conv1": ((96, 55, 55), 34_944, 105_415_200, 11, 4),
    "pool1": ((96, 27, 27), 0, 0, 19, 8),
    "conv2": ((256, 27, 27), 307_456, 223_948_800, 51, 8),
    "pool2": ((256, 13, 13), 0, 0, 67, 16),
    "conv3": ((384, 13, 13), 885_120, 149_520_384, 99, 16),
    "conv4": ((384, 13, 13), 663_936, 112_140_288, 131, 16),
    "conv5": ((256, 13, 13), 442_624, 74_760_192, 163, 16),
    "pool3": ((256, 6, 6), 0, 0, 195, 32),
    "fc6": ((4096,), 37_752_832, 37_748_736, None, None),
    "fc7": ((4096,), 16_781_312, 16_777_216, None, None),
    "fc8": ((1000,), 4_097_000, 4_096_000, None, None),
}


def on_meta(build, **arguments):
    """Build a network that has shapes but no memory."""
    with torch.device("meta"):
        return build(**arguments)


def first_layers(net, last):
    """Cut a network after the layer with this name."""
    return net[: list(dict(net.named_children())).index(last) + 1]


@pytest.fixture(scope="module")
def paper():
    torch.manual_seed(2012)
    return alexnet_2012().eval()


@pytest.fixture(scope="module")
def pair():
    """Torchvision's alexnet and ours with the same weights."""
    from torchvision.models import alexnet

    theirs = alexnet(weights=None).eval()
    return theirs, load_torchvision_weights(
        alexnet_torchvision().eval(), theirs.state_dict()
    )


# ---------------------------------------------------------------- the tables


@pytest.mark.parametrize("name", PAPER_ROWS)
def test_every_row_of_the_papers_table(name):
    output, parameters, macs, receptive_field, jump = PAPER_ROWS[name]
    row = ledger(on_meta(alexnet_2012), (3, 227, 227))[name]
    assert tuple(row.output_shape) == output
    assert (row.parameters, row.macs) == (parameters, macs)
    if receptive_field:
        assert (row.receptive_field, row.jump) == (receptive_field, jump)


@pytest.mark.parametrize(
    "build, size, parameters, macs",
    [
        (alexnet_2012, 227, 60_965_224, 724_406_816),
        (alexnet_one_tower, 227, 62_378_344, 1_135_256_096),
        (alexnet_torchvision, 224, 61_100_840, 714_188_480),
    ],
)
def test_totals(build, size, parameters, macs):
    led = ledger(on_meta(build), (3, size, size))
    assert (led.total_parameters, led.total_macs) == (parameters, macs)


def test_one_channel_variant_of_dive_into_deep_learning():
    net = on_meta(alexnet_one_tower, in_channels=1, num_classes=10)
    net.conv1.padding = (1, 1)
    net.fc6 = nn.Linear(256 * 5 * 5, 4096, device="meta")
    led = ledger(net, (1, 224, 224))
    assert [led[f"pool{i}"].output_shape[-1] for i in (1, 2, 3)] == [26, 12, 5]
    assert (led.total_parameters, led.total_macs) == (46_764_746, 938_146_176)


def test_papers_neurons_and_the_error_in_its_figure():
    led = ledger(on_meta(alexnet_2012), (3, 227, 227))
    units = {n: torch.Size(led[n].output_shape).numel() for n in PAPER_ROWS}
    assert units["conv1"] == 290_400 != 253_440  # the figure prints 55·48·96
    assert sum(u for n, u in units.items() if "pool" not in n) == 659_272


@pytest.mark.parametrize(
    "build, arguments, padding, size, sizes, leftovers",
    [
        (alexnet_2012, {}, 0, 227, (55, 27, 13, 6), (0, 0, 0, 0)),
        (alexnet_2012, {"image_size": 224}, 0, 224, (55, 27, 13, 6), (0, 0, 0, 0)),
        (alexnet_torchvision, {}, 2, 224, (55, 27, 13, 6), (1, 0, 0, 0)),
        (alexnet_one_tower, {}, 0, 224, (54, 26, 12, 5), (1, 1, 1, 1)),
        (alexnet_one_tower, {}, 1, 224, (54, 26, 12, 5), (3, 1, 1, 1)),
    ],
)
def test_sizes_and_pixels_left_over(build, arguments, padding, size, sizes, leftovers):
    net = on_meta(build, **arguments)
    net.conv1.padding = (padding, padding)
    led = ledger(first_layers(net, "pool3"), (3, size, size))
    stages = [led[name] for name in ("conv1", "pool1", "pool2", "pool3")]
    assert tuple(row.output_shape[-1] for row in stages) == sizes
    # A ledger may give one number, or one for the rows and one for the columns.
    lost = [row.leftover for row in stages]
    assert tuple(n[0] if isinstance(n, tuple) else n for n in lost) == leftovers


@pytest.mark.parametrize("padding, smallest", [(0, 67), (1, 65), (2, 63)])
def test_smallest_image_that_reaches_the_end_of_the_convolutions(padding, smallest):
    net = first_layers(alexnet_one_tower(), "pool3").eval()
    net.conv1.padding = (padding, padding)
    assert net(torch.zeros(1, 3, smallest, smallest)).shape[1:] == (256, 1, 1)
    with pytest.raises(RuntimeError):
        net(torch.zeros(1, 3, smallest - 1, smallest - 1))


def test_layer_names_follow_the_papers_order(paper):
    names = (
        "conv1 relu1 norm1 pool1 conv2 relu2 norm2 pool2 conv3 relu3 conv4 relu4 "
        "conv5 relu5 pool3 flatten fc6 relu6 drop6 fc7 relu7 drop7 fc8"
    )
    for net in (paper, on_meta(alexnet_one_tower), alexnet_mini()):
        assert " ".join(dict(net.named_children())) == names
    padded = on_meta(alexnet_2012, image_size=224)
    assert " ".join(dict(padded.named_children())) == "pad " + names


# ---------------------------------------------------------------- two towers


@pytest.mark.parametrize("name", ["conv2", "conv4", "conv5"])
def test_groups_are_two_towers_bit_for_bit(paper, name):
    conv = getattr(paper, name)
    size = 27 if name == "conv2" else 13
    maps = torch.randn(2, conv.in_channels, size, size)
    with torch.inference_mode():
        towers = [
            F.conv2d(half, weight, bias, padding=conv.padding)
            for half, weight, bias in zip(
                maps.chunk(2, 1), conv.weight.chunk(2), conv.bias.chunk(2), strict=True
            )
        ]
        assert torch.equal(conv(maps), torch.cat(towers, 1))


def test_only_conv3_and_the_linear_layers_see_both_towers(paper):
    assert {n: c.groups for n, c in paper.named_children() if "conv" in n} == {
        "conv1": 1,
        "conv2": 2,
        "conv3": 1,
        "conv4": 2,
        "conv5": 2,
    }
    assert tuple(paper.conv2.weight.shape[1:]) == (48, 5, 5)
    assert tuple(paper.conv4.weight.shape[1:]) == (192, 3, 3)


@pytest.mark.parametrize("name, channels", [("norm1", 96), ("norm2", 256)])
def test_lrn_per_tower_differs_in_four_channels_at_the_seam(paper, name, channels):
    norm = getattr(paper, name)
    maps = 50 * torch.rand(2, channels, 7, 7, dtype=torch.float64)
    whole, towers = norm(maps), lrn_per_tower(norm, maps)
    differs = (whole != towers).any(dim=(0, 2, 3)).nonzero().flatten().tolist()
    seam = channels // 2
    assert differs == [seam - 2, seam - 1, seam, seam + 1]
    first, second = maps[:, :seam], maps[:, seam:]
    assert torch.equal(towers, torch.cat([norm(first), norm(second)], dim=1))


def test_lrn_per_tower_wants_equal_towers(paper):
    with pytest.raises(ValueError, match="95 channels do not split into 2 towers"):
        lrn_per_tower(paper.norm1, torch.zeros(1, 95, 2, 2))


# ---------------------------------------------------------------- 224, 227 and 55


def test_ceiling_at_224_is_three_zeros_and_floor():
    image = torch.randn(3, 224, 224, dtype=torch.float64)
    kernels = torch.randn(4, 3, 11, 11, dtype=torch.float64)
    # As in 2012: 1 + ceil((224 - 11)/4) windows; pixels off the image read as zero.
    count = 1 + -(-(224 - 11) // 4)
    reference = torch.empty(4, count, count, dtype=torch.float64)
    for i in range(count):
        for j in range(count):
            part = image[:, 4 * i : 4 * i + 11, 4 * j : 4 * j + 11]
            rows, columns = part.shape[1:]
            reference[:, i, j] = (kernels[..., :rows, :columns] * part).sum((1, 2, 3))
    padded = F.conv2d(F.pad(image, (0, 3, 0, 3)), kernels, stride=4)
    assert count == 55
    assert F.conv2d(image, kernels, stride=4).shape[-1] == 54
    assert torch.allclose(padded, reference, rtol=0, atol=1e-10)


def test_pools_ceil_mode_tells_the_same_story():
    image = torch.rand(1, 1, 224, 224)  # not negative: a zero never wins a maximum
    ceiling = F.max_pool2d(image, 11, stride=4, ceil_mode=True)
    assert ceiling.shape[-1] == 55
    assert torch.equal(ceiling, F.max_pool2d(F.pad(image, (0, 3, 0, 3)), 11, stride=4))


def test_net_for_224_is_the_net_for_227_after_three_zeros(paper):
    net = on_meta(alexnet_2012, image_size=224).eval()
    net.load_state_dict(paper.state_dict(), assign=True)
    image = torch.randn(1, 3, 224, 224)
    with torch.inference_mode():
        assert torch.equal(net(image), paper(F.pad(image, (0, 3, 0, 3))))


# ---------------------------------------------------------------- order and LRN


def test_relu_commutes_with_max_pool_but_not_with_lrn_nor_average_pool():
    maps = torch.randn(2, 8, 13, 13)
    relu, norm = nn.ReLU(), nn.LocalResponseNorm(5, 1e-4, 0.75, 2)
    pool, average = nn.MaxPool2d(3, 2), nn.AvgPool2d(3, 2)
    assert torch.equal(relu(pool(maps)), pool(relu(maps)))
    assert not torch.allclose(relu(average(maps)), average(relu(maps)), atol=0.1)
    loud = 100 * maps  # LRN squares its inputs, so that negative ones count, too
    assert not torch.allclose(relu(norm(loud)), norm(relu(loud)), rtol=0.01)


def formula_of_the_paper(maps, alpha, n=5, beta=0.75, k=2.0):
    """b_i = a_i / (k + α Σ a_j²)^β over the n neighbours of channel i, as printed."""
    out = torch.empty_like(maps)
    channels = maps.shape[1]
    for i in range(channels):
        low, high = max(0, i - n // 2), min(channels - 1, i + n // 2)
        squares = (maps[:, low : high + 1] ** 2).sum(dim=1)
        out[:, i] = maps[:, i] / (k + alpha * squares) ** beta
    return out


def test_pytorch_divides_alpha_by_n_as_the_2012_code_does(paper):
    maps = 60 * torch.randn(2, 16, 5, 5, dtype=torch.float64)
    literal = formula_of_the_paper(maps, alpha=1e-4)
    assert torch.allclose(paper.norm1(maps), formula_of_the_paper(maps, alpha=1e-4 / 5))
    assert not torch.allclose(paper.norm1(maps), literal, rtol=0.01)
    assert torch.allclose(nn.LocalResponseNorm(5, 5e-4, 0.75, 2)(maps), literal)


def test_lrn_is_nearly_a_constant_for_normalised_inputs_only(paper):
    maps = torch.randn(2, 96, 9, 9, dtype=torch.float64)
    factor = paper.norm1(maps) / maps
    assert torch.allclose(factor, torch.tensor(2**-0.75).double(), rtol=1e-3)
    bright = 128 * maps
    assert (paper.norm1(bright) / bright).mean() < 0.9 * 2**-0.75


# ---------------------------------------------------------------- initialisation


def weights_and_biases(net):
    return {
        name: (layer.weight, layer.bias)
        for name, layer in net.named_children()
        if isinstance(layer, (nn.Conv2d, nn.Linear))
    }


def assert_gaussian(net, std_of):
    for name, (weight, _) in weights_and_biases(net).items():
        std, count = std_of(name, weight), weight.numel()
        assert abs(weight.mean()) < 5 * std / count**0.5, name
        # The standard error of a standard deviation is σ/√(2n).
        assert abs(weight.std() - std) < 5 * std / (2 * count) ** 0.5, name


def assert_papers_biases(net):
    ones = {"conv2", "conv4", "conv5", "fc6", "fc7"}
    for name, (_, bias) in weights_and_biases(net).items():
        assert (bias == (1.0 if name in ones else 0.0)).all(), name


def test_papers_initialisation(paper):
    assert_gaussian(paper, lambda name, weight: 0.01)
    assert_papers_biases(paper)


def test_the_2012_codes_initialisation_is_wider_in_conv3_to_conv5():
    net = alexnet_2012(initialisation="code")
    three = ("conv3", "conv4", "conv5")
    assert_gaussian(net, lambda name, weight: 0.03 if name in three else 0.01)
    assert_papers_biases(net)


def test_he_initialisation_and_how_near_the_code_came(paper):
    net = alexnet_mini()
    assert_gaussian(net, lambda name, weight: (2 / weight[0].numel()) ** 0.5)
    assert all((bias == 0).all() for _, bias in weights_and_biases(net).values())
    fan_in = {name: w[0].numel() for name, (w, _) in weights_and_biases(paper).items()}
    he = [round((2 / fan_in[name]) ** 0.5, 4) for name in ("conv3", "conv4", "conv5")]
    assert he == [0.0295, 0.034, 0.034]


def test_pytorchs_initialisation_is_uniform_within_one_over_root_fan_in():
    net = initialise_alexnet(alexnet_mini(), "pytorch")
    for name, tensors in weights_and_biases(net).items():
        bound = tensors[0][0].numel() ** -0.5
        assert all(t.abs().max() <= bound for t in tensors), name
        assert abs(tensors[0].std() - bound / 3**0.5) < 0.05 * bound, name


def test_a_seed_gives_the_same_weights_again():
    nets = []
    for _ in range(2):
        torch.manual_seed(7)
        nets.append(alexnet_mini())
    assert torch.equal(nets[0].fc6.weight, nets[1].fc6.weight)


def test_a_network_built_on_meta_stays_there():
    assert all(p.is_meta for p in on_meta(alexnet_2012).parameters())


# ---------------------------------------------------------------- arguments


@pytest.mark.parametrize("build", [alexnet_2012, alexnet_one_tower])
def test_other_image_sizes_are_refused(build):
    with pytest.raises(ValueError, match="must be 227 or 224, not 256"):
        on_meta(build, image_size=256)


def test_unknown_initialisation_lists_the_choices():
    with pytest.raises(ValueError, match="'paper', 'code', 'he', 'pytorch'.*'xavier'"):
        on_meta(alexnet_2012, initialisation="xavier")


@pytest.mark.parametrize(
    "build", [alexnet_2012, alexnet_one_tower, alexnet_torchvision, alexnet_mini]
)
def test_any_channels_and_classes(build):
    net = on_meta(build, in_channels=4, num_classes=7)
    assert (net.conv1.in_channels, net.fc8.out_features) == (4, 7)
    with pytest.raises(ValueError, match="at least 1"):
        on_meta(build, num_classes=0)


@pytest.mark.parametrize("size", [28, 32, 35])
def test_mini_takes_small_images(size):
    assert alexnet_mini(3, 5)(torch.randn(2, 3, size, size)).shape == (2, 5)


def test_mini_accounts_are_those_of_its_docstring():
    led = ledger(alexnet_mini(), (1, 28, 28))
    stages = [led[name] for name in ("conv1", "pool1", "pool2", "pool3")]
    assert [row.output_shape[-1] for row in stages] == [23, 11, 5, 2]
    assert all(row.leftover in (0, (0, 0)) for row in stages)
    assert led.total_parameters == 544_194
    assert 6.25e6 < led.total_macs < 6.35e6


# ---------------------------------------------------------------- torchvision


@pytest.mark.parametrize("size", [224, 256])
def test_same_logits_as_torchvision_bit_for_bit(pair, size):
    theirs, ours = pair
    images = torch.randn(2, 3, size, size)
    with torch.inference_mode():
        assert torch.equal(theirs(images), ours(images))


@pytest.fixture
def published():
    """A state dict with torchvision's names and shapes that takes no memory."""
    from torchvision.models import alexnet

    shapes = {k: v.shape for k, v in on_meta(alexnet).state_dict().items()}
    values = {k: float(i) for i, k in enumerate(shapes, start=1)}
    return {k: torch.tensor(values[k]).expand(shapes[k]) for k in shapes}


def no_network(*given, **options):
    raise URLError("Name or service not known")


def test_weights_come_from_a_file_or_from_torch_hubs_folder(
    pair, published, tmp_path, monkeypatch
):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    net = alexnet_torchvision()
    with pytest.raises(FileNotFoundError, match="alexnet-owt-7be5be79.pth.*download"):
        load_torchvision_weights(net)
    path = tmp_path / "checkpoints" / "alexnet-owt-7be5be79.pth"
    with monkeypatch.context() as patch:  # no network; what to do is done by hand
        patch.setattr("torchvision.models.AlexNet_Weights.get_state_dict", no_network)
        with pytest.raises(FileNotFoundError, match=f"not known.*put it at {path}"):
            load_torchvision_weights(net, download=True)
    path.parent.mkdir()
    torch.save(published, path)
    assert load_torchvision_weights(net) is net
    assert (net.conv1.weight == 1).all() and (net.fc8.bias == 16).all()
    net.fc8.bias.data.zero_()
    load_torchvision_weights(net, path)
    assert (net.fc8.bias == 16).all()


def test_other_classes_load_everything_but_fc8_when_asked(published):
    net = alexnet_torchvision(num_classes=10)
    before = net.fc8.weight.clone()
    with pytest.raises(ValueError, match=r"\(1000, 4096\).*\(10, 4096\).*fc8=False"):
        load_torchvision_weights(net, published)
    assert not (net.conv1.weight == 1).all(), "a failed load must change nothing"
    load_torchvision_weights(net, published, fc8=False)
    assert torch.equal(net.fc8.weight, before)
    assert (net.fc7.bias == 14).all()


def test_wrong_weights_are_refused_with_the_reason(published, paper, tmp_path):
    net = on_meta(alexnet_torchvision)
    with pytest.raises(ValueError, match="meta device"):
        load_torchvision_weights(net, published)
    with pytest.raises(ValueError, match=r"features.0.weight has shape .*\(96, 3"):
        load_torchvision_weights(paper, published)
    with pytest.raises(ValueError, match="no features.0.weight.*conv1.weight"):
        load_torchvision_weights(net, paper.state_dict())
    with pytest.raises(ValueError, match="must be an alexnet_torchvision"):
        load_torchvision_weights(nn.Sequential(nn.Linear(2, 2)), published)
    with pytest.raises(FileNotFoundError, match="no weights file"):
        load_torchvision_weights(net, tmp_path / "nothing.pth")
    bad = tmp_path / "bad.pth"
    bad.write_bytes(b"not a file of weights")
    with pytest.raises(ValueError, match="no readable file of weights: "):
        load_torchvision_weights(net, bad)
    torch.save([1, 2], bad)
    with pytest.raises(ValueError, match="holds a list"):
        load_torchvision_weights(net, bad)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {f"module.{name}": value for name, value in state.items()},
        lambda state: {"state_dict": state, "epoch": 90},
        lambda state: {"model": {f"module.{k}": v for k, v in state.items()}},
        lambda state: {f"_orig_mod.{name}": value for name, value in state.items()},
    ],
)
def test_weights_are_found_in_what_is_often_around_them(published, wrap):
    net = alexnet_torchvision()
    load_torchvision_weights(net, wrap(published))
    assert (net.conv1.weight == 1).all() and (net.fc8.bias == 16).all()


def test_weights_come_out_of_a_model_too(published, tmp_path):
    from torchvision.models import alexnet

    theirs, net = alexnet(weights=None), alexnet_torchvision()
    load_torchvision_weights(net, theirs)
    assert torch.equal(net.fc7.weight, theirs.classifier[4].weight)
    torch.save(theirs.features, path := tmp_path / "model'), print('.pth")
    with pytest.raises(ValueError, match="a whole model. If you trust it: ") as error:
        load_torchvision_weights(net, path)
    advice = ast.parse(str(error.value).rpartition("it: ")[2], mode="eval").body
    assert ast.literal_eval(advice.args[0]) == str(path)  # one call, whatever the name


def test_other_widths_and_classes_name_the_line_that_helps(published):
    narrow = {**published, "classifier.6.weight": torch.zeros(10, 4096)}
    with pytest.raises(ValueError, match="fc8=False .* num_classes=10 takes all"):
        load_torchvision_weights(alexnet_torchvision(), narrow)
    wide = {**published, "features.0.weight": torch.zeros(96, 3, 11, 11)}
    with pytest.raises(ValueError, match=r"alexnet_torchvision\(\) has torchvision's"):
        load_torchvision_weights(alexnet_torchvision(), wide)
