"""The exercises of notebook 07: first batch, logs, accumulation, schedule, silence."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from alexnet_lab.exercises.checking import Exercise, Wrong
from alexnet_lab.training import one_cycle


# ------------------------------------------------------ 07.1: a look at the first batch
def looked_at(faults: Any) -> tuple[Any, ...]:
    """What a function finds in ten batches of 3 pictures, 5 high and 7 wide."""
    good = torch.randn(3, 3, 5, 7)
    labels = torch.tensor([0, 4, 2])
    raw = torch.randint(0, 256, (3, 3, 5, 7))
    lacking = good.clone()
    lacking[2, 1, 4, 6] = math.nan
    batches = (
        (good, labels),
        (raw.byte(), labels),
        (good - 120, labels),
        (lacking, labels),
        (good, labels + 1),
        (good, labels * 3),
        (good, labels - 1),
        (good, labels.float()),
        (good, labels[:2]),
        (raw.double(), torch.tensor([1, 5, 3, 2], dtype=torch.int32)),
    )
    return tuple(faults(images, labels, 5) for images, labels in batches)


def faults(images, labels, classes):
    """All that is wrong with a batch."""
    found = []
    if images.dtype != torch.float32:
        found.append("type")
    if not images.abs().max() <= 10:
        found.append("range")
    if len(images) != len(labels):
        found.append("count")
    if labels.dtype != torch.int64 or labels.min() < 0 or labels.max() >= classes:
        found.append("labels")
    return found


def careless(
    floating=False, largest=False, above=False, high=True, low=True, kind=True, equal=0
):
    """The same function with a mistake."""

    def faults(images, labels, classes):
        found = []
        if images.dtype != torch.float32 and not (
            floating and images.is_floating_point()
        ):
            found.append("type")
        extreme = images.max() if largest else images.abs().max()
        if (extreme > 10) if above else not extreme <= 10:
            found.append("range")
        if len(images) != len(labels):
            found.append("count")
        wrong = kind and labels.dtype != torch.int64
        wrong |= low and labels.min() < 0
        wrong |= high and labels.max() >= classes + equal
        if wrong:
            found.append("labels")
        return found

    return faults


def first_fault_only(images, labels, classes):
    """Goes home with the first thing that it finds."""
    return faults(images, labels, classes)[:1]


# -------------------------------------------------------- 07.2: the cause of each log
CAUSES = ("c", "a", "d", "b")


def as_letters(answer: Any) -> str:
    """The letters, whether they came as "cadb", "c, a, d, b" or a list."""
    return "".join(answer).replace(",", "").replace(" ", "").lower()


# ------------------------------------------------ 07.3: four small batches, one step
LINES = {
    "a": "optimizer.step()",
    "b": "for images, labels in parts:",
    "c": "    loss = F.cross_entropy(net(images), labels)",
    "d": "optimizer.zero_grad()",
    "e": "    loss.backward()",
    "f": "    (loss / len(parts)).backward()",
    "g": "    optimizer.zero_grad()",
}


def weights_after(answer: Any) -> list[float]:
    """What a program of these lines does to the weights of a tiny network.

    ValueError: a letter that stands for no line.
    """
    letters = as_letters(answer)
    if unknown := [letter for letter in letters if letter not in LINES]:
        raise ValueError(f"there is no line {unknown[0]!r}")
    net = nn.Sequential(nn.Flatten(), nn.Linear(2 * 3 * 5, 4))
    parts = [(torch.randn(3, 2, 3, 5), torch.randint(0, 4, (3,))) for _ in range(4)]
    net(parts[0][0]).square().sum().backward()  # what was there before
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    program = "\n".join(LINES[letter] for letter in letters)
    exec(program, {"net": net, "optimizer": optimizer, "parts": parts, "F": F})
    return [number for p in net.parameters() for number in p.flatten().tolist()]


# ------------------------------------------------------------------- 07.4: a schedule
def rates(rate_at: Any) -> tuple[Any, ...]:
    """The rates of three short runs, none with a number of steps that four divides."""
    runs = ((10, 0.05), (7, 1.0), (26, 0.3))
    return tuple(
        rate_at(step, steps, peak) for steps, peak in runs for step in range(steps)
    )


def rate_at(step, steps, peak):
    """The rate of one cycle at a step that is counted from 0."""
    return peak * one_cycle(step / steps)


def rate_by(up: float = 0.25, low: float = 1 / 25, end: float = 0.0):
    """One cycle with different corners."""

    def rate_at(step, steps, peak):
        progress = step / steps
        if progress < up:
            return peak * (low + (1 - low) * progress / up)
        return peak * (1 - (1 - end) * (progress - up) / (1 - up))

    return rate_at


def rate_of_whole_quarter(step, steps, peak):
    quarter = steps // 4
    if step < quarter:
        return peak * (1 / 25 + 24 / 25 * step / quarter)
    return peak * (steps - step) / (steps - quarter)


def rate_that_jumps(step, steps, peak):
    progress = step / steps
    return rate_at(step, steps, peak) if progress < 0.25 else peak * (1 - progress)


def rate_by_cosine(step, steps, peak):
    progress = step / steps
    if progress < 0.25:
        return rate_at(step, steps, peak)
    return peak * 0.5 * (1 + math.cos(math.pi * (progress - 0.25) / 0.75))


# ----------------------------------------------------------------- 07.5: silent units
def shares(silent: Any) -> tuple[Any, ...]:
    """The shares in outputs of three pictures: 5 units, 4 maps of 2×5, 2 of 3×1."""
    row = [[0, 1.2, 0, 0.3, 0], [0, 0, 0, 0.9, 0], [0, 0.4, 0, 0, 0.1]]
    maps = torch.zeros(3, 4, 2, 5)
    maps[0, 0, 1, 3], maps[2, 1], maps[1, 3, 0, 0] = 0.7, 1.5, 0.2
    thin = torch.zeros(3, 2, 3, 1)
    thin[2, 1, 2, 0] = 3.0
    return tuple(silent(outputs) for outputs in (torch.tensor(row), maps, thin))


def silent(outputs):
    """The share of units that are 0 for every picture."""
    rows = outputs.transpose(0, 1).flatten(1)
    return 1 - (rows > 0).any(dim=1).float().mean().item()


def zeros(outputs):
    return (outputs == 0).float().mean().item()


def sometimes_off(outputs):
    rows = outputs.transpose(0, 1).flatten(1)
    return (rows == 0).any(dim=1).float().mean().item()


def places(outputs):
    return (outputs == 0).all(dim=0).float().mean().item()


def empty_pictures(outputs):
    return (outputs.flatten(1) == 0).all(dim=1).float().mean().item()


EXERCISES = (
    Exercise(
        number="07.1",
        form="a function of (images, labels, classes) that returns a list of words",
        probe=looked_at,
        answer=lambda: faults,
        right="Four questions, before hours are spent. A comparison with NaN is False, "
        "so ask for what must hold.",
        hint="On some batch the list is not the right one. Start with an empty list; "
        "four separate ifs append to it, in the order of the question.",
        more_hints=(
            "How large is the largest pixel, whatever its sign? images.abs().max() "
            "says so; and it is NaN as soon as one pixel is.",
            "A comparison with NaN is always False. So ask for what must hold, and "
            "turn it round: if not images.abs().max() <= 10.",
            "The last one: labels.dtype != torch.int64 or labels.min() < 0 or "
            "labels.max() >= classes.",
        ),
        wrong=(
            Wrong(
                lambda: careless(largest=True),
                "A pixel of −120 gets through: you looked at the largest one only.",
            ),
            Wrong(
                lambda: careless(above=True),
                "A NaN gets through: it is not greater than anything.",
            ),
            Wrong(
                lambda: careless(equal=1),
                "Labels from 1 on get through. The classes are counted from 0.",
            ),
            Wrong(
                lambda: careless(high=False),
                "A label that is too large gets through.",
            ),
            Wrong(lambda: careless(low=False), "A label of −1 gets through."),
            Wrong(
                lambda: careless(kind=False),
                "Labels that are no integers get through.",
            ),
            Wrong(
                lambda: careless(floating=True),
                "float64 gets through. It has a point, too, but the weights are "
                "float32.",
            ),
            Wrong(
                lambda: first_fault_only,
                "You report the first fault only. A batch may have several.",
            ),
        ),
    ),
    Exercise(
        number="07.2",
        form='four letters, such as "abcd"',
        probe=as_letters,
        answer=lambda: "".join(CAUSES),
        right="Each fault has its own handwriting: where it starts, where it stops.",
        hint="Look at both ends of each log. Where should a fresh network start? "
        "Where does the loss come to rest, and which fault has a floor there?",
        more_hints=(
            "Two of them can be told by their first number, and one by its last: which "
            "cause needs no step to show?",
            "The floor of a second softmax is 1.46. A rate that is too high begins "
            "like a good one.",
        ),
        wrong=(
            Wrong(
                lambda: "acdb",
                "You exchanged 1 and 2. A rate that is too high does not leave the "
                "loss at rest from the first step on; does it ever become NaN in 1?",
            ),
            Wrong(
                lambda: "badc",
                "You exchanged 1 and 4. A second softmax has its floor at 1.46, not "
                "at ln 10.",
            ),
            Wrong(
                lambda: "cdab",
                "You exchanged 2 and 3. Pixels from 0 to 255 show in the very first "
                "loss.",
            ),
            Wrong(
                lambda: "bdac",
                "You went through the logs from the last to the first.",
            ),
        ),
    ),
    Exercise(
        number="07.3",
        form='a text of letters, such as "abc"',
        probe=weights_after,
        answer=lambda: "dbcfa",
        right="Gradients that pile up, for once on purpose: four small batches make "
        "the step of one large batch.",
        hint="The weights come out different from those of one step with the whole "
        "batch. Which lines must run four times, which ones once?",
        more_hints=(
            "What runs once stands before or after the loop, and has no indentation.",
            "Before the first backward the gradients must be 0. And the loss of a "
            "large batch is the *mean* over its pictures.",
            "zero_grad first, the loop with two lines, the step last.",
        ),
        wrong=(
            Wrong(
                lambda: "dbcea",
                "Four gradients are summed: the step is four times too long.",
            ),
            Wrong(
                lambda: "dbgcfa",
                "Each small batch wipes out what the one before has found.",
            ),
            Wrong(
                lambda: "bcfa",
                "Whatever was in the gradients before takes part in this step.",
            ),
            Wrong(
                lambda: "bcfda",
                "The weights have not moved: the step is missing, or its gradients "
                "are wiped out just before it.",
            ),
        ),
    ),
    Exercise(
        number="07.4",
        form="a function of (step, steps, peak)",
        probe=rates,
        answer=lambda: rate_at,
        right="This is the schedule of every run in this notebook.",
        hint="Some rates are off. Which share of the run is over at a step? Call it "
        "progress: from 0 to nearly 1. Up to 0.25 the rate rises.",
        more_hints=(
            "Rising: at progress 0 it is peak/25, at 0.25 it is peak. In between, "
            "progress / 0.25 says which part of the way up is done.",
            "Falling: at 0.25 it is peak, at 1 it is 0; (1 − progress) / 0.75 says "
            "which part of the way down is left.",
            "Rising: peak * (1/25 + 24/25 * progress / 0.25).",
        ),
        wrong=(
            Wrong(
                lambda: rate_by(low=0.0),
                "Your rate begins at 0. It is due to begin at a part of the peak.",
            ),
            Wrong(
                lambda: rate_by(end=1 / 25),
                "Your rate ends where it began. It is due to fall to 0.",
            ),
            Wrong(
                lambda: lambda step, steps, peak: rate_at(step, steps - 1, peak),
                "Your last step has a rate of 0 and does nothing. 0 would be reached "
                "one step later.",
            ),
            Wrong(
                lambda: lambda step, steps, peak: rate_at(step + 1, steps, peak),
                "You count the steps from 1.",
            ),
            Wrong(
                lambda: lambda step, steps, peak: one_cycle(step / steps),
                "That is the fraction of the peak.",
            ),
            Wrong(
                lambda: rate_of_whole_quarter,
                "You rounded a quarter of the steps to a whole number. The corner may "
                "lie between two steps.",
            ),
            Wrong(
                lambda: rate_that_jumps,
                "After a quarter the rate jumps: the fall begins at the peak.",
            ),
            Wrong(
                lambda: rate_by_cosine,
                "Your rate falls along a cosine. That is a good schedule, too, but "
                "not the straight line asked for.",
            ),
        ),
    ),
    Exercise(
        number="07.5",
        form="a function of outputs that returns a fraction of 1",
        probe=shares,
        answer=lambda: silent,
        right="A unit is silent if *no* picture makes it fire, at no place.",
        hint="For each unit: is there a picture, and a place, where it gives more than "
        "0? Then the share of the units for which there is none.",
        more_hints=(
            "Units stand in dimension 1. Bring them to the front, and flatten all the "
            "rest: outputs.transpose(0, 1).flatten(1).",
            "(rows > 0).any(dim=1) is True for each unit that fires.",
        ),
        wrong=(
            Wrong(
                lambda: zeros,
                "That is the share of zeros. A ReLU that is off now and then is "
                "healthy.",
            ),
            Wrong(
                lambda: lambda outputs: 1 - silent(outputs),
                "That is the share of the units that do fire.",
            ),
            Wrong(
                lambda: sometimes_off,
                "You counted units that are off at *some* time.",
            ),
            Wrong(
                lambda: places,
                "You counted each place of a map as a unit. A channel is one unit.",
            ),
            Wrong(
                lambda: empty_pictures,
                "You counted pictures. Dimension 0 is the pictures, 1 the units.",
            ),
            Wrong(
                lambda: lambda outputs: silent(outputs) * outputs.shape[1],
                "That is their number. The question is for a fraction of all units.",
            ),
        ),
    ),
)
