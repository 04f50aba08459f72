"""Timing side by side: what is compared takes turns, so that noise falls on all."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple


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
    steps: Mapping[str, Callable[[], None]], rounds: int, calls: Mapping[str, int]
) -> dict[str, Timing]:
    """Time each of ``steps`` in turn, ``rounds`` times, after one round to warm up.

    Args:
        calls: how many calls of each step make one measurement.
    """
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(rounds + 1):
        for name, step in steps.items():
            start = time.perf_counter()
            for _ in range(calls[name]):
                step()
            if number:
                seconds[name].append((time.perf_counter() - start) / calls[name])
    return {name: _timing(values) for name, values in seconds.items()}


def _timing(values: list[float]) -> Timing:
    if len(values) == 1:
        return Timing(values[0], values[0], values[0])
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Timing(median, low, high)
