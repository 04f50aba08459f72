"""What the tests say and set before the first one runs."""

import os

from notebook_versions import VERSIONS

from alexnet_lab import environment

# Before torch loads, and for the processes that tests start: what makes a CPU fast.
os.environ.update(environment.settings())


def pytest_terminal_summary(terminalreporter):
    """Say which notebooks were tested otherwise than as they lie there."""
    if notice := VERSIONS.notice():
        terminalreporter.section("notebooks")
        terminalreporter.line(notice)
