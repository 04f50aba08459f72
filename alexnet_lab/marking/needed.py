"""Which cells an answer needs: a notebook is marked without its trainings and figures.

Backwards from the cell that checks: a cell that binds a name that is needed, and one
that mentions data that are needed and may have changed them. `everything` runs all.
"""

import ast
import dis
import types
from collections.abc import Container, Sequence

DYNAMIC = {"exec", "globals", "locals", "vars"}  # may bind any name


def needed(
    cells: Sequence[str], roots: Container[int], *, changed: bool = True
) -> list[int]:
    """The cells, in their order, that those at `roots` need; they themselves, too.

    `changed`: also those that may change data that are needed. A cell that is no Python
    stays in: running it says what is wrong.
    """
    known = [_names(source) for source in cells]
    own = {name for found in known if found for name in found[1]}  # no builtins
    fixed = {name for found in known if found for name in found[2]}
    later: set[str] = set()  # bound below the function that reads them
    while True:
        wanted, chosen = set(later), []
        for i in reversed(range(len(cells))):
            read, bound, _ = known[i] or (DYNAMIC, set(), set())
            touched = bound | (read & own - fixed if changed else set())
            if i in roots or touched & wanted or DYNAMIC & read:
                chosen.append(i)
                wanted = (wanted - bound) | read & own
        if wanted <= later:
            return chosen[::-1]
        later |= wanted


def _names(source: str) -> tuple[set[str], set[str], set[str]] | None:
    """Names that a cell reads before it binds them, that it binds, that are no data."""
    start = 1 if source.startswith("%%") else 0  # as %%time
    lines = source.split("\n")[start:]
    plain = [line for line in lines if not line.lstrip().startswith(("%", "!"))]
    try:
        tree = ast.parse("\n".join(plain))
        read, bound = _globals(compile(tree, "cell", "exec"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    fixed: set[str] = set()  # modules, functions, classes
    for node in tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            fixed |= {(n.asname or n.name).split(".")[0] for n in node.names}
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            fixed.add(node.name)
    return read, bound, fixed


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
