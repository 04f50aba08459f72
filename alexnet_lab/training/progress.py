"""Live progress that leaves one clean output: in a notebook, a terminal or a log."""

from __future__ import annotations

import sys
import time


class Progress:
    """Shows a text that changes while work goes on, and keeps only the last one.

    In a notebook it is one output, updated in place; in a terminal the last line is
    rewritten; in a log file only finished lines appear.
    """

    def __init__(self, visible: bool = True, interval: float = 0.5) -> None:
        self.visible = visible
        self.interval = interval
        self._next = 0.0
        self._handle = None
        self._notebook = visible and _in_notebook()
        self._lines = 0

    def due(self) -> bool:
        """True when the display may be refreshed again."""
        return self.visible and time.monotonic() >= self._next

    def update(self, finished: str, current: str = "") -> None:
        """Show ``finished`` (whole lines, which only grow) and a passing line."""
        if not self.visible:
            return
        self._next = time.monotonic() + self.interval
        if self._notebook:
            self._show_in_notebook(
                "\n".join(part for part in (finished, current) if part)
            )
            return
        terminal = sys.stdout.isatty()
        new = finished.splitlines()[self._lines :]
        self._lines += len(new)
        for line in new:
            print(f"\r{line:<78}" if terminal else line, flush=True)
        if terminal and current:
            print(f"\r{current:<78}", end="", flush=True)

    def _show_in_notebook(self, text: str) -> None:
        from IPython.display import display

        bundle = {"text/plain": text}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)


def _in_notebook() -> bool:
    shell = sys.modules.get("IPython")
    shell = shell.get_ipython() if shell else None
    return shell is not None and hasattr(shell, "kernel")
