"""The two LeNet-5, against LeCun et al. (1998) and against plain PyTorch."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from alexnet_lab import ledger
from alexnet_lab.models import digit_bitmaps, lenet5, lenet5_1998
from alexnet_lab.models.lenet import C3_TABLE, PartialConv2d, ScaledTanh, Subsampling


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
@pytest.mark.parametrize("pooling", ["average", "max"])
def test_teaching_net(activation, pooling):
    net = lenet5(activation, pooling)
    assert type(net) is nn.Sequential
    assert sum(p.numel() for p in net.parameters()) == 61_706
    assert net(torch.zeros(2, 1, 28, 28)).shape == (2, 10)
    led = ledger(net, (1, 28, 28))
    assert (led.total_parameters, led.total_macs) == (61_706, 416_520)
    assert led.verify().exact


def test_other_channels_and_classes():
    net = lenet5("relu", "max", in_channels=3, num_classes=7)
    assert net(torch.zeros(2, 3, 28, 28)).shape == (2, 7)


@pytest.mark.parametrize("wrong", [{"activation": "rely"}, {"pooling": "mean"}])
def test_unknown_choice_lists_the_choices(wrong):
    with pytest.raises(ValueError, match="use one of"):
        lenet5(**wrong)


# facts.md, section 1: output, parameters, connections, receptive field, jump
TABLE_1998 = {
    "c1": ((6, 28, 28), 156, 122_304, 5, 1),
    "s2": ((6, 14, 14), 12, 5_880, 6, 2),
    "c3": ((16, 10, 10), 1_516, 151_600, 14, 2),
    "s4": ((16, 5, 5), 32, 2_000, 16, 4),
    "c5": ((120, 1, 1), 48_120, 48_120, 32, 4),
    "f6": ((84,), 10_164, 10_164, None, None),
    "output": ((10,), 0, 840, None, None),
}


@pytest.fixture(scope="module")
def led_1998():
    return ledger(lenet5_1998(), (1, 32, 32))


@pytest.mark.parametrize("name", TABLE_1998)
def test_every_row_of_1998(led_1998, name):
    row = next(row for row in led_1998.rows if row.name == name)
    shape, parameters, connections, field, jump = TABLE_1998[name]
    assert row.output_shape == shape
    assert (row.parameters, row.connections) == (parameters, connections)
    assert (row.receptive_field, row.jump) == (field, jump)


def test_totals_of_1998(led_1998):
    assert led_1998.total_parameters == 60_000
    assert led_1998.total_connections == 340_908
    assert sum(p.numel() for p in lenet5_1998().parameters()) == 60_000
    assert led_1998.verify().exact


def test_connection_table():
    assert sum(len(inputs) for inputs in C3_TABLE) == 60
    assert all(sum(i in inputs for inputs in C3_TABLE) == 10 for i in range(6))


def test_partial_convolution_reads_only_its_maps():
    torch.manual_seed(0)
    layer, x = (
        PartialConv2d(6, C3_TABLE, 5).double(),
        torch.randn(2, 6, 14, 14).double(),
    )
    got = layer(x)
    position = 0
    for o, inputs in enumerate(C3_TABLE):
        kernels = layer.kernels[position : position + len(inputs)]
        alone = F.conv2d(x[:, list(inputs)], kernels[None], layer.bias[o : o + 1])
        assert torch.allclose(got[:, o], alone[:, 0])
        position += len(inputs)


def test_subsampling_is_a_coefficient_times_a_sum_plus_a_bias():
    layer, x = Subsampling(3), torch.randn(2, 3, 6, 6)
    with torch.no_grad():
        layer.coefficient.copy_(torch.tensor([0.5, -1.0, 2.0]))
        layer.bias.copy_(torch.tensor([1.0, 2.0, 3.0]))
    window = x[1, 2, 2:4, 4:6]
    assert layer(x)[1, 2, 1, 2].item() == pytest.approx(
        2 * window.sum().item() + 3, abs=1e-5
    )


def test_scaled_tanh_is_nearly_the_identity_at_one():
    one = ScaledTanh()(torch.tensor([1.0, -1.0, 0.0]))
    assert one.tolist() == pytest.approx([1, -1, 0], abs=1e-4)


def test_initial_weights_fill_plus_minus_2_4_by_fan_in():
    torch.manual_seed(0)
    net = lenet5_1998()
    for layer, fan_in in [(net.c1, 25), (net.c5, 400), (net.f6, 120)]:
        largest = layer.weight.abs().max().item() * fan_in
        assert 2.2 < largest <= 2.4
        assert layer.bias.abs().max() == 0
    dense = net.c3.dense_weight()
    for o, inputs in enumerate(C3_TABLE):
        largest = dense[o].abs().max().item() * len(inputs) * 25
        assert 2.0 < largest <= 2.4


def test_bitmaps_are_ten_different_pictures():
    bitmaps = digit_bitmaps()
    assert bitmaps.shape == (10, 84) and bitmaps.abs().unique().tolist() == [1]
    distances = (bitmaps[:, None] != bitmaps[None]).sum(2) + 84 * torch.eye(10)
    assert distances.min() >= 6


def test_output_is_minus_the_squared_distance():
    net = lenet5_1998()
    x = torch.randn(3, 84)
    for i, prototype in enumerate(digit_bitmaps()):
        expected = -(x - prototype).square().sum(1)
        assert torch.allclose(net.output(x)[:, i], expected, rtol=1e-5)
    # drawing a digit's own bitmap wins with distance 0
    assert torch.equal(net.output(digit_bitmaps()).argmax(1), torch.arange(10))


def test_state_dict_round_trip():
    first, second = lenet5_1998(), lenet5_1998()
    second.load_state_dict(first.state_dict())
    x = torch.randn(2, 1, 32, 32)
    assert torch.equal(first(x), second(x))


def test_bad_connection_table():
    with pytest.raises(ValueError, match="numbered 0 to 5"):
        PartialConv2d(6, [(0, 6)], 5)
