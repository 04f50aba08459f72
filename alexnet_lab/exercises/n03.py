"""The exercises of notebook 03: what each change from LeNet-5 to AlexNet does."""

import math
from collections.abc import Callable
from statistics import mean, pstdev, stdev, variance
from typing import Any

import torch
from torch import nn

from alexnet_lab.arithmetic.accounting import ledger
from alexnet_lab.arithmetic.sizes import output_size
from alexnet_lab.exercises.checking import Exercise, Wrong
from alexnet_lab.models import krizhevsky_80sec

# 03.1: validation accuracies, %, of two networks, paired by three seeds.
ONE, OTHER = (41.2, 43.5, 40.1), (42.0, 44.1, 41.1)
STUDENT = 4.303  # t for three differences, as in the notebook's table
# 03.2: where the slopes are compared.
POINT = 3.0
# 03.3: side of the map, window and stride of the pool.
SIDE, WINDOW, STRIDE = 13, 3, 2
# 03.4: channels in and out of each convolution.
CHANNELS = 32
# 03.5: (values, which are kept, probability of dropping).
DROPS = (
    ((1.0, 2.0, 3.0, 4.0), (1.0, 0.0, 1.0, 1.0), 0.5),
    ((-1.0, 5.0, 2.0), (0.0, 1.0, 1.0), 0.2),
    ((4.0, 4.0, 4.0, 4.0, 4.0), (0.0, 0.0, 1.0, 0.0, 1.0), 0.6),
)
# 03.7: images for the eraser; so many that each place is all but sure to occur.
COUNT, SIZE, SQUARE = 400, 32, 8


def tanh_slope(a: float) -> float:
    """The derivative of tanh."""
    return 1 - math.tanh(a) ** 2


def sigmoid_slope(a: float) -> float:
    """The derivative of the logistic sigmoid."""
    y = 1 / (1 + math.exp(-a))
    return y * (1 - y)


def readers(side: int, window: int, stride: int) -> list[int]:
    """How many windows of a pool read each pixel of one row."""
    counts = [0] * side
    for number in range(output_size(side, window, stride)):
        for pixel in range(window):
            counts[number * stride + pixel] += 1
    return counts


def read_twice() -> int:
    """Pixels of the square map that more than one window reads."""
    row = readers(SIDE, WINDOW, STRIDE)
    return sum(down * across > 1 for down in row for across in row)


def shared_in_a_row() -> int:
    """Pixels of one row that more than one window reads."""
    return sum(count > 1 for count in readers(SIDE, WINDOW, STRIDE))


def parameters(kernel: int, layers: int, channels: int = CHANNELS) -> int:
    """Of a stack of convolutions with as many channels in as out, biases included."""
    convs = [nn.Conv2d(channels, channels, kernel) for _ in range(layers)]
    return ledger(nn.Sequential(*convs), (channels, 28, 28)).total_parameters


def dropped(function: Any) -> list[Any]:
    """What a dropout function makes of each case."""
    return [
        function(torch.tensor(values), torch.tensor(kept), p)
        for values, kept, p in DROPS
    ]


def of_his(sides: int) -> int:
    """Parameters of Krizhevsky's quickest network if its last maps had such sides."""
    net = krizhevsky_80sec()
    net.fc64 = nn.Linear(64 * sides**2, 64)
    return sum(parameter.numel() for parameter in net.parameters())


def erased(function: Any) -> tuple[bool, ...] | None:
    """Shape, one black square each, inside, places, repeatable, input left alone."""
    images = torch.rand(COUNT, 3, SIZE, SIZE) * 0.9 + 0.1  # no black pixel yet
    given = images.clone()
    result = function(given, torch.Generator().manual_seed(1))
    if result is None or result is ...:
        return None
    again = function(images.clone(), torch.Generator().manual_seed(1))
    other = function(images.clone(), torch.Generator().manual_seed(2))
    if result.shape != images.shape:
        return (False,)
    zero = result == 0
    black = zero.any(dim=1)  # in one colour at least
    untouched = torch.equal(result[~zero], images[~zero])
    rows, columns = black.any(dim=2), black.any(dim=1)
    sides = torch.stack([rows.sum(dim=1), columns.sum(dim=1)])
    area = black.flatten(1).sum(dim=1)
    square = bool((sides == SQUARE).all() and (area == SQUARE**2).all())
    tops, lefts = rows.float().argmax(dim=1), columns.float().argmax(dim=1)
    return (
        untouched and square,
        bool(area.max() <= SQUARE**2) and untouched,
        torch.equal(zero.all(dim=1), black),
        len(set(zip(tops.tolist(), lefts.tolist(), strict=True))) > COUNT // 4,
        all(p.min() == 0 and p.max() == SIZE - SQUARE for p in (tops, lefts)),
        torch.equal(result, again) and not torch.equal(result, other),
        torch.equal(given, images),
    )


Draw = Callable[[torch.Tensor, torch.Generator | None], torch.Tensor]


def eraser(
    corners: Draw, copy: bool = True, colours: int = 3
) -> Callable[..., torch.Tensor]:
    """An erase function that takes its corners (N, 2) from `corners`."""

    def erase(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        result = images.clone() if copy else images
        for image, (row, column) in zip(
            result, corners(images, generator).tolist(), strict=True
        ):
            rows, columns = slice(row, row + SQUARE), slice(column, column + SQUARE)
            image[:colours, rows, columns] = 0
        return result

    return erase


def draw(most: int, columns: int = 2, share: bool = False, own: bool = True) -> Draw:
    """Corners from 0 to most − 1: one each, or one for all; from whose generator."""

    def corners(images: torch.Tensor, generator: torch.Generator | None):
        count = 1 if share else len(images)
        source = generator if own else None
        drawn = torch.randint(0, most, (count, columns), generator=source)
        return drawn.expand(len(images), 2)

    return corners


PLACES = SIZE - SQUARE + 1


DIFFERENCES = [other - one for one, other in zip(ONE, OTHER, strict=True)]


def half(spread: float = stdev(DIFFERENCES), t: float = STUDENT, n: int = 3) -> float:
    """Half the width of the interval, in points."""
    return t * spread / math.sqrt(n)


def judged(width: float) -> tuple[float, bool]:
    """Half the width, and whether the mean difference is farther from zero."""
    return width, mean(DIFFERENCES) > width


EXERCISES = (
    Exercise(
        number="03.1",
        form="a pair (a number, True or False)",
        tolerance=0.03,
        answer=lambda: judged(half()),
        right="The runs scatter by more than a point and a half, but the pairs share "
        "their luck: the differences agree, and their interval leaves out zero.",
        hint="Three steps: subtract seed by seed; the standard deviation of the three "
        "differences; times t for three seeds, divided by the root of 3. It shows if "
        "the mean difference is larger.",
        wrong=(
            Wrong(
                lambda: (half(), False),
                "The number is right. Is the mean of the differences larger or "
                "smaller than it?",
            ),
            Wrong(
                lambda: judged(half(math.hypot(stdev(ONE), stdev(OTHER)))),
                "You treated the two networks as if they had not shared their seeds. "
                "Subtract first, seed by seed.",
            ),
            Wrong(
                lambda: judged(half(max(stdev(ONE), stdev(OTHER)))),
                "That is the scatter of one network's runs. The rule wants that of the "
                "differences.",
            ),
            Wrong(
                lambda: judged(half(n=1)),
                "You forgot to divide by the root of the number of seeds.",
            ),
            Wrong(
                lambda: judged(half(n=9)),
                "You divided by the number of seeds, not by its root.",
            ),
            Wrong(
                lambda: judged(half(pstdev(DIFFERENCES))),
                "You divided the squares by 3. For a sample of three, divide by 3 − 1.",
            ),
            Wrong(
                lambda: judged(half(variance(DIFFERENCES))),
                "You took the variance. The rule has its root.",
            ),
            Wrong(
                lambda: judged(half(t=1.96)),
                "1.96 is for very many seeds. Which t has the table for three?",
            ),
            Wrong(
                lambda: judged(2 * half()),
                "That is the whole width. The question is about half of it.",
            ),
            Wrong(
                lambda: judged(mean(DIFFERENCES)),
                "That is the mean difference, the middle of the interval.",
            ),
        ),
    ),
    Exercise(
        number="03.2",
        form="a number",
        tolerance=0.03,
        answer=lambda: 1 / tanh_slope(POINT),
        right="The slope of tanh there is 1 − tanh²(3), about a hundredth; that of "
        "ReLU is 1 for every positive input.",
        hint="The slope of ReLU at 3 is 1. That of tanh is 1 minus the square of its "
        "value. Divide.",
        wrong=(
            Wrong(
                lambda: 1 / (1 - math.tanh(POINT)),
                "You forgot the square: the slope is 1 minus the *square* of tanh.",
            ),
            Wrong(
                lambda: 1 / math.tanh(POINT),
                "You divided by the value of tanh. The question is about its slope.",
            ),
            Wrong(
                lambda: POINT / math.tanh(POINT),
                "You compared the values of the two curves. The question is about "
                "their slopes.",
            ),
            Wrong(
                lambda: tanh_slope(POINT),
                "That is the slope of tanh itself. How often does it fit into the "
                "slope of ReLU?",
            ),
            Wrong(
                lambda: 1 / sigmoid_slope(POINT),
                "That is the sigmoid's slope. The question is about tanh.",
            ),
            Wrong(
                lambda: POINT / tanh_slope(POINT),
                "You took the value of ReLU for its slope.",
            ),
        ),
    ),
    Exercise(
        number="03.3",
        form="an integer",
        answer=read_twice,
        right="All pixels but those in rows *and* columns that one window alone reads: "
        "13·13 − 8·8.",
        hint="First one row: at which pixels do two neighbouring windows meet? Then "
        "the square: a pixel is read once only if its row and its column are.",
        wrong=(
            Wrong(
                lambda: shared_in_a_row() ** 2,
                "You counted pixels that are shared in both directions. One direction "
                "is enough.",
            ),
            Wrong(
                lambda: shared_in_a_row() * SIDE,
                "You counted one direction only. Windows overlap downwards and "
                "sideways.",
            ),
            Wrong(
                lambda: 2 * shared_in_a_row() * SIDE,
                "Pixels that are shared in both directions were counted twice.",
            ),
            Wrong(
                shared_in_a_row,
                "That is one row of pixels. The map is a square.",
            ),
            Wrong(
                lambda: (SIDE - shared_in_a_row()) ** 2,
                "Those are the pixels that one window alone reads.",
            ),
            Wrong(
                lambda: (SIDE - WINDOW + 1) ** 2,
                "That is the number of windows at stride 1. The stride is 2.",
            ),
        ),
    ),
    Exercise(
        number="03.4",
        form="a pair of integers (side of the field, parameters saved)",
        answer=lambda: (7, parameters(7, 1) - parameters(3, 3)),
        right="Three 3×3 layers see 7×7 pixels with 27 weights a pair of channels "
        "instead of 49, and two ReLUs more; a few more biases.",
        hint="Field: each 3×3 layer adds 2 pixels. Parameters: (k·k·32 + 1)·32 for one "
        "layer; how many layers has each side?",
        wrong=(
            Wrong(
                lambda: (9, parameters(7, 1) - parameters(3, 3)),
                "The parameters are right. But the fields overlap: they add up to less "
                "than three times three.",
            ),
            Wrong(
                lambda: (7, (49 - 27) * CHANNELS**2),
                "The field is right. You forgot the biases: each layer has its own.",
            ),
            Wrong(
                lambda: (7, parameters(7, 1) - parameters(3, 1)),
                "The field is right. But you counted one 3×3 layer instead of three.",
            ),
            Wrong(
                lambda: (7, parameters(7, 1) - parameters(3, 2)),
                "You counted two 3×3 layers. Two see 5×5; how many see 7×7?",
            ),
            Wrong(
                lambda: (7, parameters(3, 3)),
                "The field is right. You gave what the three layers hold, not what "
                "they save.",
            ),
            Wrong(
                lambda: (7, (49 + 1) * CHANNELS - 3 * (9 + 1) * CHANNELS),
                "The field is right. Your kernels are flat: a kernel reads all 32 "
                "channels.",
            ),
        ),
    ),
    Exercise(
        number="03.5",
        form="a function of (x, kept, p)",
        probe=dropped,
        answer=lambda: lambda x, kept, p: x * kept / (1 - p),
        right="What is kept is enlarged by 1/(1 − p), so the expectation is x and "
        "nothing needs to be done at test time.",
        hint="Try it by hand with p = 0.2: a unit is kept 8 times in 10. By which "
        "factor must it grow so that its mean over many draws is what it was?",
        wrong=(
            Wrong(
                lambda: lambda x, kept, p: x * kept,
                "Nothing makes up for what is dropped: that is the form of 2012, which "
                "needs a factor at test time.",
            ),
            Wrong(
                lambda: lambda x, kept, p: x * kept * (1 - p),
                "You made the kept units smaller. They must make up for the dropped "
                "ones.",
            ),
            Wrong(
                lambda: lambda x, kept, p: x * kept / p,
                "p is the probability of being *dropped*. Which one do you divide by?",
            ),
            Wrong(
                lambda: lambda x, kept, p: x / (1 - p),
                "Nothing is dropped: kept has no effect.",
            ),
            Wrong(
                lambda: lambda x, kept, p: x * (1 - kept) / (1 - p),
                "You dropped the units that should be kept.",
            ),
            Wrong(
                lambda: lambda x, kept, p: x * kept * len(x) / kept.sum(),
                "You made up for the share that happened to be dropped this time. The "
                "factor depends on p alone.",
            ),
        ),
    ),
    Exercise(
        number="03.6",
        form="an integer",
        answer=lambda: of_his(3),
        right="Rounding down leaves maps of 3×3, and fc64 alone counts them: it has "
        "64·3·3 inputs then.",
        hint="Which sides have the last maps if every pool rounds down? And which "
        "layer's parameters depend on that?",
        wrong=(
            Wrong(
                lambda: of_his(4),
                "That is the network as it was: its pools round up.",
            ),
            Wrong(
                lambda: of_his(4) - (64 * 4 * 4 - 64 * 3 * 3),
                "fc64 has fewer inputs, rightly. But each of its 64 units loses them.",
            ),
            Wrong(
                lambda: of_his(4) - 64 * (4 - 3) * 64,
                "Maps are squares: count their pixels, not their sides.",
            ),
            Wrong(
                lambda: (64 * 3 * 3 + 1) * 64,
                "That is fc64 alone. The question is about the whole network.",
            ),
            Wrong(
                lambda: of_his(4) - (64 * 3 * 3 + 1) * 64,
                "You took away what fc64 has then. Take away only what it loses.",
            ),
            Wrong(
                lambda: of_his(2),
                "You have lost a pixel too many on the way: 32 pixels, three pools.",
            ),
            Wrong(
                lambda: 64 * (4 * 4 - 3 * 3) * 64,
                "That is what fc64 loses. How many are left in the whole network?",
            ),
        ),
    ),
    Exercise(
        number="03.7",
        form="a function of (images, generator)",
        probe=erased,
        answer=lambda: eraser(draw(PLACES)),
        right="Each image has its own square, whole and anywhere, and the same "
        "generator gives the same squares again.",
        hint="Go through the demands: same shape, one whole black square of 8×8 in "
        "each image, its own random place, all other pixels as they were, all random "
        "numbers from the generator, the input untouched.",
        wrong=(
            Wrong(
                lambda: eraser(draw(PLACES, share=True)),
                "All images lose the same square. Draw a place for each image.",
            ),
            Wrong(
                lambda: eraser(draw(PLACES, own=False)),
                "The same generator does not give the same squares again: are all "
                "random numbers drawn from it?",
            ),
            Wrong(
                lambda: eraser(draw(PLACES), copy=False),
                "Right squares, but you wrote into the images that you were given. "
                "Work on a copy.",
            ),
            Wrong(
                lambda: eraser(draw(SIZE)),
                "Some squares hang over the edge, and so are smaller than 8×8.",
            ),
            Wrong(
                lambda: eraser(draw(PLACES - 1)),
                "Your squares never touch the last row or column. The upper bound of "
                "torch.randint is not itself drawn.",
            ),
            Wrong(
                lambda: eraser(draw(PLACES, columns=1)),
                "All your squares lie on the diagonal: row and column need a number "
                "each.",
            ),
            Wrong(
                lambda: eraser(draw(PLACES), colours=1),
                "One colour is gone and the others are still there. An image has "
                "three.",
            ),
        ),
    ),
)
