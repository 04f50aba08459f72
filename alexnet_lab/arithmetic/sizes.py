"""The arithmetic of feature maps: whole numbers, one dimension at a time.

A window of `kernel_size` slides over an input, which `padding` widens first, and moves
`stride` positions at a time. With `dilation` d its k elements stand d apart, so that it
spans d·(k − 1) + 1 positions. It fits ⌊(size − kernel_size + 2·padding)/stride⌋ + 1
times. Source: PyTorch's documentation of nn.Conv2d and nn.MaxPool2d.
"""

import operator
from typing import NamedTuple

Padding = int | str | tuple[int, int]


class SizeError(ValueError):
    """A window does not fit; the message ends in the smallest size that works."""


class Field(NamedTuple):
    """What the positions of a map read of an earlier map, along one dimension.

    Position i reads `size` positions from `offset + i·jump` on, where 0 is the earlier
    map's first: padding makes the offset negative, cropping positive. A layer's window
    is the field of its output in its input.
    """

    size: int = 1
    jump: int = 1
    offset: int = 0

    def through(self, window: "Field") -> "Field":
        """Return the field of the next layer's output, given that layer's window."""
        return Field(
            self.size + (window.size - 1) * self.jump,
            self.jump * window.jump,
            self.offset + window.offset * self.jump,
        )

    def joined(self, other: "Field") -> "Field | None":
        """Return what two ways to one map read together; None if they drift apart."""
        first = min(self.offset, other.offset)
        end = max(self.offset + self.size, other.offset + other.size)
        return Field(end - first, self.jump, first) if self.jump == other.jump else None


class Sweep:
    """A window's way along one dimension; its arguments are those of `output_size`.

    `before` and `after` are the positions which padding adds, `span` those from the
    window's first element to its last, `positions` the output's size. The last window
    leaves `leftover` positions of the padded input, or sticks out of it by `overhang`
    in ceil mode, which drops windows that start past the input (`dropped`).
    """

    def __init__(self, size: int, kernel_size: int, stride: int = 1,
                 padding: Padding = 0, dilation: int = 1,
                 ceil_mode: bool = False) -> None:  # fmt: skip
        self.size = _whole("size", size)
        self.kernel_size = _whole("kernel_size", kernel_size)
        self.stride = _whole("stride", stride)
        self.dilation = _whole("dilation", dilation)
        self.span = self.dilation * (self.kernel_size - 1) + 1
        if not isinstance(ceil_mode, bool):
            raise TypeError(f"ceil_mode must be True or False, not {ceil_mode!r}.")
        self.ceil_mode = ceil_mode
        self.before, self.after = self._ends(padding)
        padded = self.before + self.size + self.after
        room = padded - self.span
        fit = (-(-room // self.stride) if ceil_mode else room // self.stride) + 1
        # Ceil mode's last start lies in the input, or in the padding before it.
        starts = (self.before + self.size - 1) // self.stride + 1
        self.positions = min(fit, starts) if ceil_mode else fit
        self.dropped = fit - self.positions
        left = room - (self.positions - 1) * self.stride
        self.leftover, self.overhang = max(0, left), max(0, -left)
        if self.positions < 1:
            window, place = f"A window of {self.kernel_size}", f"{self.size}"
            if self.dilation > 1:
                window += f" with dilation {self.dilation} spans {self.span} and"
            if padded > self.size:
                place += f" padded to {padded}"
            text = f"{window} does not fit into {place}: {self.working}."
            raise SizeError(f"{text} The smallest size that works is {self.smallest}.")

    @property
    def field(self) -> Field:
        """What the positions of the output read."""
        return Field(self.span, self.stride, -self.before)

    @property
    def working(self) -> str:
        """The working on one line, result included."""
        left, right = "⌈⌉" if self.ceil_mode else "⌊⌋"
        window, ends = f"{self.kernel_size}", f"{self.before} + {self.after}"
        if self.dilation > 1:
            window = f"{self.dilation}·({self.kernel_size} − 1) − 1"
        if self.before == self.after:
            ends = f"2·{self.before}"
        text = f"{left}({self.size} − {window} + {ends})/{self.stride}{right} + 1"
        result = f"{self.positions:,}".replace("-", "−")
        if not self.dropped:
            return f"{text} = {result}"
        why = "the last window would start past the input and is dropped"
        return f"{text} − {self.dropped} = {result} ({why})"

    @property
    def smallest(self) -> int:
        """The smallest size into which the window fits once."""
        fits = self.span - self.before - self.after
        if self.ceil_mode:  # part of a step is enough, but it must start inside
            return max(1, fits - self.stride + 1, 1 - self.before)
        return max(1, fits)

    def _ends(self, padding: Padding) -> tuple[int, int]:
        if padding == "valid":
            return 0, 0
        if padding == "same":
            if self.stride != 1:
                raise ValueError(f"padding='same' needs stride 1, not {self.stride}.")
            return (self.span - 1) // 2, self.span // 2
        ends = padding if isinstance(padding, (str, tuple, list)) else (padding,) * 2
        if isinstance(ends, str) or len(ends) != 2:
            raise ValueError(
                "padding must be 'same', 'valid', a number for both ends of this one "
                f"dimension, or a pair (before, after), not {padding!r}."
            )
        return _whole("padding", ends[0], 0), _whole("padding", ends[1], 0)


def output_size(size: int, kernel_size: int, stride: int = 1, padding: Padding = 0,
                dilation: int = 1, ceil_mode: bool = False) -> int:  # fmt: skip
    """Return how many positions a convolution or a pool gives along one dimension.

    `size` are the input's positions (pixels of one side) without padding; `padding` is
    what both ends get, or a pair (before, after) for this one dimension, or 'valid'
    (none) or 'same' (as many as keep the size, the odd one after the input, as in
    nn.Conv2d; stride must be 1); `ceil_mode` rounds up, as pools may. As in PyTorch the
    last window must then start inside the input or the padding before it.

    SizeError (a ValueError) if the window does not fit even once, ValueError or
    TypeError if a number is out of range or not whole. Taught in 01.

    >>> output_size(227, kernel_size=11, stride=4)
    55
    """
    return Sweep(size, kernel_size, stride, padding, dilation, ceil_mode).positions


def size_formula(size: int, kernel_size: int, stride: int = 1, padding: Padding = 0,
                 dilation: int = 1, ceil_mode: bool = False) -> str:  # fmt: skip
    """Return the working of `output_size`, whose arguments it takes. Taught in 01.

    >>> size_formula(224, kernel_size=11, stride=4, padding=(0, 3))
    '⌊(224 − 11 + 0 + 3)/4⌋ + 1 = 55'
    """
    return Sweep(size, kernel_size, stride, padding, dilation, ceil_mode).working


def _whole(name: str, value: int, least: int = 1) -> int:
    """Return `value` as an int of at least `least`, or say what is wrong with it."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        text = f"{name} must be a whole number, but is {value!r}."
        if isinstance(value, (tuple, list)):
            text += " Ask for one dimension at a time: for the height, for the width."
        raise TypeError(text)
    number = operator.index(value)  # takes NumPy's integers too
    if number < least:
        raise ValueError(f"{name} must be at least {least}, but is {number}.")
    return number
