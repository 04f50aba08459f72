"""A recipe in a process of its own, so that what `make bench` sets does not help it."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from unittest.mock import patch

from alexnet_lab.environment import FAST_CPU
from benchmarks.measure import Repeat, repeat


@contextmanager
def in_another_process(recipe: Callable, *arguments: object) -> Iterator[Repeat]:
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
    with patch.dict(os.environ):
        for name in FAST_CPU:
            os.environ.pop(name, None)
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
