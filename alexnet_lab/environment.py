"""What must be so before PyTorch starts, in plain Python: nothing need be installed.

    python alexnet_lab/environment.py check     says why PyTorch cannot be had here
    python alexnet_lab/environment.py run       NAME=VALUE … for a process that computes
    python alexnet_lab/environment.py kernel    options for `ipykernel install`

The Makefile runs these before there is an environment, so no syntax is newer than
Python 3.6: an old Python is told in a sentence that it is too old. Text for outputs
that lack characters is here, too.
"""

import argparse
import codecs
import os
import platform
import sys
from pathlib import Path

# What makes PyTorch fast on a CPU under Linux; harmless elsewhere. Each is read once,
# when a process starts, so the package cannot set them: whoever starts a process does.
# CONTRIBUTING.md has the measurements.
FAST_CPU = {
    # GNU OpenMP's threads spin for long while they wait, and steal the cores from
    # other busy programs. If they sleep at once, waking them costs LeNet-5 a quarter.
    "GOMP_SPINCOUNT": "2500",
    # Linux hands out memory in pages of 4 KiB and clears each one; a training step of
    # AlexNet asks for a million. PyTorch then asks for pages of 2 MiB.
    "THP_MEM_ALLOC_ENABLE": "1",
    # glibc gives large blocks back to Linux at once, and asks for them again a moment
    # later. So it keeps what is freed; a process stays as large as at its largest.
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "2147483647",
}

# Looked up in November 2026: torch 2.14 and torchvision 0.29 as pip finds them.
OLDEST, NEWEST = (3, 10), (3, 14)


def unsupported(
    version: "tuple[int, int]" = sys.version_info[:2],
    system: str = sys.platform,
    machine: str = platform.machine(),
    bits: int = 64 if sys.maxsize > 2**32 else 32,
) -> str:
    """Why pip finds no PyTorch for a Python, as far as we know; empty if it should.

    The Python is this one by default; `machine` is its own, not the processor's.
    """
    here = "{}.{}".format(*version)
    known = "{}.{} to {}.{}".format(*OLDEST, *NEWEST)
    another = "Another one: make PYTHON=python3.12, where it is installed."
    if version < OLDEST:
        return f"This course needs Python {known}, and this is {here}. {another}"
    if version > NEWEST:
        return (
            f"PyTorch comes for Python {known} (November 2026), and this is {here}. "
            f"{another} If PyTorch has come to {here} since: make ANYWAY=1."
        )
    if bits != 64:
        return "PyTorch comes for 64 bits only, and this is a 32-bit Python."
    if system == "darwin" and machine == "x86_64":
        return (
            "PyTorch comes for Macs with Apple silicon only (its last version for "
            "Intel is 2.2, too old), and this Python is for Intel. On Apple silicon "
            "install a Python for it; on an Intel Mac use a hosted notebook or Linux."
        )
    if system == "win32" and machine.upper() == "ARM64":
        return (
            "pip finds no PyTorch for Windows on ARM. The Python for 64-bit Intel "
            "processors from python.org runs there, too; or use Linux in WSL."
        )
    return ""


def settings() -> "dict[str, str]":
    """``FAST_CPU`` for a process to be started; what is set already wins."""
    return {name: os.environ.get(name, value) for name, value in FAST_CPU.items()}


def kernel_options() -> "list[str]":
    """What tells Jupyter's kernel: ``python -m ipykernel install --sys-prefix …``."""
    return [word for item in FAST_CPU.items() for word in ("--env", *item)]


# For outputs that lack some characters, as a pipe on Windows does (cp1252). There,
# print("⌊227/4⌋") ends in a UnicodeEncodeError and prints nothing at all.
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


def _substitutes(error: UnicodeError) -> "tuple[str, int]":
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(SUBSTITUTES.get(one, "?") for one in lacking), error.end


codecs.register_error(ERRORS, _substitutes)


def printable(text: str) -> str:
    """The text, with substitutes for what standard output here cannot write."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, ERRORS).decode(encoding)


def folder(text: str) -> Path:
    """A folder that a command line names, `~` being the home folder."""
    if not text.strip():
        raise argparse.ArgumentTypeError("is empty; name a folder")
    return Path(text).expanduser()


def print_with_substitutes() -> None:
    """Let no character stop this process's printing: for programs, not a library."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not when a program replaced it
            stream.reconfigure(errors=ERRORS)


def main(action: str) -> int:
    """Print what was asked for; 1 if PyTorch cannot be had here."""
    if action == "check":
        reason = unsupported()
        if reason:
            print(reason, file=sys.stderr)
        return 1 if reason else 0
    run = [f"{name}={value}" for name, value in settings().items()]
    print(" ".join({"run": run, "kernel": kernel_options()}[action]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
