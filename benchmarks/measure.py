"""Timing side by side: what is compared takes turns, so that noise falls on all."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

Repeat = Callable[[int], None]  # takes so many steps


def repeat(step: Callable[[], None]) -> Repeat:
    """A function that takes ``step`` so many times."""

    def run(count: int) -> None:
        for _ in range(count):
            step()

    return run


class Timing(NamedTuple):
    """Seconds a call: the median, and the quarters below and above it."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        scale, unit = (1e3, "ms") if self.median < 1 else (1, "s")
        return (
            f"{self.median * scale:.3g} {unit} "
            f"({self.low * scale:.3g}–{self.high * scale:.3g})"
        )


def interleaved(
    timed: Mapping[str, Repeat], rounds: int, calls: Mapping[str, int]
) -> dict[str, Timing]:
    """Time each in turn, ``rounds`` times, after one round to warm up.

    Args:
        timed: what takes so many steps when it is told how many.
        calls: how many steps of each make one measurement.
    """
    seconds: dict[str, list[float]] = {name: [] for name in timed}
    for number in range(rounds + 1):
        for name, run in timed.items():
            start = time.perf_counter()
            run(calls[name])
            if number:
                seconds[name].append((time.perf_counter() - start) / calls[name])
    return {name: _timing(values) for name, values in seconds.items()}


def _timing(values: list[float]) -> Timing:
    if len(values) == 1:
        return Timing(values[0], values[0], values[0])
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Timing(median, low, high)
