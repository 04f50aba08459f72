"""The exercises of notebook 03: what each change from LeNet-5 to AlexNet does."""

import math
from collections.abc import Callable, Iterable
from statistics import mean, pstdev, stdev, variance
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from alexnet_lab.exercises.checking import Exercise, Wrong

# 03.1: validation accuracies, %, of two networks, paired by three seeds.
OLD, NEW = (41.2, 43.5, 40.1), (42.0, 44.1, 41.1)
STUDENT = 4.303  # t for three differences, as in the notebook's table
DIFFERENCES = [new - old for old, new in zip(OLD, NEW, strict=True)]
# 03.2: the lines of a paired comparison, as the notebook shuffles them.
LINES = {
    "A": '    old = score(train(lenet("tanh")))',
    "B": "differences = []",
    "C": "    torch.manual_seed(seed)",
    "D": "print(interval(differences))",
    "E": "    differences.append(new - old)",
    "F": "    torch.manual_seed(0)",
    "G": '    new = score(train(lenet("relu")))',
    "H": "for seed in range(5):",
}
# 03.3: (values, which are kept, probability of dropping).
DROPS = (
    ((1.0, 2.0, 3.0, 4.0), (1.0, 0.0, 1.0, 1.0), 0.5),
    ((-1.0, 5.0, 2.0), (0.0, 1.0, 1.0), 0.2),
    ((4.0, 4.0, 4.0, 4.0, 4.0), (0.0, 0.0, 1.0, 0.0, 1.0), 0.6),
)
# 03.4: rows, columns, mirrored, height, width; of three images of 2×7×10.
CUTS = (
    ((0, 3, 1), (4, 0, 2), (True, False, True), 4, 5),
    ((2, 0, 4), (1, 5, 3), (False, True, True), 3, 2),
)
# 03.5: channels, height, width; n, k, alpha, beta. The last window is wider than the
# channels are many.
NORMS = (
    ((7, 4, 5), (3, 2.0, 0.5, 0.75)),
    ((9, 2, 6), (5, 1.0, 0.3, 0.5)),
    ((3, 5, 2), (7, 1.5, 2.0, 0.75)),
)


# ------------------------------------------------------------------- 03.1, 03.2
def half(spread: float = stdev(DIFFERENCES), t: float = STUDENT, n: int = 3) -> float:
    """Half the width of the interval, in points."""
    return t * spread / math.sqrt(n)


def judged(width: float) -> tuple[float, bool]:
    """Half the width, and whether the mean difference is farther from zero."""
    return width, mean(DIFFERENCES) > width


def compared(order: str | Iterable[str]) -> tuple[Any, ...]:
    """What the lines do in such an order: the differences that they print.

    A network is its name and its luck. Luck weighs twice as much on a ReLU network, and
    training uses up random numbers: so each way of seeding has its own differences.
    """
    letters = [letter for letter in "".join(order).upper() if letter not in " ,.;-"]
    if unknown := [letter for letter in letters if letter not in LINES]:
        raise ValueError(f"there is no line {unknown[0]!r}; the lines are A to H")
    printed: list[tuple[float, ...]] = []

    def train(name: str) -> tuple[str, float]:
        return name, torch.randn(2).sum().item()

    def score(net: tuple[str, float]) -> float:
        return {"tanh": 50.0, "relu": 51.0}[net[0]] + net[1] * (1 + (net[0] == "relu"))

    def interval(differences: list[float]) -> tuple[float, ...]:
        return tuple(round(value, 6) for value in differences)

    known = {"train": train, "score": score, "interval": interval, "torch": torch}
    known |= {"lenet": lambda name: name, "print": printed.append}
    try:
        exec("\n".join(LINES[letter] for letter in letters), dict(known))
    except IndentationError:
        return ("indentation",)
    return tuple(printed)


# ------------------------------------------------------------------- 03.3, 03.4
def dropped(function: Any) -> list[Any]:
    """What a dropout function makes of each case."""
    return [
        function(torch.tensor(values), torch.tensor(kept), p)
        for values, kept, p in DROPS
    ]


def cropped(function: Any) -> list[Any]:
    """The windows, and their shapes, of each case."""
    found = []
    for rows, columns, mirrored, height, width in CUTS:
        images = torch.rand(3, 2, 7, 10)
        places = torch.tensor(rows), torch.tensor(columns), torch.tensor(mirrored)
        windows = function(images, *places, height, width)
        found.append((tuple(getattr(windows, "shape", ())), windows))
    return found


def cutter(
    cut: Callable[[Tensor, int, int, int, int], Tensor],
    mirror: Callable[[Tensor], Tensor] = lambda window: window.flip(-1),
    first: bool = False,
    when: Callable[[Any], Any] = lambda mirrored: mirrored,
) -> Callable[..., Tensor]:
    """A crop_and_mirror of the parts given; `first`: mirrored before it is cut."""

    def crop_and_mirror(images, rows, columns, mirrored, height, width):
        windows = []
        for i, image in enumerate(images):
            turn = mirror if when(bool(mirrored[i])) else (lambda window: window)
            image = turn(image) if first else image
            window = cut(image, int(rows[i]), int(columns[i]), height, width)
            windows.append(window if first else turn(window))
        return torch.stack(windows)

    return crop_and_mirror


def window(image: Tensor, row: int, column: int, height: int, width: int) -> Tensor:
    """The window whose top left corner is at row, column."""
    return image[:, row : row + height, column : column + width]


def one_place(images, rows, columns, mirrored, height, width):
    """All images are cut where the first one is."""
    places = rows[:1].expand(3), columns[:1].expand(3)
    return cutter(window)(images, *places, mirrored, height, width)


# ------------------------------------------------------------------------- 03.5
def normalised(function: Any) -> list[Any]:
    """Shape and numbers of each case, in 64 bits so that no rounding decides."""
    found = []
    for shape, settings in NORMS:
        given = 2 * torch.randn(3, *shape, dtype=torch.float64)
        result = function(given, *settings)
        found.append((tuple(getattr(result, "shape", ())), result))
    return found


def pytorchs(a: Tensor, n: int, k: float, alpha: float, beta: float) -> Tensor:
    """PyTorch's own layer."""
    return nn.LocalResponseNorm(n, alpha, beta, k)(a)


def near(a: Tensor, n: int, dim: int = 1, before: int | None = None) -> Tensor:
    """The n neighbours of each number along a dimension, as a new last dimension."""
    before = n // 2 if before is None else before
    padded = F.pad(a.transpose(dim, -1), (before, n - 1 - before))
    return padded.unfold(-1, n, 1).transpose(dim, a.dim() - 1)


def lrn_of(
    total: Callable[[Tensor, int], Tensor] = lambda a, n: near(a**2, n).sum(-1),
    share: Callable[[float, int], float] = lambda alpha, n: alpha / n,
    base: Callable[[float], float] = lambda k: k,
    sign: int = 1,
) -> Callable[..., Tensor]:
    """A my_lrn of the parts given."""

    def my_lrn(a, n, k, alpha, beta):
        divisor = (base(k) + share(alpha, n) * total(a, n)) ** beta
        return a / divisor**sign

    return my_lrn


def mean_of_those_there(a: Tensor, n: int) -> Tensor:
    """The mean of the squares that there are, times n."""
    there = near(torch.ones_like(a), n).sum(-1)
    return near(a**2, n).sum(-1) / there * n


def round_in_circles(a: Tensor, n: int) -> Tensor:
    """The last channel's neighbour is the first one."""
    shifts = range(-(n // 2), n // 2 + 1)
    return torch.stack([(a**2).roll(s, dims=1) for s in shifts]).sum(0)


def negative_start(a: Tensor, n: int) -> Tensor:
    """A slice that begins at −1 is empty."""
    windows = [a[:, i - n // 2 : i + n // 2 + 1] for i in range(a.shape[1])]
    return torch.stack([(window**2).sum(1) for window in windows], dim=1)


def inner_channels(a, n, k, alpha, beta):
    """Only channels that have all their neighbours."""
    cut = slice(n // 2, a.shape[1] - n // 2)
    return pytorchs(a, n, k, alpha, beta)[:, cut]


EXERCISES = (
    Exercise(
        number="03.1",
        form="a pair (a number, True or False)",
        tolerance=0.03,
        answer=lambda: judged(half()),
        right="The runs of one network scatter by more than a point and a half, but "
        "the pairs share their luck: the differences agree, and their interval leaves "
        "out zero.",
        hint="Three steps: subtract seed by seed; the standard deviation of the three "
        "differences; times t for three seeds, divided by the root of 3. It shows if "
        "the mean difference is larger.",
        more_hints=(
            "The differences are 0.8, 0.6 and 1.0. `stdev` of `statistics` divides "
            "their squares by 3 − 1, as it should.",
            "t is T[3] of the notebook's table: T[3] * stdev([0.8, 0.6, 1.0]) / "
            "3**0.5. Is 0.8, the mean, larger?",
        ),
        wrong=(
            Wrong(
                lambda: (half(), False),
                "The number is right. Is the mean of the differences larger or "
                "smaller than it?",
            ),
            Wrong(
                lambda: judged(half(math.hypot(stdev(OLD), stdev(NEW)))),
                "You treated the two networks as if they had not shared their seeds. "
                "Subtract first, seed by seed.",
            ),
            Wrong(
                lambda: judged(half(max(stdev(OLD), stdev(NEW)))),
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
                lambda: judged(half(t=2.776)),
                "That is t for five seeds. Here are three.",
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
        form="a text of letters",
        probe=compared,
        answer=lambda: "BHCACGED",
        right="Both networks of a pair start from the same seed, so they share their "
        "luck; and each of the five pairs has luck of its own.",
        hint="First what happens once, before the loop; then the head of the loop, its "
        "lines, and what happens once at the end. What must stand directly before "
        "each of the two trainings?",
        more_hints=(
            "Training uses up random numbers. After the first network the generator "
            "stands elsewhere than before it.",
            "It begins with B and H, and ends with E and D. In between: seed, old, "
            "seed, new, where the seed is the loop's.",
        ),
        wrong=(
            Wrong(
                lambda: "BHCAGED",
                "The second network goes on with the random numbers that the first one "
                "left: the two of a pair don't share their luck.",
            ),
            Wrong(
                lambda: "BHFAFGED",
                "Every round has seed 0: five copies of one comparison, which know "
                "nothing of how luck scatters.",
            ),
            Wrong(
                lambda: "BHCAFGED",
                "The two networks of a pair have different seeds, from the second "
                "round on.",
            ),
            Wrong(
                lambda: "BHFACGED",
                "The old network has seed 0 in every round, the new one the loop's: "
                "they are no pairs.",
            ),
            Wrong(
                lambda: "BHACGCED",
                "You seed *after* a training, for the one that follows. The first "
                "network of a round must have its seed, too.",
            ),
            Wrong(
                lambda: "BHCACGE",
                "The interval is never printed.",
            ),
            Wrong(
                lambda: "BHCACGD",
                "The differences never get into the list.",
            ),
            Wrong(
                lambda: "HBCACGED",
                "A line without indentation ends the loop, and indented lines after it "
                "belong to none. Which lines happen once only, before the loop or when "
                "it has ended?",
            ),
        ),
    ),
    Exercise(
        number="03.3",
        form="a function of (x, kept, p)",
        probe=dropped,
        answer=lambda: lambda x, kept, p: x * kept / (1 - p),
        right="What is kept is enlarged by 1/(1 − p), so the expectation is x and "
        "nothing needs to be done at test time.",
        hint="Try it by hand with p = 0.2: a unit is kept 8 times in 10. By which "
        "factor must it grow so that its mean over many draws is what it was?",
        more_hints=(
            "`x * kept` sets the dropped ones to zero. Multiply the rest by a factor "
            "that depends on p alone.",
            "A unit is there with probability 1 − p. Divide by that.",
        ),
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
                lambda: lambda x, kept, p: x * kept * 2,
                "2 is right for p = 0.5 only.",
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
            Wrong(
                lambda: lambda x, kept, p: nn.functional.dropout(x, p),
                "You drew new random numbers. Which units are kept is given.",
            ),
        ),
    ),
    Exercise(
        number="03.4",
        form="a function of (images, rows, columns, mirrored, height, width)",
        probe=cropped,
        answer=lambda: cutter(window),
        right="Each image has its own window and its own coin. A new place is a new "
        "image for the network, and costs nothing.",
        hint="Do it for one image first: image[:, a:b, c:d] keeps all channels, rows a "
        "to b − 1 and columns c to d − 1. Then a loop over the images.",
        more_hints=(
            "`zip(images, rows, columns, mirrored)` hands out what belongs to one "
            "image. The rows of its window end before row + height.",
            "`window.flip(-1)` swaps left and right. Gather the windows in a list, and "
            "return torch.stack(windows).",
        ),
        wrong=(
            Wrong(
                lambda: cutter(lambda image, r, c, h, w: window(image, c, r, h, w)),
                "Rows and columns are exchanged: height runs along dimension 2, width "
                "along dimension 3.",
            ),
            Wrong(
                lambda: cutter(lambda image, r, c, h, w: window(image, r, c, w, h)),
                "Height and width are exchanged.",
            ),
            Wrong(
                lambda: cutter(window, mirror=lambda cut: cut.flip(-2)),
                "Your mirrored windows stand on their heads.",
            ),
            Wrong(
                lambda: cutter(window, mirror=lambda cut: cut.flip(-1, -2)),
                "You turned them by half a circle: left and right alone should swap.",
            ),
            Wrong(
                lambda: cutter(window, mirror=lambda cut: cut.flip(0)),
                "You swapped the colours.",
            ),
            Wrong(
                lambda: cutter(window, first=True),
                "You mirrored the whole image first. Then the window lies at a "
                "different place: cut first.",
            ),
            Wrong(
                lambda: cutter(window, when=lambda mirrored: False),
                "No window is mirrored.",
            ),
            Wrong(
                lambda: cutter(window, when=lambda mirrored: True),
                "All windows are mirrored: look at each image's own entry.",
            ),
            Wrong(
                lambda: cutter(window, when=lambda mirrored: not mirrored),
                "You mirrored the windows that should stay, and left the others.",
            ),
            Wrong(
                lambda: one_place,
                "All images are cut where the first one is. Each has its own row and "
                "column.",
            ),
            Wrong(
                lambda: cutter(
                    lambda image, r, c, h, w: window(image, r, c, h + 1, w + 1)
                ),
                "Your windows are a pixel too large each way: a slice leaves out its "
                "end.",
            ),
            Wrong(
                lambda: lambda *given: list(cutter(window)(*given)),
                "The windows are right. Join the list with torch.stack.",
            ),
        ),
    ),
    Exercise(
        number="03.5",
        form="a function of (a, n, k, alpha, beta)",
        probe=normalised,
        answer=lambda: pytorchs,
        tolerance=1e-4,
        right="Equal to PyTorch's layer, for n of 3, 5 and 7, even where the window is "
        "wider than there are channels.",
        hint="One channel i at a time: the squares of the channels from i − n//2 to "
        "i + n//2, as far as there are such, added up; from that the divisor.",
        more_hints=(
            "`a[:, max(0, i - n // 2) : i + n // 2 + 1]` are the channels around i: a "
            "slice may end behind the last one, but a negative start counts from the "
            "end.",
            "total = (window**2).sum(dim=1) is N×H×W, as a[:, i] is. Divide by "
            "(k + alpha / n * total) ** beta, and join with torch.stack(…, dim=1).",
        ),
        wrong=(
            Wrong(
                lambda: lrn_of(share=lambda alpha, n: alpha),
                "That is the formula as the paper prints it. Here α is divided by n.",
            ),
            Wrong(
                lambda: lrn_of(total=lambda a, n: near(a, n).sum(-1)),
                "You added up the numbers themselves. The formula has their squares.",
            ),
            Wrong(
                lambda: lrn_of(total=lambda a, n: near(a, n).sum(-1) ** 2),
                "You squared the sum. The formula adds up squares.",
            ),
            Wrong(
                lambda: lrn_of(total=lambda a, n: (a**2).sum(1, keepdim=True)),
                "You added up all channels. Each has n neighbours only, itself among "
                "them.",
            ),
            Wrong(
                lambda: lrn_of(total=lambda a, n: near(a**2, n, dim=3).sum(-1)),
                "Your neighbours lie side by side in one map. They should be other "
                "channels at the same pixel.",
            ),
            Wrong(
                lambda: lrn_of(total=lambda a, n: near(a**2, n, dim=2).sum(-1)),
                "Your neighbours lie one above the other in one map. They should be "
                "other channels at the same pixel.",
            ),
            Wrong(
                lambda: lrn_of(total=lambda a, n: a**2),
                "Each channel looks at itself alone.",
            ),
            Wrong(
                lambda: lrn_of(total=lambda a, n: near(a**2, n).sum(-1) - a**2),
                "You left the channel itself out of its sum.",
            ),
            Wrong(
                lambda: lrn_of(total=lambda a, n: near(a**2, n, before=0).sum(-1)),
                "Your window begins at channel i. It should have i in its middle.",
            ),
            Wrong(
                lambda: lrn_of(total=lambda a, n: near(a**2, n, before=n - 1).sum(-1)),
                "Your window ends at channel i. It should have i in its middle.",
            ),
            Wrong(
                lambda: lrn_of(total=mean_of_those_there),
                "At the edges you divide by the channels that there are. α is divided "
                "by n everywhere.",
            ),
            Wrong(
                lambda: lrn_of(total=round_in_circles),
                "Your channels form a circle: the first one's neighbour is not the "
                "last one.",
            ),
            Wrong(
                lambda: lrn_of(total=negative_start),
                "The first channels come out wrong: a negative start of a slice counts "
                "from the end. Begin at 0 at the least.",
            ),
            Wrong(
                lambda: inner_channels,
                "Fewer channels come out than went in: those at the edge have fewer "
                "neighbours, and are normalised all the same.",
            ),
            Wrong(
                lambda: lrn_of(sign=-1),
                "You multiplied by the bracket. The formula divides by it.",
            ),
            Wrong(
                lambda: lrn_of(base=lambda k: 0),
                "k is missing: where all neighbours are zero, you divide by zero.",
            ),
            Wrong(
                lambda: lrn_of(base=lambda k: 1),
                "You put 1 where k belongs: the function is told which k.",
            ),
        ),
    ),
)
