"""The exercises of notebook 10: luck, seeds, LRN, intensity, momentum, a footnote."""

from functools import cache
from math import ceil, prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from alexnet_lab.arithmetic.accounting import Ledger, ledger
from alexnet_lab.exercises.checking import Exercise, Wrong
from alexnet_lab.models import alexnet_2012

# 10.1: comparisons, and the chance of a false alarm in each.
COMPARISONS, LEVEL = 10, 0.05
# 10.2: an effect, and the spread of a paired difference, in points; standard errors
# that find it in four studies of five: 1.96 to leave out zero, 0.84 for luck.
EFFECT, SPREAD, ERRORS = 0.4, 0.8, 2.8
# 10.4: the machine's ridge, operations a byte.
RIDGE = 20
# 10.5: the paper's.
MOMENTUM = 0.9


# ------------------------------------------------------------------------------- 10.2
def seeds_needed(paired: bool = True, root: bool = True, errors: float = ERRORS) -> int:
    """The fewest seeds for which the effect is so many standard errors."""

    def error(seeds: int) -> float:
        networks = 1 if paired else 2
        return SPREAD * ((networks / seeds) ** 0.5 if root else networks / seeds)

    return next(n for n in range(1, 1000) if errors * error(n) <= EFFECT)


# ------------------------------------------------------------------------------- 10.3
def lrn(
    maps: Tensor,
    divide: bool = True,
    square: bool = True,
    reach: int = 2,
    k: float = 2.0,
    beta: float = 0.75,
    across: bool = True,
) -> Tensor:
    """Response normalisation, with a switch for each thing that may be forgotten."""
    powers = maps**2 if square else maps
    window = 2 * reach + 1
    padded = F.pad(powers, (0, 0, 0, 0, reach, reach))
    if across:
        sums = sum(padded[:, i : i + maps.shape[1]] for i in range(window))
    else:
        sums = window**2 * F.avg_pool2d(powers, window, stride=1, padding=reach)
    return maps / (k + 1e-4 / (5 if divide else 1) * sums) ** beta


def lrn_cut(maps: Tensor) -> Tensor:
    """Without zeros on either side: the channels at the edges are lost."""
    kept = maps.shape[1] - 4
    sums = sum(maps[:, i : i + kept] ** 2 for i in range(5))
    return maps[:, 2:-2] / (2 + 1e-4 / 5 * sums) ** 0.75


def on_loud_maps(function: Any) -> Any:
    """The answer on maps that are loud enough for the sum to matter."""
    maps = 300 * torch.randn(2, 9, 4, 3, generator=torch.Generator().manual_seed(0))
    given = maps.clone()
    result = function(maps)
    if not isinstance(result, Tensor):
        return result
    if result.shape != given.shape:
        return [tuple(result.shape)]
    if torch.allclose(result, lrn(given), rtol=1e-4, atol=1e-3):
        return ["equal", torch.equal(maps, given)]
    # round off: two programs that do the same agree to four digits or so
    return [f"{value:.3g}" for value in result.flatten()[:24].tolist()]


def lrn_in_place(maps: Tensor) -> Tensor:
    """The right numbers, written over those that came in."""
    return maps.copy_(lrn(maps))


# ------------------------------------------------------------------------------- 10.4
@cache
def book() -> Ledger:
    """AlexNet's ledger."""
    with torch.device("meta"):
        return ledger(alexnet_2012(), (3, 227, 227))


def intensity(batch: int, layer: str = "fc6") -> float:
    """Operations a byte of a layer of AlexNet, for a batch."""
    row = book()[layer]
    moved = batch * (prod(row.input_shape) + prod(row.output_shape)) + row.parameters
    return 2 * batch * row.macs / (4 * moved)


@cache
def batch_at_the_ridge(layer: str = "fc6") -> int:
    """The smallest batch for which the layer reaches the ridge."""
    return next(batch for batch in range(1, 10_000) if intensity(batch, layer) >= RIDGE)


def weights_alone(operations: int = 2, unit: int = 4) -> int:
    """The batch for which operations·B/unit reaches the ridge: nothing but weights."""
    return ceil(RIDGE * unit / operations)


# ------------------------------------------------------------------------------- 10.6
def one_gpu_net(last: int = 256, hidden: int = 4096, groups: int = 1) -> nn.Sequential:
    """The paper's one-GPU net: half the kernels, but not in the last convolution."""
    return nn.Sequential(
        nn.Conv2d(3, 48, kernel_size=11, stride=4),
        nn.MaxPool2d(3, stride=2),
        nn.Conv2d(48, 128, kernel_size=5, padding=2, groups=groups),
        nn.MaxPool2d(3, stride=2),
        nn.Conv2d(128, 192, kernel_size=3, padding=1),
        nn.Conv2d(192, 192, kernel_size=3, padding=1, groups=groups),
        nn.Conv2d(192, last, kernel_size=3, padding=1, groups=groups),
        nn.MaxPool2d(3, stride=2),
        nn.Flatten(),
        nn.Linear(last * 6 * 6, hidden),
        nn.Linear(hidden, hidden),
        nn.Linear(hidden, 1000),
    )


@cache
def shares(**options: int) -> tuple[float, float]:
    """Parameters and work of a one-GPU net, as shares of the two-GPU net's."""
    with torch.device("meta"):
        half = ledger(one_gpu_net(**options), (3, 227, 227))
    return (
        half.total_parameters / book().total_parameters,
        half.total_macs / book().total_macs,
    )


# ------------------------------------------------------------------------------- 10.5
def coasting(momentum: float = MOMENTUM, first: int = 1) -> float:
    """Steps of the present length that are still to come, summed."""
    return momentum**first / (1 - momentum)


EXERCISES = (
    Exercise(
        number="10.1",
        form="a probability, from 0 to 1",
        tolerance=0.005,
        answer=lambda: 1 - (1 - LEVEL) ** COMPARISONS,
        right="Two studies of five. One star in a table of ten proves little.",
        hint="First the chance that a comparison keeps quiet; then that all ten "
        "do; then the opposite.",
        wrong=(
            Wrong(
                lambda: 100 * (1 - (1 - LEVEL) ** COMPARISONS),
                "The right thing, in per cent. Give a number from 0 to 1.",
            ),
            Wrong(
                lambda: LEVEL * COMPARISONS,
                "That is the *expected number* of false alarms. Several may come "
                "together, so the chance of at least one is smaller.",
            ),
            Wrong(
                lambda: (1 - LEVEL) ** COMPARISONS,
                "That is the chance that all keep quiet.",
            ),
            Wrong(
                lambda: LEVEL,
                "That is one comparison. You make many.",
            ),
            Wrong(
                lambda: LEVEL**COMPARISONS,
                "That is the chance that every one of them is a false alarm.",
            ),
            Wrong(
                lambda: 1 - (1 - LEVEL) ** (COMPARISONS + 1),
                "The baseline is not compared with itself.",
            ),
        ),
    ),
    Exercise(
        number="10.2",
        form="an integer",
        answer=seeds_needed,
        right="More than six times as many as ours, for less than half a point. An "
        "effect of half the size takes four times the seeds.",
        hint="The standard error of the mean of n differences is 0.8/√n. Take 2.8 of "
        "them, compare with 0.4, and look for the first n that is enough.",
        wrong=(
            Wrong(
                lambda: seeds_needed(paired=False),
                "You took two networks that share nothing. The spread given is that of "
                "a paired difference: it holds the luck of both already.",
            ),
            Wrong(
                lambda: seeds_needed(root=False),
                "The error shrinks with the *root* of the number of seeds.",
            ),
            Wrong(
                lambda: seeds_needed(errors=1.96),
                "That many seeds make an interval as wide as the effect. It then shows "
                "in half of the studies only.",
            ),
            Wrong(
                lambda: seeds_needed(errors=1),
                "You asked for one standard error. The question asks for 2.8.",
            ),
            Wrong(
                lambda: 2 * seeds_needed(),
                "Those are the runs of both networks together. How many seeds?",
            ),
        ),
    ),
    Exercise(
        number="10.3",
        form="a function of maps (N, channels, height, width)",
        probe=on_loud_maps,
        answer=lambda: lrn,
        right="The same numbers as the layer, by five shifted sums.",
        hint="Square, put two channels of zeros on either side, add five slices of "
        "as many channels as came in, then k + α/5 times the sum, to the power 0.75.",
        wrong=(
            Wrong(
                lambda: lambda maps: lrn(maps, divide=False),
                "α is not divided by the five channels: that is the paper's formula, "
                "not the code's.",
            ),
            Wrong(
                lambda: lambda maps: lrn(maps, square=False),
                "You added the numbers themselves. It is their squares that are added.",
            ),
            Wrong(
                lambda: lambda maps: lrn(maps, k=1.0),
                "Your k is PyTorch's default. The paper's is different.",
            ),
            Wrong(
                lambda: lambda maps: lrn(maps, beta=0.5),
                "You took a square root. The power is β.",
            ),
            Wrong(
                lambda: lrn_cut,
                "The channels at the edges are missing: the shape must stay. Put zeros "
                "on either side first.",
            ),
            Wrong(
                lambda: lambda maps: lrn(maps, across=False),
                "You added over neighbouring *places* of one map. LRN adds over "
                "neighbouring channels at one place.",
            ),
            Wrong(
                lambda: lambda maps: lrn(maps, reach=1),
                "Your window has one neighbour on either side. How many has a window "
                "of five?",
            ),
            Wrong(
                lambda: lrn_in_place,
                "Right numbers, but you wrote into the maps that you were given.",
            ),
        ),
    ),
    Exercise(
        number="10.4",
        form="an integer",
        answer=batch_at_the_ridge,
        right="Each weight is read once a batch and used once an image, so the "
        "intensity is nearly half the batch; inputs and outputs cost a little more.",
        hint="Write operations and bytes for a batch of B: two operations for each "
        "weight and image; four bytes for each weight, input and output. Try batches.",
        wrong=(
            Wrong(
                weights_alone,
                "Close. You left out the inputs and outputs, which move as well.",
            ),
            Wrong(
                lambda: weights_alone(unit=1),
                "You counted numbers. The ridge is in operations per *byte*.",
            ),
            Wrong(
                lambda: weights_alone(operations=1),
                "A multiply-accumulate is two operations.",
            ),
            Wrong(
                lambda: batch_at_the_ridge("fc8"),
                "That is fc8. The question is about fc6, whose inputs are many more.",
            ),
            Wrong(
                lambda: RIDGE,
                "You took the intensity for the batch itself: one operation for each "
                "byte. How many operations does a weight do for an image, and how many "
                "bytes has it?",
            ),
        ),
    ),
    Exercise(
        number="10.5",
        form="a number",
        tolerance=1e-3,
        answer=coasting,
        right="0.9 + 0.81 + … = 9: the paper's rule freezes a layer only after it has "
        "run out.",
        hint="The next step is 0.9 v, the one after it 0.81 v. Add up the series.",
        wrong=(
            Wrong(
                lambda: coasting(first=0),
                "You counted the step that was taken before the rate became 0.",
            ),
            Wrong(
                lambda: 0.0,
                "That is PyTorch's rule. In the paper's the rate stands inside v.",
            ),
            Wrong(
                lambda: MOMENTUM,
                "That is the first step only. The next one is smaller, but not zero.",
            ),
            Wrong(
                lambda: coasting(first=2),
                "You left out the first of the steps to come.",
            ),
        ),
    ),
    Exercise(
        number="10.6",
        form="a pair of numbers (share of the parameters, share of the work)",
        tolerance=0.005,
        answer=shares,
        right="Half the kernels, nearly all of the parameters: fc6 reads a last "
        "convolution of full width. The paper says itself that its comparison favours "
        "the one-GPU net.",
        hint="Build it: 48, 128, 192, 192 and 256 kernels, no groups, the linear "
        "layers as they are. The ledger does the rest, for both networks.",
        wrong=(
            Wrong(
                lambda: shares(last=128),
                "You halved the last convolution, too. Read the footnote again.",
            ),
            Wrong(
                lambda: shares(last=128, hidden=2048),
                "You halved everything. Which layers does the footnote spare?",
            ),
            Wrong(
                lambda: shares(groups=2),
                "A net on one GPU has one tower: its kernels read all channels.",
            ),
            Wrong(
                lambda: tuple(100 * share for share in shares()),
                "The right things, in per cent. Give numbers from 0 to 1.",
            ),
            Wrong(
                lambda: shares()[::-1],
                "The right numbers in the wrong order: parameters first.",
            ),
            Wrong(
                lambda: tuple(1 - share for share in shares()),
                "That is what is saved. The question asks what is left.",
            ),
        ),
    ),
)
