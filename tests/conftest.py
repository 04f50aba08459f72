"""What the tests say and set before the first one runs."""

import os

import pytest
from notebook_versions import VERSIONS

from alexnet_lab import environment

# Before torch loads, and for the processes that tests start: what makes a CPU fast.
os.environ.update(environment.settings())


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
