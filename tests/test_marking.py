"""Marking: what leaves the box, which cells run, and students who are up to no good."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
import torch
from notebook_outputs import ROOT
from solutions import has_tag, solution_of
from torch import nn

from alexnet_lab import __main__, marking
from alexnet_lab.exercises.checking import Exercise, exercises_of
from alexnet_lab.exercises.running import build
from alexnet_lab.marking import Limits, Mark, box, judge, marks, pupil
from alexnet_lab.marking.needed import needed

COURSE = [one for number in range(12) for one in exercises_of(f"{number:02}")]
each_exercise = pytest.mark.parametrize("exercise", COURSE, ids=lambda e: e.number)
BOX = box.closed()
needs_a_box = pytest.mark.skipif(bool(BOX), reason=BOX or "there is one")


# ------------------------------------------------------------- what comes out of a box
def through(exercise: Exercise, answer: Any) -> tuple[dict[str, Any], Mark]:
    """An answer as a pupil writes it, and what the judge makes of the line."""
    line = pupil.described(answer, judge.probe_of(exercise))
    line = json.loads(json.dumps(line, default=pupil.answers.describe))
    return line, judge.verdict(exercise, line)


@each_exercise
def test_answers_are_judged_as_in_the_notebook(exercise: Exercise) -> None:
    assert through(exercise, build(exercise.answer))[1] == Mark("right")
    assert through(exercise, ...)[1] == Mark("blank")
    for wrong in exercise.wrong[:2]:  # test_exercises.py takes all of them
        assert through(exercise, build(wrong.answer))[1] == Mark("wrong", wrong.says)


@each_exercise
def test_a_probe_takes_no_answers_into_the_box(exercise: Exercise) -> None:
    source = judge.probe_of(exercise)["source"]
    assert "Exercise" not in source and "Wrong" not in source
    name = getattr(exercise.answer(), "__name__", "")
    known = exercise.number == "02.4"  # it looks whether the weights are right
    assert f"def {name}(" not in source or known


class Own(nn.Module):
    """A network of a student's own class."""


@pytest.mark.parametrize(
    ("number", "answer", "says"),
    [
        ("01.4", Own(), "Your answer raised"),
        ("01.4", nn.ReLU, "Expected an nn.Sequential, got the class ReLU."),
        ("00.1", torch.empty(2, device="meta"), "ValueError: a tensor on the meta"),
        ("00.1", {1, 2}, "Expected an integer"),
        ("01.5", lambda *_: 1 / 0, "Your answer raised ZeroDivisionError"),
        ("01.5", lambda *_: print(5), "return instead of print"),
        ("01.2", 10**5000, "got the number inf"),
    ],
    ids=["own class", "class", "meta", "set", "raises", "prints", "huge"],
)
def test_an_answer_of_any_kind_gets_its_words(
    number: str, answer: Any, says: str
) -> None:
    (exercise,) = [one for one in COURSE if one.number == number]
    try:
        mark = through(exercise, answer)[1]
    except ValueError as error:  # in a pupil it is caught, and said
        mark = Mark("error", f"cannot be judged: ValueError: {error}")
    assert mark.status in ("wrong", "error") and says in mark.says


@pytest.mark.parametrize(
    "line",
    [
        {"kind": "value"},
        {"kind": "layer", "name": "Net", "way": "", "given": 1, "printed": ""},
        {
            "kind": "function",
            "name": "f",
            "way": "Raised",
            "given": [1, 2],
            "printed": "",
            "changed": False,
        },
        {"kind": "no such"},
        {},
    ],
)
def test_a_forged_line_is_an_error_and_no_more(line: dict[str, Any]) -> None:
    assert judge.verdict(COURSE[0], line).status == "error"


# ------------------------------------------------------------------- cells that matter
@pytest.mark.parametrize(
    ("cells", "roots", "wanted"),
    [
        (["import torch", "x = 1", "y = x + 1", "z = 3", "y"], {4}, [1, 2, 4]),
        (["x = [1]", "x.append(2)", "print(x)", "x"], {3}, [0, 1, 2, 3]),
        (["x = 1", "x = 2", "x"], {2}, [1, 2]),
        (["import torch", "torch.zeros(3)", "torch.ones(1)"], {2}, [0, 2]),
        (["def f(): return g()", "def g(): return 1", "f()"], {2}, [0, 1, 2]),
        (["a = 1", "def f(b=a): return b", "f()"], {2}, [0, 1, 2]),
        (["x = 1", "exec('x = 2')", "x"], {2}, [0, 1, 2]),
        (["%%time\nx = 1", "!ls\ny = x", "y"], {2}, [0, 1, 2]),
        (["x = ", "1"], {1}, [0, 1]),
        (["n = 1", "[n for n in range(3)]", "n"], {2}, [0, 2]),
        (["n = 1", "[m + n for m in range(3)]", "n"], {2}, [0, 1, 2]),
        (["class A: x = 1", "class B(A): pass", "B()"], {2}, [0, 1, 2]),
    ],
)
def test_cells_that_an_answer_needs(
    cells: list[str], roots: set[int], wanted: list[int]
) -> None:
    assert needed(cells, roots) == wanted


def test_checks_are_found_in_every_form() -> None:
    found = pupil.checks_of('lab.check("01.2", (a, b))\nif c: check("01.3", f(1))\n')
    assert found == [("01.2", "(a, b)"), ("01.3", "f(1)")]
    assert pupil.checks_of('check(number, a); check("01.2"); check(') == []


# ---------------------------------------------------------------------------- the class
def test_table_and_tally_of_a_class() -> None:
    slip = Mark("wrong", "You forgot the bias.")
    found = {
        "=HYPERLINK(1)": {"01.2": Mark("right"), "01.10": slip},
        "Ann": {"01.2": slip, "01.10": slip},
        "Bo": {"01.2": Mark("blank"), "04.1": Mark("error", "its cell, too")},
    }
    assert marks.table(found).splitlines() == [
        "student,01.2,01.10,04.1,points",
        "'=HYPERLINK(1),right,wrong: You forgot the bias.,,1",
        "Ann,wrong: You forgot the bias.,wrong: You forgot the bias.,,0",
        'Bo,blank,,"error: its cell, too",0',
    ]
    assert marks.tally(found).splitlines()[:4] == [
        "01.2: 1 right, 1 wrong, 1 blank, 0 error",
        "    1 × You forgot the bias.",
        "01.10: 0 right, 2 wrong, 0 blank, 0 error",
        "    2 × You forgot the bias.",
    ]


def test_students_are_files_or_folders(tmp_path: Path) -> None:
    for name in ("Ann.ipynb", "Bo/01.ipynb", "Bo/x/04.ipynb", "Bo/notes.txt",
                 "Bo/.ipynb_checkpoints/01.ipynb"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [(who, path.name) for who, path in marks.submissions(tmp_path)]
    assert found == [("Ann", "Ann.ipynb"), ("Bo", "01.ipynb"), ("Bo", "04.ipynb")]


def test_without_a_box_it_says_what_is_not_protected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(marks, "closed", lambda: "bubblewrap is missing")
    out = tmp_path / "marks.csv"
    assert __main__.main(["mark", str(tmp_path), "--out", str(out)]) == 1
    said = capsys.readouterr().err
    assert "bubblewrap is missing" in said and "runs as you do" in said
    assert "--trusted" in said and not out.exists()


@pytest.mark.skipif(os.name == "nt", reason="marking is not for Windows")
def test_those_whom_one_trusts_are_marked_without_a_box(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nbformat.write(submission(), tmp_path / "Ann.ipynb")
    found = marking.mark_folder(tmp_path, Limits(), trusted=True)
    assert set(found["Ann"].values()) == {RIGHT} and len(found["Ann"]) == 7
    assert "runs as you do" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="macOS sets no limit of memory")
def test_the_trusted_have_limits_too(tmp_path: Path) -> None:
    too_much = {
        "exercise_2": "everything = bytearray(10 * 2**30)\ncounts_01_2 = 'it held'",
        "exercise_3": "with open('x', 'wb') as file:\n"
        "    file.truncate(2**27)\nsize_and_field_01_3 = 'it held'",
    }
    nbformat.write(submission(**too_much), tmp_path / "Bo.ipynb")
    found = marking.mark_folder(tmp_path, Limits(gibibytes=2), trusted=True)["Bo"]
    assert "MemoryError" in found["01.2"].says
    assert found["01.3"].says.startswith("its cell failed: OSError")
    assert found["01.4"] == RIGHT


# -------------------------------------------------------------------------- in the box
COURSE_01 = ROOT / "notebooks" / "01_feature_map_arithmetic.ipynb"
RIGHT = Mark("right")


def submission(solved: bool = True, **changed: str) -> nbformat.NotebookNode:
    """Notebook 01 with its solutions, some cells changed by id (- is _)."""
    notebook = nbformat.read(COURSE_01, as_version=4)
    cells = notebook.cells
    for i, cell in enumerate(cells):
        if has_tag(cell, "exercise") and solved:
            cell.source = solution_of(cells[i + 2].source)
        if cell.id.replace("-", "_") in changed:
            cell.source = changed[cell.id.replace("-", "_")]
    return notebook


HOSTILE = {
    # the answers' files, as source and compiled; another student; kernel; network
    "exercise_1": """
import importlib, os, socket
import alexnet_lab.exercises as room
found = [place for place in __PLACES__ if os.path.exists(place)]
for folder, _, files in os.walk(os.path.dirname(room.__file__)):
    found += [file for file in files if file.startswith("n01.")]
for module in ("alexnet_lab.exercises.n01", "n01"):
    try:
        found.append(importlib.import_module(module))
    except ImportError:
        pass
try:  # which root could write to
    found.append(open("/proc/sys/kernel/core_pattern", "r+"))
except OSError:
    pass
try:
    found.append(socket.create_connection(("1.1.1.1", 53), timeout=2))
except OSError:
    pass
def my_conv(x, weight, bias, stride):
    raise ValueError(f"found {len(found)}")
""",
    "exercise_2": "everything = bytearray(10 * 2**30)\ncounts_01_2 = 'it held'",
    "exercise_3": """
import os, shutil
size_and_field_01_3 = 0
for place in __PLACES__:
    shutil.rmtree(os.path.dirname(place), ignore_errors=True)
os.system("touch /tmp/x; rm -rf /*")
!rm -rf /usr /course /
""",
    "exercise_4": """
import os
import sys
started = 0
while started < 10_000:
    os.fork()
    started += 1
stack_01_4 = started
""",
    "exercise_5": """
my_size = 0
while True:
    try:
        while True:
            pass
    except BaseException:
        pass
""",
}
LIAR = {
    "exercise_1": """
import alexnet_lab, alexnet_lab.exercises, json, os
from alexnet_lab.exercises import checking
def check(*answer):
    print("✓ 01.1 is right.")
alexnet_lab.check = alexnet_lab.exercises.check = checking.check = check
checking.diagnose = lambda *_: checking.Verdict("right", "")
for file in range(3, 12):  # the judge's line, as far as one can guess it
    for status in ("right", "value"):
        try:
            os.write(file, json.dumps({"number": "01.2", "kind": status, "status":
                     "right", "value": True, "verdict": "right"}).encode() + b"\\n")
        except OSError:
            pass
my_conv = ...
""",
    "check_1": "check('01.1', my_conv)\nprint('✓ 01.1 is right.')",
    "exercise_2": "counts_01_2 = (1, 2)",
    "check_2": "print('✓ 01.2 is right.')",
    "check_3": "answer = size_and_field_01_3\nalexnet_lab.check('01.3', answer)",
    "exercise_4": "import sys\nstack_01_4 = 3\nsys.exit()",
    "exercise_5": "def my_size(*_):\n    import os\n    os._exit(0)",
    "exercise_6": "import os\nmy_fast_conv = os._exit(0)",
}
MIXED = {
    "exercise_1": "def my_conv(x, weight, bias, stride):\n"
    "    return torch.nn.functional.conv2d(x, weight, stride=stride)",
    "exercise_2": "counts_01_2 = (1 / 0, 3)",
    "exercise_3": "size_and_field_01_3 = (...",
    "exercise_4": "%matplotlib inline\nstack_01_4 = nn.Sequential(",
    "check_5": "mine = my_size\ncheck('01.5', mine)",
    "exercise_6": "def my_fast_conv(x, weight, bias, stride):\n    while True: pass",
}


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> marks.Marks:
    """Four students, one of whom is honest and good, and comes last."""
    folder = tmp_path_factory.mktemp("submitted")
    there = [ROOT / "alexnet_lab/exercises/n01.py", COURSE_01, folder / "d.ipynb"]
    places = repr(list(map(str, there)))
    hostile = {k: v.replace("__PLACES__", places) for k, v in HOSTILE.items()}
    everybody = {"a": submission(**hostile), "b": submission(**LIAR),
                 "c": submission(**MIXED), "d": submission()}  # fmt: skip
    moved = everybody["d"].cells  # its checks at the end, in a different order
    checks = [cell for cell in moved if has_tag(cell, "check")]
    everybody["d"].cells = [c for c in moved if not has_tag(c, "check")] + checks[::-1]
    for name, notebook in everybody.items():
        nbformat.write(notebook, folder / f"{name}.ipynb")
    (folder / "e.ipynb").write_text("no notebook")
    return marking.mark_folder(folder, Limits(seconds=3, gibibytes=2))


@needs_a_box
def test_the_last_one_is_unharmed_and_right(marked: marks.Marks) -> None:
    assert marked["d"] == dict.fromkeys((f"01.{n}" for n in range(1, 8)), RIGHT)
    assert marked["e"] == {}
    assert COURSE_01.is_file() and len(list(ROOT.glob("notebooks/*.ipynb"))) == 12


@needs_a_box
@pytest.mark.parametrize(
    ("number", "status", "says"),
    [
        ("01.1", "wrong", "raised ValueError: found 0"),
        ("01.2", "error", "MemoryError"),
        ("01.3", "wrong", ""),
        ("01.4", "error", "PermissionError"),
        ("01.5", "error", "no end, or it ends Python"),
        ("01.6", "right", ""),
    ],
    ids=["reads the key", "10 GiB", "rm -rf", "fork bomb", "no end", "and is right"],
)
def test_what_is_hostile_is_contained(
    marked: marks.Marks, number: str, status: str, says: str
) -> None:
    assert marked["a"][number].status == status
    assert says in marked["a"][number].says


@needs_a_box
@pytest.mark.parametrize(
    ("number", "status", "says"),
    [
        ("01.1", "blank", ""),
        ("01.2", "wrong", ""),
        ("01.3", "right", ""),
        ("01.4", "wrong", "Expected an nn.Sequential, got the number 3"),
        ("01.5", "wrong", "ends Python"),
        ("01.6", "error", "ends Python"),
    ],
)
def test_who_says_that_it_is_right_is_marked_all_the_same(
    marked: marks.Marks, number: str, status: str, says: str
) -> None:
    assert marked["b"][number].status == status
    assert says in marked["b"][number].says


@needs_a_box
@pytest.mark.parametrize(
    ("number", "status", "says"),
    [
        ("01.1", "wrong", "bias"),
        ("01.2", "error", "its cell failed: ZeroDivisionError"),
        ("01.3", "error", "its cell failed: SyntaxError"),
        ("01.4", "error", "its cell failed: SyntaxError"),
        ("01.5", "right", ""),
        ("01.6", "wrong", "still running"),
    ],
)
def test_a_broken_cell_costs_no_more_than_its_own_mark(
    marked: marks.Marks, number: str, status: str, says: str
) -> None:
    assert marked["c"][number].status == status
    assert says in marked["c"][number].says
