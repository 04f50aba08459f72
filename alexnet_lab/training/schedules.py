"""Learning-rate schedules: the fraction of the peak rate at each point of a run.

A schedule is a function of progress, 0 at the first step and 1 after the last; it has
no state, so a resumed run continues exactly.
"""

from __future__ import annotations

import math
from collections.abc import Callable

Schedule = Callable[[float], float]


def constant(progress: float) -> float:
    """Always the full rate."""
    return 1.0


def cosine(progress: float) -> float:
    """From 1 to 0 along half a cosine (Loshchilov and Hutter, 2017, no restarts)."""
    return 0.5 * (1 + math.cos(math.pi * progress))


def one_cycle(progress: float, warm_up: float = 0.25) -> float:
    """Up from 1/25 in a straight line, then down to 0 (after Smith, 2018)."""
    if progress < warm_up:
        return 1 / 25 + (1 - 1 / 25) * progress / warm_up
    return (1 - progress) / (1 - warm_up)


def steps(progress: float) -> float:
    """Divided by 10 three times, after each quarter, as AlexNet's was in spirit.

    The paper divided by 10 "when the validation error rate stopped improving", three
    times in all; equal quarters need no one to watch.
    """
    return 10.0 ** -min(3, int(4 * progress))


SCHEDULES: dict[str, Schedule] = {
    "constant": constant,
    "cosine": cosine,
    "one-cycle": one_cycle,
    "steps": steps,
}


def choose_schedule(wanted: str | Schedule) -> Schedule:
    """The schedule of that name, or the function itself.

    Raises:
        ValueError: no schedule has that name.
    """
    if callable(wanted):
        return wanted
    if wanted not in SCHEDULES:
        raise ValueError(
            f"schedule={wanted!r}; use one of {', '.join(SCHEDULES)}, or a function "
            "of progress in 0..1"
        )
    return SCHEDULES[wanted]
