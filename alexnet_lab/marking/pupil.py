"""The process in the box: it runs a student's cells and hands out values, line by line.

Started as ``python -m alexnet_lab.marking.pupil``; the job comes on standard input, the
values go to standard output, each a line of JSON. A student's code may do what it likes
here, even write such lines: what comes out is taken for an answer, not for a verdict.
"""

from __future__ import annotations

import ast
import errno
import faulthandler
import importlib
import json
import os
import shutil
import sys
import textwrap
from contextlib import suppress
from pathlib import Path
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from alexnet_lab.exercises import answers, checking, running
from alexnet_lab.marking.box import FILES
from alexnet_lab.marking.kinds import inner_kind
from alexnet_lab.marking.needed import needed

MOST_BYTES = 2**21  # of a line
# New processes, and memory that no limit counts
REFUSED = ("fork", "vfork", "unshare", "setns", "memfd_create", "shmget",
           "io_uring_setup")  # fmt: skip
THREAD = 0x10000  # CLONE_THREAD: the one kind of clone that makes no new process


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
    """An answer as it can leave the box: a value, or what its probe makes of it."""
    if running.has_blank(answer) or running.is_stub(answer):
        return {"kind": "blank"}
    if not (kind := inner_kind(answer)):
        return {"kind": "value", "value": answers.plain(answer)}
    names: dict[str, Any] = {"sorted": sorted, "identity": checking.identity}
    exec(question["source"], names)
    given, seen = running.outcome(names[question["probe"]], answer)
    way = ""
    if isinstance(given, (running.Raised, running.Said, running.Endless)):
        way, given = type(given).__name__, list(vars(given).values())
    name = getattr(answer, "__name__", type(answer).__name__)
    line = {"kind": kind, "name": name, "way": way, "given": given}
    return line | {"printed": seen.printed[:2_000], "changed": seen.changed_argument}


def asked(
    own: str, question: dict[str, str], names: Any, failed: dict[str, str]
) -> dict[str, Any]:
    """The answer: of the expression in a student's own check, or else in the course's.

    Where there is none, a cell that `failed` may have been to bind it.
    """
    missing = ""
    for text in (own, question["expression"]):
        try:
            return described(eval(text, names), question)
        except NameError as error:
            missing = str(error.name)
    for source, why in failed.items():
        if missing in source:
            return {"kind": "failed", "error": f"its cell failed: {why}"}
    return {"kind": "blank"}


def in_words(error: BaseException) -> str:
    """An error in a line."""
    if isinstance(error, SyntaxError):
        return f"SyntaxError: {error.msg}, line {error.lineno}"
    return textwrap.shorten(f"{type(error).__name__}: {error}", 200, placeholder=" …")


def limit(seconds: float, gibibytes: float) -> None:
    """What the process may take from now on; memory beyond what it has now."""
    import resource

    limits = {"CPU": int(seconds) + 1, "FSIZE": FILES, "NOFILE": 256, "CORE": 0}
    with suppress(OSError):  # macOS has no such file, and sets no limit of memory
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limits["AS"] = pages * resource.getpagesize() + int(gibibytes * 2**30)
    for what, most in limits.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{what}"), (most, most))


def refuse() -> None:
    """Refuse the process new processes, and memory that no limit counts. On Linux."""
    import pyseccomp as calls

    rules, no = calls.SyscallFilter(calls.ALLOW), calls.ERRNO(errno.EPERM)
    for call in REFUSED:
        rules.add_rule(no, call)
    rules.add_rule(no, "clone", calls.Arg(0, calls.MASKED_EQ, THREAD, 0))
    rules.add_rule(calls.ERRNO(errno.ENOSYS), "clone3")  # glibc then takes clone
    rules.set_attr(calls.Attr.CTL_TSYNC, 1)  # for all threads
    rules.load()


def prepared(job: dict[str, Any]) -> InteractiveShell:
    """The shell for a job's cells; from now on the limits hold."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    with suppress(OSError):  # else matplotlib looks for its fonts anew
        shutil.copytree("../fonts", os.environ["MPLCONFIGDIR"])
    for room in ("matplotlib.pyplot", "alexnet_lab.models", "alexnet_lab.plots"):
        importlib.import_module(room)  # so that no cell spends its time on it
    for where in (checking, sys.modules["alexnet_lab.exercises"]):
        vars(where).update(check=lambda *_: None, hint=lambda *_: None)  # no answers
    running.SECONDS = 0.8 * job["seconds"]  # so that it is the first to say so
    shell = Shell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    limit(job["total"], job["gibibytes"])
    if not job["trusted"]:
        refuse()
    return shell


def main() -> None:
    """Run what the job needs; say what came out."""
    job, out = json.load(sys.stdin), os.fdopen(os.dup(1), "w")
    shell = prepared(job)

    def say(**line: Any) -> None:
        text = json.dumps(line, default=answers.describe)
        if len(text) > MOST_BYTES:
            raise ValueError(f"the answer is too large: {len(text):,} bytes")
        print(text, file=out, flush=True)

    def start(at: Any) -> None:
        say(at=at)  # the last word, if the clock ends the process
        faulthandler.dump_traceback_later(job["seconds"], exit=True, file=2)

    cells, questions = job["cells"], job["questions"]
    checked = [
        [(number, text) for number, text in checks_of(source) if number in questions]
        for source in cells
    ]
    met = {number for found in checked for number, _ in found}
    for number in [number for number in questions if number not in met]:
        cells.append(questions[number]["expression"])  # it was deleted or changed
        checked.append([(number, cells[-1])])
    failed: dict[str, str] = {}  # cells, and why
    roots = [i for i, found in enumerate(checked) if found]
    for i in range(len(cells)) if job["everything"] else needed(cells, roots):
        try:
            if str(i) in job["skip"]:
                raise TimeoutError("no end, or it ends Python")
            start(i)
            shell.run_cell(cells[i], store_history=False).raise_error()
        except BaseException as error:  # a student's code may raise anything
            if not (checked[i] and isinstance(error, NameError)):  # a consequence
                failed[cells[i]] = in_words(error)
        for number, own in checked[i]:
            try:
                start(number)
                answer = asked(own, questions[number], shell.user_ns, failed)
                say(number=number, **answer)
            except BaseException as error:
                say(number=number, kind="failed", error=in_words(error))
    say(at="end")


if __name__ == "__main__":
    main()
