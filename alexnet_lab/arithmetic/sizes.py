"""The arithmetic of feature maps: whole numbers, one dimension at a time.

A window of `kernel_size` slides over an input of `size` positions, which `padding`
widens first, and moves `stride` positions at a time. With `dilation` d its k elements
stand d apart, so that it spans d·(k − 1) + 1 positions. How often it fits is the size
of the output:

    ⌊(size − kernel_size + 2·padding)/stride⌋ + 1

The formulas are those of PyTorch's documentation of nn.Conv2d and nn.MaxPool2d.
Nothing here needs PyTorch.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass

Padding = int | str | tuple[int, int]


class SizeError(ValueError):
    """A window does not fit; `smallest` is the smallest size which would work."""

    def __init__(self, message: str, smallest: int) -> None:
        super().__init__(message)
        self.smallest = smallest


@dataclass(frozen=True)
class Sweep:
    """A window's way along one dimension, with its numbers already checked.

    `Sweep.of` makes one from the arguments of `output_size`. `before` and `after` are
    the positions which padding adds to either end.
    """

    size: int
    kernel_size: int
    stride: int
    before: int
    after: int
    dilation: int
    ceil_mode: bool

    @classmethod
    def of(
        cls,
        size: int,
        kernel_size: int,
        stride: int = 1,
        padding: Padding = 0,
        dilation: int = 1,
        ceil_mode: bool = False,
    ) -> Sweep:
        """Check the arguments of `output_size`, whose errors these are."""
        size = _whole("size", size, least=1)
        kernel_size = _whole("kernel_size", kernel_size, least=1)
        stride = _whole("stride", stride, least=1)
        dilation = _whole("dilation", dilation, least=1)
        if not isinstance(ceil_mode, bool):
            raise TypeError(f"ceil_mode must be True or False, not {ceil_mode!r}.")
        before, after = _ends(padding, kernel_size, stride, dilation)
        sweep = cls(size, kernel_size, stride, before, after, dilation, ceil_mode)
        if sweep.positions < 1:
            raise SizeError(sweep._misfit(), sweep._smallest(1))
        return sweep

    @property
    def span(self) -> int:
        """Positions from the window's first element to its last: d·(k − 1) + 1."""
        return self.dilation * (self.kernel_size - 1) + 1

    @property
    def padded(self) -> int:
        """Positions of the padded input."""
        return self.before + self.size + self.after

    @property
    def positions(self) -> int:
        """How many windows there are: the size of the output."""
        return self._uncut - self.dropped

    @property
    def dropped(self) -> int:
        """Windows that ceil mode adds and drops again: they start past the input."""
        if not self.ceil_mode:
            return 0
        # The last start allowed lies in the input, or in the padding before it.
        return max(0, self._uncut - ((self.before + self.size - 1) // self.stride + 1))

    @property
    def leftover(self) -> int:
        """Positions at the end of the padded input which the last window leaves."""
        return max(0, self.padded - self._end)

    @property
    def overhang(self) -> int:
        """Positions by which ceil mode's last window sticks out of the padded input."""
        return max(0, self._end - self.padded)

    @property
    def working(self) -> str:
        """The working on one line, result included; see `size_formula`."""
        left, right = "⌈⌉" if self.ceil_mode else "⌊⌋"
        text = f"{left}({self._numerator()})/{self.stride}{right} + 1"
        if not self.dropped:
            return f"{text} = {_signed(self.positions)}"
        why = "the last window would start past the input and is dropped"
        return f"{text} − {self.dropped} = {_signed(self.positions)} ({why})"

    @property
    def _uncut(self) -> int:
        room = self.padded - self.span
        steps = -(-room // self.stride) if self.ceil_mode else room // self.stride
        return steps + 1

    @property
    def _end(self) -> int:
        return (self.positions - 1) * self.stride + self.span

    def _numerator(self) -> str:
        window = f"{self.kernel_size}"
        if self.dilation > 1:
            window = f"{self.dilation}·({self.kernel_size} − 1) − 1"
        ends = f"{self.before} + {self.after}"
        if self.before == self.after:
            ends = f"2·{self.before}"
        return f"{self.size} − {window} + {ends}"

    def _smallest(self, positions: int) -> int:
        ends, steps = self.before + self.after, positions - 1
        if not self.ceil_mode:
            return max(1, steps * self.stride + self.span - ends)
        # Rounded up, any part of a step counts, but the last window starts inside.
        enough = (steps - 1) * self.stride + 1 + self.span - ends
        return max(1, enough, steps * self.stride + 1 - self.before)

    def _misfit(self) -> str:
        window = f"A window of {self.kernel_size}"
        if self.dilation > 1:
            window += f" with dilation {self.dilation} spans {self.span} and"
        room = f"{self.size}"
        if self.padded > self.size:
            room += f" padded to {self.padded}"
        return (
            f"{window} does not fit into {room}: {self.working}. "
            f"The smallest size that works is {self._smallest(1)}."
        )


def output_size(
    size: int,
    kernel_size: int,
    stride: int = 1,
    padding: Padding = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
) -> int:
    """Return how many positions a convolution or a pool gives along one dimension.

    Args:
        size: positions of the input (pixels of one side), without padding.
        kernel_size: elements of the window along this dimension.
        stride: positions from one window to the next.
        padding: positions added to both ends; or a pair (before, after) for this one
            dimension; or 'valid' (none) or 'same' (as many as keep the size, the odd
            one after the input, as in nn.Conv2d; stride must be 1).
        dilation: positions from one element of the window to the next.
        ceil_mode: round up instead of down, as pools may. As in PyTorch the last
            window must start inside the input or the padding before it.

    Raises:
        SizeError: the window does not fit even once (a ValueError).
        ValueError: a number out of range, such as stride 0 or negative padding.
        TypeError: something other than a whole number, such as a tuple.

    >>> output_size(227, kernel_size=11, stride=4)
    55
    >>> output_size(224, kernel_size=11, stride=4)
    54
    """
    return Sweep.of(size, kernel_size, stride, padding, dilation, ceil_mode).positions


def size_formula(
    size: int,
    kernel_size: int,
    stride: int = 1,
    padding: Padding = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
) -> str:
    """Return the working that `output_size` stands for, as a student writes it.

    The notation, term by term:

    - `⌊(227 − 11 + 2·0)/4⌋ + 1 = 55`: size, window, padding at both ends, stride;
    - `⌊(224 − 11 + 0 + 3)/4⌋ + 1 = 55`: padding before and after, where they differ;
    - `⌊(32 − 2·(3 − 1) − 1 + 2·2)/1⌋ + 1 = 32`: a window of 3 with dilation 2, which
      spans 2·(3 − 1) + 1;
    - `⌈(224 − 11 + 2·0)/4⌉ + 1 = 55`: ceil mode;
    - `⌈(5 − 1 + 2·0)/5⌉ + 1 − 1 = 1 (the last window would …)`: ceil mode, where the
      last window would start past the input and is dropped.

    Arguments and errors are those of `output_size`.
    """
    return Sweep.of(size, kernel_size, stride, padding, dilation, ceil_mode).working


def leftover(
    size: int,
    kernel_size: int,
    stride: int = 1,
    padding: Padding = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
) -> int:
    """Return how many positions after the last window are never read.

    They are counted at the end of the *padded* input; 0 where ceil mode's last window
    overhangs it. Gaps between windows (a stride larger than the window) do not count.
    Arguments and errors are those of `output_size`.

    >>> leftover(224, kernel_size=11, stride=4)
    1
    """
    return Sweep.of(size, kernel_size, stride, padding, dilation, ceil_mode).leftover


def overhang(
    size: int,
    kernel_size: int,
    stride: int = 1,
    padding: Padding = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
) -> int:
    """Return by how many positions ceil mode's last window leaves the padded input.

    Arguments and errors are those of `output_size`.

    >>> overhang(224, kernel_size=11, stride=4, ceil_mode=True)
    3
    """
    return Sweep.of(size, kernel_size, stride, padding, dilation, ceil_mode).overhang


def smallest_input(
    kernel_size: int,
    stride: int = 1,
    padding: Padding = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
    output: int = 1,
) -> int:
    """Return the smallest size that gives at least `output` positions.

    Applied from the last layer back to the first it gives the smallest input of a
    whole stack. Arguments and errors are those of `output_size`.

    >>> smallest_input(kernel_size=3, stride=2, output=6)
    13
    """
    output = _whole("output", output, least=1)
    kernel_size = _whole("kernel_size", kernel_size, least=1)
    dilation = _whole("dilation", dilation, least=1)
    enough = dilation * (kernel_size - 1) + 1
    sweep = Sweep.of(enough, kernel_size, stride, padding, dilation, ceil_mode)
    return sweep._smallest(output)


def receptive_field(
    field: int, jump: int, kernel_size: int, stride: int = 1, dilation: int = 1
) -> tuple[int, int]:
    """Carry a receptive field and a jump through one layer.

    Args:
        field: pixels of the input, along this dimension, that one position of the
            layer's input depends on; 1 at the start.
        jump: pixels of the input from one such position to the next; 1 at the start.
        kernel_size, stride, dilation: the layer's window.

    Returns:
        The same two for the layer's output: (field + dilation·(kernel_size − 1)·jump,
        jump·stride). Padding does not change them.

    >>> receptive_field(*receptive_field(1, 1, 11, 4), 3, 2)
    (19, 8)
    """
    field = _whole("field", field, least=1)
    jump = _whole("jump", jump, least=1)
    kernel_size = _whole("kernel_size", kernel_size, least=1)
    stride = _whole("stride", stride, least=1)
    dilation = _whole("dilation", dilation, least=1)
    return field + dilation * (kernel_size - 1) * jump, jump * stride


def _whole(name: str, value: int, least: int) -> int:
    """Return `value` as an int of at least `least`, or say what is wrong with it."""
    if isinstance(value, (tuple, list)):
        raise TypeError(
            f"{name} is {value!r}, but this is the arithmetic of one dimension at a "
            "time: ask once for the height and once for the width."
        )
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)  # takes NumPy's integers too
    except TypeError:
        kind = type(value).__name__
        raise TypeError(
            f"{name} must be a whole number, but is {value!r} ({kind})."
        ) from None
    if number < least:
        raise ValueError(f"{name} must be at least {least}, but is {number}.")
    return number


def _ends(
    padding: Padding, kernel_size: int, stride: int, dilation: int
) -> tuple[int, int]:
    """Return the positions that `padding` adds before and after the input."""
    if padding == "valid":
        return 0, 0
    if padding == "same":
        if stride != 1:
            raise ValueError(f"padding='same' needs stride 1, but stride is {stride}.")
        total = dilation * (kernel_size - 1)
        return total // 2, total - total // 2
    if isinstance(padding, str):
        raise ValueError(
            f"padding must be a number, a pair (before, after), 'same' or 'valid', "
            f"not {padding!r}."
        )
    if isinstance(padding, (tuple, list)):
        if len(padding) != 2:
            raise TypeError(
                f"padding is {padding!r}, but one dimension at a time has two ends: "
                "a number for both, or a pair (before, after)."
            )
        return _whole("padding", padding[0], 0), _whole("padding", padding[1], 0)
    both = _whole("padding", padding, least=0)
    return both, both


def _signed(number: int) -> str:
    return f"{number:,}".replace("-", "−")
