"""as_sequential: other people's straight networks, and those that aren't straight."""

import textwrap
import warnings
from collections import OrderedDict

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from alexnet_lab import as_sequential, ledger
from alexnet_lab.arithmetic import (
    BranchError,
    LedgerError,
    Step,
    UnknownLayerError,
    accounting,
    rule,
    rules,
    straight,
)


class Net(nn.Module):
    """A network from its layers, by name, and what forward does with them."""

    def __init__(self, forward, **layers):
        super().__init__()
        for name, layer in layers.items():
            setattr(self, name, layer)
        self.work = forward

    def forward(self, x):
        return self.work(self, x)


def lenet_layers(channels=1, padding=0, features=400):
    return dict(
        conv1=nn.Conv2d(channels, 6, 5, padding=padding), conv2=nn.Conv2d(6, 16, 5),
        fc1=nn.Linear(features, 120), fc2=nn.Linear(120, 84), fc3=nn.Linear(84, 10),
    )  # fmt: skip


class Description(nn.Module):
    """The starting description's AlexNet; `width` 96 in the original."""

    def __init__(self, width=96, units=4096):
        super().__init__()
        w = width
        self.conv1 = nn.Conv2d(3, w, kernel_size=11, stride=4)
        self.pool1 = nn.MaxPool2d(kernel_size=3, stride=2)
        self.conv2 = nn.Conv2d(w, 256, kernel_size=5, padding=2)
        self.pool2 = nn.MaxPool2d(kernel_size=3, stride=2)
        self.conv3 = nn.Conv2d(256, 384, kernel_size=3, padding=1)
        self.conv4 = nn.Conv2d(384, 384, kernel_size=3, padding=1)
        self.conv5 = nn.Conv2d(384, 256, kernel_size=3, padding=1)
        self.pool3 = nn.MaxPool2d(kernel_size=3, stride=2)
        self.fc1 = nn.Linear(256 * 6 * 6, units)
        self.fc2 = nn.Linear(units, units)
        self.fc3 = nn.Linear(units, 1000)
        self.relu = nn.ReLU()
        self.softmax = nn.Softmax(dim=1)

    def forward(self, x):
        x = self.pool1(self.relu(self.conv1(x)))
        x = self.pool2(self.relu(self.conv2(x)))
        x = self.relu(self.conv3(x))
        x = self.relu(self.conv4(x))
        x = self.pool3(self.relu(self.conv5(x)))
        x = x.view(-1, 256 * 6 * 6)
        x = self.relu(self.fc1(x))
        x = self.relu(self.fc2(x))
        return self.softmax(self.fc3(x))


class LoopOfFeatures(nn.Module):
    """The well-known tutorial's LeNet, which multiplies its features in a loop."""

    def __init__(self):
        super().__init__()
        for name, layer in lenet_layers().items():
            setattr(self, name, layer)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), (2, 2))
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = x.view(-1, self.num_flat_features(x))
        x = F.relu(self.fc1(x))
        return self.fc3(F.relu(self.fc2(x)))

    def num_flat_features(self, x):
        features = 1
        for size in x.size()[1:]:
            features *= size
        return features


class Flatten(nn.Module):
    def forward(self, x):
        return x.view(x.shape[0], -1)


class Block(nn.Module):
    def __init__(self, ins, outs):
        super().__init__()
        self.conv = nn.Conv2d(ins, outs, 3, padding=1)
        self.norm = nn.BatchNorm2d(outs)

    def forward(self, x):
        return F.leaky_relu(self.norm(self.conv(x)), 0.1)


class Renamed(nn.Sequential):
    def forward(self, x):
        return super().forward(x)


def with_pool_of_its_own(s, x):
    x = s.pool(F.relu(s.conv1(x)))
    x = s.pool(F.relu(s.conv2(x)))
    return s.fc3(F.relu(s.fc2(F.relu(s.fc1(x.view(-1, 16 * 5 * 5))))))


def torch_flatten(s, x):
    x = torch.max_pool2d(torch.relu(s.conv1(x)), 2)
    x = torch.max_pool2d(torch.relu(s.conv2(x)), 2)
    return s.fc3(s.fc2(s.fc1(torch.flatten(x, 1)).tanh()).sigmoid())


def with_dropout(s, x):
    x = F.max_pool2d(F.relu_(s.conv1(x)), kernel_size=2, stride=2)
    x = F.relu(F.max_pool2d(F.dropout2d(s.conv2(x), training=s.training), 2))
    x = x.reshape(x.shape[0], -1)
    x = F.dropout(F.relu(s.fc1(x)), p=0.4, training=s.training)
    return F.log_softmax(s.fc3(F.relu(s.fc2(x), inplace=True)), dim=1)


def size_and_average(s, x):
    n = x.size(0)
    x = F.avg_pool2d(torch.sigmoid(s.conv1(x)), 2)
    x = F.avg_pool2d(torch.tanh(s.conv2(x)), 2, 2).contiguous()
    assert x.dim() == 4 and len(x) == n
    return F.softmax(s.fc3(s.fc2(s.fc1(x.view(n, -1)))), dim=1)


def two_halves(s, x):
    return s.classifier(s.features(x).flatten(start_dim=1))


def padded(s, x):
    x = F.local_response_norm(F.relu(s.conv1(F.pad(x, (0, 3, 0, 3)))), 5, k=2.0)
    return s.fc(F.adaptive_avg_pool2d(F.max_pool2d(x, 3, 2), 1).squeeze())


def conv_blocks(s, x):
    for block in s.blocks:
        x = F.max_pool2d(block(x), 2)
    x = F.adaptive_max_pool2d(x, (1, 1)).view(x.size(0), x.size(1))
    return s.head(x)


def perceptron(s, x):
    return s.fc2(F.elu(s.fc1(x.view(-1, 28 * 28))))


def shared_relu():
    relu = nn.ReLU(inplace=True)
    return nn.Sequential(OrderedDict(
        conv=nn.Conv2d(1, 4, 3), relu=relu, own=Renamed(nn.Conv2d(4, 4, 3), relu),
        flat=Flatten(), fc=nn.Linear(4 * 24 * 24, 10)))  # fmt: skip


STRAIGHT = {
    "the starting description": (lambda: Description(), (3, 227, 227)),
    "torchvision's alexnet": (torchvision.models.alexnet, (3, 224, 224)),
    "torchvision's vgg, with norms": (
        lambda: torchvision.models.vgg11_bn(init_weights=False), (3, 64, 64)),
    "num_flat_features in a loop": (LoopOfFeatures, (1, 32, 32)),
    "view(-1, 16 * 5 * 5), a pool used twice": (
        lambda: Net(with_pool_of_its_own, pool=nn.MaxPool2d(2), **lenet_layers(3)),
        (3, 32, 32)),
    "torch.relu, torch.flatten, x.tanh()": (
        lambda: Net(torch_flatten, **lenet_layers()), (1, 32, 32)),
    "dropout as a function, log_softmax": (
        lambda: Net(with_dropout, **lenet_layers(padding=2)), (1, 28, 28)),
    "x.size(0) asked first, average pools": (
        lambda: Net(size_and_average, **lenet_layers(padding=2)), (1, 28, 28)),
    "features and classifier, nested": (
        lambda: Net(two_halves, features=nn.Sequential(
            nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU()), nn.MaxPool2d(2)),
            classifier=nn.Sequential(nn.Dropout(), nn.Linear(676, 10))), (1, 28, 28)),
    "zeros right and below, LRN, squeeze": (
        lambda: Net(padded, conv1=nn.Conv2d(3, 8, 11, 4), fc=nn.Linear(8, 5)),
        (3, 64, 64)),
    "blocks in a list, called in a loop": (
        lambda: Net(conv_blocks, blocks=nn.ModuleList([Block(1, 4), Block(4, 8)]),
                    head=nn.Linear(8, 3)), (1, 16, 16)),
    "a perceptron that views pictures": (
        lambda: Net(perceptron, fc1=nn.Linear(784, 32), fc2=nn.Linear(32, 10)),
        (1, 28, 28)),
    "one shared relu, a Flatten of its own": (shared_relu, (1, 28, 28)),
    "a Sequential that only calls super().forward": (
        lambda: Renamed(nn.Flatten(), nn.Linear(784, 10)), (1, 28, 28)),
    "features in a row": (
        lambda: Net(lambda s, x: s.fc2(F.gelu(s.fc1(x))), fc1=nn.Linear(20, 30),
                    fc2=nn.Linear(30, 2)), (20,)),
}  # fmt: skip


@pytest.mark.parametrize("kind", STRAIGHT)
def test_a_straight_network_becomes_a_sequential_that_does_the_same(kind):
    torch.manual_seed(3)
    make, shape = STRAIGHT[kind]
    net = make()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    flat = as_sequential(net, shape)
    assert type(flat) is nn.Sequential
    assert not any(isinstance(layer, nn.Sequential) for layer in flat)
    assert {id(p) for p in flat.parameters()} == {id(p) for p in net.parameters()}
    assert all(torch.equal(v, before[n]) for n, v in net.state_dict().items())
    assert all(module.training for module in net.modules())
    images = torch.randn(3, *shape)
    for training in (False, True):
        outputs = []
        for one in (net, flat):
            one.train(training)
            torch.manual_seed(0)
            outputs.append(one(images.clone()))
        assert torch.allclose(*outputs, atol=1e-6), f"training={training}"
    book = ledger(net, shape)
    assert book.total_parameters == sum(p.numel() for p in net.parameters())
    assert book.verify().exact
    assert book.rows[-1].output_shape == outputs[0].shape[1:]


def test_the_description_s_names_and_its_seven_relus():
    with torch.device("meta"):
        flat = as_sequential(Description(), (3, 227, 227))
    assert " ".join(dict(flat.named_children())) == (
        "conv1 relu_1 pool1 conv2 relu_2 pool2 conv3 relu_3 conv4 relu_4 conv5 relu_5 "
        "pool3 flatten fc1 relu_6 fc2 relu_7 fc3 softmax"
    )
    relus = [layer for layer in flat if isinstance(layer, nn.ReLU)]
    assert len({id(layer) for layer in relus}) == 7  # each can be looked at alone


def test_the_riddle_of_2012_is_told():
    with torch.device("meta"):
        net = Description()
    with pytest.raises(ValueError, match=r"view\(-1, 9216\) after pool3 .*6,400"):
        as_sequential(net, (3, 224, 224))
    says = (
        r"fc1 expects 9,216 features but flatten gives 256·5·5 = 6,400; .* 227 to 258"
    )
    with pytest.raises(LedgerError, match=says):
        ledger(net, (3, 224, 224))
    assert ledger(net, (3, 227, 227)).total_macs == 1_135_256_096


class NoNumbers(TorchDispatchMode):
    """Lets operations pass that compute shapes alone, on the meta device."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        made = result if isinstance(result, (tuple, list)) else [result]
        assert all(not isinstance(t, torch.Tensor) or t.is_meta for t in made), func
        return result


def test_torchvision_s_alexnet_is_called_once_and_computes_nothing(monkeypatch):
    calls, run = [], torchvision.models.AlexNet.forward
    monkeypatch.setattr(
        torchvision.models.AlexNet,
        "forward",
        lambda net, x: calls.append(tuple(x.shape)) or run(net, x),
    )
    net = torchvision.models.alexnet()
    with NoNumbers():
        with pytest.raises(AssertionError):
            torch.empty(1)  # the guard itself works
        book = ledger(net, (3, 224, 224))
    assert (book.total_parameters, book.total_macs) == (61_100_840, 714_188_480)
    assert "Read by calling AlexNet once" in str(book) and "AlexNet" in book.caption
    assert len(calls) == 1


# --------------------------------------------------------------- what is not straight
class TwoOutputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x):
        features = torch.relu(self.body(x))
        return self.head(features), features


def residual(s, x):
    return s.conv2(F.relu(s.conv1(x))) + x


def inception(s, x):
    x = s.conv1(x)
    return torch.cat([s.conv2(x), F.relu(s.conv3(x))], 1)


def concatenation(s, x):
    x = s.conv1(x)
    return torch.cat([x, x], 1)


def twice(s, x):
    return s.conv2(s.conv1(x)) * s.conv3(s.conv1(x.flip(-1)))


def decides(s, x):
    x = s.conv1(x)
    return s.conv2(x) if x.mean() > 0 else s.conv3(x)


@pytest.mark.parametrize(
    ("net", "says"),
    [
        (residual, "two ways after the input: to conv1, and to an addition"),
        (inception, "two ways after conv1: to conv2, and to conv3"),
        (concatenation, "two ways after conv1: to a concatenation"),
        (twice, "calls flip after conv2|two ways after the input"),
        (decides, "calls mean after conv1, .*looks at the numbers themselves"),
        (TwoOutputs(), "returns what head gives and what relu gives; an nn.Seq"),
        (lambda s, x: None, "returns None: is `return x` missing"),
        (lambda s, x: s.conv1(x[:, :1]), "calls __getitem__ at the start"),
        (lambda s, x: s.conv1(x) if x.sum().item() else x, "calls sum at the start"),
        (lambda s, x: s.conv1(x).detach().numpy(), "calls detach after conv1"),
        (lambda s, x: s.conv9(x), "stops at the start: .*conv9"),
        (lambda s, x: s.two(s.conv1(x), s.conv2(x)), "two ways after the input"),
    ],
)  # fmt: skip
def test_what_branches_is_refused_with_the_layer_named(net, says):
    if not isinstance(net, nn.Module):
        convs = {f"conv{n}": nn.Conv2d(4, 4, 3, padding=1) for n in (1, 2, 3)}
        net = Net(net, two=nn.Bilinear(4, 4, 2), **convs)
    shape = (4,) if isinstance(net, TwoOutputs) else (4, 8, 8)
    with pytest.raises(BranchError, match=says) as caught:
        as_sequential(net, shape)
    assert "\nStraight until there: " in str(caught.value)
    with pytest.raises(BranchError, match=says):
        ledger(net, shape)


def test_real_branches_say_where():
    models = torchvision.models
    with torch.device("meta"):
        resnet, googlenet = models.resnet18(), models.googlenet(init_weights=False)
    with pytest.raises(BranchError, match="to layer1.0.conv1, and to an addition") as e:
        ledger(resnet, (3, 224, 224))
    assert "With a rule, BasicBlock counts as one layer" in str(e.value)
    ways = "maxpool2: to inception3a.branch1.conv, and to inception3a.branch2.0.conv"
    with pytest.raises(BranchError, match=ways):
        ledger(googlenet, (3, 224, 224))


def test_dropout_that_never_stops_is_told():
    net = Net(lambda s, x: F.dropout(s.fc(x), 0.5), fc=nn.Linear(9, 9))
    with pytest.raises(
        ValueError, match="in evaluation mode, .*training=self.training"
    ):
        as_sequential(net, (9,))


def test_a_batch_written_into_a_view_is_told():
    net = Net(lambda s, x: s.fc(x.view(64, -1)), fc=nn.Linear(784, 10))
    with pytest.raises(ValueError, match=r"view\(64, -1\) at the start .* 784 numbers"):
        as_sequential(net, (1, 28, 28))


# ------------------------------------------------------ layers without a rule, wrappers
def quiet_weight_norm(layer):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is deprecated, and still in use
        return nn.utils.weight_norm(layer)


def pruned():
    from torch.nn.utils import prune

    return prune.l1_unstructured(nn.Linear(4, 4), "weight", 1)


def quantised():
    return torch.ao.nn.quantized.Linear(4, 4)


@pytest.mark.parametrize(
    ("net", "shape", "says"),
    [
        (nn.DataParallel(nn.Linear(4, 4)), (4,), r"wraps a network.* net\.module"),
        (nn.Sequential(nn.MultiheadAttention(4, 2)), (9,),
         r"several inputs \(query, key, value\); no nn.Sequential"),
        (nn.Bilinear(4, 4, 2), (4,), r"several inputs \(input1, input2\)"),
        (nn.Conv3d(16, 4, 3), (16, 10, 20, 20), "volumes aren't served"),
            (nn.Sequential(pruned()), (4,), r"layer 0: .*prune\.remove\(layer, "),
        (quiet_weight_norm(nn.Linear(4, 4)), (4,), r"remove_weight_norm\(layer\)"),
        (nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4)), (4,),
         r"parametrize\.remove_parametrizations\(layer"),
        (nn.utils.spectral_norm(nn.Linear(4, 4)), (4,), r"remove_spectral_norm\(layer"),
        (quantised(), (4,), r"no rule for Linear of torch\.ao\.nn\.quantized"),
        (nn.Sequential(nn.Linear(784, 9)), (64, 784), r"leave out the batch.*\(784,\)"),
        (nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), (64, 28, 28),
         r"Is 64 the batch\? Then leave it out: \(1, 28, 28\)"),
        (nn.Linear, (4,), r"write Linear\(\)"),
    ],
)  # fmt: skip
def test_what_has_no_rule_says_why(net, shape, says):
    with pytest.raises((TypeError, ValueError), match=says):
        ledger(net, shape)


def test_a_compiled_network_names_what_is_inside():
    compiled = torch.compile(nn.Linear(4, 4))
    for read in (ledger, as_sequential):
        with pytest.raises(UnknownLayerError, match=r"net\._orig_mod"):
            read(compiled, (4,))


def test_the_recipe_for_a_rule_raises_until_it_is_filled_in(clean_rules):
    net = nn.Sequential(nn.ConvTranspose2d(16, 8, 2, 2))
    with pytest.raises(UnknownLayerError, match=r"here \(16, 8, 8\)") as caught:
        ledger(net, (16, 8, 8))
    recipe = textwrap.dedent(str(caught.value).partition("does:\n")[2])
    exec(recipe, {"nn": nn})
    with pytest.raises(TypeError, match=r"still has a `\.\.\.` to be filled in"):
        ledger(net, (16, 8, 8))
    filled = recipe.replace("output_shape=...", "output_shape=(8, 16, 16)")
    exec(filled.replace("macs=...", "macs=16 * 8 * 8 * 8 * 4"), {"nn": nn})
    assert ledger(net, (16, 8, 8)).total_parameters == 520


class Attention(nn.Module):
    """Squeeze and excite: keeps the shape, and no nn.Sequential does it."""

    def __init__(self, channels):
        super().__init__()
        self.down, self.up = nn.Linear(channels, 2), nn.Linear(2, channels)

    def forward(self, x):
        weights = torch.sigmoid(
            self.up(F.relu(self.down(F.adaptive_avg_pool2d(x, 1).flatten(1))))
        )
        return x * weights.view(*x.shape[:2], 1, 1)


class Swish(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(x)


def test_a_layer_of_one_s_own_keeps_the_field_where_it_keeps_the_shape(clean_rules):
    net = nn.Sequential(nn.Conv2d(3, 8, 3), Attention(8), nn.Conv2d(8, 8, 3))
    with pytest.raises(BranchError, match="Attention counts as one layer") as caught:
        ledger(net, (3, 9, 9))
    assert "Attention.forward goes two ways after layer 0" in str(caught.value)

    @rule(Attention)
    def _attention(layer, shape):
        return Step(output_shape=shape, parameters=2 * 2 * shape[0] + 2 + shape[0])

    book = ledger(net, (3, 9, 9))
    assert [row.receptive_field for row in book] == [3, 3, 5]
    assert book.total_parameters == sum(p.numel() for p in net.parameters())


def test_a_layer_of_one_s_own_is_kept_where_it_has_no_layers_inside():
    net = Net(lambda s, x: s.fc(s.swish(s.conv(x)).flatten(1)), swish=Swish(),
              conv=nn.Conv2d(1, 2, 3), fc=nn.Linear(72, 3))  # fmt: skip
    flat = as_sequential(net, (1, 8, 8))
    assert flat.swish is net.swish and len(flat) == 4
    with pytest.raises(UnknownLayerError, match="swish: .*no rule for Swish"):
        ledger(net, (1, 8, 8))


def test_what_is_never_called_is_told():
    net = Net(lambda s, x: s.a(x), a=nn.Linear(4, 2), drop=nn.Dropout())
    assert str(ledger(net, (4,))).endswith("without its weights; never called: drop")


# --------------------------------------------------------------- what it leaves alone
def test_reading_touches_no_weight_and_no_random_number():
    net = Net(with_dropout, **lenet_layers(padding=2)).eval()
    net.fc1.train()
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)
    as_sequential(net, (1, 28, 28))
    assert torch.equal(torch.rand(2), expected)
    assert [m.training for m in net.modules()] == [False] * 3 + [True] + [False] * 2
    assert not any("forward" in vars(module) for module in net.modules())


def test_nets_on_the_meta_device_and_lazy_nets_are_read():
    net = Net(lambda s, x: s.fc(s.conv(x).flatten(1)), conv=nn.LazyConv2d(4, 3),
              fc=nn.LazyLinear(5))  # fmt: skip
    assert len(as_sequential(net, (3, 9, 9))) == 3
    assert ledger(net, (3, 9, 9)).total_parameters == 112 + 4 * 49 * 5 + 5
    assert straight.is_lazy(net.conv.weight)


def test_the_message_for_a_wrong_linear_comes_at_once(monkeypatch):
    with torch.device("meta"):
        layers = [nn.Conv2d(8, 8, 3, padding=1) for _ in range(100)]
        net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(77, 10))
    steps = []
    monkeypatch.setattr(
        accounting, "step", lambda *shape: steps.append(1) or rules.step(*shape)
    )
    with pytest.raises(LedgerError, match="expects 77 features"):
        ledger(net, (8, 64, 64))
    assert 0 < len(steps) < 100 * len(net)  # it halves; one by one it would be 1,024


def test_draw_network_takes_a_class():
    from alexnet_lab import plots

    with torch.device("meta"):
        figure = plots.draw_network(Description(), (3, 227, 227), "as described")
    texts = " ".join(t.get_text() for t in figure.axes[0].texts)
    assert "conv5" in texts and "62,378,344 parameters" in texts
