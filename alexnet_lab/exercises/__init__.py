"""Exercises that check themselves, predictions, expectations; a file of questions each.

What belongs here is what an answer is compared with and said to. What the questions
ask about stands in the other rooms, so that expected values are computed by the code
that the course explains.
"""

from alexnet_lab.exercises.checking import Exercise, Wrong, check, diagnose, hint
from alexnet_lab.exercises.expectation import Unexpected, expect
from alexnet_lab.exercises.score import predict, progress, reveal

__all__ = [
    "Exercise", "Unexpected", "Wrong", "check", "diagnose", "expect", "hint",
    "predict", "progress", "reveal",
]  # fmt: skip
