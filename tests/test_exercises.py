"""Every exercise of the course, and the mechanism that checks answers."""

from __future__ import annotations

import random
import re
import signal
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from alexnet_lab.exercises import (
    Unexpected,
    checking,
    expect,
    predict,
    progress,
    reveal,
    running,
    score,
)
from alexnet_lab.exercises.checking import (
    Exercise,
    Verdict,
    Wrong,
    check,
    diagnose,
    exercises_of,
    hint,
)
from alexnet_lab.exercises.running import Diagnosis

COURSE = [one for number in range(12) for one in exercises_of(f"{number:02}")]
each_exercise = pytest.mark.parametrize("exercise", COURSE, ids=lambda e: e.number)
each_wrong = pytest.mark.parametrize(
    ("exercise", "wrong"),
    [
        pytest.param(exercise, wrong, id=f"{exercise.number}-{n}")
        for exercise in COURSE
        for n, wrong in enumerate(exercise.wrong, start=1)
    ],
)


# ----------------------------------------------------------- the exercises themselves
def test_exercises_are_numbered_from_one_in_each_notebook() -> None:
    for notebook in sorted({exercise.number[:2] for exercise in COURSE}):
        numbers = [exercise.number for exercise in exercises_of(notebook)]
        assert numbers == [f"{notebook}.{n}" for n in range(1, len(numbers) + 1)]


@each_exercise
def test_own_answer_is_right(exercise: Exercise) -> None:
    assert diagnose(exercise, exercise.answer()) == Verdict("right", exercise.right)


@each_exercise
def test_blank_is_blank(exercise: Exercise) -> None:
    assert diagnose(exercise, ...).status == "blank"


@each_wrong
def test_known_wrong_answer_gets_its_own_words(
    exercise: Exercise, wrong: Wrong
) -> None:
    assert diagnose(exercise, wrong.answer()) == Verdict("wrong", wrong.says)


@each_exercise
def test_each_sentence_is_its_own(exercise: Exercise) -> None:
    hints = [exercise.hint, *exercise.more_hints]
    said = [exercise.right, *hints, *(wrong.says for wrong in exercise.wrong)]
    assert len(set(said)) == len(said)


@each_exercise
def test_messages_do_not_give_the_number_away(exercise: Exercise) -> None:
    answer = exercise.answer()
    if type(answer) is not int or answer < 10:
        return
    messages = [exercise.hint, exercise.form, *(w.says for w in exercise.wrong)]
    for message in messages:
        assert str(answer) not in numbers_in(message), message


def numbers_in(text: str) -> list[str]:
    """The numbers of a text, without thousands separators."""
    found = re.findall(r"\d+(?:[,_\u2009\u202f]\d{3})*", text)
    return [re.sub(r"\D", "", number) for number in found]


def test_numbers_in_finds_separators_and_whole_numbers_only() -> None:
    assert numbers_in("60,965,224 and 61_706, but 1784.") == [
        "60965224",
        "61706",
        "1784",
    ]


# ------------------------------------------------------------------------- comparison
def exercise_for(answer: Any, **options: Any) -> Exercise:
    return Exercise(
        number="99.1",
        answer=lambda: answer,
        right="Just so.",
        hint="Think again.",
        **options,
    )


@pytest.mark.parametrize(
    ("expected", "given"),
    [
        (784, 784.0),
        (784, np.int64(784)),
        (784, torch.tensor(784)),
        (0.5, 0.5 + 1e-7),
        (0.5, np.float32(0.5)),
        (0.0, 1e-9),
        (float("nan"), float("nan")),
        (float("inf"), float("inf")),
        (True, np.bool_(True)),
        ("max pooling", "  Max Pooling "),
        ("ReLU", "relu"),
        ((128, 1), [128, 1]),
        ((128, 1), torch.Size([128, 1])),
        ([1.0, 2.0], np.array([1, 2])),
        (((1, 2), (3, 4)), torch.tensor([[1, 2], [3, 4]])),
        (torch.tensor([0.1]), [0.1]),
        ({"conv1": 55}, {"conv1": np.int32(55)}),
        ((), []),
    ],
)
def test_same_answer_in_another_form_is_right(expected: Any, given: Any) -> None:
    assert diagnose(exercise_for(expected), given).status == "right"


@pytest.mark.parametrize(
    ("expected", "given"),
    [
        (1, True),
        (True, 1),
        (0, False),
        ((1, 1), (True, 1)),
        (784, 784.01),
        (60_965_224, 60_965_225),
        (60_965_224, 60_965_224.5),
        (0.5, 0.5001),
        (1e-4, 5e-4),
        (float("nan"), 0.0),
        (0.0, float("nan")),
        ((1, 2), (1, 2, 3)),
        ((1, 2), (2, 1)),
        ((1, 2), 1),
        (1, (1,)),
        ("relu", "tanh"),
        ({"a": 1}, {"b": 1}),
        (784, None),
        ((1, 2), torch.zeros(3, 3)),
    ],
)
def test_other_answer_is_wrong(expected: Any, given: Any) -> None:
    assert diagnose(exercise_for(expected), given).status == "wrong"


def test_tolerance_is_the_exercises_own() -> None:
    assert diagnose(exercise_for(1.46, tolerance=0.01), 1.4612).status == "right"


class NeverEqual:
    def __eq__(self, other: object) -> bool:
        raise TypeError("cannot compare")

    __hash__ = None


def test_object_that_cannot_be_compared_is_wrong() -> None:
    assert diagnose(exercise_for(nn.ReLU), NeverEqual()).status == "wrong"


# --------------------------------------------------------------------------- messages
@pytest.mark.parametrize(
    ("answer", "named"),
    [
        ("x", "the text 'x'"),
        (3, "the number 3"),
        (True, "the truth value True"),
        (None, "None"),
        ({}, "a dictionary"),
        (len, "the function len"),
        (nn.ReLU, "the class ReLU"),
        (nn.ReLU(), "an object of type ReLU"),
        (torch.tensor(3), "a tensor of shape ()"),
        ((1, "2", 3), "the tuple (1, '2', 3)"),
    ],
)
def test_wrong_type_is_named(answer: Any, named: str) -> None:
    exercise = exercise_for((96, 55, 55), form="a tuple (channels, height, width)")
    assert diagnose(exercise, answer).message == (
        f"Expected a tuple (channels, height, width), got {named}."
    )


def test_unknown_wrong_answer_gets_the_hint() -> None:
    assert diagnose(exercise_for(55), 12) == Verdict("wrong", "Think again.")


def square_at(points: tuple[int, ...]) -> Callable[[Any], Any]:
    return lambda function: [function(point) for point in points]


def failing(number: int) -> int:
    raise ValueError(f"no square of {number}")


def test_answer_that_raises_is_wrong_and_quoted() -> None:
    exercise = exercise_for(lambda n: n * n, probe=square_at((2, 3)))
    assert diagnose(exercise, failing) == Verdict(
        "wrong", "Your answer raised ValueError: no square of 2"
    )


def test_known_wrong_answer_may_raise() -> None:
    exercise = exercise_for(
        lambda n: n * n,
        probe=square_at((2, 3)),
        wrong=(Wrong(lambda: failing, "Every number has a square."),),
    )
    assert diagnose(exercise, failing).message == "Every number has a square."


def test_a_probe_may_say_itself_what_is_wrong() -> None:
    def probe(numbers: list[int]) -> list[int]:
        if numbers[0] != 3:
            raise Diagnosis(f"The first is {numbers[0]}.")
        return numbers

    ex = exercise_for([3, 4], probe=probe, wrong=(Wrong(lambda: [5, 4], "You added."),))
    assert diagnose(ex, [7, 4]) == Verdict("wrong", "The first is 7.")
    assert diagnose(ex, [5, 4]) == Verdict("wrong", "You added.")
    assert diagnose(ex, [3, 4]).status == "right"


def leaving(number: int) -> int:
    raise SystemExit(1)


def test_an_answer_that_ends_the_program_is_wrong_and_ends_nothing() -> None:
    exercise = exercise_for(lambda n: n * n, probe=square_at((2, 3)))
    verdict = diagnose(exercise, leaving)
    assert verdict.status == "wrong" and "does not end the program" in verdict.message


@pytest.mark.parametrize("expected", [55, 0.5, (1.0, 2.0), "relu", {"a": 1}])
@pytest.mark.parametrize("shape", [(), (2,)])
def test_a_tensor_without_numbers_is_wrong_and_told(
    expected: Any, shape: tuple[int, ...]
) -> None:
    meta = torch.empty(shape, device="meta")
    for answer in (meta, [meta, meta], {"a": meta}):
        assert diagnose(exercise_for(expected), answer).status == "wrong"
    assert "no numbers" in diagnose(exercise_for((1.0, 2.0)), meta[None]).message


@pytest.mark.parametrize("expected", [784, 0.5, (1.0, 2.0), "relu"])
@pytest.mark.parametrize(
    "huge",
    [10**5000, -(10**400), [10**5000], {"a": 10**5000}],
    ids=["huge", "large", "list", "dict"],
)
def test_a_number_that_no_float_holds_is_wrong_and_told(
    expected: Any, huge: Any
) -> None:
    digits = 3 if expected in (784, 0.5) else None
    assert diagnose(exercise_for(expected, digits=digits), huge).status == "wrong"


def test_wrong_kind_is_named_rather_than_the_error_it_causes() -> None:
    exercise = exercise_for(abs, probe=square_at((2,)), form="a function")
    assert diagnose(exercise, 4).message == "Expected a function, got the number 4."


def test_exercise_whose_own_answer_raises_is_reported_as_broken() -> None:
    exercise = exercise_for(failing, probe=square_at((2,)))
    with pytest.raises(RuntimeError, match="exercise 99.1 is broken"):
        diagnose(exercise, failing)


# ------------------------------------------------------- mistakes of any question
def first(rows: list[int]) -> int:
    return rows[0]


def printing(rows: list[int]) -> None:
    print(rows[0])


def emptying(rows: list[int]) -> int:
    return rows.pop(0)


def endless(rows: list[int]) -> None:
    while rows:
        pass


def probe_rows(function: Any) -> Any:
    return function([5, 7]), function([3, 2])


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (printing, "write return instead of print"),
        (emptying, "changes what it is given"),
        (lambda rows: 5, "by heart"),
        (lambda rows: 7, "Think again"),
    ],
)
def test_a_function_that_goes_wrong_in_a_common_way(answer: Any, says: str) -> None:
    exercise = exercise_for(first, probe=probe_rows)
    assert diagnose(exercise, first).status == "right"
    verdict = diagnose(exercise, answer)
    assert verdict.status == "wrong" and says in verdict.message


@pytest.mark.parametrize("handler", [signal.default_int_handler, signal.SIG_IGN])
def test_a_function_without_end_is_stopped(
    monkeypatch: pytest.MonkeyPatch, handler: Any
) -> None:
    """Also where interrupts are ignored, as in what nohup started."""
    monkeypatch.setattr(running, "SECONDS", 0.2)
    before = signal.signal(signal.SIGINT, handler)
    try:
        verdict = diagnose(exercise_for(first, probe=probe_rows), endless)
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert verdict.status == "wrong" and "still running" in verdict.message


def test_a_readers_own_interrupt_stays_one() -> None:
    def stopped(rows: list[int]) -> int:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        diagnose(exercise_for(first, probe=probe_rows), stopped)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("55", "quotation marks"),
        ("many", "Expected"),
        (550, "power of ten"),
        (0.055, "power of ten"),
        (-55, "sign"),
        (54, "Think again"),
        (float("inf"), "Think again"),
    ],
)
def test_a_number_that_goes_wrong_in_a_common_way(given: Any, says: str) -> None:
    assert says in diagnose(exercise_for(55), given).message


def test_rounding_is_right_where_digits_are_asked_for_and_nearly_elsewhere() -> None:
    assert diagnose(exercise_for(0.7871, digits=3), 0.787).status == "right"
    assert diagnose(exercise_for(0.7871, digits=3), 0.788).status == "wrong"
    assert "Nearly" in diagnose(exercise_for(0.7871), 0.787).message


def outputs_of(net: nn.Sequential) -> Any:
    return net(torch.ones(3, 2))


def test_a_network_that_is_empty_in_training_mode_or_of_wrong_layers() -> None:
    def made(*layers: nn.Module) -> nn.Sequential:
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(2, 2), *layers).eval()

    right = made(nn.Dropout(0.9), nn.ReLU())
    exercise = exercise_for(right, probe=outputs_of)
    assert "empty" in diagnose(exercise, nn.Sequential()).message
    mode = made(nn.Dropout(0.9), nn.ReLU()).train()
    assert "evaluation mode" in diagnose(exercise, mode).message
    kind = diagnose(exercise, made(nn.Dropout(0.9), nn.Tanh())).message
    assert "layer '2': Tanh" in kind and mode.training


# ------------------------------------------------- hints, guesses, score, expectations
def test_hints_come_one_at_a_time_and_begin_again(
    capsys: Any, monkeypatch: Any
) -> None:
    exercise = exercise_for(1, more_hints=("And again.",))
    monkeypatch.setattr(checking, "_find", lambda number: exercise)
    monkeypatch.setattr(checking, "_shown", {})
    for _ in range(4):
        hint("99.1")
    said = capsys.readouterr().out.splitlines()
    assert [line[7:] for line in said] == [
        "(1 of 2) Think again.",
        "(2 of 2) And again.",
        "That was the last hint.",
        "(1 of 2) Think again.",
    ]


@pytest.fixture
def new_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score, "_guesses", {})
    monkeypatch.setattr(score, "_answers", {})


@pytest.mark.parametrize(
    ("guess", "answer", "says"),
    [
        (..., 55, "04.a: 55 px\n"),
        (55, 55, "04.a: 55 px. You guessed 55: exactly right.\n"),
        (50, 55, "04.a: 55 px. You guessed 50: 9% too low.\n"),
        (550, 55, "04.a: 55 px. You guessed 550: 10 times too high.\n"),
        (0, 55, "04.a: 55 px. You guessed 0: 55 too low.\n"),
        (0.3001, 0.3, "04.a: 0.3 px. You guessed 0.3001: as good as right.\n"),
        ("ReLU", "relu", "04.a: relu. You guessed ReLU: right.\n"),
        ((1, 2), [1, 2], "04.a: (1, 2). You guessed (1, 2): right.\n"),
        ("few", 55, "04.a: 55 px. You guessed few: different.\n"),
    ],
)
def test_a_guess_is_held_against_the_answer(
    new_session: None, capsys: Any, guess: Any, answer: Any, says: str
) -> None:
    predict("04.a", guess)
    capsys.readouterr()
    reveal("04.a", answer, "px")
    assert capsys.readouterr().out == says


def test_progress_counts_and_lists(new_session: None, capsys: Any) -> None:
    check("00.1", 784)
    check("00.1", ...)  # what was right once stays right
    check("00.2", ...)
    predict("04.a", 3)
    capsys.readouterr()
    progress()
    said = capsys.readouterr().out
    assert said.startswith("exercises: 1 right, 0 not yet, 1 blank\n  ✓ 00.1\n  ○ 00.2")
    assert said.endswith("predictions: 1\n  04.a: 3, answer not seen yet\n")


@pytest.mark.parametrize(
    ("value", "bounds"),
    [
        (55, {"wanted": 55}),
        (0.5 + 1e-7, {"wanted": 0.5}),
        (True, {}),
        (torch.tensor(0.9), {"at_least": 0.88}),
        (0.9, {"at_least": 0.88, "at_most": 0.95}),
        ((1, 2), {"wanted": [1, 2]}),
    ],
)
def test_what_is_expected_is_said(value: Any, bounds: Any, capsys: Any) -> None:
    expect(value, "the thing", **bounds)
    assert capsys.readouterr().out.startswith("✓ the thing")


@pytest.mark.parametrize(
    ("value", "bounds", "due"),
    [
        (54, {"wanted": 55}, "the thing is 54; this notebook expects 55"),
        (False, {}, "not so here: the thing"),
        (0.8, {"at_least": 0.88}, "expects at least 0.88"),
        (float("nan"), {"at_least": 0.88}, "the thing is nan"),
        (1.0, {"at_least": 0.88, "at_most": 0.95}, "between 0.88 and 0.95"),
    ],
)
def test_what_is_not_as_expected_fails_in_words(
    value: Any, bounds: Any, due: str
) -> None:
    with pytest.raises(Unexpected, match=re.escape(due)) as caught:
        expect(value, "the thing", **bounds)
    assert "may be why" in str(caught.value)
    assert caught.value._render_traceback_() == [str(caught.value)]


# ----------------------------------------------------------------------------- blanks
def blank_function(number):
    """The square of a number."""


def blank_inside(number):
    return number * ...


def blank_result(number):
    return ...


class BlankNet(nn.Module):
    def forward(self, x): ...


@pytest.mark.parametrize("answer", [..., (128, ..., 28), [[1], [...]], {"stride": ...}])
def test_blank_value(answer: Any) -> None:
    assert diagnose(exercise_for((128, 1, 28)), answer).status == "blank"


@pytest.mark.parametrize(
    "answer", [blank_function, blank_inside, blank_result, BlankNet(), lambda n: None]
)
def test_blank_function(answer: Any) -> None:
    exercise = exercise_for(lambda n: n * n, probe=lambda f: [f(2).real, f(3).real])
    if answer is not blank_result:
        assert diagnose(exercise, answer).status == "blank"
    exercise = exercise_for(lambda n: n * n, probe=square_at((2, 3)))
    assert diagnose(exercise, answer).status == "blank"


def test_function_with_a_constant_result_is_not_blank() -> None:
    exercise = exercise_for(lambda n: n * n, probe=square_at((2, 3)))
    assert diagnose(exercise, lambda n: 4).status == "wrong"


# ----------------------------------------------------------------------------- probes
def draws() -> tuple[float, float, float]:
    """One number of each generator that a notebook may use."""
    return torch.rand(()).item(), random.random(), np.random.rand()  # noqa: NPY002


def seed_all() -> None:
    torch.manual_seed(1)
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002


def test_random_probe_sees_the_same_numbers_each_time() -> None:
    exercise = exercise_for(2.0, probe=lambda scale: [scale * x for x in draws()])
    assert diagnose(exercise, 2.0).status == "right"
    assert diagnose(exercise, 2.1).status == "wrong"


def test_diagnosis_leaves_the_random_generators_alone() -> None:
    seed_all()
    undisturbed = draws()
    seed_all()
    diagnose(exercise_for(2.0, probe=lambda scale: draws()), 2.0)
    assert draws() == undisturbed


def test_probe_does_not_change_the_students_module() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    before = {name: value.clone() for name, value in net.state_dict().items()}

    def rough(net: nn.Module) -> Any:
        outputs = net(torch.randn(8, 2))
        nn.init.zeros_(net.eval()[0].weight)
        return outputs

    assert diagnose(exercise_for(net, probe=rough), net).status == "right"
    assert net.training
    assert all(torch.equal(net.state_dict()[name], before[name]) for name in before)


# ------------------------------------------------------------------------ check, find
def test_check_prints_each_verdict(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ALEXNET_LAB_STRICT", raising=False)
    check("00.1", 784)
    check("00.1", 56)
    check("00.1", ...)
    right, wrong, blank = re.split(r"\n(?=[✗○])", capsys.readouterr().out)
    assert right.startswith("✓ 00.1 is right. 28 rows of 28 pixels")
    assert wrong.startswith("✗ 00.1 is not right yet. You added the sides.")
    assert blank == "○ 00.1 not answered yet\n"
    assert all(len(line) <= 88 for line in [*right.split("\n"), *wrong.split("\n")])


@pytest.mark.parametrize("answer", [56, ..., "x"])
@pytest.mark.parametrize("strict", ["1", "true", " True "])
def test_strict_mode_raises(
    monkeypatch: pytest.MonkeyPatch, answer: Any, strict: str
) -> None:
    monkeypatch.setenv("ALEXNET_LAB_STRICT", strict)
    with pytest.raises(AssertionError, match=r"^00\.1: \S"):
        check("00.1", answer)
    check("00.1", 784)


@pytest.mark.parametrize("strict", ["", "0", "false", "False"])
def test_without_strict_mode_a_wrong_answer_raises_nothing(
    monkeypatch: pytest.MonkeyPatch, strict: str
) -> None:
    monkeypatch.setenv("ALEXNET_LAB_STRICT", strict)
    check("00.1", 56)


@pytest.mark.parametrize("strict", ["yes", "2", "off"])
def test_an_unclear_strict_mode_is_an_error(
    monkeypatch: pytest.MonkeyPatch, strict: str
) -> None:
    monkeypatch.setenv("ALEXNET_LAB_STRICT", strict)
    with pytest.raises(ValueError, match=f"STRICT='{strict}'; use 0 or 1"):
        check("00.1", 784)


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ("00.9", r"no exercise '00\.9'; notebook 00 has 00\.1, 00\.2"),
        ("99.1", r"no exercise '99\.1'; notebooks with exercises: 00"),
        ("six", r"no exercise 'six'; notebooks with exercises: 00"),
        (0.1, r"a text: check\(\"04\.2\", answer\), not check\(0\.1, answer\)"),
    ],
)
def test_unknown_number_lists_the_known(number: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check(number, 1)


@pytest.mark.parametrize("number", ["4.2", "04", "04.02", "04.0", "x"])
def test_malformed_number_is_refused(number: str) -> None:
    with pytest.raises(ValueError, match="not an exercise's number"):
        Exercise(number=number, answer=int, right="Yes.", hint="No.")


def test_empty_sentence_is_refused() -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        Exercise(number="04.2", answer=int, right="", hint="No.")
