"""The process in the box: it runs a student's cells and hands out values, line by line.

Started as ``python -m alexnet_lab.marking.pupil``; the job comes on standard input, the
values go to standard output, each a line of JSON. A student's code may do what it likes
here, even write such lines: what comes out is taken for an answer, not for a verdict.
"""

from __future__ import annotations

import ast
import base64
import importlib
import io
import json
import os
import shutil
import signal
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from IPython.core.interactiveshell import InteractiveShell
from torch import nn
from traitlets.config import Config

from alexnet_lab.exercises import answers, checking, running
from alexnet_lab.marking.needed import needed

MOST_BYTES = 2**25  # of a line


class TooLong(BaseException):
    """The time of a cell is over; no `except Exception` stops it."""


class Shell(InteractiveShell):
    """What a kernel runs cells with."""

    def enable_gui(self, gui: Any = None) -> None:
        """``%matplotlib inline`` needs nothing here."""


def checks_of(source: str) -> list[tuple[str, str]]:
    """The exercises that a cell checks, each with the expression of its answer."""
    with suppress(SyntaxError, ValueError, RecursionError, MemoryError):
        return [
            (str(call.args[0].value), ast.unparse(call.args[1]))
            for call in ast.walk(ast.parse(source))
            if isinstance(call, ast.Call)
            and ast.unparse(call.func).split(".")[-1] == "check"
            and len(call.args) == 2
            and isinstance(call.args[0], ast.Constant)
        ]
    return []


def described(answer: Any, question: dict[str, str]) -> dict[str, Any]:
    """An answer as it can leave the box."""
    if running.has_blank(answer) or running.is_stub(answer):
        return {"kind": "blank"}
    layers = answer if isinstance(answer, (list, tuple)) else [answer]
    if layers and all(isinstance(layer, nn.Module) for layer in layers):
        known = {id(m) for one in layers for m in one.modules() if not _of_torch(m)}
        if known:  # a class of the student's own stays in the box
            return {"kind": "object", "name": type(answer).__name__}
        torch.save(answer, file := io.BytesIO())
        return {"kind": "net", "net": base64.b64encode(file.getvalue()).decode()}
    if isinstance(answer, type):
        return {"kind": "class", "name": answer.__name__}
    if not callable(answer):
        return {"kind": "value", "value": answers.plain(answer)}
    names: dict[str, Any] = {"sorted": sorted, "identity": checking.identity}
    exec(question["source"], names)
    given, seen = running.outcome(names[question["probe"]], answer)
    name = getattr(answer, "__name__", type(answer).__name__)
    found = {"kind": "function", "name": name, "printed": seen.printed[:2_000]}
    if isinstance(given, (running.Raised, running.Said, running.Endless)):
        given = {type(given).__name__: list(vars(given).values())}
    return found | {"changed": seen.changed_argument, "given": given}


def in_words(error: BaseException) -> str:
    """An error in a line."""
    if isinstance(error, SyntaxError):
        return f"SyntaxError: {error.msg}, line {error.lineno}"
    return textwrap.shorten(f"{type(error).__name__}: {error}", 200, placeholder=" …")


def _of_torch(layer: nn.Module) -> bool:
    return type(layer).__module__.startswith(("torch.nn.", "alexnet_lab.models."))


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """`TooLong` after so many seconds, and every second from then on."""

    def stop(*_: Any) -> None:
        raise TooLong(f"no end after {seconds:.0f} s")

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def limit_memory(gibibytes: float) -> None:
    """So much more address space than the process takes by now; on Linux only."""
    with suppress(ImportError, OSError):
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + int(gibibytes * 2**30)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def main() -> None:
    """Run what the job needs; say what came out."""
    job, out = json.loads(os.fdopen(os.dup(0)).read()), os.fdopen(os.dup(1), "w")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    with suppress(OSError, KeyError):  # else matplotlib looks for its fonts anew
        shutil.copytree(Path.cwd().parent / "matplotlib", os.environ["MPLCONFIGDIR"])
    for room in ("matplotlib.pyplot", "alexnet_lab.models", "alexnet_lab.plots"):
        importlib.import_module(room)  # so that no cell spends its time on it
    for asked in (checking, sys.modules["alexnet_lab.exercises"]):
        vars(asked).update(check=lambda *_: None, hint=lambda *_: None)  # no answers
    settings = Config()
    settings.HistoryManager.enabled = False
    shell = Shell.instance(config=settings)
    running.SECONDS = 0.8 * job["seconds"]  # so that it is the first to say so
    limit_memory(job["gibibytes"])

    def say(**line: Any) -> None:
        text = json.dumps(line, default=answers.describe)
        if len(text) > MOST_BYTES:
            raise ValueError(f"the answer is too large: {len(text):,} bytes")
        out.write(text + "\n")
        out.flush()

    cells, questions = job["cells"], job["questions"]
    failed: list[tuple[str, str]] = []  # cells, and why

    def ask(number: str, expressions: list[str], since: int) -> None:
        say(at=number)
        for text in expressions:  # the student's own, then the course's
            try:
                with limited(job["seconds"]):
                    answer = described(eval(text, shell.user_ns), questions[number])
                    return say(number=number, **answer)
            except NameError:
                continue
            except BaseException as error:
                return say(number=number, kind="failed", error=in_words(error))
        near = [why for source, why in failed if text in source]
        near += [why for _, why in failed[since:]]
        kind, why = ("failed", f"its cell failed: {near[0]}") if near else ("blank", "")
        return say(number=number, kind=kind, error=why)

    checked = {i: checks_of(source) for i, source in enumerate(cells)}
    met = {number for found in checked.values() for number, _ in found}
    for number, question in questions.items():
        if number not in met:  # a student has deleted or changed the check
            checked[len(cells)] = [(number, question["expression"])]
            cells.append(question["expression"])
    roots = [i for i, found in checked.items() if found]
    order = range(len(cells)) if job["everything"] else needed(cells, roots)
    since = 0
    for i in order:
        say(at=i)
        try:
            if i in job["skip"]:
                raise TooLong("no end, or it ends Python")
            with limited(job["seconds"]):
                result = shell.run_cell(cells[i], store_history=False)
            result.raise_error()
        except BaseException as error:  # a student's code may raise anything
            if not (checked[i] and isinstance(error, NameError)):  # a consequence
                failed.append((cells[i], in_words(error)))
        for number, text in checked[i]:
            if number in questions:
                ask(number, [text, questions[number]["expression"]], since)
            since = len(failed)
    say(at="end")


if __name__ == "__main__":
    main()
