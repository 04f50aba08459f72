"""The one way in which this course compares: paired differences and their interval.

Taught in notebook 03: train both from the same seeds, subtract seed by seed, and give
the mean difference with its 95 % interval. An effect *shows* if the interval leaves
out zero.
"""

from collections.abc import Sequence
from statistics import mean, stdev
from typing import NamedTuple

# Student's t at 97.5 %, by degrees of freedom from 1; R: round(qt(0.975, 1:30), 3)
T = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179,
    2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064,
    2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
NORMAL = 1.96  # beyond 30 degrees of freedom; 4 % too narrow at 31


class Interval(NamedTuple):
    """A mean, and half the width of its 95 % interval, in the unit of the values."""

    mean: float
    half: float

    @property
    def low(self) -> float:
        """The lower end."""
        return self.mean - self.half

    @property
    def high(self) -> float:
        """The upper end."""
        return self.mean + self.half

    @property
    def shows(self) -> bool:
        """Whether the interval leaves out zero."""
        return abs(self.mean) > self.half

    def __str__(self) -> str:
        verdict = "shows" if self.shows else "does not show"
        return f"{self.mean:+.2f} ± {self.half:.2f}, {verdict}"


def interval(values: Sequence[float]) -> Interval:
    """The mean of independent values with its 95 % interval by Student's t.

    Args:
        values: one a seed: for an effect, the differences of pairs of runs.

    Raises:
        ValueError: fewer than two values, which have no spread.
    """
    values = [float(value) for value in values]
    n = len(values)
    if n < 2:
        raise ValueError(f"{n} values have no spread: train from at least two seeds")
    t = T[n - 2] if n - 1 <= len(T) else NORMAL
    return Interval(mean(values), t * stdev(values) / n**0.5)


def effect(new: Sequence[float], old: Sequence[float]) -> Interval:
    """The paired difference new − old, seed by seed, with its interval.

    Raises:
        ValueError: not as many of one as of the other.
    """
    if len(new) != len(old):
        raise ValueError(
            f"{len(new)} values against {len(old)}: pairs share a seed, so both need "
            "the same seeds in the same order"
        )
    return interval([a - b for a, b in zip(new, old, strict=True)])
