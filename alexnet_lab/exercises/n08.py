"""The exercises of notebook 08: hooks, occlusion, gradients, fields, neighbours."""

from collections import OrderedDict
from contextlib import suppress
from typing import Any

import torch
from torch import nn

from alexnet_lab.arithmetic import ledger
from alexnet_lab.exercises.checking import Exercise, Wrong
from alexnet_lab.inside import occlusion_maps, saliency
from alexnet_lab.models import alexnet_2012

# 08.2: images of 3×height×width, the class, side of the square and its stride.
PLACES = ((7, 10, 1, 2, 3), (9, 5, 2, 3, 2), (6, 8, 0, 4, 1))
# 08.3: three classes, four pixels.
W = ((1.0, 0.0, -2.0, 3.0), (2.0, -1.0, 0.0, 1.0), (0.0, 4.0, 1.0, -1.0))
B, X = (0.5, 1.0, -1.0), (1.0, 2.0, 3.0, 0.5)
# 08.4: a unit of relu2, in the paper's AlexNet on images of this size.
UNIT, PIXELS = (3, 6), 227
# 08.5: features, the query's row, and how many neighbours.
FLAT = ((5, 3), (8, 6), (4, 6), (4, 3), (2, 1), (10, 10), (-8, -4))
DEEP = (
    (1, 0, 4, -2, 3),
    (2, 1, 4, -2, 5),
    (2, 0, 8, -4, 6),
    (1, 2, 3, 0, 3),
    (-3, 5, 0, 1, 0),
    (1, 0, 4, 2, 3),
    (9, 9, 9, -9, 9),
    (0, 0, 1, 0, 1),
)
SEARCHES = ((FLAT, 3, 2), (DEEP, 0, 3))


# ---------------------------------------------------------------------------- 08.1
def chain(last: int) -> nn.Sequential:
    """Three layers with fixed weights; they fit together if `last` is 4."""
    layers = OrderedDict(one=nn.Linear(3, 4), act=nn.ReLU(), two=nn.Linear(last, 2))
    net = nn.Sequential(layers)
    for number, weights in enumerate(net.parameters()):
        with torch.no_grad():
            weights.copy_(
                torch.linspace(-1, 1 + number, weights.numel()).view_as(weights)
            )
    return net


def hooks(net: nn.Module) -> int:
    return sum(len(module._forward_hooks) for module in net.modules())


def watched(output_of: Any) -> tuple:
    """The output, hooks left after a run, and hooks left after a run that failed."""
    images = torch.arange(6.0).view(2, 3)
    good, bad = chain(4), chain(5)
    output = output_of(good, good.one, images)
    with suppress(RuntimeError):  # from the forward pass, as it should be
        output_of(bad, bad.one, images)
    return output, hooks(good), hooks(bad)


def reference(net: nn.Module, layer: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """What the layer put out; the hook comes off also when the run fails."""
    seen = []
    handle = layer.register_forward_hook(lambda *passed: seen.append(passed[2]))
    try:
        net(images)
    finally:
        handle.remove()
    return seen[0]


def careless(remove: bool, what: int = 2) -> Any:
    """Like the reference, but without `finally`; `what` 1 keeps the inputs."""

    def output_of(net: nn.Module, layer: nn.Module, images: torch.Tensor) -> Any:
        seen = []
        handle = layer.register_forward_hook(lambda *passed: seen.append(passed[what]))
        net(images)
        if remove:
            handle.remove()
        return seen[0]

    return output_of


def input_of(net: nn.Module, layer: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """What went into the layer."""
    seen = []
    handle = layer.register_forward_hook(lambda *passed: seen.append(passed[1][0]))
    try:
        net(images)
    finally:
        handle.remove()
    return seen[0]


def last_output(net: nn.Module, layer: nn.Module, images: torch.Tensor) -> Any:
    """The network's output, not the layer's."""
    reference(net, layer, images)
    return net(images)


# ---------------------------------------------------------------------------- 08.2
def small_net() -> nn.Sequential:
    """Three classes, for images of any size; its answers change from place to place."""
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(4, 3),
    )  # fmt: skip
    spread = torch.Generator().manual_seed(8)
    with torch.no_grad():
        for weights in net.parameters():
            weights.copy_(torch.randn(weights.shape, generator=spread) / 2)
    return net.eval()


def maps_of(occlusion: Any) -> tuple:
    """The maps of three images, none of them square."""
    net, draw = small_net(), torch.Generator().manual_seed(0)
    return tuple(
        occlusion(net, torch.randn(3, high, wide, generator=draw), label, size, stride)
        for high, wide, label, size, stride in PLACES
    )


def packaged(net: nn.Module, image: Any, label: int, size: int, stride: int) -> Any:
    return occlusion_maps(net, image[None], [label], size=size, stride=stride)[0]


def occluder(
    keeps: int = 1,
    scale: float = -1.0,
    over: int = 0,
    own_stride: bool = False,
    turned: bool = False,
    channels: int = 3,
    leave: bool = False,
    of: str = "probability",
) -> Any:
    """An occlusion that may be wrong: `scale` × the covered score + `keeps` × whole.

    `over` lets squares hang over the edge, `turned` takes height for width, `leave`
    lets the squares of earlier places stand.
    """

    def occlusion(
        net: nn.Module, image: torch.Tensor, label: int, size: int, stride: int
    ) -> list[list[float]]:
        def score(picture: torch.Tensor) -> float:
            with torch.no_grad():
                logits = net(picture[None])[0]
            if of == "best":
                return logits.softmax(0).max().item()
            return (logits if of == "logit" else logits.softmax(0))[label].item()

        high, wide = reversed(image.shape[1:]) if turned else image.shape[1:]
        step, covered, lost = size if own_stride else stride, image.clone(), []
        for top in range(0, high - size + 1 + over * (size - 1), step):
            lost.append([])
            for left in range(0, wide - size + 1 + over * (size - 1), step):
                covered = covered if leave else image.clone()
                covered[:channels, top : top + size, left : left + size] = 0
                lost[-1].append(keeps * score(image) + scale * score(covered))
        return lost

    return occlusion


def short_of_the_edge(
    net: nn.Module, image: torch.Tensor, label: int, size: int, stride: int
) -> Any:
    """Without the last place, where the square would end at the edge."""
    whole = packaged(net, image, label, size, stride)
    rows, columns = (len(range(0, n - size, stride)) for n in image.shape[1:])
    return whole[:rows, :columns]


# ---------------------------------------------------------------------------- 08.3
def linear(weight: tuple, bias: tuple) -> nn.Sequential:
    layer = nn.Linear(len(weight[0]), len(weight))
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weight))
        layer.bias.copy_(torch.tensor(bias))
    return nn.Sequential(nn.Flatten(), layer)


def gradient() -> torch.Tensor:
    image = torch.tensor(X).view(1, 1, 1, 4)
    return saliency(linear(W, B), image, [1]).flatten()


def gradient_of_probability() -> torch.Tensor:
    weights, x = torch.tensor(W), torch.tensor(X)
    p = (weights @ x + torch.tensor(B)).softmax(0)
    return p[1] * (weights[1] - p @ weights)


# ---------------------------------------------------------------------------- 08.4
def patch() -> tuple[int, int, int]:
    """Top, left and side of what the unit sees."""
    with torch.device("meta"):  # the ledger counts: no weight is needed
        net = alexnet_2012(image_size=PIXELS)
    book = ledger(net, (3, PIXELS, PIXELS))
    return book["relu2"].sees(*UNIT)[:3]


def patch_with(jump: int, padding: int, field: int) -> tuple[int, int, int]:
    """The same by a formula that may be wrong."""
    return UNIT[0] * jump - padding, UNIT[1] * jump - padding, field


# ---------------------------------------------------------------------------- 08.5
def searched(nearest: Any) -> tuple:
    """The neighbours in two sets of features, of 2 and of 5 numbers each."""
    return tuple(
        nearest(torch.tensor(points).float(), query, k) for points, query, k in SEARCHES
    )


def nearest_by(far: Any, itself: bool = False, last_first: bool = False) -> Any:
    """The k rows of the least `far(points, query)`; it may be wrong."""

    def nearest(points: torch.Tensor, query: int, k: int) -> list[int]:
        distances = far(points, points[query]).tolist()
        ranked = sorted(range(len(points)), key=distances.__getitem__)
        found = [row for row in ranked if itself or row != query][:k]
        return found[::-1] if last_first else found

    return nearest


def euclidean(points: torch.Tensor, query: torch.Tensor) -> torch.Tensor:
    return torch.cdist(query[None], points)[0]


def distances_of_nearest(points: torch.Tensor, query: int, k: int) -> torch.Tensor:
    """How far they are, in place of which they are."""
    return euclidean(points, points[query]).sort().values[1 : k + 1]


# ---------------------------------------------------------------------------- 08.6
def likes(favourite: Any) -> tuple | None:
    """What channels 1 and 4 of two convolutions like, whose windows are no squares."""
    found = []
    for inputs, kernel in ((3, (2, 5)), (4, (3, 2))):
        layer, draw = nn.Conv2d(inputs, 6, kernel), torch.Generator().manual_seed(0)
        with torch.no_grad():
            for weight in layer.parameters():
                weight.copy_(torch.randn(weight.shape, generator=draw))
        found += [favourite(layer, 1), favourite(layer, 4)]
    return tuple(found)


def filter_of(
    size: float = 1.0,
    turned: bool = False,
    signs: bool = False,
    bias: bool = False,
    shift: int = 0,
    length: Any = torch.norm,
) -> Any:
    """The filter as a patch of length 1, or something else that one may take for it."""

    def favourite(layer: nn.Conv2d, channel: int) -> torch.Tensor:
        weight = layer.weight[channel + shift].detach().clone()
        weight = weight.flip(1, 2) if turned else weight
        weight = weight.sign() if signs else weight
        weight = weight + layer.bias[channel].detach() if bias else weight
        return size * weight / length(weight)

    return favourite


EXERCISES = (
    Exercise(
        number="08.1",
        form="a function of (net, layer, images)",
        probe=watched,
        answer=lambda: reference,
        right="The layer's own output, and no hook is left, even where the run fails.",
        hint="Three demands: what the layer put out, no hook left after a run, and "
        "none left after a run that raises an error.",
        more_hints=(
            "register_forward_hook returns a handle, and handle.remove() takes the "
            "hook off; what stands under finally: runs in any case.",
            "A list seen = []; a hook that appends the output to it; try: net(images) "
            "finally: handle.remove(); then return seen[0]. A hook that returned "
            "something would replace the layer's output; append returns None.",
        ),
        wrong=(
            Wrong(
                lambda: careless(remove=False),
                "The hook is still there: it will be called in every later run. Keep "
                "the handle, and take the hook off.",
            ),
            Wrong(
                lambda: careless(remove=True),
                "Right as long as all goes well. When the run raises an error, your "
                "line that takes the hook off is never reached: use try and finally.",
            ),
            Wrong(
                lambda: input_of,
                "That went into the layer. A hook is called with the layer, its "
                "inputs and its output, in this order.",
            ),
            Wrong(
                lambda: last_output,
                "That is what the whole network gives, not the layer.",
            ),
        ),
    ),
    Exercise(
        number="08.2",
        form="a function of (net, image, label, size, stride)",
        probe=maps_of,
        tolerance=1e-3,  # float32, in batches of any size
        answer=lambda: packaged,
        right="Where your map is negative, the square hid evidence against the class.",
        hint="Two loops, over the tops and the lefts of the square; at each place a "
        "copy of the image, with zeros in the square, goes through the network.",
        more_hints=(
            "The last top is height − size, so the loop is range(0, height − size + "
            "1, stride); the lefts alike, with the width.",
            "The score is net(picture[None]).softmax(dim=1)[0, label].item(); the map "
            "holds that of the image less that of the copy, whose covered[:, top : "
            "top + size, left : left + size] is 0. One list a top, of one number a "
            "left.",
        ),
        wrong=(
            Wrong(
                lambda: occluder(keeps=0, scale=1.0),
                "Those are the probabilities that remain. How much is lost each time?",
            ),
            Wrong(
                lambda: occluder(keeps=-1, scale=1.0),
                "The sign: the map shows the whole image's probability less the "
                "covered image's.",
            ),
            Wrong(
                lambda: occluder(of="logit"),
                "Your map holds losses of the logit. Probabilities come from softmax.",
            ),
            Wrong(
                lambda: occluder(of="best"),
                "You follow the likeliest class of each picture, which may change. "
                "Follow the class `label`.",
            ),
            Wrong(
                lambda: occluder(over=1),
                "Your last squares hang over the edge: each must lie wholly inside "
                "the image.",
            ),
            Wrong(
                lambda: short_of_the_edge,
                "The last place is missing, where the square ends at the edge: range "
                "leaves out its own end.",
            ),
            Wrong(
                lambda: occluder(own_stride=True),
                "Your square moves on by its own width, not by `stride`.",
            ),
            Wrong(
                lambda: occluder(turned=True),
                "You exchanged height and width: an image is C×H×W, height first.",
            ),
            Wrong(
                lambda: occluder(channels=1),
                "You cover the first channel only; the others still show what is "
                "there.",
            ),
            Wrong(
                lambda: occluder(leave=True),
                "The squares of earlier places are still there: begin each place with "
                "a fresh copy of the image.",
            ),
        ),
    ),
    Exercise(
        number="08.3",
        form="a list of four numbers",
        answer=gradient,
        right="The gradient of a linear score is its weights, for every image: the "
        "image itself doesn't enter.",
        hint="Write the logit of class 1 as a sum over pixels. By how much does it "
        "change if one pixel grows by 1?",
        more_hints=(
            "The sum is W₁₀·x₀ + W₁₁·x₁ + W₁₂·x₂ + W₁₃·x₃ + b₁. What stands before x₀?",
            "It is one row of W: that of class 1.",
        ),
        wrong=(
            Wrong(
                lambda: torch.tensor(W[1]) * torch.tensor(X),
                "That is gradient times input: what each pixel adds to the logit. How "
                "fast does the logit change?",
            ),
            Wrong(
                lambda: torch.tensor(W[0]),
                "That is another class: they are counted from 0.",
            ),
            Wrong(
                lambda: torch.tensor(W[1]).abs(),
                "You dropped the sign. The map shows the magnitude, the gradient has "
                "a sign.",
            ),
            Wrong(
                lambda: torch.tensor(W[1]) + B[1],
                "The bias does not depend on any pixel.",
            ),
            Wrong(
                gradient_of_probability,
                "That is the gradient of the probability. It mixes in all classes; "
                "the logit's does not.",
            ),
        ),
    ),
    Exercise(
        number="08.4",
        form="three integers (top, left, side)",
        answer=patch,
        right="A field of 51 pixels; the first one begins 2·8 pixels before the image, "
        "and each unit moves it on by 8.",
        hint="Begin, field and jump, layer by layer: conv1, pool1, conv2. The loop "
        "above does it; here are other kernels and strides.",
        more_hints=(
            "After conv1: begin 0, field 11, jump 4. pool1 adds (3 − 1)·4 to the "
            "field, and doubles the jump.",
            "conv2 takes 2 jumps of 8 from begin, and adds 4 of them to the field. "
            "Then the top is begin + 3·jump, and the left is begin + 6·jump.",
        ),
        wrong=(
            Wrong(
                lambda: patch_with(8, 0, 51),
                "You left out conv2's padding: the field of unit (0, 0) begins before "
                "the image.",
            ),
            Wrong(
                lambda: patch_with(8, 2, 51),
                "conv2 pads 2 positions of its input, not 2 pixels. How many pixels "
                "lie between two positions there?",
            ),
            Wrong(
                lambda: patch_with(8, 8, 51),
                "You took the padding times conv1's jump. conv2 reads what pool1 put "
                "out.",
            ),
            Wrong(
                lambda: patch_with(4, 8, 51),
                "You used conv1's jump. pool1 has a stride too.",
            ),
            Wrong(
                lambda: patch_with(8, 16, 35),
                "The field is too small: conv2's kernel spans positions that lie one "
                "jump of pool1 apart, not one of conv1.",
            ),
            Wrong(
                lambda: patch_with(8, 16, 19),
                "That is the field of a unit of pool1.",
            ),
            Wrong(
                lambda: patch_with(8, -16, 51),
                "Padding moves the field the other way: towards the image's first "
                "pixel and beyond it.",
            ),
            Wrong(
                lambda: (patch()[0] - 8, patch()[1] - 8, 51),
                "Rows and columns are counted from 0, as Python does.",
            ),
            Wrong(
                lambda: (patch()[1], patch()[0], patch()[2]),
                "You exchanged top and left: the row comes first.",
            ),
        ),
    ),
    Exercise(
        number="08.5",
        form="a function of (points, query, k)",
        probe=searched,
        answer=lambda: nearest_by(euclidean),
        right="Euclidean distance, and no row is its own neighbour.",
        hint="The distance from the query's row to every row, then the numbers of the "
        "k least, but not the query's own.",
        more_hints=(
            "points − points[query] subtracts the query from all rows at once; square, "
            "sum over dim=1. (The order of squares is that of their roots.)",
            "Set the query's own to float('inf'); then topk(k, largest=False).indices.",
        ),
        wrong=(
            Wrong(
                lambda: nearest_by(euclidean, itself=True),
                "The query is not its own neighbour.",
            ),
            Wrong(
                lambda: nearest_by(lambda p, q: (p - q).abs().sum(dim=1)),
                "You added the differences. Euclidean distance adds their squares.",
            ),
            Wrong(
                lambda: nearest_by(lambda p, q: -(p @ q) / p.norm(dim=1) / q.norm()),
                "You compared directions (cosine). A row may have the query's "
                "direction, but lie far away.",
            ),
            Wrong(
                lambda: nearest_by(lambda p, q: -(p @ q)),
                "You took the largest dot products. They favour long vectors.",
            ),
            Wrong(
                lambda: nearest_by(lambda p, q: -euclidean(p, q)),
                "Those are the farthest.",
            ),
            Wrong(
                lambda: nearest_by(euclidean, last_first=True),
                "The right rows, but the nearest comes first.",
            ),
            Wrong(
                lambda: distances_of_nearest,
                "Those are the distances. Return the numbers of the rows.",
            ),
        ),
    ),
    Exercise(
        number="08.6",
        form="a function of (layer, channel)",
        probe=likes,
        tolerance=1e-4,
        answer=filter_of,
        right="Of all patches of a length, the one in the filter's own direction has "
        "the largest product with it. So a first filter is a picture of what it likes.",
        hint="The output is the filter times the patch, summed, plus a bias: a dot "
        "product. Between which directions is it largest?",
        more_hints=(
            "A dot product is length times length times the cosine of the angle: the "
            "patch must point where the filter points.",
            "layer.weight[channel] has the direction; divide it by its norm().",
        ),
        wrong=(
            Wrong(
                lambda: filter_of(length=lambda weight: 1),
                "The direction is right, the length is not 1.",
            ),
            Wrong(
                lambda: filter_of(length=lambda weight: weight.abs().max()),
                "The direction is right; but now the largest pixel is 1, not the "
                "length.",
            ),
            Wrong(
                lambda: filter_of(length=lambda weight: weight.abs().sum()),
                "The direction is right; but you divided by the sum of magnitudes. "
                "The length is the root of the sum of squares.",
            ),
            Wrong(
                lambda: filter_of(size=-1.0),
                "That patch excites it least of all.",
            ),
            Wrong(
                lambda: filter_of(signs=True),
                "That would be best if no pixel might exceed a bound. Here the "
                "length is bound, so large weights earn more.",
            ),
            Wrong(
                lambda: filter_of(turned=True),
                "You turned the filter round, as mathematicians' convolution does. "
                "PyTorch's lays it on the patch as it is.",
            ),
            Wrong(
                lambda: filter_of(bias=True),
                "The bias is added whatever the patch: leave it out.",
            ),
            Wrong(
                lambda: filter_of(shift=1),
                "That is a different channel: they are counted from 0.",
            ),
        ),
    ),
)
