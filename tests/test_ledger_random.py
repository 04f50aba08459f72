"""The ledger against PyTorch itself, on networks and layers drawn at random."""

import random
from itertools import takewhile

import pytest
import torch
from test_arithmetic import evaluate
from torch import nn

from alexnet_lab import models
from alexnet_lab.arithmetic import ledger
from alexnet_lab.models import modern
from alexnet_lab.models.lenet import PartialConv2d, Subsampling
from alexnet_lab.models.modern import Residual


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def both(rng, draw):
    """Draw a setting: the same for both directions, or one for each."""
    return draw() if rng.random() < 0.6 else (draw(), draw())


def draw_conv(rng, c, h, w):
    groups = rng.choice([g for g in (1, 1, 2, 3, c) if c % g == 0])
    setting = dict(
        dilation=both(rng, lambda: rng.choice([1, 1, 1, 2, 3])),
        groups=groups,
        bias=rng.random() < 0.7,
        padding_mode=rng.choice(["zeros"] * 6 + ["reflect", "replicate", "circular"]),
    )
    kernel = both(rng, lambda: rng.randint(1, 5))
    out = groups * rng.randint(1, 3)
    if rng.random() < 0.3:
        padding = rng.choice(["same", "valid"])
        return nn.Conv2d(c, out, kernel, padding=padding, **setting)
    setting["padding"] = both(rng, lambda: rng.randint(0, 3))
    return nn.Conv2d(c, out, kernel, both(rng, lambda: rng.randint(1, 3)), **setting)


def draw_pool(rng, c, h, w):
    kernel = both(rng, lambda: rng.randint(1, 4))
    stride = rng.choice([None, both(rng, lambda: rng.randint(1, 4))])
    padding = both(rng, lambda: rng.choice([0, 0, 1, 2]))
    ceil = rng.random() < 0.5
    if rng.random() < 0.4:
        dilation = both(rng, lambda: rng.choice([1, 1, 2]))
        return nn.MaxPool2d(kernel, stride, padding, dilation, ceil_mode=ceil)
    count = rng.random() < 0.5
    return nn.AvgPool2d(kernel, stride, padding, ceil, count_include_pad=count)


def draw_adaptive(rng, c, h, w):
    kind = rng.choice([nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d])
    return kind(both(rng, lambda: rng.choice([None, 1, 2, 3, 6, 7])))


def draw_pad(rng, c, h, w):
    kind = rng.choice([nn.ZeroPad2d, lambda padding: nn.ConstantPad2d(padding, 0.5)])
    if rng.random() < 0.4:
        return kind(rng.randint(0, 3))
    return kind(tuple(rng.randint(-2, 4) for _ in range(4)))


def draw_norm(rng, c, h, w):
    affine = rng.random() < 0.5
    groups = rng.choice([g for g in range(1, c + 1) if c % g == 0])
    return rng.choice(
        [
            lambda: nn.BatchNorm2d(c, affine=affine),
            lambda: nn.BatchNorm2d(c, track_running_stats=affine),
            lambda: nn.GroupNorm(groups, c, affine=affine),
            lambda: nn.InstanceNorm2d(c, affine=affine),
            lambda: nn.InstanceNorm2d(c, track_running_stats=affine),
            lambda: nn.LayerNorm([c, h, w], elementwise_affine=affine),
            lambda: nn.LayerNorm([h, w], bias=affine),
            lambda: nn.RMSNorm(w, elementwise_affine=affine),
            lambda: nn.LocalResponseNorm(rng.randint(1, 6)),
        ]
    )()


ACTIVATIONS = [
    nn.CELU, nn.ELU, nn.GELU, nn.Hardshrink, nn.Hardsigmoid, nn.Hardswish, nn.Hardtanh,
    nn.LeakyReLU, nn.LogSigmoid, nn.Mish, nn.RReLU, nn.ReLU, nn.ReLU6, nn.SELU, nn.SiLU,
    nn.Sigmoid, nn.Softplus, nn.Softshrink, nn.Softsign, nn.Tanh, nn.Tanhshrink,
    nn.Identity, nn.Dropout, nn.Dropout2d, nn.AlphaDropout,
    nn.FeatureAlphaDropout, lambda: nn.Threshold(0.1, 0), nn.PReLU,
]  # fmt: skip


def draw_plain(rng, c, h, w):
    dim = rng.choice([-1, 1, 2, 3])
    return rng.choice(
        [rng.choice(ACTIVATIONS)] * 4
        + [
            lambda: nn.PReLU(c),
            lambda: nn.Softmax(dim),
            lambda: nn.LogSoftmax(dim),
            lambda: nn.Linear(w, 3),
        ]
    )()


IMAGE_LAYERS = [draw_conv] * 5 + [draw_pool] * 4 + [draw_plain] * 3
IMAGE_LAYERS += [draw_norm] * 2 + [draw_pad] * 2 + [draw_adaptive]


def draw_head(rng, shape):
    """Draw the layers from an image to scores."""
    features = shape[0] * shape[1] * shape[2]
    start = rng.choice([1, 1, -3])
    layers = [nn.Flatten(start), nn.Linear(features, 12, bias=rng.random() < 0.7)]
    layers += rng.sample(
        [nn.ReLU(), nn.BatchNorm1d(12), nn.Dropout(), nn.LayerNorm(12), nn.PReLU(12)], 2
    )
    return [*layers, nn.Linear(12, 5), nn.LogSoftmax(1)]


def nest(rng, layers):
    """Wrap random runs of the layers in nn.Sequential, and put some in twice."""
    result = []
    while layers:
        count = rng.randint(1, 4)
        run, layers = layers[:count], layers[count:]
        result += run if rng.random() < 0.5 else [nn.Sequential(*nest(rng, run[:]))]
    return result


def runs(layer, image):
    try:
        with torch.no_grad():
            return layer.eval()(image)
    except (RuntimeError, ValueError, IndexError, TypeError):
        return None


def draw_net(seed):
    """Draw a net that runs, by trying each layer on a real image."""
    rng = random.Random(seed)
    torch.manual_seed(seed)
    shape = rng.randint(1, 4), rng.randint(6, 28), rng.randint(6, 28)
    image, layers = torch.rand(1, *shape), []
    for _ in range(rng.randint(2, 9)):
        layer = rng.choice(IMAGE_LAYERS)(rng, *image.shape[1:])
        output = runs(layer, image)
        if output is None or output.numel() > 20_000 or output.numel() == 0:
            continue
        layers.append(layer)
        image = output
        again = runs(layer, image) if rng.random() < 0.15 else None
        if again is not None and 0 < again.numel() < 20_000:
            layers.append(layer)  # the same layer once more
            image = again
    if rng.random() < 0.6:
        layers += draw_head(rng, image.shape[1:])
    return nn.Sequential(*nest(rng, layers)), shape


def observe(net, shape):
    """Run the net with a hook on every leaf; return each call's layer and shape."""
    calls, hooks = [], []
    for module in net.modules():
        if not isinstance(module, nn.Sequential):
            hooks.append(
                module.register_forward_hook(
                    lambda layer, _, output: calls.append((layer, output.shape[1:]))
                )
            )
    with torch.no_grad():
        net.eval()(torch.rand(1, *shape))
    for hook in hooks:
        hook.remove()
    return calls


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("seed", range(400))
def test_a_drawn_net_equals_its_forward_pass_and_torchinfo(seed):
    net, shape = draw_net(seed)
    led = ledger(net, shape)
    calls = observe(net, shape)
    assert [row.output_shape for row in led] == [tuple(out) for _, out in calls]
    seen = set()
    for row, (layer, out) in zip(led, calls, strict=True):
        tensors = {} if id(layer) in seen else dict(layer.named_parameters())
        seen.add(id(layer))
        assert row.parameters == sum(p.numel() for p in tensors.values()), row
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            per_output = layer.weight[0].numel()
            assert row.macs == out.numel() * per_output, row
            bias = 0 if layer.bias is None else out.numel()
            assert row.connections == row.macs + bias, row
        else:
            assert row.macs == row.connections == 0, row
    assert led.total_parameters == sum(p.numel() for p in net.parameters())
    verification = led.verify()
    assert verification.exact, f"\n{verification}"


def test_workings_of_drawn_nets_compute_their_results():
    evaluated = 0
    for seed in range(150):
        net, shape = draw_net(seed)
        for row in ledger(net, shape):
            for working in [*row.formula.split("; "), row.parameters_formula,
                            row.macs_formula]:  # fmt: skip
                for way in ("height ", "width "):
                    working = working.removeprefix(way)
                if not working or "→" in working or "shared" in working:
                    continue
                left, right = evaluate(working)
                assert left == right, row
                evaluated += 1
            for count, working in [(row.parameters, row.parameters_formula),
                                   (row.macs, row.macs_formula)]:  # fmt: skip
                if count:
                    assert working.endswith(f" = {count:,}"), row
    assert evaluated > 1000


# One layer at a time, fitting or not --------------------------------------------------


def draw_misfit(rng, c, h, w):
    """Draw a layer that often doesn't fit: wrong channels, dimensions, features."""
    wrong = c + rng.choice([-1, 0, 0, 1]) or 1
    dims = [rng.randint(-3, 4) for _ in range(2)]
    return rng.choice(
        [
            lambda: nn.Conv2d(wrong, 2, rng.randint(1, 4)),
            lambda: nn.BatchNorm2d(wrong),
            lambda: nn.BatchNorm2d(wrong, affine=False, track_running_stats=False),
            lambda: nn.BatchNorm1d(wrong),
            lambda: nn.InstanceNorm2d(wrong, affine=True),
            lambda: nn.GroupNorm(wrong, wrong),
            lambda: nn.LayerNorm([wrong, h, w]),
            lambda: nn.RMSNorm([h, max(1, w - rng.randint(0, 1))]),
            lambda: nn.PReLU(wrong),
            lambda: nn.Linear(w + rng.choice([0, 1]), 2),
            lambda: nn.Softmax(rng.randint(-5, 4)),
            lambda: nn.Flatten(*(d or 1 for d in dims)),
        ]
    )()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("part", range(8))
def test_a_drawn_layer_fits_exactly_where_pytorch_says_so(part):
    accepted = rejected = 0
    for seed in range(part * 400, part * 400 + 400):
        rng = random.Random(seed)
        shape = rng.randint(1, 4), rng.randint(1, 6), rng.randint(1, 6)
        drawing = rng.choice([*IMAGE_LAYERS, *[draw_misfit] * 12])
        sizes = shape
        if drawing in (draw_misfit, draw_norm) and rng.random() < 0.15:
            shape = (rng.randint(2, 4),)
            sizes = *shape, 3, 3
        layer = drawing(rng, *sizes)
        output = runs(layer, torch.rand(2, *shape))
        if output is not None and (output.numel() == 0 or len(output) != 2):
            output = None  # nothing left, or the two images in one: no layer for us
        try:
            row = ledger(layer, shape)[0]
        except ValueError as error:
            assert output is None, f"{layer} {shape}: {error}"
            rejected += 1
        else:
            assert output is not None, f"{layer} {shape}: {row}"
            assert row.output_shape == tuple(output.shape[1:]), f"{layer} {shape}"
            accepted += 1
    assert accepted > 150 and rejected > 50


def test_minimum_input_is_the_smallest_that_pytorch_runs():
    beyond_one = 0
    for seed in range(150):
        rng = random.Random(seed)
        layers = [rng.choice([draw_conv, draw_pool, draw_pad])(rng, 1, 20, 20)]
        layers += [draw_pool(rng, 1, 20, 20) for _ in range(rng.randint(0, 2))]
        if runs(nn.Sequential(*layers), torch.rand(1, 1, 40, 40)) is None:
            continue
        sides = (s for s in range(1, 41) if fits(layers, s))
        smallest = next(sides)
        assert ledger(nn.Sequential(*layers), (1, 40, 40)).minimum_input == smallest
        beyond_one += smallest > 1
    assert beyond_one > 50


def fits(layers, side):
    output = runs(nn.Sequential(*layers), torch.rand(1, 1, side, side))
    return output is not None and output.numel() > 0


# Geometry, by gradients ---------------------------------------------------------------


def draw_window(rng):
    """Draw a layer of windows with positive weights: gradients show what is read."""
    kernel = both(rng, lambda: rng.randint(1, 4))
    stride = both(rng, lambda: rng.choice([1, 1, 2, 3]))
    kind = rng.random()
    if kind < 0.2:
        return nn.AvgPool2d(kernel, stride, ceil_mode=rng.random() < 0.5)
    if kind < 0.4:
        return nn.ZeroPad2d(tuple(rng.randint(-2, 3) for _ in range(4)))
    if kind < 0.5:
        ends = rng.randint(0, 2), rng.randint(0, 2)
        keeps = nn.ZeroPad2d((ends[0], 2 - ends[0], ends[1], 2 - ends[1]))
        return Residual(nn.Sequential(keeps, ones(3)), ones(5, padding="same"))
    dilation = both(rng, lambda: rng.choice([1, 1, 2]))
    if kind < 0.6:
        return ones(kernel, padding="same", dilation=dilation)
    padding = both(rng, lambda: rng.randint(0, 2))
    return ones(kernel, stride=stride, padding=padding, dilation=dilation)


def ones(*setting, **more):
    layer = nn.Conv2d(1, 1, *setting, bias=False, dtype=torch.double, **more)
    nn.init.ones_(layer.weight)
    return layer


def reads(image, value):
    """Return the first and last row and column that a value depends on."""
    (gradient,) = torch.autograd.grad(value, image, retain_graph=True)
    rows, columns = gradient[0, 0].abs().nonzero(as_tuple=True)
    return [int(n) for way in (rows, columns) for n in (way.min(), way.max())]


def check_fields(net, thin, shape):
    """Hold each row's field against gradients of the same windows in one channel.

    Of a field that leaves the image the ends outside are not compared: padding of a
    later layer hides what the last window of an earlier one left over. Returns how many
    rows were checked, and how many of their ends.
    """
    image = torch.ones(1, 1, *shape[1:], dtype=torch.double, requires_grad=True)
    maps, checked, compared = image, 0, 0
    for row, layer in zip(ledger(net, shape), thin, strict=True):
        maps = layer(maps)
        if row.field is None:
            break
        i, j = (n // 2 for n in maps.shape[2:])
        top, left, high, wide = row.sees(i, j)
        claimed = top, top + high - 1, left, left + wide - 1
        limits = shape[1], shape[1], shape[2], shape[2]
        found = reads(image, maps[0, 0, i, j])
        for end, seen, limit in zip(claimed, found, limits, strict=True):
            if 0 <= end < limit:
                assert end == seen, row
                compared += 1
        checked += 1
    return checked, compared


@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_fields_of_drawn_windows_are_where_gradients_reach():
    rows = ends = 0
    for seed in range(150):
        rng = random.Random(seed)
        net = nn.Sequential(*(draw_window(rng) for _ in range(rng.randint(1, 4))))
        checked, compared = check_fields(net, net, (1, 90, 97))
        rows, ends = rows + checked, ends + compared
    assert rows > 300 and ends > 3.8 * rows


THIN = {
    nn.Conv2d: lambda n: ones(n.kernel_size, n.stride, n.padding, n.dilation),
    PartialConv2d: lambda n: ones(n.kernel_size),
    Subsampling: lambda n: nn.AvgPool2d(2),
    models.MapNorm: lambda n: nn.AvgPool2d(n.size, 1, n.size // 2),
    nn.MaxPool2d: lambda n: nn.AvgPool2d(
        n.kernel_size, n.stride, n.padding, n.ceil_mode
    ),
    nn.AvgPool2d: lambda n: n,
    nn.AdaptiveAvgPool2d: lambda n: n,
    nn.ZeroPad2d: lambda n: n,
    nn.Sequential: lambda n: nn.Sequential(*map(thinned, n)),
    Residual: lambda n: Residual(thinned(n.branch), thinned(n.shortcut)),
}


def thinned(layer):
    """The layer's windows, in one channel and with weights of 1; else the identity."""
    return THIN.get(type(layer), lambda _: nn.Identity())(layer)


SHAPES = {"lenet5": (1, 28, 28), "lenet5_1998": (1, 32, 32),
          "alexnet_2012": (3, 227, 227), "alexnet_one_tower": (3, 227, 227),
          "alexnet_torchvision": (3, 224, 224), "alexnet_mini": (1, 28, 28),
          "alexnet_cifar": (3, 32, 32), "krizhevsky_80sec": (3, 32, 32),
          "krizhevsky_18pct": (3, 32, 32),
          "mini_batch_norm": (1, 28, 28), "mini_global_pool": (1, 28, 28),
          "mini_stacks": (1, 28, 28), "mini_residual": (1, 28, 28)}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_fields_of_every_model_are_where_gradients_reach(name):
    shape = SHAPES[name]
    with torch.device("meta" if "alexnet_" in name else "cpu"):
        net = getattr(modern if name.startswith("mini") else models, name)()
    images = list(takewhile(lambda n: not isinstance(n, nn.Flatten), net))
    for side in (shape[1], 2 * shape[1] + 33):
        checked, ends = check_fields(
            nn.Sequential(*images), map(thinned, images), (shape[0], side, side)
        )
        assert checked >= len(images) - 1 and ends >= 2 * checked


def test_leftover_is_what_gradients_do_not_reach():
    found = 0
    for seed in range(200):
        rng = random.Random(seed)
        layer = draw_conv(rng, 1, 20, 20)
        if layer.padding_mode != "zeros" or isinstance(layer.padding, str):
            continue
        size = rng.randint(13, 30), rng.randint(13, 30)
        row = ledger(layer, (1, *size))[0]
        top, left = layer.padding
        plane = torch.ones(1, 1, size[0] + 2 * top, size[1] + 2 * left)
        plane.requires_grad_()
        bare = nn.Conv2d(1, 1, layer.kernel_size, layer.stride, 0, layer.dilation)
        nn.init.ones_(bare.weight)
        ends = reads(plane, bare(plane).sum())[1::2]
        unread = tuple(n - 1 - e for n, e in zip(plane.shape[2:], ends, strict=True))
        expected = unread[0] if unread[0] == unread[1] else unread
        assert row.leftover == expected, layer
        found += sum(unread) > 0
    assert found > 20
