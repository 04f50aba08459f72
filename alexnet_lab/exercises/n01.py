"""The exercises of notebook 01: sizes, parameters, work, receptive fields."""

from typing import Any

from torch import nn

from alexnet_lab.arithmetic.accounting import ledger
from alexnet_lab.arithmetic.sizes import output_size
from alexnet_lab.exercises.checking import Exercise, Wrong

# 01.3: (size, kernel, stride, padding) that tell every usual mistake apart.
CASES = ((28, 5, 1, 2), (227, 11, 4, 0), (60, 9, 2, 4), (31, 3, 2, 0), (8, 3, 3, 1))
# 01.5: kernel and stride of each layer.
STACK = ((5, 2), (3, 1), (2, 2), (3, 1))
# 01.6: what to meet.
INPUT, OUTPUT, SMALLEST_FIELD, MOST_PARAMETERS = (3, 64, 64), (32, 8, 8), 32, 20_000


def results(function: Any) -> tuple[Any, ...]:
    """What the student's size function gives on every case."""
    return tuple(function(*case) for case in CASES)


def field(layers: tuple[tuple[int, int], ...]) -> int:
    """The receptive field of a stack of (kernel, stride)."""
    size, jump = 1, 1
    for kernel, stride in layers:
        size, jump = size + (kernel - 1) * jump, jump * stride
    return size


def field_without_jumps() -> int:
    """The usual mistake: every kernel adds k − 1 pixels, whatever came before."""
    return 1 + sum(kernel - 1 for kernel, _ in STACK)


def field_with_the_new_jump() -> int:
    """Each layer's own stride counted before its kernel."""
    size, jump = 1, 1
    for kernel, stride in STACK:
        jump *= stride
        size += (kernel - 1) * jump
    return size


def demands(net: nn.Sequential) -> tuple[bool, bool, bool]:
    """Does the net give 32×8×8, see at least 32 pixels, stay below 20,000?"""
    book = ledger(net, INPUT)
    last = book.rows[-1]
    field = last.receptive_field or 0
    narrowest = min(field) if isinstance(field, tuple) else field
    return (
        last.output_shape == OUTPUT,
        narrowest >= SMALLEST_FIELD,
        book.total_parameters <= MOST_PARAMETERS,
    )


def stack(*kernels: int, channels: int = 16, last: int = 32) -> nn.Sequential:
    """Three halving convolutions of 'half' padding from 64×64 to 8×8."""
    widths = (3, channels, channels, last)
    return nn.Sequential(
        *(
            nn.Conv2d(widths[i], widths[i + 1], k, stride=2, padding=k // 2)
            for i, k in enumerate(kernels)
        )
    )


EXERCISES = (
    Exercise(
        number="01.1",
        form="an integer",
        answer=lambda: output_size(60, kernel_size=9, stride=2, padding=4),
        right="60 + 2·4 = 68 pixels; the first window takes 9 of them, and 59 are "
        "left: 29 whole steps of 2, and the window you began with.",
        hint="Work in three steps: the padded size, what is left after the first "
        "window, how many whole strides fit into that.",
        wrong=(
            Wrong(
                lambda: output_size(60, 9, 2, 4) - 1,
                "You counted the steps. How many windows stand at the ends of that "
                "many steps?",
            ),
            Wrong(
                lambda: output_size(60, 9, 2, padding=(4, 0)),
                "You padded one side only. padding=4 puts 4 on the left and 4 on the "
                "right.",
            ),
            Wrong(lambda: output_size(60, 9, 2), "You forgot the padding."),
            Wrong(
                lambda: output_size(60, 9, 2, 4, ceil_mode=True),
                "You rounded up. A convolution in PyTorch never reads past the padded "
                "input.",
            ),
            Wrong(lambda: output_size(60, 9, 1, 4), "You forgot the stride."),
        ),
    ),
    Exercise(
        number="01.2",
        form="a pair of integers (floor, ceil)",
        answer=lambda: (output_size(112, 3, 2), output_size(112, 3, 2, ceil_mode=True)),
        right="109/2 is not whole: the floor leaves the last pixel unread, the ceiling "
        "lets the last window hang over the edge by one.",
        hint="(112 − 3)/2 is not whole. Round it down for the first answer, up "
        "for the second, and add the window you began with to each.",
        wrong=(
            Wrong(
                lambda: (output_size(112, 3, 2),) * 2,
                "You gave the same size twice. Does (112 − 3)/2 come out even?",
            ),
            Wrong(
                lambda: (
                    output_size(112, 3, 2, ceil_mode=True),
                    output_size(112, 3, 2),
                ),
                "Right sizes in the wrong order: the floor comes first.",
            ),
            Wrong(
                lambda: (
                    output_size(112, 3, 2) - 1,
                    output_size(112, 3, 2, ceil_mode=True) - 1,
                ),
                "You forgot the + 1: the window in its first position counts too.",
            ),
        ),
    ),
    Exercise(
        number="01.3",
        form="a function of (size, kernel, stride, padding)",
        probe=results,
        answer=lambda: lambda n, k, s, p: (n + 2 * p - k) // s + 1,
        right="Your function agrees with PyTorch on all test cases.",
        hint="On some of the test cases your function differs from PyTorch. Compare it "
        "by hand with the formula, term by term, for size 8, kernel 3, stride 3, "
        "padding 1.",
        wrong=(
            Wrong(
                lambda: lambda n, k, s, p: (n + 2 * p - k) / s + 1,
                "Your function divides with /, which leaves fractions. Which operator "
                "rounds down?",
            ),
            Wrong(
                lambda: lambda n, k, s, p: (n + p - k) // s + 1,
                "Your function pads one side only.",
            ),
            Wrong(
                lambda: lambda n, k, s, p: (n + 2 * p - k) // s,
                "Your function counts steps, not windows.",
            ),
            Wrong(
                lambda: lambda n, k, s, p: (n + 2 * p - k + 1) // s,
                "Your + 1 is inside the division: it counts a pixel where a window was "
                "meant.",
            ),
            Wrong(
                lambda: lambda n, k, s, p: -(-(n + 2 * p - k) // s) + 1,
                "Your function rounds up. nn.Conv2d rounds down.",
            ),
            Wrong(
                lambda: lambda n, k, s, p: round((n + 2 * p - k) / s) + 1,
                "Your function rounds to the nearest number. nn.Conv2d rounds down.",
            ),
        ),
    ),
    Exercise(
        number="01.4",
        form="an integer",
        answer=lambda: (
            ledger(
                nn.Conv2d(48, 128, 5, padding=2, groups=2), (48, 27, 27)
            ).total_parameters
        ),
        right="Each of the 128 kernels reads 48/2 = 24 channels, and has its bias.",
        hint="One kernel first: height times width times the channels that it reads, "
        "plus its bias. Then count the kernels.",
        wrong=(
            Wrong(
                lambda: 5 * 5 * 48 * 128 + 128,
                "You forgot the groups: each kernel reads only its own half of the "
                "input channels.",
            ),
            Wrong(lambda: 5 * 5 * 24 * 128, "You forgot the biases."),
            Wrong(
                lambda: 5 * 5 * 24 * 64 + 64,
                "You counted the kernels of one group only.",
            ),
            Wrong(
                lambda: 5 * 5 * 128 + 128,
                "Your kernels are flat: a kernel has a slice for each input channel "
                "that it reads.",
            ),
            Wrong(
                lambda: (5 * 5 + 1) * 24 * 128,
                "You gave every slice of a kernel its own bias; a kernel has one.",
            ),
        ),
    ),
    Exercise(
        number="01.5",
        form="an integer",
        answer=lambda: field(STACK),
        right="5, then 5 + 2·2 = 9, then 9 + 1·2 = 11, then 11 + 2·4 = 19.",
        hint="Make a table with two columns, field and jump, starting at 1 and 1, and "
        "fill in one line per layer.",
        wrong=(
            Wrong(
                field_without_jumps,
                "You added k − 1 for every layer. After a stride, neighbours are "
                "further apart than one pixel: multiply by the jump.",
            ),
            Wrong(
                field_with_the_new_jump,
                "You let a layer's own stride act on its own kernel. The jump that "
                "counts is the one *before* the layer.",
            ),
            Wrong(
                lambda: field(STACK[:-1]),
                "You stopped one layer early.",
            ),
            Wrong(
                lambda: 5 * 3 * 2 * 3,
                "You multiplied the kernels. Windows of neighbours overlap, so fields "
                "add.",
            ),
        ),
    ),
    Exercise(
        number="01.6",
        form="an nn.Sequential",
        probe=demands,
        answer=lambda: stack(7, 7, 5, channels=12),
        right="8×8 outputs, a field that spans half the image, on a small budget.",
        hint="Print ledger(net, (3, 64, 64)) and see which of the three demands is not "
        "met: the output shape, the receptive field, the parameters.",
        wrong=(
            Wrong(
                lambda: stack(3, 3, 3),
                "The shape is right, but the last unit sees fewer than 32 pixels: "
                "widen the kernels, or put a stride earlier.",
            ),
            Wrong(
                lambda: stack(11, 11, 11),
                "Shape and field are right, but it has more than 20,000 parameters: "
                "which kernel is large and reads many channels?",
            ),
            Wrong(
                lambda: stack(7, 7, 5, channels=12, last=16),
                "The field and the parameters are right, but the output is not 32×8×8.",
            ),
        ),
    ),
)
