"""JupyterLab in a real browser: what a student and an instructor do there.

Skipped where Playwright or Chromium is missing (requirements-teach.txt has the first).
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import nbformat
import pytest
from browser import serious, started

from alexnet_lab import environment

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
MINUTE = 60_000  # milliseconds

# What the tests ask of the page, through the application that JupyterLab shows on wish.
HELPERS = """
const front = () => window.jupyterapp.shell.currentWidget;
const command = (name) => window.jupyterapp.commands.execute(`notebook:${name}`);
const cell = (id) => front().content.widgets.find((w) => w.model.id === id);
const outputs = (w) => w.outputArea?.model.toJSON() ?? [];
function go(id) {
  front().content.activeCellIndex = front().content.widgets.indexOf(cell(id));
  front().content.scrollToCell(cell(id));
}
window.course = {
  go, cell, command,
  run(id, name = "run-cell") { go(id); return command(name); },
  write: (id, source) => cell(id).model.sharedModel.setSource(source),
  text: (id) => outputs(cell(id))
    .flatMap((o) => [o.text, o.evalue, o.data?.["text/plain"]].flat()).join(""),
  failed: () => front().content.widgets
    .filter((w) => outputs(w).some((o) => o.output_type === "error"))
    .map((w) => w.model.id),
  status: () => window.jupyterapp && front()?.sessionContext?.session?.kernel?.status,
};
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A JupyterLab as `make lab` starts it, on copies of two notebooks."""
    folder = tmp_path_factory.mktemp("lab")
    for number in ("01", "02"):
        (path,) = NOTEBOOKS.glob(f"{number}_*.ipynb")
        shutil.copy(path, folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = "for-this-test"
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}"]
    command += [f"--IdentityProvider.token={token}", "--allow-root", str(folder)]
    command += ["--LabApp.expose_app_in_browser=True", "--ServerApp.port_retries=0"]
    settings = environment.FAST_CPU | os.environ
    settings["JUPYTER_CONFIG_DIR"] = str(folder / ".config")  # not the user's own
    settings["JUPYTERLAB_SETTINGS_DIR"] = str(folder / ".settings")
    whole = folder / ".settings/@jupyterlab/notebook-extension"
    whole.mkdir(parents=True)  # also cells that are out of sight stand in the page
    text = '{"windowingMode": "none"}'
    (whole / "tracker.jupyterlab-settings").write_text(text)
    settings["JUPYTERLAB_WORKSPACES_DIR"] = str(folder / ".workspaces")
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, env=settings, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            with suppress(OSError):
                urllib.request.urlopen(f"{address}/api?token={token}").close()
                break
            assert server.poll() is None, (folder / "log").read_text()
            time.sleep(0.25)
        yield lambda name: f"{address}/lab/tree/{name}?token={token}&reset"
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture(scope="module")
def chromium():
    with started() as browser:
        yield browser


@pytest.fixture
def open_notebook(chromium, lab):
    """A function that opens a notebook of this number and returns Chromium's page."""
    pages = []

    def opened(number):
        (path,) = NOTEBOOKS.glob(f"{number}_*.ipynb")
        pages.append(page := chromium.new_page(viewport={"width": 1280, "height": 900}))
        page.set_default_timeout(5 * MINUTE)
        page.add_init_script(HELPERS)
        page.goto(lab(path.name))
        page.wait_for_function("() => course.status() === 'idle'")
        return page

    yield opened
    for page in pages:
        page.close()


def test_run_all_answer_and_unfold(open_notebook):
    page = open_notebook("01")
    hidden = "(id) => course.cell(id).outputHidden"
    assert page.evaluate(hidden, "stride-sizes"), "a prediction's answer stands open"
    page.evaluate("(id) => course.go(id)", "map")
    page.locator(".jp-Cell.jp-mod-active .jp-OutputPlaceholder").first.click()
    assert not page.evaluate(hidden, "map"), "a click did not open the fold"

    page.evaluate("() => course.command('run-all-cells')")
    assert not page.evaluate(hidden, "stride-sizes"), "running did not reveal"
    assert page.evaluate("() => course.failed()") == []
    for cell in ("see-picture", "check-2", "versions"):
        assert page.evaluate("(id) => course.text(id)", cell), f"{cell} shows nothing"
    assert page.evaluate("(id) => course.text(id)", "check-2").startswith("○")

    for answer, mark in (("(1, 2)", "✗"), (the_solution(), "✓")):
        write(page, "exercise-2", f"counts_01_2 = {answer}")
        page.evaluate("(id) => course.run(id)", "exercise-2")
        page.evaluate("(id) => course.run(id)", "check-2")
        assert page.evaluate("(id) => course.text(id)", "check-2").startswith(mark)

    ours = (".jp-OutputArea-output", ".jp-MarkdownOutput")
    assert page.locator(f".jp-Notebook img:is({ours[0]} *)").count() > 3, "no pictures"
    assert serious(page, *ours) == []


def test_the_stop_button_leaves_a_living_notebook(open_notebook):
    page = open_notebook("02")
    page.evaluate("(id) => course.run(id, 'run-all-above')", "classic-train")
    page.evaluate("(id) => { course.run(id); }", "classic-train")  # without waiting
    page.wait_for_function("() => course.status() === 'busy'")
    page.wait_for_timeout(2000)
    page.locator('[data-command="notebook:interrupt-kernel"]').first.click()
    page.wait_for_function("() => course.status() === 'idle'")
    write(page, "versions", "print('alive', 6 * 7)")
    page.evaluate("(id) => course.run(id)", "versions")
    assert "alive 42" in page.evaluate("(id) => course.text(id)", "versions")


def write(page, cell, source):
    page.evaluate("([id, source]) => course.write(id, source)", [cell, source])


def the_solution():
    """What notebook 01's own solution of exercise 2 gives, as text."""
    book = nbformat.read(NOTEBOOKS / "01_feature_map_arithmetic.ipynb", as_version=4)
    (cell,) = (cell for cell in book.cells if cell.id == "solution-2")
    (code,) = re.findall(r"```python\n(.*?)```", cell.source, re.S)
    names: dict = {}
    exec(code, names)
    return repr(names["counts_01_2"])
