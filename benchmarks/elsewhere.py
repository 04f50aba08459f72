"""A recipe in a process of its own, so that what our package sets does not help it."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

from benchmarks.measure import Repeat, repeat

# What alexnet_lab sets for a process, as it is where nobody sets it.
AS_SHIPPED = {"THP_MEM_ALLOC_ENABLE": "0", "GOMP_SPINCOUNT": None}


@contextmanager
def in_another_process(recipe: Callable, *arguments) -> Iterator[Repeat]:
    """Let ``recipe(*arguments)`` make its step in a fresh process with plain settings.

    Args:
        recipe: a function of a module, and its arguments: both are sent over.

    Yields:
        A function that takes so many steps over there and returns when they are done.

    Raises:
        RuntimeError: the other process ended early; its own message is on the screen.
    """
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(there, recipe, arguments), daemon=True
    )
    with _environment(AS_SHIPPED):
        process.start()
    there.close()  # ours of the two copies; so recv() fails when the process is gone

    def run(count: int) -> None:
        try:
            here.send(count)
            here.recv()
        except (EOFError, BrokenPipeError) as error:
            raise RuntimeError(f"the process of {recipe.__name__} ended") from error

    try:
        yield run
    finally:
        here.close()
        process.join()


def _serve(connection: Connection, recipe: Callable, arguments: tuple) -> None:
    run = repeat(recipe(*arguments))
    while True:
        try:
            count = connection.recv()
        except EOFError:  # nobody asks any more
            return
        run(count)
        connection.send(count)


@contextmanager
def _environment(values: dict[str, str | None]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    _set(values)
    try:
        yield
    finally:
        _set(before)


def _set(values: dict[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
