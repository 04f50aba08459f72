"""How much memory a notebook needs, with all processes that it starts."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import psutil
from nbformat import NotebookNode

MOST_MIB = 2048  # what Binder gives, and the README promises
INTERVAL = 0.1  # seconds; to look takes some milliseconds


class Peak:
    """Watches what the processes started within a ``with`` block hold together.

    What counts is what the system cannot take back: not the pages of PyTorch's
    libraries, half a gigabyte, which it can read again from their files. This Python
    itself, which only watches, is left out.
    """

    def __init__(self) -> None:
        self.samples: list[tuple[float, float]] = [(0.0, 0.0)]  # seconds, MiB
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(INTERVAL):
            self.samples.append((time.time(), held_by_children() / 2**20))

    @property
    def mib(self) -> float:
        """The most that was held at any time."""
        return max(mib for _, mib in self.samples)

    def steps(self, notebook: NotebookNode) -> list[tuple[str, float]]:
        """The cells during which more was held than ever before, and how much.

        nbclient has noted when each began. Growth by less than 20 MiB is left out.
        """
        found, most = [], 0.0
        for cell in notebook.cells:
            times = cell.metadata.get("execution", {})
            if "shell.execute_reply" not in times:
                continue
            began = _seconds(times["iopub.execute_input"])
            ended = _seconds(times["shell.execute_reply"])
            here = max((m for t, m in self.samples if began <= t <= ended), default=0.0)
            if here > most + 20:
                found.append((cell.id, here))
                most = here
        return found


def held_by_children() -> int:
    """Bytes that all processes below this one hold."""
    held = 0
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error, OSError):  # it has just ended
            held += _held(process)
    return held


def _held(process: psutil.Process) -> int:
    """Bytes of anonymous and shared memory on Linux; elsewhere all that is its own."""
    pages = Path(f"/proc/{process.pid}/smaps_rollup")
    if not pages.exists():
        return process.memory_full_info().uss
    kinds = ("Pss_Anon:", "Pss_Shmem:")
    lines = (line.split() for line in pages.read_text().splitlines())
    return sum(1024 * int(words[1]) for words in lines if words[0] in kinds)


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()
