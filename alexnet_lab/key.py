"""``python -m alexnet_lab key``: for instructors, all that students should not see.

Every exercise with its solution, its answer, what the check says of a right one and of
each known wrong one; and a good answer to every question *To discuss*. As a notebook to
run or change, and as one page of HTML that needs no network.
"""

from __future__ import annotations

import importlib.metadata
import re
import reprlib
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from torch import nn

from alexnet_lab.exercises import running
from alexnet_lab.exercises.answers import describe, kind_of, plain
from alexnet_lab.exercises.checking import Exercise, exercises_of
from alexnet_lab.runtime import check_writable, whole_file

COURSE = Path(__file__).resolve().parents[1]
DISCUSS = "To discuss"
AT_HOME = re.compile(
    r"(?<!!)\[([^\]]+)\]\((?!https?:|#)[^)]*\)"
)  # links into the course
BLOCK = re.compile(r"^```python\n(.*?)^```[ \t]*$", re.DOTALL | re.MULTILINE)
STYLE = """
body { max-width: 50rem; margin: 2rem auto; padding: 0 1rem; color: #1f2328;
  font: 1rem/1.5 system-ui, sans-serif; background: #fff; }
pre, code { font: 0.875rem/1.4 ui-monospace, monospace; }
pre { background: #f4f6f8; padding: 0.7rem; overflow-x: auto; }
table { border-collapse: collapse; } th, td { border: 1px solid #8c959f;
  padding: 0.3rem 0.6rem; text-align: left; vertical-align: top; }
h1 { border-top: 2px solid; padding-top: 1rem; break-before: page; }
.prompt, .anchor-link { display: none; }
"""


def write(folder: Path) -> list[Path]:
    """Write ``key.ipynb`` and ``key.html`` into a folder; returns the two paths.

    Raises:
        FileNotFoundError: the course's notebooks do not lie beside the package.
        ModuleNotFoundError: nbconvert, which comes with JupyterLab, is missing.
    """
    import nbformat
    from nbconvert import HTMLExporter

    check_writable(folder / "key.html")
    key = nbformat.v4.new_notebook(cells=list(cells()))
    body, _ = HTMLExporter(template_name="basic").from_notebook_node(key)
    paths = [folder / "key.ipynb", folder / "key.html"]
    for path, text in zip(paths, (nbformat.writes(key), _page(body)), strict=True):
        with whole_file(path) as file:
            file.write(text.encode("utf-8"))
    return paths


def _page(body: str) -> str:
    from pygments.formatters import HtmlFormatter

    style = STYLE + HtmlFormatter().get_style_defs(".highlight")
    head = f'<meta charset="utf-8"><title>The key</title><style>{style}</style>'
    if mathjax := _mathjax():
        delimiters = '{tex: {inlineMath: [["$", "$"]]}}'
        head += f"<script>window.MathJax = {delimiters}</script>"
        head += f"<script>{mathjax}</script>"
    return (
        f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>'
    )


def _mathjax() -> str:
    """MathJax, where the package that brings it for the slides is installed."""
    try:
        files = importlib.metadata.files("sphinx-mathjax-offline") or []
    except importlib.metadata.PackageNotFoundError:
        return ""  # formulas then stand there as they are written
    found = [file for file in files if file.name == "tex-svg.js"]
    text = Path(str(found[0].locate())).read_text("utf-8") if found else ""
    return text.replace("</script", "<\\/script")


def cells() -> Iterator[Any]:
    """The cells of the key, notebook after notebook."""
    from nbformat.v4 import new_markdown_cell as text

    paths = sorted((COURSE / "notebooks").glob("*.ipynb"))
    if not paths:
        folder = COURSE / "notebooks"
        raise FileNotFoundError(f"no notebooks in {folder}: the key needs the course")
    teaching = (COURSE / "teaching").is_dir()
    lacking = (
        ""
        if teaching
        else "\n\nThe answers to *To discuss* stand in `teaching/`, which "
        "is not here: students' editions leave it out."
    )
    yield text(
        "# The key\n\nMade by `python -m alexnet_lab key`, from the notebooks, their "
        f"checks and `teaching/`. Keep it where students do not look.{lacking}"
    )
    for path in paths:
        yield from _of_notebook(path)


def _of_notebook(path: Path) -> Iterator[Any]:
    import nbformat
    from nbformat.v4 import new_markdown_cell as text

    notebook = nbformat.read(path, as_version=4)
    number, title = path.stem[:2], path.stem[3:].replace("_", " ")
    yield text(f"# {number} · {title}")
    exercises = {one.number: one for one in exercises_of(number)}
    for i, cell in enumerate(notebook.cells):
        if "check" in cell.metadata.get("tags", []):
            asked = re.search(r"check\(.(\d\d\.\d+)", cell.source)
            assert asked, f"{path.name}, cell {cell.id}: no check"
            yield from _of_exercise(exercises[asked[1]], notebook.cells, i)
    if found := [cell for cell in notebook.cells if f"## {DISCUSS}" in cell.source]:
        yield text(_discussed(number, found[0].source))


def _of_exercise(exercise: Exercise, cells: list[Any], check: int) -> Iterator[Any]:
    """The question, the solution, and what the check says, of the cell at `check`."""
    from nbformat.v4 import new_code_cell as code
    from nbformat.v4 import new_markdown_cell as text

    heading = f"### Exercise {exercise.number}"
    first = max(i for i, one in enumerate(cells[:check]) if heading in one.source)
    for cell in cells[first : check - 1]:
        words = heading + cell.source.partition(heading)[2] or cell.source
        question = words if cell.cell_type == "markdown" else cell.source
        make = text if cell.cell_type == "markdown" else code
        yield make(AT_HOME.sub(r"\1", question))
    after = cells[check + 1] if check + 1 < len(cells) else None
    if after is None or "solution" not in after.metadata.get("tags", []):
        yield text("*This edition leaves the solution out.*")
    elif block := BLOCK.search(after.source):
        words = BLOCK.sub(
            "", re.sub(r"</?details>|<summary>.*?</summary>", "", after.source)
        )
        yield text(f"**Solution.** {' '.join(words.split())}")
        yield code(block[1].rstrip())
    yield text(_said(exercise))


def _said(exercise: Exercise) -> str:
    """The answer and the diagnoses, in Markdown."""
    answer = _shown(running.build(exercise.answer))
    hints = "".join(f"\n{i}. {h}" for i, h in
                    enumerate((exercise.hint, *exercise.more_hints), 1))  # fmt: skip
    lines = [
        f"**Answer:** {answer}. **The check says:** {exercise.right}",
        f"**Hints:**\n{hints}",
        "**Known wrong answers:**",
    ]
    rows = [("for example", "what it shows"), ("---", "---")]
    for wrong in exercise.wrong:
        rows.append((_shown(running.build(wrong.answer)), wrong.says))
    table = "\n".join(f"| {example} | {says} |" for example, says in rows)
    return "\n\n".join([*lines, table])


def _shown(answer: Any) -> str:
    """An answer in a cell of a table: its value, or what it is."""
    name = getattr(answer, "__name__", "")
    if kind_of(answer) == "function" and name.isidentifier():
        return f"`{name}`"
    layers = list(answer.children()) if isinstance(answer, nn.Module) else answer
    if isinstance(layers, list) and any(isinstance(one, nn.Module) for one in layers):
        return f"layers: {', '.join(type(one).__name__ for one in layers)}"
    if kind_of(answer) in ("number", "text", "truth value", "sequence", "mapping"):
        short = reprlib.Repr()
        short.maxtuple = short.maxlist = 8
        value = " ".join(short.repr(plain(answer)).split())
        return f"`{value}`".replace("|", "\\|")
    return escape(describe(answer))


def _discussed(number: str, questions: str) -> str:
    """The questions of a notebook, each with its answer of ``teaching/answers``."""
    file = COURSE / "teaching" / "answers" / f"{number}.md"
    parts = re.split(
        r"(?m)^## (.+)\n", file.read_text("utf-8") if file.is_file() else ""
    )
    answers = dict(zip(parts[1::2], parts[2::2], strict=True))
    lines = [f"## {DISCUSS}"]
    for question in re.findall(r"(?m)^\d+\. (.+)$", questions):
        lines += [f"**{question}**", answers.get(question, "*No answer here.*").strip()]
    return "\n\n".join(lines)
