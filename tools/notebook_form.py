"""The form that every notebook of the course keeps, checked without running it.

Each rule is a function from a notebook and its path to messages, one for each place
where the notebook breaks the rule. `form_problems` gathers them.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import nbformat
from nbformat import NotebookNode
from notebook_folding import fold
from notebook_minutes import times
from notebook_outputs import ROOT
from notebook_prose import FENCE, LINK, prose_words, undescribed, without_code
from notebook_text import ID, METADATA, SLIDES
from solutions import has_tag, solution_of

MOST_LINES = 20  # non-blank, in a code cell
MOST_COLUMNS = 88
MOST_WORDS = 100  # of prose, on a slide
MOST_ASSERTIONS = 3  # in sight, in a notebook
MOST_MINUTES = 45  # of the core, exercises apart
MOST_ALT_WORDS = 60  # more is read aloud for longer than one listens
PREDICT = "Predict before you run"
ALONE = (
    "# Not found? Fetch the whole course, as its README.md says, and choose its kernel."
)

PACKAGE = re.compile(r"(from|import) alexnet_lab\b")
ALT = re.compile(r"\balt=([\"'])(.*?)\1", re.DOTALL)
HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
CHECK_CALL = re.compile(r"""\bcheck\(\s*(["'])(.+?)\1\s*,""")
MACHINE_PATH = re.compile(
    r"(?<![\w./:-])/(?:home|Users|root|tmp|var/folders)/\w[^\s'\"<]*"
    r"|\b[A-Z]:\\Users\\[^\s'\"<]*"
)


def form_problems(notebook: NotebookNode, path: Path) -> list[str]:
    """All that is wrong with a notebook's form.

    Args:
        notebook: the notebook as it is committed.
        path: its file, whose name begins with the notebook's number, as in
            ``04_alexnet_sequential.ipynb``. Links are resolved from its folder.

    Returns:
        messages that name the notebook and the cell; none if all is well.
    """
    return [f"{path.stem}, {m}" for rule in RULES for m in rule(notebook, path)]


def prefix_of(path: Path) -> str:
    """A notebook's number: "04" of ``04_alexnet_sequential.ipynb``."""
    return path.stem.split("_")[0]


# ------------------------------------------------------------------------------ cells
def valid_format(notebook: NotebookNode, path: Path) -> Iterator[str]:
    """Format 4.5, the common metadata, a name that begins with a number."""
    try:
        nbformat.validate(notebook)
    except nbformat.ValidationError as error:
        yield f"not a valid notebook: {error.message}"
    version = f"{notebook.nbformat}.{notebook.nbformat_minor}"
    if version != "4.5":
        yield f"format {version} is not 4.5"
    if notebook.metadata != METADATA:
        yield "the notebook's metadata are not normalised: use tools/notebooks.py"
    if not re.fullmatch(r"\d\d_[a-z0-9_]+", path.stem):
        yield "the name does not read NN_words_in_lower_case.ipynb"


def readable_ids(notebook: NotebookNode, path: Path) -> Iterator[str]:
    """Ids are words, not random digits; each occurs once."""
    seen = set()
    for cell in notebook.cells:
        words = re.search(r"[a-z]{3}", cell.id) and re.search(r"[g-z]", cell.id)
        if not (ID.fullmatch(cell.id) and words):
            yield f"cell {cell.id}: the id is not made of words"
        if cell.id in seen:
            yield f"cell {cell.id}: the id occurs twice"
        seen.add(cell.id)


def tidy_cells(notebook: NotebookNode, path: Path) -> Iterator[str]:
    """Cells are not empty and have a slide mark; code fits on a slide."""
    for cell in notebook.cells:
        slide = cell.metadata.get("slideshow", {}).get("slide_type")
        if slide not in SLIDES:
            yield f"cell {cell.id}: slideshow.slide_type is {slide!r}"
        lines = [line for line in cell.source.split("\n") if line.strip()]
        if not lines:
            yield f"cell {cell.id}: empty"
        if cell.cell_type != "code":
            continue
        if len(lines) > MOST_LINES:
            yield f"cell {cell.id}: {len(lines)} lines of code, over {MOST_LINES}"
        for line in lines:
            if len(line) > MOST_COLUMNS:
                yield f"cell {cell.id}: {len(line)} columns in {line.strip()[:40]!r}…"


def headings_in_order(notebook: NotebookNode, path: Path) -> Iterator[str]:
    """A heading lies at most one level below the one before: readers jump by them."""
    level = 0
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for marks, title in HEADING.findall(FENCE.sub(" ", cell.source)):
                if len(marks) > level + 1:
                    yield f"cell {cell.id}: {title!r} skips a level of headings"
                level = len(marks)


def slides_are_short(notebook: NotebookNode, path: Path) -> Iterator[str]:
    """A slide, until the next slide or subslide, has few words of prose."""
    first, words = None, 0
    for cell in [*notebook.cells, None]:
        slide = cell.metadata.get("slideshow", {}).get("slide_type") if cell else "end"
        if slide in ("slide", "subslide", "end"):
            if first is not None and words > MOST_WORDS:
                yield (
                    f"cell {first}: the slide that begins here has {words} words, "
                    f"over {MOST_WORDS}"
                )
            first, words = cell.id if cell else None, 0
        if cell and cell.cell_type == "markdown" and slide not in ("skip", "notes"):
            words += len(prose_words(cell.source))


# -------------------------------------------------------------- predictions and proofs
def folded(notebook: NotebookNode, path: Path) -> Iterator[str]:
    """Answers, proofs and what goes deeper are folded."""
    as_due = copy.deepcopy(notebook)
    fold(as_due)
    for cell, due in zip(notebook.cells, as_due.cells, strict=True):
        if cell != due:
            yield f"cell {cell.id}: not folded as its tags say; use tools/notebooks.py"


def predictions_are_answered_folded(
    notebook: NotebookNode, path: Path
) -> Iterator[str]:
    """The code that answers a prediction is tagged answer, so its output is folded."""
    asked = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            asked = cell.id if PREDICT in cell.source else asked
        elif asked and not re.search(r"^predict\(", cell.source, re.MULTILINE):
            if not has_tag(cell, "answer"):
                yield f"cell {cell.id}: answers {asked}, but is not tagged answer"
            asked = ""


def few_assertions_in_sight(notebook: NotebookNode, path: Path) -> Iterator[str]:
    """An assertion that guards the prose is a proof, or an `expect`."""
    found = [
        cell.id
        for cell in notebook.cells
        if cell.cell_type == "code" and not has_tag(cell, "proof")
        for _ in re.findall(r"(?m)^\s*assert\b", cell.source)
    ]
    if len(found) > MOST_ASSERTIONS:
        yield f"{len(found)} assertions outside of proofs: {', '.join(found)}"


def core_is_short(notebook: NotebookNode, path: Path) -> Iterator[str]:
    """The core is read in three quarters of an hour."""
    core = times(notebook).core
    if core > MOST_MINUTES:
        yield f"the core takes {core} minutes, over {MOST_MINUTES}"


def helps_without_the_course(notebook: NotebookNode, path: Path) -> Iterator[str]:
    """Opened alone, it says what to do: an error shows the line above its own."""
    for cell in notebook.cells:
        lines = cell.source.split("\n") if cell.id == "setup" else []
        starts = [i for i, line in enumerate(lines) if PACKAGE.match(line)]
        if starts and ALONE not in lines[: starts[0]][-1:]:
            yield f"cell {cell.id}: above the first import of the package goes: {ALONE}"


# -------------------------------------------------------------------------- exercises
def exercises_in_order(notebook: NotebookNode, path: Path) -> Iterator[str]:
    """An exercise with a blank, its check, its solution: always together."""
    cells = [*notebook.cells, None, None]
    for i, cell in enumerate(notebook.cells):
        before = cells[i - 1] if i else None
        if has_tag(cell, "exercise"):
            if not _has_ellipsis(cell):
                yield f"cell {cell.id}: an exercise in Python with a blank ... is due"
            if cells[i + 1] is None or not has_tag(cells[i + 1], "check"):
                yield f"cell {cell.id}: no check follows this exercise"
        if has_tag(cell, "check"):
            yield from _check_problems(cell, prefix_of(path))
            if before is None or not has_tag(before, "exercise"):
                yield f"cell {cell.id}: no exercise before this check"
            if cells[i + 1] is None or not has_tag(cells[i + 1], "solution"):
                yield f"cell {cell.id}: no solution follows this check"
        if has_tag(cell, "solution"):
            yield from _solution_problems(cell)
            if before is None or not has_tag(before, "check"):
                yield f"cell {cell.id}: no check before this solution"


def _has_ellipsis(cell: NotebookNode) -> bool:
    if cell.cell_type != "code":
        return False
    try:
        nodes = ast.walk(ast.parse(cell.source))
    except SyntaxError:
        return False
    return any(isinstance(n, ast.Constant) and n.value is ... for n in nodes)


def _check_problems(cell: NotebookNode, prefix: str) -> Iterator[str]:
    calls = [number for _, number in CHECK_CALL.findall(cell.source)]
    if cell.cell_type != "code" or len(calls) != 1:
        yield f'cell {cell.id}: one call check("{prefix}.N", …) is due'
    for number in calls:
        if number.split(".")[0] != prefix:
            yield f"cell {cell.id}: {number} is not a number of notebook {prefix}"


def _solution_problems(cell: NotebookNode) -> Iterator[str]:
    folded = re.search(r"<details>.*</details>", cell.source, re.DOTALL)
    if cell.cell_type != "markdown" or not folded:
        yield f"cell {cell.id}: a solution is markdown, folded in <details>"
    try:
        compile(solution_of(folded[0] if folded else cell.source), cell.id, "exec")
    except (ValueError, SyntaxError) as error:
        yield f"cell {cell.id}: {error}"


def exercises_complete(notebook: NotebookNode, path: Path) -> Iterator[str]:
    """Each exercise of the questions module is checked once, in order."""
    from alexnet_lab.exercises.checking import exercises_of

    defined = [exercise.number for exercise in exercises_of(prefix_of(path))]
    checked = [
        number
        for cell in notebook.cells
        if has_tag(cell, "check")
        for _, number in CHECK_CALL.findall(cell.source)
    ]
    if checked != defined:
        module = f"alexnet_lab/exercises/n{prefix_of(path)}.py"
        yield f"exercises checked: {checked}; defined in {module}: {defined}"


# ---------------------------------------------------------------------------- outputs
def executed_cleanly(notebook: NotebookNode, path: Path) -> Iterator[str]:
    """Every code cell ran, in order, without an error; the last prints versions."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for expected, cell in enumerate(code, start=1):
        if cell.execution_count != expected:
            count = cell.execution_count
            yield f"cell {cell.id}: execution count {count}, not {expected}"
        for output in cell.outputs:
            if output.output_type == "error":
                yield f"cell {cell.id}: the output is an error, {output.ename}"
            if output.output_type == "stream" and output.name == "stderr":
                yield f"cell {cell.id}: standard error in the output"
    if not code or not has_tag(code[-1], "versions"):
        yield "the last code cell is not the one tagged versions"


def no_machine_paths(notebook: NotebookNode, path: Path) -> Iterator[str]:
    """Neither code nor outputs name a folder of the author's machine."""
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        for text in [cell.source, *_texts(cell)]:
            found = MACHINE_PATH.search(text)
            if found or str(ROOT) in text:
                yield f"cell {cell.id}: a machine's path, {(found or [ROOT])[0]}"


def _texts(cell: NotebookNode) -> Iterator[str]:
    for output in cell.outputs:
        yield output.get("text", "")
        for kind, value in output.get("data", {}).items():
            if kind.startswith("text/"):
                yield value


def images_described(notebook: NotebookNode, path: Path) -> Iterator[str]:
    """Every image has alternative text, where a reader's program finds it.

    That is an ``<img alt>`` in HTML. The text in the metadata of an output of the kind
    ``image/png`` gets lost in JupyterLab and in nbconvert's pages.
    """
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if any(kind.startswith("image/") for kind in data):
                yield f"cell {cell.id}: an image in the output, not from plots.show"
            for tag in undescribed(data.get("text/html", "")):
                yield f"cell {cell.id}: no alternative text in the output's {tag[:60]}"
            for _, alt in ALT.findall(data.get("text/html", "")):
                if len(alt.split()) > MOST_ALT_WORDS:
                    yield (
                        f"cell {cell.id}: {len(alt.split())} words of alternative "
                        f"text, over {MOST_ALT_WORDS}"
                    )
        if cell.cell_type == "markdown":
            text = without_code(cell.source)
            for image, alt, target in LINK.findall(text):
                if image and not alt.strip():
                    yield f"cell {cell.id}: no alternative text for {target}"
            for tag in undescribed(text):
                yield f"cell {cell.id}: no alternative text in {tag}"


def links_resolve(notebook: NotebookNode, path: Path) -> Iterator[str]:
    """Relative links lead to files that exist."""
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            continue
        for _, _, target in LINK.findall(without_code(cell.source)):
            file = unquote(target.split("#")[0])
            if not file or re.match(r"[a-z][a-z0-9+.-]*:", file, re.IGNORECASE):
                continue
            if not (path.parent / file).exists():
                yield f"cell {cell.id}: the link to {target} leads nowhere"


RULES = (
    valid_format,
    readable_ids,
    tidy_cells,
    headings_in_order,
    slides_are_short,
    folded,
    predictions_are_answered_folded,
    few_assertions_in_sight,
    core_is_short,
    helps_without_the_course,
    exercises_in_order,
    exercises_complete,
    executed_cleanly,
    no_machine_paths,
    images_described,
    links_resolve,
)
