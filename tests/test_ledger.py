"""The ledger on known networks: every figure of the paper, and every error."""

import sys
import warnings
from collections import OrderedDict
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from alexnet_lab.arithmetic import (
    Ledger,
    LedgerError,
    Step,
    UnknownLayerError,
    as_sequential,
    ledger,
    rule,
    rule_of,
)
from alexnet_lab.arithmetic.layers import unchanged


def alexnet(
    channels=3, padding=0, widths=(96, 256, 384, 384, 256), groups=2, classes=1000,
    features=9216,
):  # fmt: skip
    """AlexNet on the meta device, so that it costs nothing."""
    a, b, c, d, e = widths
    with torch.device("meta"):
        return nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(channels, a, 11, stride=4, padding=padding),
                relu1=nn.ReLU(),
                norm1=nn.LocalResponseNorm(5, 1e-4, 0.75, 2),
                pool1=nn.MaxPool2d(3, 2),
                conv2=nn.Conv2d(a, b, 5, padding=2, groups=groups),
                relu2=nn.ReLU(),
                norm2=nn.LocalResponseNorm(5, 1e-4, 0.75, 2),
                pool2=nn.MaxPool2d(3, 2),
                conv3=nn.Conv2d(b, c, 3, padding=1),
                relu3=nn.ReLU(),
                conv4=nn.Conv2d(c, d, 3, padding=1, groups=groups),
                relu4=nn.ReLU(),
                conv5=nn.Conv2d(d, e, 3, padding=1, groups=groups),
                relu5=nn.ReLU(),
                pool3=nn.MaxPool2d(3, 2),
                flatten=nn.Flatten(),
                fc6=nn.Linear(features, 4096),
                relu6=nn.ReLU(),
                drop6=nn.Dropout(),
                fc7=nn.Linear(4096, 4096),
                relu7=nn.ReLU(),
                drop7=nn.Dropout(),
                fc8=nn.Linear(4096, classes),
            )
        )


def lenet5(padding=2):
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 6, 5, padding=padding), act1=nn.Sigmoid(),
            pool1=nn.AvgPool2d(2),
            conv2=nn.Conv2d(6, 16, 5), act2=nn.Sigmoid(), pool2=nn.AvgPool2d(2),
            flatten=nn.Flatten(),
            fc3=nn.Linear(400, 120), act3=nn.Sigmoid(),
            fc4=nn.Linear(120, 84), act4=nn.Sigmoid(), fc5=nn.Linear(84, 10),
        )
    )  # fmt: skip


PAPER = """
conv1 96×55×55      34944 105415200  11  4
pool1 96×27×27          0         0  19  8
conv2 256×27×27    307456 223948800  51  8
pool2 256×13×13         0         0  67 16
conv3 384×13×13    885120 149520384  99 16
conv4 384×13×13    663936 112140288 131 16
conv5 256×13×13    442624  74760192 163 16
pool3 256×6×6           0         0 195 32
fc6   4096       37752832  37748736   -  -
fc7   4096       16781312  16777216   -  -
fc8   1000        4097000   4096000   -  -
"""


@pytest.mark.parametrize("line", PAPER.split("\n")[1:-1], ids=lambda line: line[:5])
def test_each_row_of_the_paper_s_alexnet(line):
    name, shape, *figures = line.split()
    row = ledger(alexnet(), (3, 227, 227))[name]
    assert row.output_shape == tuple(int(n) for n in shape.split("×"))
    expected = [None if figure == "-" else int(figure) for figure in figures]
    assert [row.parameters, row.macs, row.receptive_field, row.jump] == expected


def test_the_paper_s_alexnet_shows_its_working():
    led = ledger(alexnet(), (3, 227, 227))
    conv1, conv2, fc6 = led["conv1"], led["conv2"], led["fc6"]
    assert conv1.formula == "⌊(227 − 11 + 2·0)/4⌋ + 1 = 55"
    assert conv1.parameters_formula == "(11·11·3 + 1)·96 = 34,944"
    assert conv1.macs_formula == "55·55·96·(11·11·3) = 105,415,200"
    assert conv2.layer == "Conv2d 5×5 p2 g2"
    assert conv2.parameters_formula == "(5·5·48 + 1)·256 = 307,456"
    assert led["flatten"].formula == "256·6·6 = 9,216"
    assert fc6.parameters_formula == "(9,216 + 1)·4,096 = 37,752,832"


@pytest.mark.parametrize(
    ("net", "shape", "parameters", "macs", "sizes"),
    [
        (alexnet(), (3, 227, 227), 60_965_224, 724_406_816, "55-27-13-6"),
        (alexnet(groups=1), (3, 227, 227), 62_378_344, 1_135_256_096, "55-27-13-6"),
        (alexnet(padding=2, widths=(64, 192, 384, 256, 256), groups=1), (3, 224, 224),
         61_100_840, 714_188_480, "55-27-13-6"),
        (alexnet(1, padding=1, groups=1, classes=10, features=6400), (1, 224, 224),
         46_764_746, 938_146_176, "54-26-12-5"),
    ],
    ids=["paper", "one tower", "torchvision", "dive into deep learning"],
)  # fmt: skip
def test_totals_of_four_alexnets(net, shape, parameters, macs, sizes):
    led = ledger(net, shape)
    assert led.total_parameters == parameters
    assert led.total_macs == macs
    names = "conv1", "pool1", "pool2", "pool3"
    assert "-".join(str(led[name].output_shape[1]) for name in names) == sizes


@pytest.mark.parametrize(
    ("size", "padding", "sizes", "left"),
    [
        (227, 0, (55, 27, 13, 6), (0, 0, 0, 0)),
        (224, (0, 3), (55, 27, 13, 6), (0, 0, 0, 0)),
        (224, 2, (55, 27, 13, 6), (1, 0, 0, 0)),
        (224, 0, (54, 26, 12, 5), (1, 1, 1, 1)),
        (224, 1, (54, 26, 12, 5), (3, 1, 1, 1)),
    ],
)
def test_sizes_and_leftovers_of_the_224_puzzle(size, padding, sizes, left):
    layers = list(alexnet(padding=padding if isinstance(padding, int) else 0))
    if padding == (0, 3):
        layers.insert(0, nn.ZeroPad2d((0, 3, 0, 3)))
    led = ledger(
        nn.Sequential(*layers[: -8 if padding != (0, 3) else -8]), (3, size, size)
    )
    rows = [row for row in led if "11×11" in row.layer or "MaxPool2d" in row.layer]
    assert tuple(row.output_shape[1] for row in rows) == sizes
    assert tuple(row.leftover for row in rows) == left


@pytest.mark.parametrize(("padding", "smallest"), [(0, 67), (1, 65), (2, 63)])
def test_minimum_input_of_alexnet(padding, smallest):
    led = ledger(alexnet(padding=padding)[:16], (3, 224, 224))
    assert led.minimum_input == smallest
    assert ledger(alexnet(padding=padding)[:16], (3, smallest, smallest))
    with pytest.raises(LedgerError):
        ledger(alexnet(padding=padding)[:16], (3, smallest - 1, smallest - 1))


def test_lenet5():
    led = ledger(lenet5(), (1, 28, 28))
    assert (led.total_parameters, led.total_macs) == (61_706, 416_520)
    by_layer = [row.parameters for row in led if row.parameters]
    assert by_layer == [156, 2_416, 48_120, 10_164, 850]
    assert led["conv1"].connections == 122_304
    assert [led[n].receptive_field for n in ("conv1", "pool1", "conv2", "pool2")] == [
        5, 6, 14, 16,
    ]  # fmt: skip
    assert ledger(lenet5(padding=0), (1, 32, 32)).total_parameters == 61_706
    assert led.verify().exact


def test_lenet5_without_padding_teaches_16_4_4():
    with pytest.raises(LedgerError) as caught:
        ledger(lenet5(padding=0), (1, 28, 28))
    assert "expects 400 features but flatten gives 16·4·4 = 256" in str(caught.value)
    assert "square inputs that fit: 32 to 35" in str(caught.value)


# Errors ---------------------------------------------------------------------------


def test_alexnet_on_224_teaches_where_9216_went():
    with pytest.raises(LedgerError) as caught:
        ledger(alexnet(), (3, 224, 224))
    assert str(caught.value) == (
        "fc6 expects 9,216 features but flatten gives 256·5·5 = 6,400; "
        "square inputs that fit: 227 to 258.\n"
        "Sizes here, from the input on: 224 → 54 → 26 → 12 → 5."
    )
    for size in (227, 258):
        assert ledger(alexnet(), (3, size, size))
    for size in (226, 259):
        with pytest.raises(LedgerError):
            ledger(alexnet(), (3, size, size))


class Own(nn.Module):
    pass


class OwnForward(nn.Conv2d):
    def forward(self, x):
        return x[..., ::2]


class Renamed(nn.Conv2d):
    pass


def older_weight_norm():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is deprecated, and still in use
        return nn.utils.weight_norm(nn.Conv2d(3, 4, 3))


def patched():
    layer = nn.ReLU()
    layer.forward = lambda x: x[:, :1]
    return layer


@pytest.mark.parametrize(
    ("net", "shape", "error", "says"),
    [
        (alexnet(), (1, 3, 227, 227), ValueError, r"batch .*\(3, 227, 227\)"),
        (alexnet(), (1, 227, 227), ValueError, "conv1 .*3 channels, but gets 1"),
        (alexnet(), (227, 227, 3), ValueError, "PyTorch puts channels first"),
        (alexnet(), (227, 227), ValueError, r"\(1, 227, 227\)"),
        (alexnet(), (784,), ValueError, "conv1 .*but gets 784 features"),
        (alexnet(), 227, TypeError, "input_shape must be a tuple"),
        (alexnet(), (3, 227.0, 227), TypeError, "whole numbers"),
        (alexnet(), (3, 0, 227), ValueError, "at least 1"),
        (alexnet(), (), ValueError, "input_shape must be"),
        (alexnet(), (3, 60, 60), ValueError,
         r"(?s)pool3 .*window of 3 does not fit into 2: ⌊\(2 − 3 \+ 2·0\)/2⌋ \+ 1 = 0"
         r".*60 → 13 → 6 → 2.*before the Flatten need at least 67×67; "
         r"square inputs that fit the whole net: 227 to 258\.$"),
        (alexnet(), (3, 9, 227), ValueError, "conv1 .*along the height: .*11.* into 9"),
        (nn.Sequential(nn.Conv2d(3, 8, 3), nn.Linear(288, 10)), (3, 8, 8), ValueError,
         r"layer 1 expects 288 .*8×6×6.*Flatten.*8·6·6 = 288 fits"),
        (nn.Sequential(nn.Linear(9, 4), nn.ReLU(), nn.Linear(5, 2)), (9,), ValueError,
         "layer 2 expects 5 features but layer 0 gives 4"),
        (nn.Sequential(nn.AdaptiveAvgPool2d(6), nn.Flatten(), nn.Linear(27, 2)),
         (3, 9, 9), ValueError,
         r"layer 2 expects 27 .*3·6·6 = 108; no square input gives 27"),
        (nn.Sequential(nn.Conv2d(1, 1, 3), nn.MaxPool2d(900)), (1, 40, 40), ValueError,
         "(?s)40 → 38.*smallest square input is 902\\.$"),
        (nn.Sequential(nn.MaxPool2d(9), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                       nn.Linear(3, 2)), (3, 8, 8), ValueError,
         "before the Flatten need at least 9×9; .* the whole net: 9 or more"),
        (nn.Sequential(nn.MaxPool2d(9), nn.Flatten(), nn.Linear(5, 2)), (3, 8, 8),
         ValueError, r"before the Flatten need at least 9×9\.$"),
        (nn.Conv2d(1, 1, 3, padding=4, padding_mode="reflect"), (1, 4, 4), ValueError,
         "pads 4 by reflect copies of 4 pixels, which give 3"),
        (nn.Flatten(0), (3, 4, 4), ValueError, "merges the batch"),
        (nn.Sequential(nn.MaxPool2d(2, return_indices=True)), (3, 4, 4), ValueError,
         r"layer 0 \(MaxPool2d\) returns indices .* can't hand two things on"),
        (nn.Sequential(OrderedDict(head=nn.Sequential(OrderedDict(own=Own())))), (4,),
         TypeError, r"(?s)head\.own: .*no rule for Own.*@rule\(Own\).*return Step\("),
        (nn.ModuleList([nn.ReLU()]), (4,), TypeError, "no rule for ModuleList"),
        (OwnForward(3, 8, 3), (3, 8, 8), TypeError,
         r"(?s)its? own.*rule\(OwnForward\)\(rule_of\(nn\.Conv2d\)\)"),
        (nn.Sequential(patched()), (4,), TypeError, "layer 0: this ReLU got a forward"),
        (nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(4, 4))), (4,),
         TypeError, "parametrize"),
        (nn.Sequential(older_weight_norm()), (3, 8, 8), TypeError, "of this Conv2d"),
        (nn.Upsample(2), (1, 7, 7), TypeError, "no rule for Upsample"),
        (torch.relu, (4,), TypeError, "needs a network or a layer"),
    ],
)  # fmt: skip
def test_errors_teach(net, shape, error, says):
    with pytest.raises(error, match=says):
        ledger(net, shape)


def test_subclasses_that_keep_forward_keep_the_rule():
    row = ledger(Renamed(3, 8, 3), (3, 8, 8))[0]
    assert (row.layer, row.parameters) == ("Renamed 3×3", 224)
    plain = ledger(nn.Conv2d(3, 8, 3), (3, 8, 8))[0]
    assert row == replace(plain, layer="Renamed 3×3", name="renamed")


def test_a_rule_of_one_s_own(clean_rules):
    @rule(Own)
    def halve(layer, shape):
        return Step(output_shape=(shape[0] // 2,), formula=f"{shape[0]}/2")

    led = ledger(nn.Sequential(Own(), nn.Linear(4, 2)), (8,))
    assert [row.output_shape for row in led] == [(4,), (2,)]
    assert led[0].layer == "Own"

    rule(OwnForward)(rule_of(nn.Conv2d))
    assert ledger(OwnForward(3, 8, 3), (3, 8, 8)).total_parameters == 224
    with pytest.raises(TypeError, match="write @rule"):
        rule(halve)
    with pytest.raises(TypeError, match="write @rule"):
        rule()


def test_advice_halves_the_sides_instead_of_trying_each(clean_rules):
    calls = []
    rule(Own)(lambda layer, shape: calls.append(shape) or unchanged(shape))
    net = nn.Sequential(*(Own() for _ in range(100)), nn.Flatten(), nn.Linear(300, 2))
    with pytest.raises(LedgerError, match="square inputs that fit: 10\\."):
        ledger(net, (3, 32, 32))
    assert len(calls) < 25 * 100
    calls.clear()
    assert ledger(net[:100], (3, 227, 227)).minimum_input == 1
    assert len(calls) < 20 * 100


# Structure ------------------------------------------------------------------------


def test_a_layer_that_stands_twice_counts_once():
    conv, norm = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)
    block = nn.Sequential(OrderedDict(conv=conv, norm=norm))
    net = nn.Sequential(OrderedDict(a=block, b=block, c=nn.Sequential(conv)))
    led = ledger(net, (4, 8, 8))
    assert [row.name for row in led] == ["a.conv", "a.norm", "b.conv", "b.norm", "c.0"]
    assert led.total_parameters == sum(p.numel() for p in net.parameters())
    assert led["b.conv"].parameters_formula == "shared with a.conv"
    assert led["b.conv"].macs == led["a.conv"].macs > 0
    assert led["c.0"].receptive_field == 7
    assert led.verify().exact


def test_weights_that_two_layers_share_count_once():
    one, two = nn.Linear(100, 100), nn.Linear(100, 100)
    two.weight = one.weight
    net = nn.Sequential(OrderedDict(one=one, act=nn.ReLU(), two=two))
    led = ledger(net, (100,))
    assert led.total_parameters == sum(p.numel() for p in net.parameters()) == 10_200
    assert [row.parameters for row in led] == [10_100, 0, 100]
    working = "(100 + 1)·100 − 10,000 shared with one = 100"
    assert led["two"].parameters_formula == working
    assert led["two"].macs == 10_000 and working in str(led) and "10,200" in str(led)
    assert led.verify().exact and "10,200: exact" in str(led.verify())


def test_convolutions_that_share_all_their_weights():
    one, two = nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3, padding=1)
    two.weight, two.bias = one.weight, one.bias
    led = ledger(nn.Sequential(one, two, nn.Sequential(two)), (4, 8, 8))
    assert [row.parameters for row in led] == [148, 0, 0]
    assert led.verify().exact


def test_frozen_weights_count_too():
    net = nn.Sequential(nn.Linear(4, 3).requires_grad_(False), nn.Linear(3, 2))
    assert ledger(net, (4,)).total_parameters == 15 + 8


def within_itself():
    net = nn.Sequential(nn.ReLU())
    net.again = net
    return net


def a_thousand_deep():
    net = nn.ReLU()
    for _ in range(2 * sys.getrecursionlimit()):
        net = nn.Sequential(net)
    return net


@pytest.mark.parametrize("made", [within_itself, a_thousand_deep])
def test_a_network_without_an_end_is_refused_in_words(made):
    with pytest.raises(UnknownLayerError, match="holds itself, or layers nes"):
        ledger(made(), (3, 8, 8))


def test_an_image_of_any_size_has_a_ledger():
    led = ledger(nn.Conv2d(3, 3, 3), (3, 10**30, 10**30))
    assert led.minimum_input == 3 and "smallest square input 3" in str(led)


class Scaled(nn.Sequential):
    def __init__(self, *layers):
        super().__init__(*layers)
        self.scale = nn.Parameter(torch.ones(3))


@pytest.mark.parametrize("where", ["alone", "within"])
def test_a_parameter_of_no_layer_is_not_left_out_in_silence(where):
    net = Scaled(nn.Linear(4, 3))
    net = nn.Sequential(net, nn.ReLU()) if where == "within" else net
    says = "Scaled holds a parameter of its own, scale, which no layer counts"
    with pytest.raises(UnknownLayerError, match=says):
        ledger(net, (4,))


@pytest.mark.filterwarnings("ignore")  # PyTorch would rather have torch.export
@pytest.mark.parametrize("how", ["trace", "script", "a part of it"])
def test_what_torch_jit_made_is_refused_in_words(how):
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())
    made = (
        torch.jit.script(net)
        if how == "script"
        else torch.jit.trace(net, torch.zeros(1, 1, 8, 8))
    )
    made = nn.Sequential(made, nn.Flatten()) if how == "a part of it" else made
    for use in (ledger, as_sequential):
        with pytest.raises(UnknownLayerError, match=r"as it was before torch\.jit"):
            use(made, (1, 8, 8))


@pytest.mark.parametrize("kind", [np.int64, np.uint8])
def test_numpy_s_integers_are_integers(kind):
    led = ledger(lenet5(), (1, kind(28), kind(28)))
    assert led.total_parameters == 61_706 and led.input_shape == (1, 28, 28)
    assert type(led[-1].macs) is int
    with pytest.raises(TypeError, match="whole numbers"):
        ledger(lenet5(), (1, np.float64(28), 28))
    with pytest.raises(TypeError, match="whole numbers"):
        ledger(lenet5(), (True, 28, 28))


def pruned(*names):
    from torch.nn.utils import prune

    layer = nn.Conv2d(2, 4, 3)
    for name in names:
        prune.l1_unstructured(layer, name, amount=0.5)
    return layer


@pytest.mark.parametrize("names", [["weight"], ["bias"], ["weight", "bias"]])
def test_the_advice_for_pruned_layers_leads_to_exact_rows(names):
    layer = pruned(*names)
    for _ in names:
        with pytest.raises(UnknownLayerError, match="Take that off first") as error:
            ledger(nn.Sequential(layer), (2, 8, 8))
        exec(
            str(error.value).rpartition("first: ")[2], {"torch": torch, "layer": layer}
        )
    assert ledger(nn.Sequential(layer), (2, 8, 8)).verify().exact


def test_rows_by_name_and_by_place():
    led = ledger(lenet5(), (1, 28, 28))
    assert isinstance(led, Ledger) and len(led) == len(led.rows) == 12
    assert led["fc5"] is led[-1] is led.rows[-1]
    with pytest.raises(KeyError, match="conv1"):
        led["cnv1"]


def test_geometry_in_two_directions():
    net = nn.Sequential(
        nn.Conv2d(1, 2, (3, 5), stride=(1, 2), padding=(1, 0)),
        nn.AdaptiveAvgPool2d((None, 4)),
        nn.Conv2d(2, 2, 1),
        nn.AdaptiveMaxPool2d((4, 3)),
        nn.Conv2d(2, 2, 1),
        nn.Flatten(),
    )
    conv, pool, _, uneven, after, flat = ledger(net, (1, 11, 20))
    assert conv.formula == (
        "height ⌊(11 − 3 + 2·1)/1⌋ + 1 = 11; width ⌊(20 − 5 + 2·0)/2⌋ + 1 = 8"
    )
    assert (conv.receptive_field, conv.jump, conv.leftover) == ((3, 5), (1, 2), (0, 1))
    assert (pool.receptive_field, pool.jump) == ((3, 7), (1, 4))
    assert "uneven" in uneven.formula
    assert uneven.receptive_field is uneven.jump is after.receptive_field is None
    assert flat.leftover is None
    assert ledger(net[:-1], (1, 11, 20)).verify().exact


def test_adaptive_pool_that_equals_the_paper_s_pool():
    row = ledger(nn.AdaptiveMaxPool2d(6), (256, 13, 13))[0]
    assert row.formula == "13 → 6: windows of 3, 2 apart"


def test_lazy_layers_need_not_have_run():
    net = nn.Sequential(
        nn.LazyConv2d(8, 3, groups=3), nn.LazyBatchNorm2d(), nn.Flatten(),
        nn.LazyLinear(10),
    )  # fmt: skip
    net[0].groups = 1
    led = ledger(net, (3, 8, 8))
    with pytest.raises(ValueError, match=r"net\(torch\.zeros\(1, 3, 8, 8\)\)"):
        led.verify()
    net(torch.zeros(2, 3, 8, 8))
    again = ledger(net, (3, 8, 8))
    assert led.total_parameters == again.total_parameters
    assert led.total_parameters == sum(p.numel() for p in net.parameters())
    assert again.verify().exact


class NoOperation(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        raise AssertionError(f"the ledger ran {func}")


def test_a_ledger_runs_no_operation():
    net = alexnet()
    with NoOperation():
        with pytest.raises(AssertionError):
            torch.empty(1)  # the guard itself works
        led = ledger(net, (3, 227, 227))
        assert "60,965,224" in str(led) and led._repr_html_() and led.minimum_input
        with pytest.raises(LedgerError):
            ledger(net, (3, 224, 224))


def test_names_of_layers_are_text_not_html():
    evil = "<img src=x onerror=alert(1)>"
    kind = type("<script>", (nn.ReLU,), {})
    html = ledger(nn.Sequential(OrderedDict({evil: kind()})), (1, 4, 4))._repr_html_()
    assert "&lt;img src=x" in html and "<img" not in html and "<script" not in html


def test_text_is_narrow_and_complete():
    text = str(ledger(alexnet(), (3, 227, 227)))
    assert max(len(line) for line in text.splitlines()) <= 120
    assert "⌊(227 − 11 + 2·0)/4⌋ + 1 = 55" in text
    assert text.splitlines()[-1] == (
        "Input 3×227×227 · 60,965,224 parameters · 724,406,816 multiply-accumulates · "
        "at least 67×67 to reach the Flatten"
    )


@pytest.mark.parametrize(
    ("net", "shape", "ending"),
    [
        (nn.Sequential(nn.Conv2d(1, 4, 5), nn.Linear(4, 2)), (1, 8, 8),
         "at least 5×5 to reach the Linear"),
        (nn.Sequential(nn.Sequential(nn.MaxPool2d(3)), nn.ReLU()), (1, 8, 8),
         "smallest square input 3"),
        (nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), (1, 8, 8),
         "128 multiply-accumulates"),
        (nn.Linear(64, 2), (64,), "128 multiply-accumulates"),
    ],
)  # fmt: skip
def test_the_footer_says_what_its_smallest_square_is_true_of(net, shape, ending):
    last = str(ledger(net, shape)).splitlines()[-1]
    assert last.endswith(ending)


def test_html_is_well_formed_and_escaped():
    from xml.etree import ElementTree

    net = nn.Sequential(
        OrderedDict({"<b>": nn.ReLU(), "conv": nn.Conv2d(3, 8, (3, 5))})
    )
    page = ledger(net, (3, 8, 8))._repr_html_()
    tree = ElementTree.fromstring(f"<div>{page}</div>")
    assert len(tree.findall(".//tbody/tr")) == 3
    assert "(3·5·3 + 1)·8 = 368" in "".join(tree.itertext())


def test_html_of_alexnet_fits_900_pixels():
    """By 8 pixels a character of 13, and 6.8 of a working; Chromium needs 780."""
    from xml.etree import ElementTree

    page = ledger(alexnet(), (3, 227, 227))._repr_html_()
    tree = ElementTree.fromstring(f"<div>{page}</div>")
    widths = [0.0] * 8
    for line in tree.findall(".//tr"):
        for column, cell in enumerate(line):
            working = [s.text or "" for s in cell.findall("span/span")]
            shown = [s.text or "" for s in cell.findall("span") if not len(s)]
            words = [cell.text or "", *(b.text or "" for b in cell.findall("b"))]
            words = [word for text in words for word in text.replace("-", " ").split()]
            needs = [6.8 * len(text) for text in working]
            needs += [8.0 * len(text) for text in shown + words]
            widths[column] = max([widths[column], *needs])
    assert all(widths) and sum(widths) + 8 * 13 <= 900
    spans = tree.findall(".//td/span/span")
    assert {span.get("style") for span in spans} == {"white-space: nowrap"}
