"""The course's one statistic: paired differences and their interval."""

import pytest

from alexnet_lab.training import effect, interval
from alexnet_lab.training.comparing import T


def test_the_interval_of_five_values_by_hand() -> None:
    found = interval([1, 2, 3, 4, 5])  # deviation √2.5, t of 4 degrees 2.776
    assert found.mean == 3 and found.half == pytest.approx(2.776 * (2.5 / 5) ** 0.5)
    assert (found.low, found.high) == (3 - found.half, 3 + found.half)
    assert found.shows and str(found) == "+3.00 ± 1.96, shows"


def test_pairs_take_away_what_they_share() -> None:
    old, new = [10.0, 50.0, 90.0], [11.0, 51.1, 90.9]
    assert effect(new, old).shows
    assert not interval([*new]).half < 10


def test_student_s_factors_fall_towards_the_normal_one() -> None:
    assert list(T) == sorted(T, reverse=True) and len(T) == 30
    assert interval([0.0, 1.0] * 20).half == pytest.approx(
        1.96 * 0.50637 / 40**0.5, 1e-4
    )


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: interval([1.0]), "at least two seeds"),
        (lambda: effect([1, 2], [1, 2, 3]), "2 values against 3"),
    ],
)
def test_too_few_or_unequal(call, says) -> None:
    with pytest.raises(ValueError, match=says):
        call()
