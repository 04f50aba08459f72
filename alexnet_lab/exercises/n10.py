"""The exercises of notebook 10: an ablation, LRN, intensity, momentum, a footnote."""

from functools import cache, partial
from math import ceil, prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from alexnet_lab.arithmetic.accounting import Ledger, ledger
from alexnet_lab.exercises.checking import Exercise, Wrong
from alexnet_lab.models import alexnet_2012
from alexnet_lab.training import interval

# 10.3: the machine's ridge, operations a byte.
RIDGE = 20
# 10.4: the paper's.
MOMENTUM = 0.9


# ------------------------------------------------------------------------------- 10.1
Table = dict[str, list[float]]


def judged(
    table: Table,
    yardstick: str,
    pairs: bool = True,
    by: str = "interval",
    sign: int = 1,
    keep: bool = False,
) -> dict[str, str]:
    """What each variant does, with a switch for each thing that may go wrong."""
    found = {}
    for name, values in table.items():
        if name == yardstick and not keep:
            continue
        apart = [sign * (a - b) for a, b in zip(values, table[yardstick], strict=True)]
        if by == "interval":
            shows = interval(apart).shows if pairs else _unpaired(apart)
        else:
            shows = by == "mean" or len({d > 0 for d in apart}) == 1
        found[name] = ("gains" if sum(apart) > 0 else "loses") if shows else "nothing"
    return found


def _unpaired(apart: list[float]) -> bool:
    """Two spreads of single runs: on these tables nothing shows."""
    return abs(sum(apart)) / len(apart) > 20


def on_two_tables(function: Any) -> Any:
    """Verdicts on tables whose seeds scatter much more than their differences."""
    old = [61.0, 72.5, 55.1, 66.0]
    first = {
        "baseline": old,
        "tanh": [x + d for x, d in zip(old, (1.0, 1.4, 0.8, 1.2), strict=True)],
        "half": [x + d for x, d in zip(old, (-3.0, -2.0, -2.5, 0.1), strict=True)],
        "none": [x + d for x, d in zip(old, (0.1, 4.0, 0.2, 0.1), strict=True)],
    }
    second = {"b": [1.0, 9.0, 5.0], "a": [2.1, 10.0, 6.0]}
    copies = [{k: list(v) for k, v in table.items()} for table in (first, second)]
    return function(copies[0], "baseline"), function(copies[1], "a")


# ------------------------------------------------------------------------------- 10.2
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
    return result, torch.equal(maps, given)


def lrn_in_place(maps: Tensor) -> Tensor:
    """The right numbers, written over those that came in."""
    return maps.copy_(lrn(maps))


# ------------------------------------------------------------------------------- 10.3
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


# ------------------------------------------------------------------------------- 10.5
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


# ------------------------------------------------------------------------------- 10.4
def coasting(momentum: float = MOMENTUM, first: int = 1) -> float:
    """Steps of the present length that are still to come, summed."""
    return momentum**first / (1 - momentum)


EXERCISES = (
    Exercise(
        number="10.1",
        form="a function of (table, yardstick)",
        probe=on_two_tables,
        answer=lambda: judged,
        right="Pairs first, then the interval, then the sign. That is all of this "
        "course's statistics.",
        hint="Subtract the yardstick's accuracies from each variant's, seed by seed. "
        "What does `effect` say of two lists?",
        more_hints=(
            "An effect shows when its interval leaves out zero: `found.shows`. The "
            "sign of `found.mean` says which way.",
            "Go through table.items(), leave out the yardstick, and put 'gains', "
            "'loses' or 'nothing' into a dictionary.",
        ),
        wrong=(
            Wrong(
                lambda: partial(judged, pairs=False),
                "You compared without pairs: the luck that both share hides the "
                "effect. Subtract seed by seed.",
            ),
            Wrong(
                lambda: partial(judged, by="mean"),
                "You went by the sign of the mean alone. When does an effect show?",
            ),
            Wrong(
                lambda: partial(judged, by="all"),
                "You asked that all differences have one sign. The interval may leave "
                "out zero although one seed goes the other way, or hold it although "
                "none does.",
            ),
            Wrong(
                lambda: partial(judged, sign=-1),
                "Gains and losses are exchanged: variant minus yardstick.",
            ),
            Wrong(
                lambda: partial(judged, keep=True),
                "The yardstick is in your dictionary. It isn't compared with itself.",
            ),
        ),
    ),
    Exercise(
        number="10.2",
        form="a function of maps (N, channels, height, width)",
        probe=on_loud_maps,
        tolerance=1e-3,  # two programs that do the same agree to four digits or so
        answer=lambda: lrn,
        right="The same numbers as the layer, by five shifted sums.",
        hint="Square, put two channels of zeros on either side, add five slices of "
        "as many channels as came in, then k + α/5 times the sum, to the power 0.75.",
        more_hints=(
            "F.pad(maps**2, (0, 0, 0, 0, 2, 2)) puts two channels of zeros on either "
            "side.",
            "With C channels, slice number i is squares[:, i : i + C], for i from 0 "
            "to 4.",
        ),
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
        number="10.3",
        form="an integer",
        answer=batch_at_the_ridge,
        right="Each weight is read once a batch and used once an image, so the "
        "intensity is nearly half the batch; inputs and outputs cost a little more.",
        hint="Write operations and bytes for a batch of B: two operations for each "
        "weight and image; four bytes for each weight, input and output. Try batches.",
        more_hints=(
            "Operations: 2·B·9216·4096. Bytes: 4·(9216·4096 + 4096 + B·(9216 + 4096)).",
            "Go up from B = 1 until the quotient is 20 for the first time.",
        ),
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
        number="10.4",
        form="a number",
        tolerance=1e-3,
        answer=coasting,
        right="0.9 + 0.81 + … = 9: the paper's rule freezes a layer only after it has "
        "run out.",
        hint="The next step is 0.9 v, the one after it 0.81 v. Add up the series.",
        more_hints=(
            "It moves 0.9 v in the next step, then 0.9·0.9 v, and so on for ever.",
            "A geometric series q + q² + … has the sum q/(1 − q).",
        ),
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
        number="10.5",
        form="a pair of numbers (share of the parameters, share of the work)",
        tolerance=0.005,
        answer=shares,
        right="Half the kernels, nearly all of the parameters: fc6 reads a last "
        "convolution of full width. The paper says itself that its comparison favours "
        "the one-GPU net.",
        hint="Build it: 48, 128, 192, 192 and 256 kernels, no groups, the linear "
        "layers as they are. The ledger does the rest, for both networks.",
        more_hints=(
            "nn.Conv2d(3, 48, 11, stride=4), a pool, nn.Conv2d(48, 128, 5, "
            "padding=2), a pool, then three of 3×3, a pool, Flatten, three linear "
            "layers.",
            "`ledger(half, (3, 227, 227))` has total_parameters and total_macs; "
            "divide by those of `book`.",
        ),
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
