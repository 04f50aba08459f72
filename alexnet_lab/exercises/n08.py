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

# 08.2: an image of four pixels in a row, and the weights of one class.
PIXEL_ROW, WEIGHTS = (1.0, 2.0, 0.0, 3.0), (2.0, -1.0, 4.0, 1.0)
# 08.3: three classes, four pixels.
W = ((1.0, 0.0, -2.0, 3.0), (2.0, -1.0, 0.0, 1.0), (0.0, 4.0, 1.0, -1.0))
B, X = (0.5, 1.0, -1.0), (1.0, 2.0, 3.0, 0.5)
# 08.4: a unit of relu2, in the paper's AlexNet on images of this size.
UNIT, PIXELS = (3, 6), 227
# 08.5: features of the query and of six images.
QUERY = (4.0, 3.0)
POINTS = {
    "A": (5.0, 3.0),
    "B": (8.0, 6.0),
    "C": (4.0, 6.0),
    "D": (2.0, 1.0),
    "E": (10.0, 10.0),
    "F": (-8.0, -4.0),
}


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


# ---------------------------------------------------------------------- 08.2, 08.3
def linear(weight: tuple, bias: tuple) -> nn.Sequential:
    layer = nn.Linear(len(weight[0]), len(weight))
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weight))
        layer.bias.copy_(torch.tensor(bias))
    return nn.Sequential(nn.Flatten(), layer)


def parts(width: int = 2, stride: int = 1) -> torch.Tensor:
    """Σ w·x under each square."""
    product = torch.tensor(WEIGHTS) * torch.tensor(PIXEL_ROW)
    return product.unfold(0, width, stride).sum(dim=1)


def drops() -> torch.Tensor:
    """The scores lost, by the package's own occlusion, two rows of the same pixels."""
    net = linear(((*WEIGHTS, 0, 0, 0, 0),), (0.0,))
    image = torch.tensor([[PIXEL_ROW, PIXEL_ROW]])
    return occlusion_maps(net, image[None], [0], size=2, of="logit")[0, 0]


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
def two_by(score: Any) -> list[str]:
    """The two letters of the lowest score."""
    query = torch.tensor(QUERY)
    ranked = sorted(POINTS, key=lambda n: float(score(torch.tensor(POINTS[n]), query)))
    return ranked[:2]


def two_nearest() -> list[str]:
    features = torch.tensor(list(POINTS.values())).float()
    far = torch.cdist(torch.tensor([QUERY]).float(), features)[0]
    return [list(POINTS)[i] for i in far.argsort()[:2]]


EXERCISES = (
    Exercise(
        number="08.1",
        form="a function of (net, layer, images)",
        probe=watched,
        answer=lambda: reference,
        right="The layer's own output, and no hook is left, even where the run fails.",
        hint="Three demands: what the layer put out, no hook left after a run, and "
        "none left after a run that raises an error.",
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
        form="a list of three numbers",
        answer=drops,
        right="The second square hides evidence against the class: without it the "
        "score rises. The black pixel adds nothing, whatever its weight.",
        hint="The score of the whole image first. Then, for each of the three places, "
        "the score with two pixels set to 0. How much is lost?",
        wrong=(
            Wrong(
                lambda: (
                    sum(w * x for w, x in zip(WEIGHTS, PIXEL_ROW, strict=True))
                    - parts()
                ),
                "Those are the scores that remain. How much is lost each time?",
            ),
            Wrong(
                lambda: -parts(),
                "The sign: the map shows the whole image's score less the covered "
                "image's.",
            ),
            Wrong(
                lambda: parts().abs(),
                "A loss can be negative: covering may help. Keep the sign.",
            ),
            Wrong(
                lambda: parts(stride=2),
                "The square moves on by one pixel, not by its own width.",
            ),
            Wrong(
                lambda: torch.tensor(WEIGHTS).unfold(0, 2, 1).sum(dim=1),
                "You added the weights. A pixel adds weight times value.",
            ),
            Wrong(
                lambda: torch.tensor(WEIGHTS) * torch.tensor(PIXEL_ROW),
                "You covered one pixel at a time; the square is two wide.",
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
        "on the slide above does it; here are other kernels and strides.",
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
        form="a list of two letters",
        answer=two_nearest,
        right="A at distance 1, D at √8, just before C at 3.",
        hint="The squared distance from the query to "
        "each image, then the two smallest, the nearest first.",
        wrong=(
            Wrong(
                lambda: two_by(lambda p, q: (p - q).abs().sum()),
                "You added the differences. Euclidean distance adds their squares.",
            ),
            Wrong(
                lambda: two_by(lambda p, q: -(p @ q) / p.norm() / q.norm()),
                "You compared directions (cosine). B has the query's direction, but "
                "lies far away.",
            ),
            Wrong(
                lambda: two_by(lambda p, q: -(p @ q)),
                "You took the largest dot products. They favour long vectors.",
            ),
            Wrong(
                lambda: two_by(lambda p, q: -(p - q).norm()),
                "Those are the farthest.",
            ),
            Wrong(lambda: two_nearest()[::-1], "The right two; the nearest first."),
            Wrong(
                lambda: ["Q", two_nearest()[0]],
                "The query is not its own neighbour.",
            ),
        ),
    ),
)
