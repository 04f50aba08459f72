"""Timing side by side: what is compared takes turns, so that noise falls on all."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from unittest.mock import patch

from alexnet_lab.environment import FAST_CPU
from alexnet_lab.training.history import Progress

Step = Callable[[], None]
Repeat = Callable[[int], None]  # takes so many steps
At = Callable[[float], object]  # is told which share is done
WARM_UP = 2  # rounds; AlexNet's second step is still a fifth slower than its third


def quarters(values: list[float]) -> list[float]:
    """The lower quarter, the median, the upper quarter."""
    return statistics.quantiles(values, n=4, method="inclusive")


class Bar:
    """A line that is rewritten while work goes on, and then says what came of it."""

    def __init__(self, what: str) -> None:
        self.what, self.line, self.start = what, Progress(), time.perf_counter()

    def at(self, share: float) -> None:
        """So much of it is done."""
        if share and self.line.due():
            left = (time.perf_counter() - self.start) * (1 / share - 1)
            bar = f"[{'#' * round(20 * share):20}] {share:4.0%}, {left:,.0f} s to go"
            self.line.update("", f"{self.what:34} {bar}")

    def end(self, result: str) -> None:
        """The line that stays."""
        self.line.update(f"{self.what:34} {result}")


def interleaved(
    timed: Mapping[str, Repeat], rounds: int, calls: Mapping[str, int], at: At
) -> dict[str, list[float]]:
    """Seconds a step of each in each round; ``calls`` steps make a measurement."""
    seconds: dict[str, list[float]] = {name: [] for name in timed}
    for number in range(WARM_UP + rounds):
        at(number / (WARM_UP + rounds))
        for name, run in timed.items():
            start = time.perf_counter()
            run(calls[name])
            if number >= WARM_UP:
                seconds[name].append((time.perf_counter() - start) / calls[name])
    return seconds


def repeat(step: Step) -> Repeat:
    """A function that takes ``step`` so many times."""
    return lambda count: [step() for _ in range(count)] and None


@contextmanager
def in_another_process(recipe: Callable[..., Step], *of: object) -> Iterator[Repeat]:
    """Take the steps of ``recipe(*of)`` in a process that lacks our settings."""
    with ProcessPoolExecutor(1, get_context("spawn"), _prepare, (recipe, of)) as pool:
        with patch.dict(os.environ):
            for name in FAST_CPU:
                os.environ.pop(name, None)
            pool.submit(_take, 0).result()  # starts it
        yield lambda count: pool.submit(_take, count).result()


def _prepare(recipe: Callable[..., Step], of: tuple) -> None:
    globals()["_there"] = repeat(recipe(*of))


def _take(count: int) -> None:
    globals()["_there"](count)
