"""What a reader has guessed and answered in this session: `predict`, `progress`.

Kept in memory only: a restarted kernel knows nothing of it.
"""

import textwrap
from dataclasses import dataclass
from numbers import Real
from typing import Any

from alexnet_lab.exercises.answers import kind_of, plain

WIDTH = 88


@dataclass
class Guess:
    """A prediction, and how far it was once the answer is known."""

    value: Any
    verdict: str = ""


_guesses: dict[str, Guess] = {}
_answers: dict[str, str] = {}  # exercise: "right", "wrong" or "blank"


def predict(name: str, guess: Any) -> None:
    """Note a guess, such as ``predict("04.a", 55)``, until its answer comes out.

    ``...`` stands for no guess; nothing breaks without one.
    """
    if guess is ...:
        _guesses.pop(name, None)
        say(f"○ {name}", "no guess yet: write one in place of the three dots")
        return
    _guesses[name] = Guess(guess)
    say(f"● {name}", f"noted: {plain(guess)}")


def reveal(name: str, answer: Any, unit: str = "") -> None:
    """Print the answer that `predict` asked for, and how far the guess was from it.

    Args:
        name: of the prediction, such as ``"04.a"``.
        answer: the right one, a number, a text or a sequence of them.
        unit: printed behind a number, as in ``"pixels"``.
    """
    right = _text(answer, unit)
    guess = _guesses.get(name)
    if guess is None:
        say(f"{name}:", right)
        return
    guess.verdict = _distance(plain(guess.value), plain(answer))
    say(f"{name}:", f"{right}. You guessed {_text(guess.value)}: {guess.verdict}.")


def progress() -> None:
    """Print the score of this session: the exercises, then the predictions."""
    kinds = list(_answers.values())
    right, wrong = kinds.count("right"), kinds.count("wrong")
    print(f"exercises: {right} right, {wrong} not yet, {kinds.count('blank')} blank")
    for number, status in sorted(_answers.items()):
        print(f"  {_MARKS[status]} {number}")
    print(f"predictions: {len(_guesses)}")
    for name, guess in sorted(_guesses.items()):
        print(
            f"  {name}: {_text(guess.value)}, {guess.verdict or 'answer not seen yet'}"
        )


_MARKS = {"right": "✓", "wrong": "✗", "blank": "○"}


def note_answer(number: str, status: str) -> None:
    """Remember what `check` found; an answer that was right once stays right."""
    if _answers.get(number) != "right":
        _answers[number] = status


def say(mark: str, text: str) -> None:
    """Print a sentence behind a mark, its further lines indented."""
    lines = textwrap.fill(f"{mark} {text}", WIDTH, subsequent_indent=" " * 5)
    print(lines)


def _distance(guess: Any, answer: Any) -> str:
    """How far a guess is from the answer, in words."""
    if kind_of(guess) != "number" or kind_of(answer) != "number":
        same = _plain_text(guess) == _plain_text(answer)
        return "right" if same else "different"
    if guess == answer:
        return "exactly right"
    direction = "too high" if guess > answer else "too low"
    if answer and guess and guess / answer > 0:
        times = max(guess / answer, answer / guess)
        if times >= 2:
            return f"{times:,.3g} times {direction}"
        if abs(times - 1) < 0.005:
            return "as good as right"
        return f"{abs(guess / answer - 1):.0%} {direction}"
    return f"{abs(guess - answer):,.3g} {direction}"


def _plain_text(value: Any) -> str:
    return str(value).casefold().replace(" ", "").strip("()[]")


def _text(value: Any, unit: str = "") -> str:
    value = plain(value)
    if kind_of(value) == "number":
        digits = f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"
        return f"{digits} {unit}".strip()
    if isinstance(value, Real):  # a truth value
        return str(value)
    return str(value)
