"""The exercises of notebook 09: what crosses, averaged gradients, time on many GPUs."""

from functools import cache
from typing import Any

import torch
from torch import Tensor

from alexnet_lab.arithmetic.accounting import Ledger, ledger
from alexnet_lab.exercises.checking import Exercise, Wrong
from alexnet_lab.models import alexnet_2012

# The assumptions of the notebook's section 8, and what exercise 09.4 changes.
IMAGES, EPOCHS, BATCH, GPUS = 1_281_167, 90, 8_192, 64
RATE, SHARE, LINK = 989e12, 1 / 3, 500e9
SLOW_LINK = 50e9


@cache
def book() -> Ledger:
    """AlexNet's ledger; on the meta device, so that no weight is made."""
    with torch.device("meta"):
        return ledger(alexnet_2012(), (3, 227, 227))


def maps_of_a_tower() -> int:
    """Numbers that one tower hands over before conv3, for one image."""
    channels, height, width = book()["conv3"].input_shape
    return channels * height * width // 2


def on_two_cases(together: Any) -> tuple[Any, ...]:
    """A function's results for two and for three workers of unequal shares."""
    first = [torch.tensor([1.0, 2.0]), torch.tensor([5.0, -6.0])]
    second = [torch.tensor([[3.0]]), torch.tensor([[6.0]]), torch.tensor([[-10.0]])]
    return (
        together([g.clone() for g in first], [96, 32]),
        together([g.clone() for g in second], [4, 2, 1]),
    )


def weighted(gradients: list[Tensor], counts: list[int]) -> Tensor:
    """The mean over all images."""
    return sum(g * n for g, n in zip(gradients, counts, strict=True)) / sum(counts)


def plain_mean(gradients: list[Tensor], counts: list[int]) -> Tensor:
    """Every worker counts the same."""
    return sum(gradients) / len(gradients)


def summed(gradients: list[Tensor], counts: list[int]) -> Tensor:
    """Added up, not divided."""
    return sum(gradients)


def weighted_sum(gradients: list[Tensor], counts: list[int]) -> Tensor:
    """Weighted, not divided by all images."""
    return weighted(gradients, counts) * sum(counts)


def over_workers(gradients: list[Tensor], counts: list[int]) -> Tensor:
    """Weighted, but divided by the number of workers."""
    return weighted_sum(gradients, counts) / len(counts)


def per_image(gradients: list[Tensor], counts: list[int]) -> Tensor:
    """Added up as if they were sums over images."""
    return sum(gradients) / sum(counts)


def inverse(gradients: list[Tensor], counts: list[int]) -> Tensor:
    """The gradients divided by the counts, as if these were weights upside down."""
    return sum(g / n for g, n in zip(gradients, counts, strict=True))


def ring(
    passes: float = 2, missing: int = 1, unit: float = 4, shared: bool = True
) -> Any:
    """The time of a ring all-reduce, with changes for wrong answers."""

    def seconds(parameters: float, workers: int, bandwidth: float) -> float:
        rounds = passes * (workers - missing) / (workers if shared else 1)
        return rounds * unit * parameters / bandwidth

    return seconds


def on_three_links(seconds: Any) -> tuple[Any, ...]:
    """The times for 2 and 8 workers and links of 8 and 10 GB/s."""
    parameters = book().total_parameters
    return (
        seconds(parameters, 2, 8e9),
        seconds(parameters, 8, 10e9),
        seconds(61_706, 8, 1e8),
    )


def minutes(
    compute: float = 1,
    reduce: float = 1,
    link: float = LINK,
    batch: float = BATCH,
) -> float:
    """Computing and averaging on 64 GPUs, each times a factor for wrong answers."""
    work = 6 * book().total_macs * IMAGES * EPOCHS
    steps = IMAGES * EPOCHS / batch
    once = ring()(book().total_parameters, GPUS, link)
    return (compute * work / (GPUS * RATE * SHARE) + reduce * steps * once) / 60


def dense_parameters() -> int:
    """The weights of the fully connected layers."""
    return sum(book()[name].parameters for name in ("fc6", "fc7", "fc8"))


def dense_inputs(*names: str) -> int:
    """Numbers that come into the named layers, for one image."""
    chosen = names or ("fc6", "fc7", "fc8")
    shapes = [torch.Size(book()[name].input_shape) for name in chosen]
    return sum(shape.numel() for shape in shapes)


EXERCISES = (
    Exercise(
        number="09.1",
        form="an integer",
        answer=lambda: 4 * 4 * maps_of_a_tower(),
        right="Half of the maps from each card to the other, and as many gradients "
        "back.",
        hint="Numbers first: what does one card send in the forward pass? Then two "
        "cards, then the backward pass, then bytes.",
        more_hints=(
            "One card's 128 maps of 13×13 make 128·169 numbers. How many bytes is "
            "that?",
            "Forward each card sends that once, so it is there twice. Backward the "
            "gradients take the same way home.",
        ),
        wrong=(
            Wrong(
                lambda: 4 * maps_of_a_tower(),
                "That is one card's part of the forward pass. The other card sends "
                "too, and there is a way back.",
            ),
            Wrong(
                lambda: 2 * 4 * maps_of_a_tower(),
                "You counted one direction, or one pass. The question asks for both "
                "of both.",
            ),
            Wrong(
                lambda: maps_of_a_tower(),
                "You counted the numbers that one card sends forward. The question "
                "asks for bytes, both cards and both passes.",
            ),
            Wrong(
                lambda: 8 * 4 * maps_of_a_tower(),
                "You sent all 256 maps over in each direction. A card has made half "
                "of them itself.",
            ),
            Wrong(
                lambda: 128 * 4 * 4 * maps_of_a_tower(),
                "That is a batch of 128. The question asks for one image.",
            ),
            Wrong(
                lambda: 4 * 4 * 192 * 13 * 13,
                "Those are the maps that conv3 makes. What does it *read*?",
            ),
        ),
    ),
    Exercise(
        number="09.2",
        form="a function of (gradients, counts)",
        probe=on_two_cases,
        answer=lambda: weighted,
        right="A mean over images, not over workers.",
        hint="Suppose that one worker has no image at all: how much should it count? "
        "And if both have the same number?",
        more_hints=(
            "Each worker's gradient is a mean. Times its count it becomes a sum over "
            "its images.",
            "Add the sums, then divide by all images together.",
        ),
        wrong=(
            Wrong(
                lambda: plain_mean,
                "Every worker counts the same, whatever its number of images.",
            ),
            Wrong(
                lambda: summed,
                "You added the gradients up. Each is a mean already; what is the mean "
                "of two equal ones?",
            ),
            Wrong(
                lambda: weighted_sum,
                "The weights are right, but nothing is divided: it grows with the "
                "number of images.",
            ),
            Wrong(
                lambda: over_workers,
                "The weights are right, but you divided by the number of workers.",
            ),
            Wrong(
                lambda: per_image,
                "You divided by the number of images, but the gradients that came in "
                "are means, not sums.",
            ),
            Wrong(
                lambda: inverse,
                "You divided by the counts: then the worker with few images counts "
                "most.",
            ),
        ),
    ),
    Exercise(
        number="09.3",
        form="a function of (parameters, workers, bandwidth)",
        probe=on_three_links,
        answer=ring,
        right="At most twice the gradients, however many workers there are.",
        hint="How many rounds are there? How large is the piece that a worker sends in "
        "each, in bytes? Divide by the bandwidth.",
        more_hints=(
            "How many numbers does each worker send in a ring, by the formula above "
            "the exercise?",
            "Four bytes a number, then divide by the bytes that go in a second.",
        ),
        wrong=(
            Wrong(
                lambda: ring(passes=1),
                "You counted one trip round the ring. After the sums are made, who "
                "knows them?",
            ),
            Wrong(
                lambda: ring(unit=1),
                "You counted numbers, but the bandwidth counts bytes.",
            ),
            Wrong(
                lambda: ring(unit=32),
                "You counted bits, but the bandwidth counts bytes.",
            ),
            Wrong(
                lambda: ring(missing=0),
                "One round too many each time: nobody has to send to itself.",
            ),
            Wrong(
                lambda: ring(shared=False),
                "In each round a worker sends one *piece*, not all of its gradients.",
            ),
            Wrong(
                lambda: ring(passes=1, shared=False),
                "That is everyone sending everything to everyone. A ring does better.",
            ),
        ),
    ),
    Exercise(
        number="09.4",
        form="a number of minutes",
        tolerance=1e-3,
        answer=minutes,
        right="More GPUs shorten only the first part, a faster link only the second.",
        hint="Two parts: the work, shared by 64 GPUs at a third of their peak; and an "
        "all-reduce in every step. How many steps do 90 epochs have?",
        more_hints=(
            "days(gpus, batch, link) gives two parts, in days. A day has 1,440 "
            "minutes.",
            "Call it with 64 GPUs, a batch of 8,192 and link=500e9, and add its two "
            "parts.",
        ),
        wrong=(
            Wrong(
                lambda: minutes(reduce=0),
                "That is computing alone. In each step the gradients travel too, and "
                "on these assumptions nothing overlaps.",
            ),
            Wrong(
                lambda: minutes(compute=0),
                "That is averaging alone. Who computes the gradients?",
            ),
            Wrong(
                lambda: minutes(link=SLOW_LINK),
                "That is the link of 50 GB/s. This one is faster.",
            ),
            Wrong(
                lambda: minutes(reduce=1 / GPUS),
                "Your averaging is too short, by the number of GPUs. 8,192 is the "
                "*whole* batch, and every GPU sends in every step.",
            ),
            Wrong(
                lambda: minutes(compute=SHARE),
                "You computed at the full peak. The assumption is a third of it.",
            ),
            Wrong(
                lambda: minutes() / 1440,
                "Those are days. How many minutes are there in a day?",
            ),
            Wrong(lambda: minutes() * 60, "Those are seconds."),
        ),
    ),
    Exercise(
        number="09.5",
        form="an integer",
        answer=lambda: dense_parameters() // dense_inputs() + 1,
        right="The weights are sent whatever the batch; the features grow with it.",
        hint="Set what copies send equal to what the trick sends, for fc6, fc7 and "
        "fc8 only. Which batch is the first beyond?",
        more_hints=(
            "Copies send `dense` numbers for those layers, whatever the batch. The "
            "trick sends `features` for each image.",
            "At which batch does batch·features exceed dense for the first time?",
        ),
        wrong=(
            Wrong(
                lambda: dense_parameters() // dense_inputs(),
                "Close: compare the two counts for your batch once more. Which is "
                "the smaller?",
            ),
            Wrong(
                lambda: book().total_parameters // dense_inputs() + 1,
                "You counted all weights. The gradients of the convolutions travel "
                "either way.",
            ),
            Wrong(
                lambda: (
                    book().total_parameters
                    // dense_inputs("conv3", "fc6", "fc7", "fc8")
                    + 1
                ),
                "That is where copies beat the towers of 2012. Here the convolutions "
                "are copies.",
            ),
            Wrong(
                lambda: dense_parameters() // dense_inputs("fc6") + 1,
                "You let only the input of fc6 travel. fc7 and fc8 need all units of "
                "the layer before them, too.",
            ),
            Wrong(
                lambda: 2 * dense_parameters() // dense_inputs() + 1,
                "You let the gradients of the weights travel twice. With two cards, "
                "2(N − 1)/N is one.",
            ),
            Wrong(
                lambda: dense_parameters() // (2 * dense_inputs()) + 1,
                "You let each card send all features. Each has half of them: half "
                "forward and half backward make one whole.",
            ),
        ),
    ),
)
