"""Proves the solutions of a notebook's exercises while the notebook runs.

A copy of the notebook gets, after each cell tagged ``check``, a cell that runs the
solution in place of the blank and then the check itself, strictly. That cell works in a
copy of the notebook's namespace and gives the random generators back as they were, so
the notebook runs on as if it had not been there. Should a solution change an object in
place all the same, the outputs after it differ from the committed ones, which a test
sees.
"""

from __future__ import annotations

import linecache
import os
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

INJECTED = "injected"
PYTHON_BLOCK = re.compile(r"^```python\n(.*?)^```[ \t]*$", re.DOTALL | re.MULTILINE)


def has_tag(cell: Any, tag: str) -> bool:
    """Whether a notebook's cell has a tag."""
    return tag in cell.metadata.get("tags", [])


def solution_of(markdown: str) -> str:
    """The one fenced python block of a solution cell.

    Raises:
        ValueError: if there is none, or more than one.
    """
    blocks = PYTHON_BLOCK.findall(markdown)
    if len(blocks) != 1:
        raise ValueError(f"a solution has one python block, this has {len(blocks)}")
    return blocks[0]


def inject(notebook: Any) -> None:
    """Add, in place, a cell that proves the solution after each check.

    Raises:
        ValueError: if a check is not followed by a solution with one python block.
    """
    from nbformat.v4 import new_code_cell

    cells = []
    for cell, following in zip(
        notebook.cells, [*notebook.cells[1:], None], strict=True
    ):
        cells.append(cell)
        if not has_tag(cell, "check"):
            continue
        if following is None or not has_tag(following, "solution"):
            raise ValueError(f"cell {cell.id}: no solution follows this check")
        try:
            solution = solution_of(following.source)
        except ValueError as error:
            raise ValueError(f"cell {following.id}: {error}") from None
        source = (
            f"# the solution in {following.id}, then the check in {cell.id}\n"
            "__import__('solutions').prove(\n"
            f"    globals(),\n    {solution!r},\n    {cell.source!r},\n)"
        )
        cells.append(
            new_code_cell(
                source, id=f"proof-{cell.id}"[:64], metadata={"tags": [INJECTED]}
            )
        )
    notebook.cells = cells


def drop_injected(notebook: Any) -> None:
    """Remove, in place, the cells that `inject` added."""
    notebook.cells = [cell for cell in notebook.cells if not has_tag(cell, INJECTED)]


def prove(namespace: dict[str, Any], solution: str, check: str) -> None:
    """Run a solution and then its check, strictly, in a copy of a namespace.

    Called in the kernel by the injected cell.

    Raises:
        AssertionError: with the check's message, if it does not accept the solution.
        Exception: whatever else the solution raises.
    """
    inside = dict(namespace)
    with _random_states_kept(), _strict():
        _run(solution, "<solution>", inside)
        _run(check, "<check>", inside)


def _run(source: str, name: str, namespace: dict[str, Any]) -> None:
    lines = source.splitlines(keepends=True)
    linecache.cache[name] = (len(source), None, lines, name)  # for the traceback
    exec(compile(source, name, "exec", dont_inherit=True), namespace)


@contextmanager
def _strict() -> Iterator[None]:
    before = os.environ.get("ALEXNET_LAB_STRICT")
    os.environ["ALEXNET_LAB_STRICT"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["ALEXNET_LAB_STRICT"]
        else:
            os.environ["ALEXNET_LAB_STRICT"] = before


@contextmanager
def _random_states_kept() -> Iterator[None]:
    import numpy
    import torch

    python, array = random.getstate(), numpy.random.get_state()  # noqa: NPY002
    on_mps = torch.backends.mps.is_available()
    mps = torch.mps.get_rng_state() if on_mps else None
    cuda = range(torch.cuda.device_count()) if torch.cuda.is_available() else []
    try:
        with torch.random.fork_rng(devices=list(cuda)):
            yield
    finally:
        random.setstate(python)
        numpy.random.set_state(array)  # noqa: NPY002
        if on_mps:
            torch.mps.set_rng_state(mps)
