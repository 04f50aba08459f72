"""Marks one notebook: starts a pupil, compares its values with the course's.

Nothing of a student's is executed here. A network is loaded as a description of layers
of torch.nn (``weights_only``), on a device without memory where it makes new weights.
"""

from __future__ import annotations

import ast
import base64
import inspect
import io
import json
import os
import re
import select
import time
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Literal, NamedTuple

import torch
from torch import nn

import alexnet_lab.models
from alexnet_lab.exercises import running
from alexnet_lab.exercises.answers import plain
from alexnet_lab.exercises.checking import Exercise, diagnose, exercises_of
from alexnet_lab.marking.box import Box
from alexnet_lab.marking.needed import needed

MOST_BYTES = 2**26  # of a line and what is left of it, and of a network
STARTS = 3  # of a pupil, for one notebook
STARTING, TOTAL = 60, 30  # seconds until it runs; of all cells, in units of one's
WAYS = {way.__name__: way for way in (running.Raised, running.Said, running.Endless)}
LAYERS = [
    layer
    for room in (nn, alexnet_lab.models)
    for layer in vars(room).values()
    if isinstance(layer, type) and issubclass(layer, nn.Module)
]


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
    job = {"cells": cells, "skip": [], **limits._asdict()}
    at: Any = "start"
    for _ in range(STARTS):
        questions = {
            number: {"expression": text, **probe_of(exercises[number])}
            for number, text in expressions.items()
            if number not in marks
        }
        at, came = "start", {}
        for line in _lines(box, json.dumps(job | {"questions": questions}), limits):
            at = line.get("at", at)
            came[str(line.get("number"))] = line  # the last one counts
        for number in questions.keys() & came.keys():
            marks[number] = verdict(exercises[number], came[number])
        if at in ("end", "start"):
            break
        job["skip"].append(at)
        if str(at) in questions:
            marks[at] = Mark("wrong", "Your answer has no end, or it ends Python.")
    left = "its process does not start" if at == "start" else "the rest has no end"
    return {number: marks.get(number, Mark("error", left)) for number in expressions}


def probe_of(exercise: Exercise) -> dict[str, str]:
    """A probe's name, and its source with what it needs and no more: no answers."""
    name, module = exercise.probe.__name__, inspect.getmodule(exercise.probe)
    if module is None or not re.search(r"\.n\d\d$", module.__name__):
        return {"probe": name, "source": ""}
    parts = [ast.unparse(node) for node in ast.parse(inspect.getsource(module)).body]
    chosen = needed([*parts, name], [len(parts)], changed=False)
    return {"probe": name, "source": "\n".join(parts[i] for i in chosen[:-1])}


def _lines(box: Box, job: str, limits: Limits) -> Iterator[dict[str, Any]]:
    """What a pupil says, until it ends, is silent for too long, or talks too much."""
    total = TOTAL * limits.seconds
    with box.pupil(job, total) as out:
        come, end = bytearray(), time.monotonic() + total
        silent = time.monotonic() + STARTING + 2 * limits.seconds
        while len(come) < MOST_BYTES:
            wait = min(silent, end) - time.monotonic()
            if wait < 0 or not select.select([out], [], [], wait)[0]:
                return
            if not (part := os.read(out.fileno(), 2**20)):
                return
            come += part
            *lines, rest = come.split(b"\n") if b"\n" in part else [come]
            come = bytearray(rest)
            for line in lines:
                silent = time.monotonic() + 2 * limits.seconds + 5
                with suppress(ValueError, RecursionError):
                    if isinstance(said := json.loads(line), dict):
                        yield said


# --------------------------------------------------------------------------- verdicts
def verdict(exercise: Exercise, line: dict[str, Any]) -> Mark:
    """What the course says of a value that came out of the box."""
    kind = line.get("kind")
    if kind in ("blank", "failed"):
        words = str(line.get("error", ""))[:300]
        return Mark("error", words) if kind == "failed" else Mark("blank")
    try:
        answer, found = _answer(line)
        said = diagnose(exercise, answer, found)
    except Exception as error:  # it may be any line
        text = f"what came out cannot be judged: {type(error).__name__}: {error}"
        return Mark("error", text[:200])
    return Mark(said.status, said.message if said.status == "wrong" else "")


def _answer(line: dict[str, Any]) -> tuple[Any, tuple[Any, running.Seen] | None]:
    """The answer; in place of a function its name, and what its probe found."""
    kind, name = line["kind"], str(line.get("name"))
    if kind == "value":
        return plain(line["value"]), None
    if kind == "net":
        return _network(base64.b64decode(line["net"])), None
    if kind in ("object", "class"):
        made = type(name, (), {})
        return made if kind == "class" else made(), None
    given = plain(line["given"])
    if isinstance(given, dict) and len(given) == 1 and (way := WAYS.get(*given)):
        given = way(*given.popitem()[1])

    def function() -> None:
        """Stands for the one in the box."""

    function.__name__ = name
    return function, (given, running.Seen(str(line["printed"]), bool(line["changed"])))


def _network(saved: bytes) -> nn.Module | list[nn.Module]:
    """A network, or a list of layers; what it would allocate, the device has not."""
    with zipfile.ZipFile(io.BytesIO(saved)) as parts:
        if sum(part.file_size for part in parts.infolist()) > MOST_BYTES:
            raise ValueError("the network is too large")
    with torch.serialization.safe_globals([*LAYERS, set]), torch.device("meta"):
        return torch.load(io.BytesIO(saved), weights_only=True)
