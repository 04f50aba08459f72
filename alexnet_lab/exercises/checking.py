"""Exercises that check themselves and say why an answer is wrong.

A notebook calls ``check("04.2", answer)``. The exercises of notebook 04 stand in
``alexnet_lab/exercises/n04.py`` as a tuple ``EXERCISES``, which is read when its first
exercise is checked. Expected values are built by functions, so that they are computed
by the same code that the course explains, and never copied.
"""

import copy
import dis
import importlib
import os
import random
import re
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from alexnet_lab.exercises.answers import describe, equal, plain, same_kind

WIDTH = 88


def identity(answer: Any) -> Any:
    """The probe of an answer that is compared as it stands."""
    return answer


@dataclass(frozen=True)
class Wrong:
    """A known wrong answer: `answer` builds an example, `says` what it shows.

    The sentence names the misconception, without giving the right answer away.
    """

    answer: Callable[[], Any]
    says: str


@dataclass(frozen=True)
class Exercise:
    """One exercise: its right answer, its known wrong ones, and how to compare.

    Args:
        number: notebook and place in it, such as ``"04.2"``.
        answer: builds a right answer: a value, or a reference function or module.
        right: one sentence, said on success, on why the answer is right.
        hint: said to a wrong answer that is none of `wrong`, the known ones.
        probe: turns an answer into values that can be compared: a function into its
            results on several inputs, an nn.Sequential into its list of shapes. On
            the CPU; of a module it sees a copy, and always the same random numbers.
        form: what kind of answer is expected, as in "an integer".
        tolerance: relative tolerance where a float is expected; a hundredth of it
            is allowed as an absolute difference near zero.

    ValueError if the number is not of the form "04.2" or a sentence is missing.
    """

    number: str
    answer: Callable[[], Any]
    right: str
    hint: str
    wrong: tuple[Wrong, ...] = ()
    probe: Callable[[Any], Any] = identity
    form: str = "another kind of answer"
    tolerance: float = 1e-5

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\d\d\.[1-9]\d*", self.number):
            right = 'write the notebook and the place in it, as in "04.2"'
            raise ValueError(f"{self.number!r} is not an exercise's number; {right}")
        if not (self.right.strip() and self.hint.strip() and self.form.strip()):
            raise ValueError(f"{self.number}: right, hint and form must not be empty")


@dataclass(frozen=True)
class Verdict:
    """What `diagnose` found: the status and the sentence that goes with it."""

    status: Literal["right", "wrong", "blank"]
    message: str


@dataclass(frozen=True)
class _Raised:
    """The outcome of a probe that failed; two failures with one text are equal."""

    error: str


def check(number: str, answer: Any) -> None:
    """Say whether an answer is right, and if not, what it shows.

    `number` is an exercise's, such as ``"04.2"``; ``...`` as the answer stands for "not
    answered yet". ValueError if there is no such exercise; AssertionError if the
    environment has ALEXNET_LAB_STRICT=1 and the answer is anything but right.
    """
    verdict = diagnose(_find(number), answer)
    if os.environ.get("ALEXNET_LAB_STRICT", "0") not in ("", "0"):
        assert verdict.status == "right", f"{number}: {verdict.message}"
    opening = {"right": "is right. ", "wrong": "is not right yet. ", "blank": ""}
    text = f"{number} {opening[verdict.status]}{verdict.message}"
    print(textwrap.fill(text, WIDTH, subsequent_indent=" " * (len(number) + 1)))


def diagnose(exercise: Exercise, answer: Any) -> Verdict:
    """Compare an answer with the right one and with each known wrong one.

    Prints nothing, draws nothing from the random generators that a notebook uses, and
    leaves a module that it is given as it was. RuntimeError if the exercise's own right
    answer makes its probe fail.
    """
    if _has_blank(answer) or _is_stub(answer):
        return Verdict("blank", "not answered yet")
    given = _outcome(exercise, answer)
    if _shows_blank(answer, given):
        return Verdict("blank", "not answered yet")

    reference = _build(exercise.answer)
    expected = _outcome(exercise, reference)
    if isinstance(expected, _Raised):
        broken = f"exercise {exercise.number} is broken"
        raise RuntimeError(f"{broken}: its own answer raised {expected.error}")
    if equal(given, expected, exercise.tolerance):
        return Verdict("right", exercise.right)
    for wrong in exercise.wrong:
        example = _outcome(exercise, _build(wrong.answer))
        if equal(given, example, exercise.tolerance):
            return Verdict("wrong", wrong.says)

    if not same_kind(answer, reference):
        message = f"Expected {exercise.form}, got {describe(answer)}."
    elif isinstance(given, _Raised):
        message = f"Your answer raised {given.error}"
    else:
        message = exercise.hint
    return Verdict("wrong", message)


# ------------------------------------------------------------ finding exercises


def exercises_of(notebook: str) -> tuple[Exercise, ...]:
    """The exercises of one notebook, such as ``"04"``; none if it has no module."""
    if notebook not in _notebooks():
        return ()
    module = importlib.import_module(f"alexnet_lab.exercises.n{notebook}")
    return tuple(module.EXERCISES)


def _notebooks() -> list[str]:
    return sorted(path.stem[1:] for path in Path(__file__).parent.glob("n[0-9]*.py"))


def _find(number: str) -> Exercise:
    if not isinstance(number, str):
        right = f'check("04.2", answer), not check({number!r}, answer)'
        raise ValueError(f"an exercise's number is a text: {right}")
    notebook = number.split(".")[0]
    exercises = {exercise.number: exercise for exercise in exercises_of(notebook)}
    if number in exercises:
        return exercises[number]
    known = f"notebooks with exercises: {', '.join(_notebooks())}"
    if exercises:
        known = f"notebook {notebook} has {', '.join(exercises)}"
    raise ValueError(f"no exercise {number!r}; {known}")


# -------------------------------------------------------------- running answers


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


def _build(builder: Callable[[], Any]) -> Any:
    with _repeatable():
        return builder()


def _outcome(exercise: Exercise, answer: Any) -> Any:
    """What the probe makes of an answer, in plain Python values, or `_Raised`."""
    try:
        with _repeatable():
            if isinstance(answer, nn.Module):
                answer = copy.deepcopy(answer)
            return plain(exercise.probe(answer))
    except Exception as error:  # a student's code may raise anything
        text = textwrap.shorten(str(error), 200, placeholder=" …")
        return _Raised(f"{type(error).__name__}: {text}".rstrip(": "))


# ----------------------------------------------------------------------- blanks


def _has_blank(value: Any, depth: int = 0) -> bool:
    if depth > 20:  # a list may hold itself
        return False
    if isinstance(value, dict):
        return any(_has_blank(v, depth + 1) for v in value.values())
    if isinstance(value, (list, tuple)):
        return any(_has_blank(v, depth + 1) for v in value)
    return value is ...


def _is_stub(answer: Any) -> bool:
    """Whether a function, or a module's forward, does nothing but return a blank."""
    function = type(answer).forward if isinstance(answer, nn.Module) else answer
    if not hasattr(function, "__code__"):
        return False
    steps = list(dis.get_instructions(function))
    idle = {"RESUME", "NOP", "LOAD_CONST", "RETURN_VALUE", "RETURN_CONST"}
    constants = [s.argval for s in steps if s.opname in ("LOAD_CONST", "RETURN_CONST")]
    blank = all(constant is None or constant is ... for constant in constants)
    return blank and {s.opname for s in steps} <= idle


def _shows_blank(answer: Any, given: Any) -> bool:
    """Whether running the answer met a blank that was not visible before."""
    if isinstance(given, _Raised):
        return "ellipsis" in given.error.lower()
    if callable(answer):
        results = given if isinstance(given, tuple) and given else (given,)
        if all(result is None for result in results):
            return True
    return _has_blank(given)
