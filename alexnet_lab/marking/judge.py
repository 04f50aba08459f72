"""Marks one notebook: starts a pupil, compares its values with the course's.

Nothing of a student's is executed or loaded here: what comes is JSON.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import time
from contextlib import suppress
from typing import Any, Literal, NamedTuple

from alexnet_lab.exercises import running
from alexnet_lab.exercises.answers import plain
from alexnet_lab.exercises.checking import Exercise, diagnose, exercises_of
from alexnet_lab.marking.box import Box
from alexnet_lab.marking.kinds import stand_in
from alexnet_lab.marking.needed import needed

TOTAL = 30  # seconds of a notebook, in units of a cell's
WAYS = {way.__name__: way for way in (running.Raised, running.Said, running.Endless)}

Status = Literal["right", "wrong", "blank", "error"]


class Mark(NamedTuple):
    """What was found of an answer."""

    status: Status
    says: str = ""


class Limits(NamedTuple):
    """Of a pupil: seconds for a cell and for an answer, GiB of memory."""

    seconds: float = 20
    gibibytes: float = 4
    everything: bool = False  # run all cells, not only those that answers need


def mark(
    cells: list[str], expressions: dict[str, str], box: Box, limits: Limits
) -> dict[str, Mark]:
    """A notebook's marks, by exercise.

    Args:
        cells: its code, as a student handed it in.
        expressions: what the course's own notebook checks, by exercise.
        box: in which it runs.
        limits: of each pupil; a cell that ends it is left out at the next start.
    """
    exercises = {one.number: one for one in exercises_of(next(iter(expressions))[:2])}
    marks: dict[str, Mark] = {}
    skip: list[Any] = []
    at, end = "", time.monotonic() + TOTAL * limits.seconds
    while at != "end" and (left := end - time.monotonic()) > 0:
        questions = {
            number: {"expression": text, **probe_of(exercises[number])}
            for number, text in expressions.items()
            if number not in marks
        }
        job = {"cells": cells, "skip": skip, "questions": questions, "total": left}
        job |= {"trusted": box.trusted, **limits._asdict()}
        at, came = "", {}
        for text in box.lines(job, left):
            with suppress(ValueError, RecursionError, AttributeError):  # forged
                line = json.loads(text)
                at = str(line.get("at", at))
                came[str(line.get("number"))] = line  # the last one counts
        for number in questions.keys() & came.keys():
            marks[number] = verdict(exercises[number], came[number])
        if not at:
            break
        skip.append(at)
        if at in questions:
            marks[at] = Mark("wrong", "Your answer has no end, or it ends Python.")
    why = "the rest has no end" if at else "its process does not start"
    return {number: marks.get(number, Mark("error", why)) for number in expressions}


def probe_of(exercise: Exercise) -> dict[str, str]:
    """A probe's name, and its source with what it needs and no more: no answers."""
    name, module = exercise.probe.__name__, inspect.getmodule(exercise.probe)
    if module is None or not re.search(r"\.n\d\d$", module.__name__):
        return {"probe": name, "source": ""}
    parts = [ast.unparse(node) for node in ast.parse(inspect.getsource(module)).body]
    chosen = needed([*parts, name], [len(parts)], changed=False)
    return {"probe": name, "source": "\n".join(parts[i] for i in chosen[:-1])}


def verdict(exercise: Exercise, line: dict[str, Any]) -> Mark:
    """What the course says of a value that came out of the box."""
    kind = line.get("kind")
    if kind == "blank":
        return Mark("blank")
    if kind == "failed":
        return Mark("error", str(line.get("error", ""))[:300])
    try:
        if kind == "value":
            said = diagnose(exercise, plain(line["value"]))
        else:
            given, way = plain(line["given"]), line["way"]
            found = WAYS[way](*given) if way else given
            seen = running.Seen(str(line["printed"]), bool(line["changed"]))
            answer = stand_in(str(kind), str(line["name"]))
            said = diagnose(exercise, answer, (found, seen))
    except Exception as error:  # it may be any line
        text = f"what came out cannot be judged: {type(error).__name__}: {error}"
        return Mark("error", text[:200])
    return Mark(said.status, said.message if said.status == "wrong" else "")
