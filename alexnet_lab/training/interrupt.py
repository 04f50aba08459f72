"""Ctrl-C and Jupyter's stop button, turned into a wish that a loop can honour."""

from __future__ import annotations

import signal
import threading
from typing import Any


class Interrupt:
    """Turns Ctrl-C into a wish, so that a batch is always finished or not begun.

    A second Ctrl-C interrupts at once. Outside the main thread, where signals cannot be
    caught, KeyboardInterrupt stays what it is.
    """

    def __init__(self) -> None:
        self.wanted = False
        self._before: Any = None

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def _note(self, number: int, frame: Any) -> None:
        if self.wanted:
            raise KeyboardInterrupt
        self.wanted = True

    def __exit__(self, *error: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
