"""The exercises of notebook 01: a convolution, sizes, parameters, work, fields."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from alexnet_lab.arithmetic.accounting import ledger
from alexnet_lab.arithmetic.sizes import Sweep, output_size
from alexnet_lab.exercises.checking import Exercise, Wrong

# 01.1, 01.6: (batch, channels, height, width), (kernels, height, width), stride.
SETTINGS = (
    ((3, 2, 7, 11), (4, 3, 2), 2),
    ((2, 3, 6, 9), (5, 2, 4), 3),
    ((3, 1, 5, 6), (2, 3, 3), 1),
)
# 01.2: the layer and what it reads.
GROUPED, MAPS = partial(nn.Conv2d, 48, 128, 5), (48, 27, 27)
# 01.3: the side of the picture; kernel, stride and padding of each layer.
SIDE, STACK = 60, ((5, 2, 0), (3, 1, 1), (2, 2, 0), (3, 1, 1))
# 01.4: what to meet.
INPUT, OUTPUT, SMALLEST_FIELD, MOST_PARAMETERS = (3, 64, 64), (32, 8, 8), 32, 20_000
# 01.5: (size, kernel, stride, padding, dilation) that tell every usual mistake apart.
CASES = ((28, 5, 1, 2, 1), (227, 11, 4, 0, 1), (60, 9, 2, 4, 2), (31, 3, 2, 0, 3),
         (8, 3, 3, 1, 1), (40, 4, 3, 1, 5))  # fmt: skip

# 01.7: size, kernel and stride, and how many windows there shall be.
HALVED, HALF = (32, 5, 2), 16


# ------------------------------------------------------------------- a convolution
def on_lopsided_settings(function: Any) -> tuple[Any, ...]:
    """What a convolution makes of small whole numbers: the sums are exact."""

    def draw(*shape: int) -> Tensor:
        return torch.randint(-4, 5, shape).float()

    results = []
    for shape, (kernels, *sides), stride in SETTINGS:
        x, weight = draw(*shape), draw(kernels, shape[1], *sides)
        results.append(function(x, weight, draw(kernels), stride))
    return tuple(results)


def convolve(x: Tensor, weight: Tensor, bias: Tensor, stride: int) -> Tensor:
    return F.conv2d(x, weight, bias, stride=stride)


def without_bias(x, weight, bias, stride):
    return F.conv2d(x, weight, stride=stride)


def bias_for_every_product(x, weight, bias, stride):
    return without_bias(x, weight, bias, stride) + (
        bias[:, None, None] * weight[0].numel()
    )


def turned_kernel(x, weight, bias, stride):
    return convolve(x, weight.flip(2, 3), bias, stride)


def steps_of_one(x, weight, bias, stride):
    """As many windows as there should be, each one pixel after the last."""
    rows, columns = convolve(x, weight, bias, stride).shape[2:]
    return F.conv2d(x, weight, bias)[:, :, :rows, :columns]


def stride_ignored(x, weight, bias, stride):
    return F.conv2d(x, weight, bias)


def batch_summed(x, weight, bias, stride):
    alone = without_bias(x, weight, bias, stride)
    return (alone.sum(dim=0) + bias[:, None, None]).expand_as(alone)


def first_channel(x, weight, bias, stride):
    return convolve(x[:, :1], weight[:, :1], bias, stride)


def one_window_short(x, weight, bias, stride):
    return convolve(x, weight, bias, stride)[:, :, :-1, :-1]


def square(x, weight, bias, stride):
    """As many columns as rows."""
    right = convolve(x, weight, bias, stride)
    return right[..., : right.shape[2]]


def exchanged(x, weight, bias, stride):
    return convolve(x, weight, bias, stride).transpose(2, 3)


def unfolded(x, weight, bias, stride):
    """The sums as a matrix gives them, not yet in rows and columns."""
    return convolve(x, weight, bias, stride).flatten(2)


def rows_for_columns(x, weight, bias, stride):
    right = convolve(x, weight, bias, stride)
    rows, columns = right.shape[2:]
    return right.flatten(2).unflatten(2, (columns, rows))


# --------------------------------------------------------------- sizes and fields
def halving(windows: int = HALF) -> int:
    """The padding with which 01.7's layer has so many windows."""
    return next(p for p in range(9) if output_size(*HALVED, p) == windows)


def unread(padding: int) -> int:
    """The pixels, zeros not counted, that no window of 01.7's layer reads."""
    return max(0, Sweep(*HALVED, padding).leftover - padding)


def layer_counts(macs_per: int = 1, **options: Any) -> tuple[int, int]:
    """Parameters and multiply-accumulates of 01.2's layer, set as given."""
    book = ledger(GROUPED(**options), MAPS)
    return book.total_parameters, book.total_macs // macs_per


def side(rounded_up: bool = False, padded: bool = True) -> int:
    """How wide 01.3's last map is."""
    size = SIDE
    for kernel, stride, padding in STACK:
        padding = padding if padded else 0
        size = output_size(size, kernel, stride, padding, ceil_mode=rounded_up)
    return size


def field(layers: tuple[tuple[int, int, int], ...] = STACK) -> int:
    """The receptive field of a stack of (kernel, stride, padding)."""
    size, jump = 1, 1
    for kernel, stride, _ in layers:
        size, jump = size + (kernel - 1) * jump, jump * stride
    return size


def field_without_jumps() -> int:
    """The usual mistake: every kernel adds k − 1 pixels, whatever came before."""
    return 1 + sum(kernel - 1 for kernel, *_ in STACK)


def field_with_the_new_jump() -> int:
    """Each layer's own stride counted before its kernel."""
    size, jump = 1, 1
    for kernel, stride, _ in STACK:
        jump *= stride
        size += (kernel - 1) * jump
    return size


def sizes(function: Any) -> tuple[Any, ...]:
    """What the student's size function gives on every case."""
    return tuple(function(*case) for case in CASES)


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
        form="a function of (x, weight, bias, stride)",
        probe=on_lopsided_settings,
        answer=lambda: convolve,
        right="It gives what PyTorch gives, for kernels and pictures that are not "
        "square, for strides of 1, 2 and 3, and for whole batches.",
        hint="Compare with nn.Conv2d, the shapes first and then the numbers. The test "
        "pictures are not square, nor are the kernels.",
        more_hints=(
            "Four loops, or two and some slices: for each row and column of the "
            "*output* cut the window out of x, for all images at once, "
            "x[:, :, top : top + tall, left : left + wide] with top = row · stride.",
            "(window * weight[k]).sum(dim=(1, 2, 3)) + bias[k] is one number for each "
            "image. It belongs into out[:, k, row, column], where out is "
            "torch.zeros(images, kernels, rows, columns).",
        ),
        wrong=(
            Wrong(
                lambda: without_bias,
                "All that is missing is the bias of each kernel.",
            ),
            Wrong(
                lambda: bias_for_every_product,
                "You add the bias to every product. It is added to the sum, once.",
            ),
            Wrong(
                lambda: turned_kernel,
                "You turn the kernel round, as mathematicians do. nn.Conv2d lays it on "
                "as it is.",
            ),
            Wrong(
                lambda: steps_of_one,
                "Your function counts the windows rightly, but each begins one pixel "
                "after the last. Where does window number 1 begin with stride 2?",
            ),
            Wrong(
                lambda: stride_ignored,
                "Your function does not use the stride.",
            ),
            Wrong(
                lambda: batch_summed,
                "Your sum adds the images of the batch together. sum(dim=…) says over "
                "which dimensions to add.",
            ),
            Wrong(
                lambda: first_channel,
                "You read the first channel only. A window cuts through all of them.",
            ),
            Wrong(
                lambda: one_window_short,
                "The last row and the last column are missing: how many windows "
                "stand at the ends of so many steps?",
            ),
            Wrong(
                lambda: square,
                "Your output is square. The columns are counted like the rows, but "
                "from the width of the picture and of the kernel.",
            ),
            Wrong(
                lambda: exchanged,
                "Rows and columns of your output are exchanged.",
            ),
        ),
    ),
    Exercise(
        number="01.2",
        form="a pair of integers (parameters, multiply-accumulates)",
        answer=lambda: layer_counts(padding=2, groups=2),
        right="Each of the 128 kernels reads 48/2 = 24 channels and has its bias; each "
        "of the 128·27·27 outputs costs one multiply-accumulate a weight of its "
        "kernel.",
        hint="One kernel first: height times width times the channels that it reads. "
        "How many such kernels are there, and at how many places is each laid on?",
        more_hints=(
            "With groups=2 a kernel reads 24 of the 48 channels: 5·5·24 weights. Add "
            "a bias for the parameters; for the work, multiply by the places of the "
            "output, which padding 2 keeps at 27×27.",
        ),
        wrong=(
            Wrong(
                lambda: layer_counts(padding=2),
                "You forgot the groups: each kernel reads only its own half of the "
                "input channels.",
            ),
            Wrong(
                lambda: layer_counts(padding=2, groups=2, bias=False),
                "The work is right. The parameters lack the biases.",
            ),
            Wrong(
                lambda: layer_counts(groups=2),
                "The parameters are right. For the work you forgot the padding: how "
                "large is the output?",
            ),
            Wrong(
                lambda: layer_counts(27 * 27, padding=2, groups=2),
                "The parameters are right. Your work is that of one place; each kernel "
                "is laid on at many.",
            ),
            Wrong(
                lambda: (
                    layer_counts(padding=2, groups=2)[0],
                    layer_counts(padding=2, groups=2)[0] * 27 * 27,
                ),
                "The parameters are right. You counted the biases as multiplications; "
                "a bias is only added.",
            ),
            Wrong(
                lambda: tuple(n // 2 for n in layer_counts(padding=2, groups=2)),
                "You counted the kernels of one group only.",
            ),
            Wrong(
                lambda: layer_counts(padding=2, groups=2)[::-1],
                "Right numbers in the wrong order: the parameters come first.",
            ),
        ),
    ),
    Exercise(
        number="01.3",
        form="a pair of integers (width of the last map, field)",
        answer=lambda: (side(), field()),
        right="28, 28, 14, 14 columns, with one pixel left over in the first layer; "
        "fields of 5, 9, 11 and 19 pixels.",
        hint="Make a table with three columns, size, field and jump, starting at 60, 1 "
        "and 1, and fill in one line a layer.",
        more_hints=(
            "The first line is size ⌊(60 − 5)/2⌋ + 1, field 1 + 4·1, jump 1·2. The "
            "kernel of the second layer then adds (3 − 1)·2 to the field.",
        ),
        wrong=(
            Wrong(
                lambda: (side(), field_without_jumps()),
                "The size is right. For the field you added k − 1 in every layer. "
                "After a stride, neighbours are further apart than one pixel: multiply "
                "by the jump.",
            ),
            Wrong(
                lambda: (side(), field_with_the_new_jump()),
                "The size is right. For the field you let a layer's own stride act on "
                "its own kernel. The jump that counts is the one *before* the layer.",
            ),
            Wrong(
                lambda: (side(), field(STACK[:-1])),
                "The size is right. The field is that of one layer earlier.",
            ),
            Wrong(
                lambda: (side(), 5 * 3 * 2 * 3),
                "The size is right. You multiplied the kernels, but the windows of "
                "neighbours overlap, so fields add.",
            ),
            Wrong(
                lambda: (side(padded=False), field()),
                "The field is right. For the size you forgot the padding of the 3×3 "
                "layers.",
            ),
            Wrong(
                lambda: (side(rounded_up=True), field()),
                "The field is right. For the size you rounded up.",
            ),
            Wrong(
                lambda: (field(), side()),
                "Right numbers in the wrong order: the size comes first.",
            ),
        ),
    ),
    Exercise(
        number="01.4",
        form="an nn.Sequential",
        probe=demands,
        answer=lambda: stack(7, 7, 5, channels=12),
        right="8×8 outputs, a field that spans half the image, on a small budget.",
        hint="Print ledger(net, (3, 64, 64)) and see which of the three demands is not "
        "met: the output shape, the receptive field, the parameters.",
        more_hints=(
            "From 64 to 8 takes three halvings: three convolutions with stride 2 and "
            "padding (k − 1)/2, or pools. A large kernel is cheap where few channels "
            "come in and go out, and after a stride it sees twice as far.",
            "nn.Conv2d(3, 12, 7, stride=2, padding=3) is a first layer that leaves "
            "room; a second one of 12 channels may have a kernel of 7, too.",
        ),
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
    Exercise(
        number="01.5",
        form="a function of (size, kernel, stride, padding, dilation)",
        probe=sizes,
        answer=lambda: output_size,
        right="Your function agrees with PyTorch on all test cases.",
        hint="Compare by hand with the formula, term by term, for size 8, kernel 3, "
        "stride 3, padding 1, dilation 1, and then for dilation 2.",
        more_hints=(
            "First the span: kernel numbers with dilation − 1 pixels between "
            "neighbours. Then the old formula, with the span in place of the kernel.",
            "span = dilation * (kernel - 1) + 1, and // divides and rounds down.",
        ),
        wrong=(
            Wrong(
                lambda: lambda n, k, s, p, d: (n + 2 * p - k) // s + 1,
                "Your function does not use the dilation.",
            ),
            Wrong(
                lambda: lambda n, k, s, p, d: (n + 2 * p - d * k) // s + 1,
                "Your window is too wide: k numbers have only k − 1 gaps between them.",
            ),
            Wrong(
                lambda: lambda n, k, s, p, d: (n + 2 * p - d * (k - 1)) // s + 1,
                "Your window is one pixel too narrow: it ends with a pixel, not with "
                "a gap.",
            ),
            Wrong(
                lambda: lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) / s + 1,
                "Your function divides with /, which leaves fractions. Which operator "
                "rounds down?",
            ),
            Wrong(
                lambda: lambda n, k, s, p, d: (n + p - d * (k - 1) - 1) // s + 1,
                "Your function pads one side only.",
            ),
            Wrong(
                lambda: lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) // s,
                "Your function counts steps, not windows.",
            ),
            Wrong(
                lambda: lambda n, k, s, p, d: (n + 2 * p - d * (k - 1)) // s,
                "Your + 1 is inside the division: it counts a pixel where a window was "
                "meant.",
            ),
            Wrong(
                lambda: (
                    lambda n, k, s, p, d: -(-(n + 2 * p - d * (k - 1) - 1) // s) + 1
                ),
                "Your function rounds up. nn.Conv2d rounds down.",
            ),
            Wrong(
                lambda: (
                    lambda n, k, s, p, d: round((n + 2 * p - d * (k - 1) - 1) / s) + 1
                ),
                "Your function rounds to the nearest number. nn.Conv2d rounds down.",
            ),
        ),
    ),
    Exercise(
        number="01.6",
        form="a function of (x, weight, bias, stride)",
        probe=on_lopsided_settings,
        answer=lambda: convolve,
        right="One matrix product for all windows of a picture, and the same numbers.",
        hint="Compare with the loops of 01.1, the shapes first and then the numbers. "
        "The test pictures are not square, nor are the kernels.",
        more_hints=(
            "F.unfold(x, (tall, wide), stride=stride) has a column for each window; "
            "weight.flatten(1) has a row for each kernel. Their product with @ has "
            "a number for each kernel and each window.",
            "Add bias[:, None], then view the product as (images, kernels, rows, -1), "
            "where rows = (height − tall) // stride + 1.",
        ),
        wrong=(
            Wrong(
                lambda: without_bias,
                "The matrix product is right; the biases are missing.",
            ),
            Wrong(
                lambda: unfolded,
                "The numbers are right, but they stand in one line: give them their "
                "rows and columns.",
            ),
            Wrong(
                lambda: rows_for_columns,
                "The numbers are right, but the last two sides of your view are "
                "exchanged: height comes before width.",
            ),
            Wrong(
                lambda: stride_ignored,
                "F.unfold wants to be told the stride, too.",
            ),
        ),
    ),
    Exercise(
        number="01.7",
        form="a pair of integers (padding, pixels that are not read)",
        answer=lambda: (halving(), unread(halving())),
        right="With two zeros on each side the last window begins at pixel 28. The one "
        "place left over is a zero, so every pixel is read.",
        hint="Set input, kernel and stride in the page, move the padding until 16 "
        "windows land, and look at the right edge.",
        more_hints=(
            "What is left over is written behind the formula, pixels and zeros apart.",
        ),
        wrong=(
            Wrong(
                lambda: (halving(), Sweep(*HALVED, halving()).leftover),
                "The padding is right. One place is left over; look what stands there, "
                "a pixel or a zero.",
            ),
            Wrong(
                lambda: (2 * halving(), 0),
                "You counted the zeros of both sides. Padding is how many each side "
                "gets.",
            ),
            Wrong(
                lambda: (0, unread(0)),
                "That is the row without padding. How many windows has it?",
            ),
            Wrong(
                lambda: (halving(HALF - 1), 0),
                "With that padding there is room for one window less.",
            ),
            Wrong(
                lambda: (halving(HALF + 1), 0),
                "With that padding there is room for one window more.",
            ),
            Wrong(
                lambda: (unread(halving()), halving()),
                "Right numbers in the wrong order: the padding comes first.",
            ),
        ),
    ),
)
