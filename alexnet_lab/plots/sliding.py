"""A window on its way along one side of an input, and how to draw what it reads."""

from __future__ import annotations

from alexnet_lab.arithmetic.sizes import Sweep
from alexnet_lab.plots.style import BLUE, GREY, PALE, VERMILION

NEVER_READ = {"facecolor": "#F6D5C3", "edgecolor": VERMILION, "hatch": "xxxx"}
PADDING = {"facecolor": "white", "edgecolor": GREY, "hatch": "////"}
BEYOND = {"facecolor": "white", "edgecolor": BLUE, "linestyle": ":"}
PIXEL = {"facecolor": PALE, "edgecolor": GREY}


class Sliding(Sweep):
    """A window's way along one side of an input, and where to draw it.

    Cells are numbered as pixels: 0 is the first real one, padding is below 0 or from
    `size` on.
    """

    @property
    def edge(self) -> int:
        """The index just beyond the padded input."""
        return self.size + self.after

    @property
    def end(self) -> int:
        """The index just beyond everything there is to draw."""
        return self.edge + self.overhang

    def start(self, output: int) -> int:
        """Return the index of the first cell that window `output` covers."""
        return output * self.stride - self.before

    def stop(self, output: int) -> int:
        """Return the index just beyond the last cell that window `output` covers."""
        return self.start(output) + self.span

    def reads(self, index: int) -> bool:
        """Return whether any window reads cell `index`."""
        at = index + self.before
        first = max(0, -((self.span - 1 - at) // self.stride))
        last = min(self.positions - 1, at // self.stride)
        return any(
            (at - output * self.stride) % self.dilation == 0
            for output in range(first, last + 1)
        )

    def cell_style(self, index: int) -> dict:
        """Return how to draw cell `index`."""
        if index >= self.edge:
            return BEYOND
        if not self.reads(index):
            return NEVER_READ
        return PIXEL if 0 <= index < self.size else PADDING

    @property
    def left_over_words(self) -> str:
        """Say, for instance, `left over: 3 (2 pixels, 1 zero)`."""
        zeros = min(self.leftover, self.after)
        pixels = self.leftover - zeros
        parts = [_count(pixels, "pixel")] * (pixels > 0)
        parts += [_count(zeros, "zero")] * (zeros > 0)
        if len(parts) == 1:
            return f"left over: {parts[0]}"
        return f"left over: {self.leftover} ({', '.join(parts)})"

    @property
    def words(self) -> str:
        """The settings, for a title."""
        words = [f"{self.size} pixels", f"kernel {self.kernel_size}"]
        words.append(f"stride {self.stride}")
        if self.before != self.after:
            words.append(f"padding {self.before} before, {self.after} after")
        elif self.before:
            words.append(f"padding {self.before}")
        words += [f"dilation {self.dilation}"] * (self.dilation > 1)
        return ", ".join(words)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
