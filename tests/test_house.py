"""The house: imports point down, notebooks enter by the rooms, the taught is there."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import json
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import alexnet_lab

PACKAGE = Path(alexnet_lab.__file__).parent
NOTEBOOKS = sorted((PACKAGE.parent / "notebooks").glob("*.ipynb"))

# From the bottom up; what stands on one floor knows nothing of its neighbours.
FLOORS = (
    ("environment", "runtime"),
    ("arithmetic",),
    ("models",),
    ("training",),
    ("data",),
    ("plots",),
    ("inside",),
    ("studies",),
    ("exercises",),
    ("named",),
    ("doctor", "key", "marking", "train"),
    ("__main__",),
)
FLOOR = {room: height for height, rooms in enumerate(FLOORS) for room in rooms}


def imported(source: str) -> Iterator[str]:
    """Dotted names that a program takes from the package, also inside functions."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            whole = node.module == "alexnet_lab"
            names = (f"alexnet_lab.{name.name}" for name in node.names)
            yield from names if whole else (node.module,)


def rooms_of(source: str) -> set[str]:
    parts = (name.split(".") for name in imported(source))
    return {p[1] for p in parts if p[0] == "alexnet_lab" and len(p) > 1} & FLOOR.keys()


def files() -> list[Path]:
    return [path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py"]


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_every_file_has_a_floor() -> None:
    assert {room_of(path) for path in files()} <= FLOOR.keys()


@pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    room = room_of(path)
    above = {
        other
        for other in rooms_of(path.read_text(encoding="utf-8")) - {room}
        if FLOOR[other] >= FLOOR[room]
    }
    assert not above, f"{room} imports {sorted(above)}, which do not lie below it"


def test_no_circle_of_files() -> None:
    arrows = {}
    tools = (PACKAGE.parent / "tools").glob("*.py")
    for path in (*files(), *tools):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        name = ".".join(parts).removeprefix("tools.")
        arrows[name] = set(imported(path.read_text(encoding="utf-8")))
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, f"a circle: {' → '.join((*way, name))}"
        if name not in done:
            for other in arrows[name] & arrows.keys():
                visit(other, (*way, name))
            done.add(name)

    for name in arrows:
        visit(name, ())


def code(path: Path) -> list[str]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem[:2])
def test_a_notebook_enters_by_the_rooms(path: Path) -> None:
    pattern = r"(?:from|import) (alexnet_lab\.\w+\.\w+)"
    inside = {name for cell in code(path) for name in re.findall(pattern, cell)}
    assert not inside, f"import from the room, not from a file in it: {inside}"


def public() -> Iterator[tuple[str, object]]:
    """Every public function and class of the package, with its dotted name."""
    for found in pkgutil.walk_packages([str(PACKAGE)], "alexnet_lab."):
        if found.name == "alexnet_lab.__main__" or re.search(r"\.n\d\d$", found.name):
            continue
        module = importlib.import_module(found.name)
        for name, value in vars(module).items():
            if name[0] != "_" and getattr(value, "__module__", "") == found.name:
                yield f"{found.name}.{name}", value


def test_what_is_taught_is_in_its_notebook() -> None:
    everything = {path.stem[:2]: "\n".join(code(path)) for path in NOTEBOOKS}
    taught, missing = 0, []
    for name, value in public():
        for numbers in re.findall(
            r"Taught in ([\d, and]+)\.", inspect.getdoc(value) or ""
        ):
            for number in re.findall(r"\d\d", numbers):
                taught += 1
                word = rf"\b{name.rsplit('.', 1)[1]}\b"
                if not re.search(word, everything.get(number, "")):
                    missing.append(f"{name} is not in notebook {number}")
    assert not missing, "\n".join(missing)
    assert taught >= 20


@pytest.mark.parametrize("room", ["arithmetic", "models", "training", "data", "inside",
                                  "plots", "exercises", "studies"])  # fmt: skip
def test_a_room_says_what_it_is_for_and_exports_names(room: str) -> None:
    module = importlib.import_module(f"alexnet_lab.{room}")
    assert len(re.findall(r"[.:!?](?:\s|$)", module.__doc__ or "")) >= 3
    assert module.__all__ and all(hasattr(module, name) for name in module.__all__)


@pytest.mark.parametrize("room", sorted({room_of(path) for path in files()}))
def test_the_examples_of_docstrings_run(room: str) -> None:
    """Each file of a room by itself; __main__ has none and would start a command."""
    names = [f"alexnet_lab.{room}"] if room != "__main__" else []
    if (PACKAGE / room).is_dir():
        found = pkgutil.iter_modules([str(PACKAGE / room)], f"{names[0]}.")
        names += [module.name for module in found]
    for name in names:
        result = doctest.testmod(importlib.import_module(name))
        assert result.failed == 0, f"{name}: {result.failed} of {result.attempted}"
