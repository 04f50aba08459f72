"""tools/: the text form, normalising, comparing, proving, and the rules of form.

On tiny notebooks made here. The few that start a kernel share one execution.
"""

from __future__ import annotations

import json
import os
import random
import re
import sys
from pathlib import Path

import nbformat
import notebook_folding
import notebook_memory
import notebook_text
import numpy as np
import pytest
import solutions
import torch
from nbformat import NotebookNode
from nbformat.v4 import new_output
from notebook_form import form_problems
from notebook_outputs import (
    ROOT,
    compare,
    hide_paths,
    normalise,
    play_carriage_returns,
    text_outputs,
)
from notebook_prose import prose_words

import notebooks
from alexnet_lab.exercises import n00

SMALL = """\
=== md title slide
# How exercises work

=== code pixels - exercise
pixels = ...

=== code pixels-check - check
from alexnet_lab import check
check("00.1", pixels)

=== md pixels-solution skip solution
<details><summary>Solution</summary>

```python
pixels = 28 * 28
```
</details>

=== code shape - exercise
shape = (128, ..., 28, 28)

=== code shape-check - check
check("00.2", shape)

=== md shape-solution skip solution
<details><summary>Solution</summary>

```python
shape = (128, 1, 28, 28)
```
</details>

=== code closing skip versions outputs-vary
print("Python")
"""


def built(text: str) -> NotebookNode:
    """A notebook from short lines `=== md|code ID SLIDE [tag …]`, for these tests."""
    cells = []
    for part in re.split(r"(?m)^=== ", text)[1:]:
        header, _, source = part.partition("\n")
        kind, cell_id, slide, *tags = header.split()
        make = "new_code_cell" if kind == "code" else "new_markdown_cell"
        cell = getattr(nbformat.v4, make)(source.strip("\n"), id=cell_id)
        cell.metadata["slideshow"] = {"slide_type": slide}
        if tags:
            cell.metadata["tags"] = tags
        cells.append(cell)
    return notebook_text.new_notebook(cells)


def small(*changes: tuple[str, str]) -> NotebookNode:
    """The notebook above, as if executed, with texts replaced."""
    text = SMALL
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    notebook = built(text)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for count, cell in enumerate(code, start=1):
        cell.execution_count = count
    return notebook


def printed(text: str, name: str = "stdout") -> NotebookNode:
    return new_output("stream", name=name, text=text)


def shown(**data: str) -> NotebookNode:
    kinds = {"plain": "text/plain", "html": "text/html", "png": "image/png"}
    return new_output(
        "display_data", data={kinds[k]: content for k, content in data.items()}
    )


def with_outputs(*outputs: NotebookNode, tags: str = "") -> NotebookNode:
    """A notebook with one code cell that has these outputs."""
    notebook = built(f"=== code only slide {tags}\nrun()")
    notebook.cells[0].outputs = list(outputs)
    notebook.cells[0].execution_count = 1
    return notebook


# -------------------------------------------------------------------------- text form
def test_unpack_and_pack_give_the_notebook_back() -> None:
    odd = "# How ⌊55⌋ ×\n\n# %% [markdown]\n\n    code\n\n%matplotlib\n\nHow"
    notebook = small(("# How", odd), ("print(", "%time print("))
    notebook.cells[1].outputs = [printed("x")]
    again = notebook_text.pack(notebook_text.unpack(notebook), notebook)
    assert again == notebook


@pytest.mark.parametrize("path", notebooks.select([]), ids=lambda path: path.stem[:2])
def test_every_notebook_survives_the_text_form(path: Path) -> None:
    notebook = notebooks.read(path)
    assert notebook_text.pack(notebook_text.unpack(notebook), notebook) == notebook


def test_nbconvert_writes_a_notebook_as_a_python_script() -> None:
    from nbconvert.exporters import ScriptExporter

    script, about = ScriptExporter().from_notebook_node(small())
    assert about["output_extension"] == ".py"
    assert "# # How exercises work" in script
    compile(script, "script", "exec")


def test_pack_keeps_outputs_only_where_the_source_did_not_change() -> None:
    earlier = small()
    for cell in earlier.cells:
        if cell.cell_type == "code":
            cell.outputs = [printed(cell.id)]
    text = notebook_text.unpack(earlier).replace("pixels = ...", "number = ...")
    packed = {cell.id: cell for cell in notebook_text.pack(text, earlier).cells}
    assert packed["pixels"].outputs == []
    assert packed["pixels"].execution_count is None
    assert packed["shape-check"].outputs == [printed("shape-check")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hello\n", "begins with 'hello' has no id"),
        ('# %% slide="-"\nx = 1', "begins with 'x = 1' has no id"),
        ('# %% id="a" slide="slides"', "cell a: slide is one of slide, .*'slides'"),
        ('# %% id="A_b"\n1', "begins with '1' has no id of a-z, 0-9, -: 'A_b'"),
        ('# %% id="a"\n1\n# %% id="a"\n2', "begins with '2' has the id of another"),
    ],
)
def test_bad_text_is_refused_with_the_cell(text: str, message: str) -> None:
    with pytest.raises(notebook_text.TextFormError, match=message):
        notebook_text.pack(text)


def test_unpack_refuses_what_text_cannot_hold() -> None:
    raw = notebook_text.new_notebook([nbformat.v4.new_raw_cell("x", id="raw-cell")])
    with pytest.raises(ValueError, match="cell raw-cell: raw cells"):
        notebook_text.unpack(raw)


def test_pack_names_the_file_and_writes_the_same_bytes_again(tmp_path: Path) -> None:
    source = tmp_path / "00_small.py"
    source.write_text(notebook_text.unpack(small()), encoding="utf-8")
    target = notebooks.pack(source, tmp_path)
    first = target.read_bytes()
    assert target.name == "00_small.ipynb"
    assert first.endswith(b"}\n") and b"\r" not in first
    assert notebooks.pack(source, tmp_path).read_bytes() == first
    source.write_text("hello", encoding="utf-8")
    with pytest.raises(notebook_text.TextFormError, match="00_small.py: the cell"):
        notebooks.pack(source, tmp_path)
    assert target.read_bytes() == first


def test_write_leaves_the_old_file_when_the_new_is_invalid(tmp_path: Path) -> None:
    path = tmp_path / "00_small.ipynb"
    notebooks.write(small(), path)
    before = path.read_bytes()
    broken = small()
    broken.cells[0].cell_type = "prose"
    with pytest.raises(nbformat.ValidationError):
        notebooks.write(broken, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["00_small.ipynb"]


@pytest.mark.parametrize("name", ["04", "04_alexnet", "notebooks/04_alexnet.ipynb"])
def test_select_takes_numbers_names_and_paths(tmp_path: Path, name: str) -> None:
    for stem in ("03_changes", "04_alexnet"):
        (tmp_path / f"{stem}.ipynb").touch()
    assert [p.stem for p in notebooks.select([name], tmp_path)] == ["04_alexnet"]
    assert len(notebooks.select([], tmp_path)) == 2
    with pytest.raises(FileNotFoundError, match="there are: 03_changes, 04_alexnet"):
        notebooks.select(["4"], tmp_path)


# -------------------------------------------------------------------------- normalise
def test_normalise_removes_what_depends_on_the_execution() -> None:
    notebook = with_outputs(
        printed("loss 3\rloss 2\n"),
        printed(f"in {ROOT}{os.sep}data\n"),
        shown(plain=f"{Path.home()}{os.sep}x", png="AA=="),
        new_output(
            "display_data", data={"application/vnd.jupyter.widget-view+json": {}}
        ),
    )
    cell = notebook.cells[0]
    cell.execution_count = 7
    cell.metadata.update(execution={"iopub.status.busy": "now"}, scrolled=True)
    notebook.metadata.update(widgets={"state": {}}, language_info={"version": "3.1"})

    normalise(notebook)
    assert notebook.metadata == notebook_text.METADATA
    assert cell.metadata == {"slideshow": {"slide_type": "slide"}}
    assert cell.execution_count == 1
    assert cell.outputs == [
        printed(f"loss 2\nin .{os.sep}data\n"),
        shown(plain=f"~{os.sep}x", png="AA=="),
    ]


def test_hide_paths_leaves_longer_names_alone() -> None:
    assert hide_paths(f"{ROOT}, '{ROOT}/a'") == "., './a'"
    assert hide_paths(f"file://{ROOT}/a") == "file://./a"
    assert hide_paths(f"{ROOT}-old /x{ROOT}") == f"{hide_paths(f'{ROOT}-old')} /x{ROOT}"


def test_carriage_returns_overwrite_the_line() -> None:
    assert play_carriage_returns("10 %\r100 %\nab\rc\r\n") == "100 %\ncb\n"


# ---------------------------------------------------------------------------- compare
def test_text_outputs_leave_out_figures_and_standard_error() -> None:
    notebook = with_outputs(
        printed("a\n"),
        printed("warning\n", "stderr"),
        shown(plain="<Figure size 640x480 with 1 Axes>", png="AA=="),
        shown(plain="Ledger", html="<table>"),
    )
    assert text_outputs(notebook.cells[0]) == [
        ("text", "a\n"),
        ("image", ""),
        ("text", "Ledger"),
        ("html", "<table>"),
    ]


def test_compare_shows_cell_and_difference() -> None:
    was = with_outputs(printed("conv1\n54\n"), shown(png="AA=="))
    now = with_outputs(printed("conv1\n55\n"), shown(png="BB=="))
    (difference,) = compare(was, now, "04_alexnet")
    assert difference.startswith("04_alexnet, cell only: the outputs changed")
    assert "\n-54\n+55\n" in difference
    assert compare(was, was, "04_alexnet") == []


@pytest.mark.parametrize(
    "now",
    [
        with_outputs(),
        with_outputs(shown(png="AA=="), shown(png="AA==")),
        with_outputs(shown(png="AA=="), printed("x")),
        with_outputs(shown(html="x", png="AA==")),
    ],
)
def test_compare_counts_images_and_kinds(now: NotebookNode) -> None:
    assert len(compare(with_outputs(shown(png="AA==")), now, "x")) == 1


def test_pictures_in_html_are_compared_by_their_words() -> None:
    def picture(alt: str, width: int, png: str) -> NotebookNode:
        image = f'<img alt="{alt}" width="{width}" src="data:image/png;base64,{png}">'
        return shown(plain=alt, html=f"<figure>{image}</figure>")

    was = with_outputs(picture("It rises.", 900, "AA=="))
    assert text_outputs(was.cells[0])[1] == (
        "image",
        '<figure><img alt="It rises."></figure>',
    )
    assert compare(was, with_outputs(picture("It rises.", 901, "BB==")), "x") == []
    assert len(compare(was, with_outputs(picture("It falls.", 900, "AA==")), "x")) == 1
    assert len(compare(was, with_outputs(shown(plain="It rises.")), "x")) == 1
    varying = with_outputs(picture("It falls.", 9, "BB=="), tags="outputs-vary")
    was.cells[0].metadata["tags"] = ["outputs-vary"]
    assert compare(was, varying, "x") == []
    (difference,) = compare(was, with_outputs(shown(plain="It rises.")), "x")
    assert "from image and text to text" in difference


def test_outputs_that_vary_are_compared_by_kind_only() -> None:
    def varying(*outputs: NotebookNode) -> NotebookNode:
        return with_outputs(*outputs, tags="outputs-vary")

    was = varying(printed("1.2 s"))
    assert compare(was, varying(printed("1.3 s"), printed("more")), "x") == []
    (difference,) = compare(was, varying(shown(png="AA==")), "x")
    assert "changed from text to image" in difference
    error = new_output("error", ename="NameError", evalue="x", traceback=[])
    assert "NameError: x" in compare(was, varying(printed("1.3 s"), error), "x")[0]


def test_compare_reports_changed_missing_and_added_cells() -> None:
    was, now = small(), small(("pixels = ...", "pixel = ..."), ("shape -", "size -"))
    assert compare(was, now, "00") == [
        "00, cell shape: not executed",
        "00, cell size: not committed",
        "00, cell pixels: the source changed",
    ]


def test_a_long_difference_is_cut() -> None:
    was = with_outputs(printed("".join(f"{n}\n" for n in range(100))))
    now = with_outputs(printed("".join(f"{n} \n" for n in range(100))))
    assert compare(was, now, "x")[0].endswith("more lines")


# ------------------------------------------------------------------------------ proof
def test_inject_and_drop_give_the_notebook_back() -> None:
    notebook = small()
    solutions.inject(notebook)
    assert len(notebook.cells) == len(small().cells) + 2
    assert "pixels = 28 * 28" in notebook.cells[3].source
    nbformat.validate(notebook)
    solutions.drop_injected(notebook)
    assert notebook == small()


def test_inject_refuses_a_check_without_solution() -> None:
    with pytest.raises(ValueError, match="pixels-check: no solution follows"):
        solutions.inject(small(("skip solution", "skip")))
    with pytest.raises(ValueError, match="pixels-solution: .* one python block"):
        solutions.inject(small(("```python\npixels", "```\npixels")))


def test_prove_leaves_namespace_random_numbers_and_strictness_as_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("ALEXNET_LAB_STRICT", raising=False)
    drawing = "import os, random, torch, numpy as np\n" + "x = draws()\n"

    def draws() -> tuple[float, ...]:
        return (
            random.random(),
            np.random.rand(),  # noqa: NPY002
            torch.rand(()).item(),
        )

    def seed_all() -> None:
        random.seed(1), np.random.seed(1), torch.manual_seed(1)  # noqa: NPY002

    seed_all()
    undisturbed = draws()
    seed_all()
    namespace = {"x": ..., "draws": draws}
    solutions.prove(
        namespace, drawing, "assert os.environ['ALEXNET_LAB_STRICT'] == '1'"
    )
    assert draws() == undisturbed
    assert namespace == {"x": ..., "draws": draws}
    assert "ALEXNET_LAB_STRICT" not in os.environ


PROBE = """\
=== code first slide
import os, sys, random, torch, numpy as np
import matplotlib.pyplot as plt
_ = torch.manual_seed(3), random.seed(3), np.random.seed(3)
print(os.environ.get("ALEXNET_LAB_STRICT"))

=== code pixels - exercise
pixels = ...

=== code pixels-check - check
from alexnet_lab.exercises.checking import check
check("00.1", pixels)

=== md pixels-solution skip solution
<details>

```python
pixels = 28 * 28 + 0 * int(torch.rand(()) + random.random() + np.random.rand())
```
</details>

=== code after -
pixels, torch.rand(()).item(), random.random(), np.random.rand()

=== code picture - outputs-vary
plt.plot([1, 2])
print(sys.executable)
"""


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The notebook above, run in place: its outputs as an author commits them.

    The environment is an unkind one: strict, and with another kernel named python3.
    """
    other = tmp_path_factory.mktemp("jupyter")
    spec = {"argv": ["no-such-python"], "display_name": "x", "language": "python"}
    (other / "kernels" / "python3").mkdir(parents=True)
    (other / "kernels" / "python3" / "kernel.json").write_text(json.dumps(spec))
    path = tmp_path_factory.mktemp("notebooks") / "00_probe.ipynb"
    notebooks.write(built(PROBE), path)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("JUPYTER_PATH", str(other))
        environment.setenv("ALEXNET_LAB_STRICT", "1")
        notebooks.run(path)
        assert os.environ["JUPYTER_PATH"] == str(other)
        assert os.environ["ALEXNET_LAB_STRICT"] == "1"
    return path


def test_run_writes_outputs_of_this_interpreter(executed: Path) -> None:
    cells = {cell.id: cell for cell in notebooks.read(executed).cells}
    assert text_outputs(cells["first"]) == [("text", "None\n")]
    blank = "○ 00.1 not answered yet\n"
    assert text_outputs(cells["pixels-check"]) == [("text", blank)]
    assert ("text", hide_paths(f"{sys.executable}\n")) in text_outputs(cells["picture"])
    assert ("image", "") in text_outputs(cells["picture"])
    assert cells["picture"].execution_count == 5
    assert cells["after"].outputs[0].execution_count == 4


def test_prove_finds_the_stale_output_and_no_other(
    executed: Path, tmp_path: Path
) -> None:
    """Random numbers that the solution draws do not change the cells after it."""
    path = tmp_path / executed.name
    committed = notebooks.read(executed)
    committed.cells[0].outputs[0].text = "stale\n"
    notebooks.write(committed, path)
    before = path.read_bytes()
    (tmp_path / "copy").mkdir()
    (difference,) = notebooks.prove(path, tmp_path / "copy")
    assert difference.startswith("00_probe, cell first: the outputs changed")
    assert "\n-stale\n+None\n" in difference
    assert path.read_bytes() == before


def test_prove_catches_a_wrong_solution(tmp_path: Path) -> None:
    path = tmp_path / "00_small.ipynb"
    wrong = small(
        ("from alexnet_lab import", "from alexnet_lab.exercises.checking import"),
        ("pixels = 28 * 28", "pixels = 28 + 28"),
    )
    notebooks.write(wrong, path)
    (tmp_path / "copy").mkdir()
    with pytest.raises(notebooks.NotebookFailure) as failure:
        notebooks.prove(path, tmp_path / "copy")
    assert "cell proof-pixels-check" in str(failure.value)
    assert "00.1: You added the sides." in str(failure.value)


HOLDS = """\
=== code first slide
held = bytearray(1)

=== code large -
import os, subprocess, sys, time

held = os.urandom(60 * 2**20)  # a page of zeros would take no memory
code = "import os, time; held = os.urandom(90 * 2**20); time.sleep(1)"
subprocess.run([sys.executable, "-c", code])
time.sleep(1)
"""


def test_memory_is_that_of_a_notebook_with_all_its_processes(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "00_holds.ipynb"
    notebooks.write(built(HOLDS), path)
    before = path.read_bytes()
    notebooks.memory(path)
    said = capsys.readouterr().out
    most = int(re.search(r"([\d,]+) MiB at most", said)[1].replace(",", ""))
    assert 150 < most < 600 and "MiB  large\n" in said
    monkeypatch.setattr(notebook_memory, "MOST_MIB", 100)
    with pytest.raises(notebooks.NotebookFailure, match="MiB at most, over 100"):
        notebooks.memory(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("1 / 0", "cell only:.*ZeroDivisionError"),
        ("import sys\nprint('careful', file=sys.stderr)", "standard error:\ncareful"),
    ],
)
def test_failing_run_leaves_the_file_as_it_was(
    tmp_path: Path, source: str, message: str
) -> None:
    path = tmp_path / "00_failing.ipynb"
    notebooks.write(built(f"=== code only slide\n{source}"), path)
    before = path.read_bytes()
    with pytest.raises(notebooks.NotebookFailure, match=f"(?s){message}"):
        notebooks.run(path)
    assert path.read_bytes() == before


# ------------------------------------------------------------------------------- form
FORM_PATH = ROOT / "notebooks" / "00_small.ipynb"


@pytest.fixture(autouse=True)
def two_exercises(monkeypatch: pytest.MonkeyPatch) -> None:
    """Notebook 00 has 00.1 and 00.2 here, whatever the course adds to it."""
    monkeypatch.setattr(
        "alexnet_lab.exercises.checking.exercises_of", lambda prefix: n00.EXERCISES[:2]
    )


def test_good_form_has_no_problems() -> None:
    assert form_problems(small(), FORM_PATH) == []


ALONE = "=== code setup -\nimport os\nfrom alexnet_lab import x\n\n=== code pixels -"
LONG_PROSE = "word " * 101
LONG_CODE = "\n".join(f"x{n} = {n}" for n in range(21))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("md title", "md 3f2a90bc", "cell 3f2a90bc: the id is not made of words"),
        ("# How exercises work", "", "cell title: empty"),
        ("# How", LONG_PROSE, "cell title: the slide that begins here has 103 words"),
        ('print("Python")', LONG_CODE, "cell closing: 21 lines of code"),
        ('"Python"', f'"{"x" * 90}"', "cell closing: 99 columns in"),
        ("pixels = ...", "pixels = 3", "cell pixels: .* a blank ... is due"),
        ("- exercise\npixels", "-\npixels", "pixels-check: no exercise before"),
        ("- check\nfrom", "-\nfrom", "cell pixels: no check follows"),
        ('check("00.1"', 'check("01.1"', "01.1 is not a number of notebook 00"),
        ('check("00.1", pixels)', "1", 'pixels-check: one call check\\("00.N"'),
        ("skip solution\n", "skip\n", "shape-check: no solution follows"),
        ("<details>", "<div>", "pixels-solution: .* folded in <details>"),
        ("```python", "```", "pixels-solution: .* this has 0"),
        ("pixels = 28 * 28", "pixels = 28 *", "pixels-solution: invalid syntax"),
        ("00.2", "00.1", r"exercises checked: \['00.1', '00.1'\]; defined .* '00.2'"),
        ("versions outputs-vary", "outputs-vary", "not the one tagged versions"),
        ('"Python"', '"/home/ada/data"', "closing: a machine's path, /home/ada/data"),
        ('"Python"', f'"{ROOT}"', "closing: a machine's path"),
        ("# How", "## How", "title: 'How.*' skips a level of headings"),
        ("# How", "![](a.png)", "title: no alternative text for a.png"),
        ("# How", "<img src='a'>", "title: no alternative text in <img"),
        ("# How", "[next](99_none.ipynb)", "title: the link to 99_none.ipynb leads"),
        ("=== code pixels -", ALONE, "cell setup: above the first import .* # Not"),
    ],
)
def test_broken_form_is_reported(old: str, new: str, message: str) -> None:
    problems = form_problems(small((old, new)), FORM_PATH)
    assert any(reported(message, problem) for problem in problems), problems


def reported(message: str, problem: str) -> bool:
    return problem.startswith("00_small, ") and bool(re.search(message, problem))


def test_form_of_outputs_is_checked() -> None:
    notebook = small()
    closing = notebook.cells[-1]
    closing.execution_count = 9
    tag = '<img alt="" src="data:image/png;base64,AA==">'
    picture = shown(html=tag)
    closing.outputs = [
        printed("careful", "stderr"),
        printed("/tmp/x1/file"),
        picture,
        shown(png="AA=="),
        new_output("error", ename="NameError", evalue="x", traceback=[]),
    ]
    problems = "\n".join(form_problems(notebook, FORM_PATH))
    assert "execution count 9, not 5" in problems
    assert "standard error in the output" in problems
    assert "a machine's path, /tmp/x1/file" in problems
    assert f"no alternative text in the output's {tag}" in problems
    assert "an image in the output, not from plots.show" in problems
    assert "the output is an error, NameError" in problems
    picture.data["text/html"] = tag.replace('""', '"A line that rises."')
    assert "alternative text" not in "\n".join(form_problems(notebook, FORM_PATH))
    picture.data["text/html"] = tag.replace('""', f'"{"word " * 61}"')
    assert "61 words of alternative text" in "\n".join(
        form_problems(notebook, FORM_PATH)
    )


def test_format_and_slide_marks_are_checked() -> None:
    notebook = small()
    notebook.nbformat_minor = 4
    notebook.metadata["language_info"] = {"name": "python", "version": "3.12"}
    del notebook.cells[0].metadata["slideshow"]
    problems = "\n".join(form_problems(notebook, ROOT / "notebooks" / "Small.ipynb"))
    assert "format 4.4 is not 4.5" in problems
    assert "metadata are not normalised" in problems
    assert "cell title: slideshow.slide_type is None" in problems
    assert "the name does not read NN_words" in problems


def test_links_to_existing_files_and_the_web_are_fine() -> None:
    links = "[a](../pyproject.toml#x) [b](https://example.org/a) [c](#part) `[d](e)`"
    assert form_problems(small(("# How", links)), FORM_PATH) == []


def test_words_of_prose() -> None:
    text = """\
# Two *words*

| a | table |
|---|-------|

An [address](https://example.org/a/b) and $a + b$ and `code`. ![picture](a.png)

```python
many = words in code
```
<details class="x">55 × 55</details>
"""
    words = "Two words An address and formula and code 55 55"
    assert " ".join(prose_words(text)).replace(" .", "") == words


# ----------------------------------------------------------------------- command line
def test_command_line_packs_and_reports(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(notebooks, "TEXTS", tmp_path)
    source = tmp_path / "00_bad.py"
    source.write_text("hello", encoding="utf-8")
    assert notebooks.main(["pack", str(source)]) == 1
    assert "00_bad.py: the cell that begins" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        notebooks.main(["run", "no_such_notebook"])
    assert "no notebook 'no_such_notebook'" in capsys.readouterr().err


DEEP = """\
=== md title slide
# Title
word word

=== md asked -
**Predict before you run:** how many?

=== code guess -
predict("00.a", ...)

=== code told - answer
print(1)

=== code proven - proof
assert 1 < 2

=== md task -
### Exercise 00.1 (★★, 8 minutes)

=== md going-deeper slide
# Going deeper

=== md more slide
## 2. More

=== code extra -
print(2)

=== md discuss slide
## To discuss
"""


def test_answers_proofs_and_sections_are_folded() -> None:
    notebook = built(DEEP)
    notebook_folding.fold(notebook)
    marks = {c.id: {**c.metadata} for c in notebook.cells}
    assert marks["told"]["jupyter"] == {"outputs_hidden": True}
    assert marks["proven"]["jupyter"] == {"source_hidden": True}
    folded = [name for name, m in marks.items() if m.get(notebook_folding.COLLAPSED)]
    assert folded == ["more"]


def test_a_line_of_its_own_covers_an_answer_and_is_no_difference() -> None:
    notebook = built(DEEP)
    bare = built(DEEP)
    for made in (notebook, bare):
        told = next(cell for cell in made.cells if cell.id == "told")
        told.outputs = [printed("55\n")]
    for _ in range(2):
        notebook_folding.fold(notebook)
        told = next(cell for cell in notebook.cells if cell.id == "told")
        assert told.outputs == [notebook_folding.COVER, printed("55\n")]
        assert text_outputs(told) == [("text", "55\n")]
    assert compare(notebook, bare, "made") == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("- answer", "-", "cell told: answers asked, but is not tagged answer"),
        ("- proof\nassert 1 < 2", "-\n" + "assert 1\n" * 4, "4 assertions outside"),
        ("word word", "word " * 4400, "minutes, over 45"),
    ],
)
def test_predictions_proofs_and_core_break_the_form(old, new, problem) -> None:
    notebook = built(DEEP.replace(old, new))
    assert any(problem in p for p in form_problems(notebook, FORM_PATH))


def test_folds_as_the_tags_say() -> None:
    notebook = built(DEEP)
    assert any("cell told: not folded" in p for p in form_problems(notebook, FORM_PATH))


def test_minutes_of_the_core_and_of_what_goes_deeper() -> None:
    import notebook_minutes

    title, deep, more, discuss = notebook_minutes.sections(built(DEEP))
    assert (title.exercises, more.deeper, discuss.deeper) == (8, True, False)
    assert title.minutes == pytest.approx(2.1, abs=0.1)  # two cells, few words
    assert notebook_minutes.times(built(DEEP)) == (2, 8, 1, 0)
    said = "the core about 2 minutes and 8 for its exercises; *Going deeper* 1 and 0"
    assert notebook_minutes.sentence(built(DEEP)) == said
    assert "  · 2. More" in notebook_minutes.table(built(DEEP))


def test_a_bold_term_is_linked_once() -> None:
    import notebook_links

    glossary = '| <a id="mac"></a>**multiply-accumulate, MAC** (01) | a | b |'
    text = "=== md one -\n**MACs**, **MAC**, **other**\n=== md two -\n**MAC**\n"
    notebook = built(text)
    for _ in range(2):
        notebook_links.link(notebook, glossary)
        sources = [cell.source for cell in notebook.cells]
        first = "[**MACs**](../GLOSSARY.md#mac), **MAC**, **other**"
        assert sources == [first, "**MAC**"]
