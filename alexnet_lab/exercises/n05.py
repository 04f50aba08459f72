"""The exercises of notebook 05: faults found, understood and mended."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from alexnet_lab.arithmetic import as_sequential, ledger
from alexnet_lab.exercises.checking import Exercise, Wrong

# 05.2: what the pools give an image, and what the view asks for.
FEATURES, EXPECTED = 256 * 5 * 5, 256 * 6 * 6
# 05.4: number of classes, and the probability of the right one.
CLASSES, RIGHT = 10, 0.9
# 05.1, 05.5: images that are higher than wide.
IMAGE = (1, 28, 20)
# 05.6: accuracies in per cent, of as many images.
GIVEN, COUNTED = (91.14, 88.71, 90.00, 89.96, 91.125), 5_000


def first_batch_that_passes() -> int:
    """The smallest batch that goes through the view without an error."""
    return next(n for n in range(1, EXPECTED + 1) if n * FEATURES % EXPECTED == 0)


def loss(right: float, others: tuple[float, ...]) -> float:
    """Cross-entropy of probabilities that are taken for logits."""
    return math.log(math.exp(right) + sum(math.exp(p) for p in others)) - right


def impossible(grid: float) -> list[float]:
    """The given accuracies that are no multiple of `grid` per cent."""
    return [a for a in GIVEN if abs(a / grid - round(a / grid)) > 1e-6]


# ------------------------------------------------------------ 05.1: a class, flattened
class LeNet(nn.Module):
    """The net that notebook 05 shows, to be written as an nn.Sequential."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, kernel_size=5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, kernel_size=5)
        self.drop = nn.Dropout(p=0.3)
        self.fc1 = nn.Linear(16 * 4 * 2, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(torch.tanh(self.conv1(x)), 2)
        x = torch.tanh(F.max_pool2d(self.conv2(x), 3, stride=2))
        x = x.view(x.size(0), -1)
        x = torch.tanh(self.fc2(torch.tanh(self.fc1(x))))
        return self.fc3(self.drop(x))


def flat(*order: str, **changed: nn.Module) -> nn.Sequential:
    """LeNet's layers flat, or in another order of `as_sequential`'s names."""
    net = as_sequential(LeNet(), IMAGE)
    names = order or tuple(name for name, _ in net.named_children())
    return nn.Sequential(*(changed.get(name, getattr(net, name)) for name in names))


def without(name: str) -> nn.Sequential:
    """LeNet's layers flat, but one of them forgotten."""
    names = [other for other, _ in as_sequential(LeNet(), IMAGE).named_children()]
    return flat(*(other for other in names if other != name))


def work(net: nn.Module) -> Any:
    """What a net does with an image, row by row of its ledger."""
    rows = ledger(net, IMAGE).rows
    kind = "Sequential" if isinstance(net, nn.Sequential) else "class"
    return kind, [(row.layer, row.output_shape, row.parameters) for row in rows]


FIRST = ["conv1", "tanh_1", "max_pool2d_1", "conv2"]
LAST = ["flatten", "fc1", "tanh_3", "fc2", "tanh_4"]


# ----------------------------------------------------- 05.3: does a net mix its images?
class Mixing(nn.Module):
    """A linear layer on images of 1×4×6, with something wrong with its batches."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way
        self.fc = nn.Linear(36 if way == "cut" else 24, 5)

    def forward(self, x: Tensor) -> Tensor:
        if self.way == "cut":  # 3·24 numbers are 2 rows of 36
            return self.fc(x.view(-1, 36))
        if self.way == "turned":  # 3 rows, each with numbers of all images
            return self.fc(x.permute(1, 2, 3, 0).reshape(len(x), -1))
        y = self.fc(x.flatten(1))
        if self.way == "compared":
            return y.softmax(dim=0)
        return torch.cat([y[:-1], y[-1:] + y[:1]])  # the last one reads the first


def suspects() -> list[nn.Module]:
    """Two networks that keep images apart, the first and the last; four that mix."""
    plain = nn.Sequential(nn.Flatten(), nn.Linear(24, 5))
    maps = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2 * 2 * 4, 5))
    ways = ("cut", "turned", "compared", "circle")
    return [plain, *(Mixing(way) for way in ways), maps]


def verdicts(test: Callable[[nn.Module, Tensor], Any]) -> Any:
    """What a test says of each suspect, given three images of 1×4×6."""
    images = torch.randn(3, 1, 4, 6)
    return [test(net, images.clone()) for net in suspects()]


def keeps_apart(net: nn.Module, images: Tensor, only: int | None = None) -> bool:
    """Whether changing an image changes its own answer and no other."""
    before = net(images)
    for k in range(len(images)) if only is None else [only]:
        other = images.clone()
        other[k] += 1
        changed = (net(other) != before).any(dim=1).nonzero().flatten().tolist()
        if changed != [k]:
            return False
    return True


def counts_rows(net: nn.Module, images: Tensor) -> bool:
    """As many answers as images."""
    return len(net(images)) == len(images)


def changes_all(net: nn.Module, images: Tensor) -> bool:
    """Each answer changes where each image does."""
    return bool((net(images + 1) != net(images)).any(dim=1).all())


def asks_alone(net: nn.Module, images: Tensor) -> bool:
    """Each image alone gets the answer that it gets in the batch."""
    together = net(images)
    alone = torch.cat([net(image[None]) for image in images])
    return torch.allclose(alone, together, atol=1e-5)


def turned_round(net: nn.Module, images: Tensor) -> bool:
    """True of what mixes."""
    return not keeps_apart(net, images)


# ------------------------------------------------------------------ 05.5: mend a net
class Broken(nn.Module):
    """The net that notebook 05 shows, with its faults."""

    def __init__(self, flat: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 8, kernel_size=5)
        self.relu = nn.ReLU()
        self.pool = nn.MaxPool2d(kernel_size=2, stride=2)
        self.fc = nn.Linear(8 * (12 * 8 if flat else 14 * 10), 10)
        self.softmax = nn.Softmax(dim=1)
        self.flat = flat

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.relu(self.conv(x)))
        if self.flat:
            return self.fc(x.flatten(1))
        return self.softmax(self.fc(x.view(-1, 8 * 14 * 10)))


def mended(
    *last: nn.Module,
    first: tuple[nn.Module, ...] = (),
    size: int = 12 * 8,
    relu: bool = True,
) -> nn.Sequential:
    """The mended net, or one that keeps a fault or has a new one."""
    return nn.Sequential(
        *first,
        nn.Conv2d(1, 8, kernel_size=5),
        *([nn.ReLU()] if relu else []),
        nn.MaxPool2d(kernel_size=2, stride=2),
        nn.Flatten(),
        nn.Linear(8 * size, 10),
        *last,
    )


def unflattened() -> nn.Sequential:
    """The mended net without its nn.Flatten."""
    layers = list(mended())
    return nn.Sequential(*layers[:3], layers[4])


def leaves(net: nn.Module) -> list[nn.Module]:
    """The layers of a net that have no layers inside, in order; no nn.Identity."""
    without_children = [m for m in net.modules() if not list(m.children())]
    return [m for m in without_children if not isinstance(m, nn.Identity)]


def places(layers: list[nn.Module], *kinds: type[nn.Module]) -> list[int] | None:
    """Where the first layer of each kind stands; None if one is missing."""
    found = [[i for i, m in enumerate(layers) if isinstance(m, k)] for k in kinds]
    return [of_a_kind[0] for of_a_kind in found] if all(found) else None


def ending(last: nn.Module) -> str:
    """What a net hands out: logits, or what its last layer makes of them.

    Log-probabilities are logits too: another softmax gives the same probabilities.
    """
    harmless = isinstance(last, nn.LogSoftmax) and last.dim in (1, -1)
    return "logits" if harmless or isinstance(last, nn.Linear) else type(last).__name__


def demands(net: nn.Module) -> dict[str, Any]:
    """What the exercise asks of the mended net."""
    net = net.eval().cpu()
    images = torch.randn(35, *IMAGE)
    with torch.no_grad():
        alone, three, together = net(images[:1]), net(images[:3]), net(images)
    layers = leaves(net)
    found = places(layers, nn.Conv2d, nn.ReLU, nn.MaxPool2d, nn.Linear)
    conv, relu, pool, linear = found or (0, 0, 0, 0)
    return {
        "Sequential": isinstance(net, nn.Sequential),
        "shapes": [tuple(answers.shape) for answers in (alone, three, together)],
        "image 0 keeps its row": bool(torch.allclose(alone, together[:1], atol=1e-5)),
        "probabilities": bool(
            torch.allclose(together.sum(dim=1), torch.ones(len(together)), atol=1e-4)
        ),
        "layers": found is not None,
        "order": conv < relu < linear and conv < pool < linear,
        "ends in": ending(layers[-1]),
    }


EXERCISES = (
    Exercise(
        number="05.1",
        form="an nn.Sequential",
        probe=work,
        answer=flat,
        right="Layer by layer what as_sequential finds: functions have become layers, "
        "and the order is that of the work.",
        hint="Read each line of forward from the inside of its brackets outwards, and "
        "write down a layer for each call. Kernels, strides, padding and the "
        "dropout's p stay as they are.",
        more_hints=(
            "torch.tanh becomes nn.Tanh(), F.max_pool2d an nn.MaxPool2d of the same "
            "size and stride, view an nn.Flatten(). There are 13 layers.",
            "Conv2d, Tanh, MaxPool2d, Conv2d, MaxPool2d, Tanh, Flatten, Linear, Tanh, "
            "Linear, Tanh, Dropout, Linear: only their settings are left to you.",
        ),
        wrong=(
            Wrong(
                LeNet,
                "That is the class itself. Write its work as an nn.Sequential.",
            ),
            Wrong(
                lambda: without("flatten"),
                "Nothing stands for the view: the linear layer gets maps, and reads "
                "their rows.",
            ),
            Wrong(
                lambda: without("drop"),
                "The dropout is missing. It works, too, if only in training.",
            ),
            Wrong(
                lambda: without("tanh_2"),
                "One tanh is missing: where is the one of the second block?",
            ),
            Wrong(
                lambda: flat("conv1", "conv2", "drop", "fc1", "fc2", "fc3"),
                "That is what print shows: the parts, as they were defined. What "
                "forward does between them is missing.",
            ),
            Wrong(
                lambda: flat(*FIRST, "tanh_2", "max_pool2d_2", *LAST, "drop", "fc3"),
                "In the second block the pool stands inside of tanh's brackets: which "
                "of them works first?",
            ),
            Wrong(
                lambda: flat(*FIRST, "max_pool2d_2", "tanh_2", "drop", *LAST, "fc3"),
                "The dropout works where forward calls it, not where it was defined.",
            ),
            Wrong(
                lambda: flat(max_pool2d_2=nn.MaxPool2d(3)),
                "The second pool's window is 3 wide, but moves by 2. nn.MaxPool2d(3) "
                "alone moves by 3, and the linear layer gets too few numbers.",
            ),
            Wrong(
                lambda: flat(conv2=nn.Conv2d(6, 16, 5, padding=2)),
                "Only the first convolution is padded.",
            ),
            Wrong(
                lambda: nn.Sequential(*flat(), nn.Softmax(dim=1)),
                "forward ends in logits: there is no softmax in it.",
            ),
        ),
    ),
    Exercise(
        number="05.2",
        form="an integer",
        answer=first_batch_that_passes,
        right="36 · 6,400 = 25 · 9,216: the smallest number that both divide. Every "
        "multiple of 36 passes too.",
        hint="batch · 6,400 must be a whole number of rows of 9,216.",
        more_hints=(
            "Split both into prime factors: which factors of 9,216 must the batch "
            "bring along, since 6,400 lacks them?",
            "6,400 = 2⁸·5², and 9,216 = 2¹⁰·3². The batch must bring 2²·3².",
        ),
        wrong=(
            Wrong(
                lambda: 1,
                "One image has 6,400 numbers, and a row wants 9,216. That is the error "
                "we saw.",
            ),
            Wrong(
                lambda: FEATURES // math.gcd(FEATURES, EXPECTED),
                "That is how many *rows* come out. How many images went in?",
            ),
            Wrong(
                lambda: EXPECTED,
                "That many images do pass, but so do far fewer: 6,400 and 9,216 have "
                "factors in common.",
            ),
            Wrong(
                lambda: FEATURES,
                "You took the features of one image for the number of images.",
            ),
            Wrong(
                lambda: math.ceil(EXPECTED / FEATURES),
                "Two images have enough numbers for one row, but 3,584 are left over, "
                "and view drops nothing.",
            ),
            Wrong(
                lambda: math.gcd(FEATURES, EXPECTED),
                "That is the greatest number that divides both. It tells you which "
                "factors the batch need *not* bring.",
            ),
        ),
    ),
    Exercise(
        number="05.3",
        form="a function of (net, images) that returns True or False",
        probe=verdicts,
        answer=lambda: keeps_apart,
        right="It found a cut, a turned batch, a softmax over the batch and an answer "
        "that reads a neighbour, and let two honest networks pass.",
        hint="Do what the proof did: change one image of a copy, and see which answers "
        "are no longer the same. Do so for every image.",
        more_hints=(
            "A network passes if, for each k, changing image k changes answer k and "
            "no other one.",
            "Loop over k; other = images.clone(); other[k] += 1; then (net(other) != "
            "before).any(dim=1) has a truth value for each answer.",
        ),
        wrong=(
            Wrong(
                lambda: counts_rows,
                "You count answers. A network can give one to each image, and still "
                "mix: by a permute too many, or a softmax along dimension 0.",
            ),
            Wrong(
                lambda: partial(keeps_apart, only=0),
                "You change image 0 only. In the brick wall it stands in row 0 alone, "
                "and the mixing shows with image 1.",
            ),
            Wrong(
                lambda: partial(keeps_apart, only=1),
                "One image is not enough: in one of the check's networks only the "
                "first image is read by two answers. Change each in turn.",
            ),
            Wrong(
                lambda: changes_all,
                "Where all images change at once, all "
                "answers do: nobody can tell whose image moved which answer.",
            ),
            Wrong(
                lambda: asks_alone,
                "You give the network single images, which the brick wall refuses "
                "with an error. Keep the batch whole, and change one image in it.",
            ),
            Wrong(
                lambda: turned_round,
                "The test is right, its answer is the wrong way round: True should "
                "mean that the images are kept apart.",
            ),
        ),
    ),
    Exercise(
        number="05.4",
        form="a number, in nats",
        digits=3,
        answer=lambda: loss(RIGHT, ((1 - RIGHT) / 9,) * (CLASSES - 1)),
        right="ln(e^0.9 + 9·e^(0.1/9)) − 0.9: 90 % sure and right, and the loss is "
        "still far from 0.",
        hint="Write the ten probabilities down, and put them into the cross-entropy as "
        "if they were logits.",
        more_hints=(
            "The cross-entropy of logits z is ln(e^z₀ + … + e^z₉) minus the right "
            "class's own logit.",
            "Here z is 0.9 once, and 0.1/9 nine times.",
        ),
        wrong=(
            Wrong(
                lambda: -math.log(RIGHT),
                "That is what the loss should be. But what it gets are probabilities, "
                "and it takes them for logits.",
            ),
            Wrong(
                lambda: loss(1, (0,) * (CLASSES - 1)),
                "That is the smallest loss, of a network that is entirely sure.",
            ),
            Wrong(
                lambda: math.log(CLASSES),
                "That is the loss when all classes get the same probability.",
            ),
            Wrong(
                lambda: loss(RIGHT, (1 - RIGHT,) * (CLASSES - 1)),
                "You gave each of the nine others 0.1. They share it.",
            ),
            Wrong(
                lambda: loss(RIGHT, ((1 - RIGHT) / 9,) * (CLASSES - 1)) + RIGHT,
                "You stopped at the logarithm of the sum: the right class's own number "
                "is subtracted from it.",
            ),
        ),
    ),
    Exercise(
        number="05.5",
        form="an nn.Sequential",
        probe=demands,
        answer=mended,
        right="One row for each image, logits at the end, and the order of the layers "
        "is the order of the work.",
        hint="Try it on one image of 1×28×20 and on 35. It should be an nn.Sequential "
        "of the same layers in the order of the work, give ten numbers for each image, "
        "the same ones alone and in a batch, and end in the linear layer: logits.",
        more_hints=(
            "Which size does the pool really give? 28×20, a 5×5 convolution without "
            "padding, a 2×2 pool.",
            "Conv2d, ReLU, MaxPool2d, Flatten, Linear: 8 maps of 12×8 numbers reach "
            "the linear layer.",
        ),
        wrong=(
            Wrong(
                lambda: mended(nn.Softmax(dim=1)),
                "The shapes are right, but each row adds up to 1: these are "
                "probabilities, and cross_entropy wants logits.",
            ),
            Wrong(
                lambda: mended(nn.Softmax(dim=0)),
                "This softmax runs along dimension 0, over the images of the batch, so "
                "an image's answer depends on the others. And cross_entropy wants "
                "logits.",
            ),
            Wrong(
                lambda: mended(nn.ReLU()),
                "The shapes are right, but behind a ReLU no logit can be negative: the "
                "last layer of a classifier stays as it is.",
            ),
            Wrong(
                lambda: mended(nn.ReLU(), relu=False),
                "You moved the ReLU to the end. There no logit can be negative any "
                "more; and where it stood in the broken net, nothing bends.",
            ),
            Wrong(
                lambda: mended(first=(nn.ReLU(),), relu=False),
                "All layers are there. But the ReLU must bend what the convolution "
                "gives, not what it gets.",
            ),
            Wrong(
                lambda: mended(relu=False),
                "The shapes are right, but a layer of the broken net is missing.",
            ),
            Wrong(
                lambda: mended(size=14 * 10),
                "nn.Flatten is honest: the sizes do not fit. Which one does the pool "
                "really give? Or let the convolution give what fc wants.",
            ),
            Wrong(
                lambda: mended(size=12 * 12),
                "You took the images for square. They are 28 high and 20 wide.",
            ),
            Wrong(
                unflattened,
                "Without a flatten, the linear layer reads the rows of the maps.",
            ),
            Wrong(
                Broken,
                "It still views: 35 images go in, and fewer rows come out.",
            ),
            Wrong(
                lambda: Broken(flat=True),
                "It works. But it is an nn.Module with a forward of its own; write it "
                "as nn.Sequential.",
            ),
        ),
    ),
    Exercise(
        number="05.6",
        form="a list of numbers",
        probe=sorted,
        answer=lambda: impossible(100 / COUNTED),
        right="One image of 5,000 is 0.02 %: 88.71 % would be 4,435.5 images, and "
        "91.125 % would be 4,556.25.",
        hint="Turn each per cent into a number of images. Which ones are not whole?",
        more_hints=(
            "One image of 5,000 is 0.02 %: whole numbers of images are multiples of "
            "it.",
            "Multiply each by 50. Two of the five products are not whole.",
        ),
        wrong=(
            Wrong(
                lambda: impossible(0.01),
                "One of them is missing. You allowed multiples of 0.01 %, as with "
                "10,000 images; how much is one image of 5,000?",
            ),
            Wrong(
                lambda: impossible(1),
                "You allowed whole per cents only. How much is one image?",
            ),
            Wrong(
                lambda: [a for a in GIVEN if a not in impossible(100 / COUNTED)],
                "Those are the possible ones.",
            ),
            Wrong(
                list,
                "Some of them are impossible: an image is right or wrong, never half.",
            ),
            Wrong(
                lambda: list(GIVEN),
                "Not all of them: 90 % of 5,000 is a whole number of images.",
            ),
        ),
    ),
)
