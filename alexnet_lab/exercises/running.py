"""Running an answer: always with the same random numbers, for a limited time.

What a probe makes of an answer is told apart from what went wrong on the way: it
raised, it went on for ever, it printed, it changed what it was given, or it is blank.
"""

import _thread
import copy
import dis
import functools
import io
import random
import signal
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import nn

from alexnet_lab.exercises.answers import plain

SECONDS = 30.0  # many times what the slowest right answer needs


@dataclass(frozen=True)
class Raised:
    """The outcome of a probe that failed; two failures with one text are equal."""

    error: str


class Diagnosis(Exception):
    """What a probe raises that knows in words why an answer is wrong."""


@dataclass(frozen=True)
class Said:
    """The outcome of a probe that raised a `Diagnosis`: its sentence."""

    sentence: str


@dataclass(frozen=True)
class Endless:
    """The outcome of a probe that was stopped after `SECONDS`."""


@dataclass
class Seen:
    """What else happened while an answer ran."""

    printed: str = ""
    changed_argument: bool = False


def outcome(probe: Callable[[Any], Any], answer: Any) -> tuple[Any, Seen]:
    """What a probe makes of an answer: plain values, `Raised`, `Said` or `Endless`.

    A module is probed as a copy. Nothing is printed, and the random generators that a
    notebook uses stay as they were.

    Raises:
        KeyboardInterrupt: the reader's own, from the stop button.
    """
    seen, printed = Seen(), io.StringIO()
    try:
        with _repeatable(), redirect_stdout(printed), _limited() as late:
            if isinstance(answer, nn.Module):
                answer = copy.deepcopy(answer)
            elif callable(answer) and not isinstance(answer, type):
                answer = _watched(answer, seen)
            result = plain(probe(answer))
    except KeyboardInterrupt:
        if not late.is_set():
            raise
        result = Endless()
    except Diagnosis as found:
        result = Said(str(found))
    except SystemExit:  # from sys.exit(), which would end the check
        result = Raised("SystemExit: an answer returns, it does not end the program")
    except Exception as error:  # a student's code may raise anything
        text = textwrap.shorten(str(error), 200, placeholder=" …")
        result = Raised(f"{type(error).__name__}: {text}".rstrip(": "))
    seen.printed = printed.getvalue().strip()
    return result, seen


def build(builder: Callable[[], Any]) -> Any:
    """What a builder makes, with the same random numbers as a probe gets."""
    with _repeatable():
        return builder()


@contextmanager
def _limited() -> Iterator[threading.Event]:
    """Stop what runs inside after `SECONDS`, as the stop button does."""
    late = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield late  # only the main thread can be stopped
        return

    def stop() -> None:
        late.set()
        _thread.interrupt_main()

    timer = threading.Timer(SECONDS, stop)
    timer.daemon = True
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN  # as under nohup
    if ignored:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()
        if ignored:
            signal.signal(signal.SIGINT, signal.SIG_IGN)


def _watched(function: Callable[..., Any], seen: Seen) -> Callable[..., Any]:
    """The function, whose arguments are compared before and after each call."""

    @functools.wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        given = [*args, *options.values()]
        before = [_snapshot(argument) for argument in given]
        result = function(*args, **options)
        seen.changed_argument |= not all(map(_unchanged, given, before))
        return result

    return call


def _snapshot(argument: Any) -> Any:
    """A copy of a tensor, an array, or a list of numbers; None of anything else."""
    if isinstance(argument, torch.Tensor):
        return argument.detach().clone()
    if isinstance(argument, np.ndarray):
        return argument.copy()
    numbers = isinstance(argument, list) and all(isinstance(n, Real) for n in argument)
    return list(argument) if numbers else None


def _unchanged(argument: Any, before: Any) -> bool:
    if isinstance(before, torch.Tensor):
        return torch.equal(argument.detach(), before)
    if isinstance(before, np.ndarray):
        return np.array_equal(argument, before)
    return before is None or argument == before


@contextmanager
def _repeatable() -> Iterator[None]:
    """The same random numbers inside each time, and no trace of it outside."""
    cuda = torch.cuda.is_initialized()
    devices = list(range(torch.cuda.device_count())) if cuda else []
    states = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng(devices=devices):
        try:
            random.seed(0)
            np.random.seed(0)  # noqa: NPY002
            torch.default_generator.manual_seed(0)
            if cuda:
                torch.cuda.manual_seed_all(0)
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])  # noqa: NPY002


# ----------------------------------------------------------------------- blanks


def has_blank(value: Any, depth: int = 0) -> bool:
    """Whether a value is a blank `...`, or holds one."""
    if depth > 20:  # a list may hold itself
        return False
    if isinstance(value, dict):
        return any(has_blank(v, depth + 1) for v in value.values())
    if isinstance(value, (list, tuple)):
        return any(has_blank(v, depth + 1) for v in value)
    return value is ...


def is_stub(answer: Any) -> bool:
    """Whether a function, or a module's forward, does nothing but return a blank."""
    function = type(answer).forward if isinstance(answer, nn.Module) else answer
    if not hasattr(function, "__code__"):
        return False
    steps = list(dis.get_instructions(function))
    idle = {"RESUME", "NOP", "LOAD_CONST", "RETURN_VALUE", "RETURN_CONST"}
    constants = [s.argval for s in steps if s.opname in ("LOAD_CONST", "RETURN_CONST")]
    blank = all(constant is None or constant is ... for constant in constants)
    return blank and {s.opname for s in steps} <= idle


def shows_blank(answer: Any, given: Any) -> bool:
    """Whether running the answer met a blank that was not visible before."""
    if isinstance(given, Raised):
        return "ellipsis" in given.error.lower()
    if callable(answer):
        results = given if isinstance(given, tuple) and given else (given,)
        if all(result is None for result in results):
            return True
    return has_blank(given)
