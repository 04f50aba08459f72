"""Timing side by side: what is compared takes turns, so that noise falls on all."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

Repeat = Callable[[int], None]  # takes so many steps
WARM_UP = 2  # rounds; AlexNet's second step is still a fifth slower than its third


def repeat(step: Callable[[], None]) -> Repeat:
    """A function that takes ``step`` so many times."""

    def run(count: int) -> None:
        for _ in range(count):
            step()

    return run


class Timing(NamedTuple):
    """Seconds a call, or a ratio: the median, and the quarters below and above it."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        scale, unit = (1e3, "ms") if self.median < 1 else (1, "s")
        return (
            f"{self.median * scale:.3g} {unit} "
            f"({self.low * scale:.3g}–{self.high * scale:.3g})"
        )

    @classmethod
    def of(cls, values: list[float]) -> Timing:
        """The summary of what repeated measurements gave."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high)


def interleaved(
    timed: Mapping[str, Repeat], rounds: int, calls: Mapping[str, int]
) -> dict[str, list[float]]:
    """Time each in turn, ``rounds`` times, after two rounds to warm up.

    Args:
        timed: what takes so many steps when it is told how many.
        calls: how many steps of each make one measurement.

    Returns:
        Seconds a step, one for each round: those of the same place belong together.
    """
    seconds: dict[str, list[float]] = {name: [] for name in timed}
    for number in range(WARM_UP + rounds):
        for name, run in timed.items():
            start = time.perf_counter()
            run(calls[name])
            if number >= WARM_UP:
                seconds[name].append((time.perf_counter() - start) / calls[name])
    return seconds
