"""What the tests say and set before the first one runs."""

import os

import pytest
from notebook_versions import VERSIONS

from alexnet_lab import environment

# Before torch loads, and for the processes that tests start: what makes a CPU fast,
# and where several workers run the tests, each one's share of the cores.
os.environ.update(environment.settings())
WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 0))
if WORKERS:
    share = max(1, (os.cpu_count() or 1) // WORKERS)
    os.environ.setdefault("OMP_NUM_THREADS", str(share))


@pytest.hookimpl(tryfirst=True)  # xdist reads the marks next
def pytest_collection_modifyitems(items):
    """For workers: notebooks first, one at a time; then the other files, each whole.

    So they end at nearly the same time, and a file's fixtures are built only once.
    """
    if WORKERS:
        items.sort(key=lambda item: item.path.name != "test_notebooks.py")
        for item in items:
            alone = item.name.startswith("test_notebook[")
            group = item.name if alone else item.path.name
            item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture
def clean_rules():
    """The ledger's rules are afterwards what they were before."""
    from alexnet_lab.arithmetic.rules import _RULES

    kept = dict(_RULES)
    yield
    _RULES.clear()
    _RULES.update(kept)


def pytest_terminal_summary(terminalreporter):
    """Say which notebooks were tested otherwise than as they lie there."""
    if notice := VERSIONS.notice():
        terminalreporter.section("notebooks")
        terminalreporter.line(notice)
