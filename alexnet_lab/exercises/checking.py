"""Exercises that check themselves and say why an answer is wrong.

A notebook calls ``check("04.2", answer)``. The exercises of notebook 04 stand in
``alexnet_lab/exercises/n04.py`` as a tuple ``EXERCISES``, which is read when its first
exercise is checked. Expected values are built by functions, so that they are computed
by the same code that the course explains, and never copied.
"""

import importlib
import math
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from alexnet_lab.exercises import mistakes, score
from alexnet_lab.exercises.answers import describe, equal, kind_of, same_kind
from alexnet_lab.exercises.running import (
    Raised,
    Said,
    Seen,
    build,
    has_blank,
    is_stub,
    outcome,
    shows_blank,
)


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
            Where it can say itself what is wrong, it raises a `Diagnosis`.
        form: what kind of answer is expected, as in "an integer".
        tolerance: relative tolerance where a float is expected; a hundredth of it
            is allowed as an absolute difference near zero.
        digits: where the question asks for so many significant digits of a number.
        more_hints: what `hint` shows after `hint`, each a step further.

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
    digits: int | None = None
    more_hints: tuple[str, ...] = ()

    def accepts(self, given: Any, expected: Any) -> bool:
        """Whether a plain value is right; rounded, where digits are asked for."""
        if equal(given, expected, self.tolerance):
            return True
        if not self.digits or {kind_of(given), kind_of(expected)} != {"number"}:
            return False
        unit = 10.0 ** (math.floor(math.log10(abs(expected))) - self.digits + 1)
        return abs(given - expected) <= 0.5001 * unit

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


def check(number: str, answer: Any) -> None:
    """Say whether an answer is right, and if not, what it shows.

    `number` is an exercise's, such as ``"04.2"``; ``...`` as the answer stands for "not
    answered yet". ValueError if there is no such exercise; AssertionError if the
    environment has ALEXNET_LAB_STRICT=1 and the answer is anything but right.
    """
    verdict = diagnose(_find(number), answer)
    if _strict():
        assert verdict.status == "right", f"{number}: {verdict.message}"
    score.note_answer(number, verdict.status)
    mark, opening = _SAID[verdict.status]
    score.say(f"{mark} {number}", opening + verdict.message)


def _strict() -> bool:
    """Whether anything but a right answer is an error; ValueError if it is unclear."""
    wanted = os.environ.get("ALEXNET_LAB_STRICT", "").strip().lower()
    if wanted not in ("", "0", "false", "1", "true"):
        raise ValueError(f"ALEXNET_LAB_STRICT={wanted!r}; use 0 or 1, false or true")
    return wanted in ("1", "true")


_SAID = {
    "right": ("✓", "is right. "),
    "wrong": ("✗", "is not right yet. "),
    "blank": ("○", ""),
}


def hint(number: str) -> None:
    """Print the next hint of an exercise; each call goes one step further.

    ValueError if there is no such exercise.
    """
    exercise = _find(number)
    hints = (exercise.hint, *exercise.more_hints)
    step = _shown.get(number, 0)
    if step == len(hints):
        score.say(f"? {number}", "That was the last hint.")
        step = 0  # once more from the first
    else:
        score.say(f"? {number}", f"({step + 1} of {len(hints)}) {hints[step]}")
        step += 1
    _shown[number] = step


_shown: dict[str, int] = {}  # hints by exercise, of this session


def diagnose(
    exercise: Exercise, answer: Any, found: tuple[Any, Seen] | None = None
) -> Verdict:
    """Compare an answer with the right one and with each known wrong one.

    Prints nothing, draws nothing from the random generators that a notebook uses, and
    leaves a module that it is given as it was. `found` is what the exercise's probe
    found, where the answer stayed in a different process. RuntimeError if the
    exercise's own right answer makes its probe fail.
    """
    if not found and (has_blank(answer) or is_stub(answer)):
        return _BLANK
    given, seen = found or outcome(exercise.probe, answer)
    if said := mistakes.before_comparing(answer, given, seen):
        return Verdict("wrong", said)
    if shows_blank(answer, given):
        return _BLANK
    reference = build(exercise.answer)
    expected, its = outcome(exercise.probe, reference)
    if isinstance(expected, Raised):
        broken = f"exercise {exercise.number} is broken"
        raise RuntimeError(f"{broken}: its own answer raised {expected.error}")
    spoils = seen.changed_argument and not its.changed_argument
    if exercise.accepts(given, expected) and not spoils:
        return Verdict("right", exercise.right)
    for wrong in exercise.wrong:
        example, _ = outcome(exercise.probe, build(wrong.answer))
        if equal(given, example, exercise.tolerance):
            return Verdict("wrong", wrong.says)
    if isinstance(given, Said):
        return Verdict("wrong", given.sentence)
    accepts = partial(exercise.accepts, expected=expected)
    said = (
        mistakes.of_value(given, expected)
        or _other_kind(exercise, answer, reference)
        or mistakes.of_function(answer, given, expected, seen, its)
        or (f"Your answer raised {given.error}" if isinstance(given, Raised) else "")
        or mistakes.of_network(exercise.probe, answer, reference, accepts)
    )
    return Verdict("wrong", said or exercise.hint)


def _other_kind(exercise: Exercise, answer: Any, reference: Any) -> str | None:
    if same_kind(answer, reference):
        return None
    return f"Expected {exercise.form}, got {describe(answer)}."


_BLANK = Verdict("blank", "not answered yet")


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
