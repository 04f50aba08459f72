"""Files that are written whole or not at all."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def whole_file(path: str | Path) -> Iterator[BinaryIO]:
    """A file to write to, which replaces ``path`` when the block ends without error.

    It is written beside ``path``, flushed to the disk and then renamed over it: a run
    that is killed meanwhile leaves the previous file untouched. Folders are made.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(value: object, path: str | Path) -> None:
    """Write ``value`` as JSON for people and programs to read, whole or not at all."""
    text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
    with whole_file(path) as file:
        file.write(text.encode("utf-8"))
