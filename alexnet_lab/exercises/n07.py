"""The exercises of notebook 07: first loss, logs, rates, dead units, resuming."""

import math
from typing import Any

from alexnet_lab.exercises.checking import Exercise, Wrong

# 07.1: classes, and the standard deviation of a fresh network's logits.
CLASSES, SPREAD = 1000, 0.8
# 07.2: the cause (a to d) of each of the four logs.
CAUSES = ("c", "a", "d", "b")
# 07.3: first and last rate of a range test.
LOW, HIGH = 1e-5, 1.0
# 07.4: the paper's learning rate and momentum.
RATE, MOMENTUM = 0.01, 0.9
# 07.5: outputs of a ReLU, one row a picture, one column a unit.
OUTPUTS = (
    (0.0, 1.2, 0.0, 0.3, 0.0),
    (0.0, 0.0, 0.0, 0.9, 0.0),
    (0.0, 0.4, 0.0, 0.0, 0.1),
    (0.0, 0.0, 0.0, 0.2, 0.0),
)
# 07.6: images, batch size, and batches done when the run was stopped.
IMAGES, BATCH_SIZE, DONE = 45_000, 128, 1_000


def units() -> list[tuple[float, ...]]:
    """The values of each unit over the images."""
    return list(zip(*OUTPUTS, strict=True))


def share_of_zeros() -> float:
    """Zeros among all outputs."""
    values = [value for row in OUTPUTS for value in row]
    return sum(value == 0 for value in values) / len(values)


def place(per_epoch: int) -> tuple[int, int]:
    """Epoch, counted from 1, and batches of it that are done."""
    epoch, batch = divmod(DONE, per_epoch)
    return epoch + 1, batch


def batches() -> int:
    """Batches of an epoch, the short last one included."""
    return math.ceil(IMAGES / BATCH_SIZE)


def moved(steps: int) -> float:
    """How far the last of so many steps goes, under a constant gradient of 1."""
    velocity = 0.0
    for _ in range(steps):
        velocity = MOMENTUM * velocity + RATE
    return velocity


def as_letters(answer: Any) -> tuple[str, ...]:
    """The letters, whether they came as "cadb", "c, a, d, b" or a list."""
    return tuple("".join(answer).replace(",", "").replace(" ", "").lower())


EXERCISES = (
    Exercise(
        number="07.1",
        form="a number",
        tolerance=0.001,
        answer=lambda: math.log(CLASSES) + SPREAD**2 / 2,
        right="ln K, and half the variance of the logits on top.",
        hint="Two terms: the loss of equal probabilities, and what the spread of the "
        "logits adds.",
        wrong=(
            Wrong(
                lambda: math.log(CLASSES),
                "That is the loss when all logits are equal. These differ.",
            ),
            Wrong(
                lambda: math.log(CLASSES) + SPREAD / 2,
                "You halved the standard deviation. What counts is the variance.",
            ),
            Wrong(
                lambda: math.log(CLASSES) + SPREAD**2,
                "You added the whole variance. Look at the formula again.",
            ),
            Wrong(
                lambda: math.log(CLASSES) - SPREAD**2 / 2,
                "You subtracted. Guesses that are sure of something cost more than "
                "equal ones.",
            ),
            Wrong(
                lambda: math.log(10) + SPREAD**2 / 2,
                "That would be right for ten classes.",
            ),
            Wrong(
                lambda: math.log10(CLASSES) + SPREAD**2 / 2,
                "You took the logarithm to base 10. The loss is in nats.",
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
        form="a number",
        tolerance=0.02,
        answer=lambda: math.sqrt(LOW * HIGH),
        right="Equal factors, so halfway is the geometric mean of the two ends.",
        hint="Each rate is the last one times the same factor. So halfway the "
        "*exponent* is in the middle.",
        wrong=(
            Wrong(
                lambda: (LOW + HIGH) / 2,
                "That is halfway between the rates in equal steps. Here the factors "
                "are equal.",
            ),
            Wrong(
                lambda: HIGH / LOW / 2,
                "That is half the factor between the ends, not a rate.",
            ),
            Wrong(
                lambda: math.sqrt(HIGH / LOW),
                "That is the factor from the first rate to the middle one. Which rate "
                "do you reach by it?",
            ),
            Wrong(
                lambda: (math.log10(LOW) + math.log10(HIGH)) / 2,
                "That is the exponent of 10. Which rate belongs to it?",
            ),
            Wrong(
                lambda: math.exp((math.log10(LOW) + math.log10(HIGH)) / 2),
                "The exponent is right, but you raised e to it instead of 10.",
            ),
        ),
    ),
    Exercise(
        number="07.4",
        form="a number",
        tolerance=0.001,
        answer=lambda: RATE / (1 - MOMENTUM),
        right="1 + 0.9 + 0.81 + … = 1/(1 − 0.9): ten times the rate.",
        hint="In the long run v no longer changes: v = 0.9·v + 0.01. Solve for v.",
        wrong=(
            Wrong(
                lambda: RATE,
                "That is the first step, or a step without momentum.",
            ),
            Wrong(
                lambda: moved(2),
                "That is the second step. It goes on growing.",
            ),
            Wrong(
                lambda: RATE * MOMENTUM,
                "That is what the next step keeps of the first one. It adds its own.",
            ),
            Wrong(
                lambda: RATE / MOMENTUM,
                "You divided by the momentum. The series sums to something else.",
            ),
            Wrong(
                lambda: RATE * (1 - MOMENTUM),
                "You multiplied by 1 − 0.9: a smaller step. Momentum makes it larger.",
            ),
            Wrong(
                lambda: -RATE / (1 - MOMENTUM),
                "The direction is right. But the question is how far, not where to.",
            ),
            Wrong(
                lambda: 1 / (1 - MOMENTUM),
                "That is the factor. The rate is still to come.",
            ),
        ),
    ),
    Exercise(
        number="07.5",
        form="a fraction of 1",
        answer=lambda: sum(not any(unit) for unit in units()) / len(units()),
        right="A unit is silent on the batch if *no* picture makes it fire.",
        hint="Go through the table column by column: is there a picture for which the "
        "unit gives more than 0?",
        wrong=(
            Wrong(
                share_of_zeros,
                "That is the share of zeros. A ReLU that is off now and then is "
                "healthy.",
            ),
            Wrong(
                lambda: 1 - share_of_zeros(),
                "That is the share of outputs that are not zero.",
            ),
            Wrong(
                lambda: sum(any(unit) for unit in units()) / len(units()),
                "That is the share of the units that do fire.",
            ),
            Wrong(
                lambda: sum(0.0 in unit for unit in units()) / len(units()),
                "You counted units that are off for *some* picture.",
            ),
            Wrong(
                lambda: sum(not any(row) for row in OUTPUTS) / len(OUTPUTS),
                "You went by rows. A row is a picture, a column a unit.",
            ),
            Wrong(
                lambda: 100 * sum(not any(unit) for unit in units()) / len(units()),
                "That is in per cent. The question is for a fraction of 1.",
            ),
            Wrong(
                lambda: float(sum(not any(unit) for unit in units())),
                "That is their number. The question is for a fraction of all units.",
            ),
        ),
    ),
    Exercise(
        number="07.6",
        form="a pair of integers (epoch, batches done in it)",
        answer=lambda: place(batches()),
        right="352 batches an epoch: two whole epochs, and the rest in the third.",
        hint="First the batches of an epoch: the last one is short, but it is one. "
        "Then divide with remainder; epochs are counted from 1.",
        wrong=(
            Wrong(
                lambda: place(IMAGES // BATCH_SIZE),
                "You left out the last, short batch of each epoch.",
            ),
            Wrong(
                lambda: (place(batches())[0] - 1, place(batches())[1]),
                "The batches are right. But the epochs are counted from 1: two are "
                "over.",
            ),
            Wrong(
                lambda: (place(batches())[0], place(batches())[1] + 1),
                "That is the batch that comes next. How many of this epoch are done?",
            ),
            Wrong(
                lambda: (place(batches())[0], 0),
                "That would repeat work. The checkpoint knows the batch too.",
            ),
            Wrong(
                lambda: place(math.ceil(50_000 / BATCH_SIZE)),
                "You took all 50,000 pictures. 5,000 are held out for validation.",
            ),
        ),
    ),
)
