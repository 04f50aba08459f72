"""Marks submitted notebooks: ``python -m alexnet_lab mark FOLDER --out marks.csv``.

A student's cells run in a process of their own (`pupil`), in a box that the operating
system closes (`box`) and that holds no answers. Out of the box comes JSON: values,
and what a probe made of a function or a network. Here they are compared, by the
course's own `diagnose`: no line of a student's runs where verdicts are made.
"""

from alexnet_lab.marking.judge import Limits, Mark
from alexnet_lab.marking.marks import mark_folder, table, tally

__all__ = ["Limits", "Mark", "mark_folder", "table", "tally"]
