"""Text for outputs that lack some characters, as a pipe on Windows does (cp1252).

There, ``print("⌊227/4⌋")`` ends in a UnicodeEncodeError and prints nothing at all.
"""

from __future__ import annotations

import codecs
import sys

SUBSTITUTES = {
    "⌊": "floor(",
    "⌋": ")",
    "⌈": "ceil(",
    "⌉": ")",
    "−": "-",
    "─": "-",
    "×": "x",
    "·": "*",
    "→": "->",
    "≥": ">=",
}
ERRORS = "alexnet_lab.substitutes"  # the name that `errors=` takes


def _substitutes(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(SUBSTITUTES.get(one, "?") for one in lacking), error.end


codecs.register_error(ERRORS, _substitutes)


def printable(text: str) -> str:
    """The text, with substitutes for what standard output here cannot write."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, ERRORS).decode(encoding)


def print_with_substitutes() -> None:
    """Let no character stop this process's printing, as a command may not die of one.

    For programs; a library leaves the standard streams as they are.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not when a program replaced it
            stream.reconfigure(errors=ERRORS)
