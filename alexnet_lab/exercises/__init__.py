"""Exercises that check themselves: `check`, and one file of questions a notebook.

What belongs here is what an answer is compared with and said to. What the questions
ask about stands in the other rooms, so that expected values are computed by the code
that the course explains.
"""

from alexnet_lab.exercises.checking import Exercise, Wrong, check, diagnose

__all__ = ["Exercise", "Wrong", "check", "diagnose"]
