"""Which cells an answer needs: a notebook is marked without its trainings and figures.

Backwards from the cell that checks: a cell that binds a name that is needed, and one
that mentions data that are needed and may have changed them. `everything` runs all.
"""

from __future__ import annotations

import ast
import dis
import types
from collections.abc import Container, Sequence
from typing import NamedTuple

DYNAMIC = {"exec", "globals", "locals", "vars"}  # may bind any name


class Names(NamedTuple):
    """What a cell reads before it binds it, what it binds, and which are no data."""

    read: set[str]
    bound: set[str]
    fixed: set[str]  # modules, functions, classes


def names(source: str) -> Names:
    """The global names of a piece of Python; SyntaxError if it is none."""
    tree, fixed = ast.parse(source), set()
    for node in tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            fixed |= {(n.asname or n.name).split(".")[0] for n in node.names}
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            fixed.add(node.name)
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    code = compile(source, "cell", "exec", flags=flags, dont_inherit=True)
    read, bound = _globals(code)
    return Names(read, bound, fixed)


def _globals(code: types.CodeType) -> tuple[set[str], set[str]]:
    read: set[str] = set()
    bound: set[str] = set()
    for step in dis.get_instructions(code):  # in the order in which they run
        if step.opname.startswith(("STORE_NAME", "STORE_GLOBAL")):
            bound.add(step.argval)
        elif step.opname in ("LOAD_NAME", "LOAD_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS"):
            read |= {step.argval} - bound
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            read |= _globals(part)[0] - bound
    return read, bound


def needed(
    cells: Sequence[str], roots: Container[int], *, changed: bool = True
) -> list[int]:
    """The cells, in their order, that those at `roots` need; they themselves, too.

    `changed`: also those that may change data that are needed. A cell that is no Python
    stays in: running it says what is wrong.
    """
    known: list[Names | None] = []
    for source in cells:
        lines = source.split("\n")
        body = lines[1:] if source.startswith("%%") else lines  # as %%time
        plain = [line for line in body if not line.lstrip().startswith(("%", "!"))]
        try:
            known.append(names("\n".join(plain)))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            known.append(None)
    fixed = {name for found in known if found for name in found.fixed}
    own = {name for found in known if found for name in found.bound}  # no builtins
    later: set[str] = set()  # bound below the function that reads them
    while True:
        wanted, chosen = set(later), []
        for i in reversed(range(len(cells))):
            if (found := known[i]) is None:
                chosen.append(i)
                continue
            read = found.read & own
            touched = found.bound | (read - fixed if changed else set())
            if i in roots or touched & wanted or DYNAMIC & found.read:
                chosen.append(i)
                wanted = (wanted - found.bound) | read
        if wanted <= later:
            return chosen[::-1]
        later |= wanted
