"""What must be so before PyTorch starts, in plain Python: nothing need be installed.

    python alexnet_lab/environment.py check     says why PyTorch cannot be had here
    python alexnet_lab/environment.py run       NAME=VALUE … for a process that computes
    python alexnet_lab/environment.py kernel    options for `ipykernel install`

The Makefile runs these before there is an environment; ``doctor``, the tests, the tools
and the benchmarks read ``FAST_CPU``. Text for outputs that lack characters is here,
too. No syntax newer than Python 3.6, so that an old
Python is told in a sentence that it is too old.
"""

import codecs
import os
import platform
import sys

# What makes PyTorch fast on a CPU under Linux; harmless elsewhere. Each is read once,
# when a process starts, so the package cannot set them: whoever starts a process does.
# CONTRIBUTING.md has the measurements.
FAST_CPU = {
    # GNU OpenMP's threads spin for long while they wait. Beside other busy programs
    # they steal the cores from whoever works: LeNet-5 then trained up to 20 times
    # slower. If they sleep at once, waking them costs a quarter of LeNet-5's speed.
    "GOMP_SPINCOUNT": "2500",
    # Linux hands out memory in pages of 4 KiB and clears each one; a training step of
    # AlexNet asks for a million. PyTorch then asks for pages of 2 MiB.
    "THP_MEM_ALLOC_ENABLE": "1",
    # glibc gives large blocks back to Linux at once and asks for them again a moment
    # later. No block gets a mapping of its own, and what is freed is kept; in exchange
    # a process stays as large as it was at its largest.
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

    Args:
        version: of Python, (major, minor).
        system: as in ``sys.platform``.
        machine: as from ``platform.machine()``: of the Python, not of the processor.
        bits: 64 or 32.
    """
    here = "{}.{}".format(*version)
    known = "{}.{} to {}.{}".format(*OLDEST, *NEWEST)
    if version < OLDEST:
        return (
            f"This course needs Python {known}, and this is {here}. Another one: "
            "make PYTHON=python3.12, where it is installed."
        )
    if version > NEWEST:
        return (
            f"PyTorch comes for Python {known} (November 2026), and this is {here}. "
            "Another one: make PYTHON=python3.12, where it is installed. If PyTorch "
            f"has come to {here} since: make ANYWAY=1."
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


def print_with_substitutes() -> None:
    """Let no character stop this process's printing, as a command may not die of one.

    For programs; a library leaves the standard streams as they are.
    """
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
    words = {
        "run": [f"{name}={value}" for name, value in settings().items()],
        "kernel": kernel_options(),
    }
    print(" ".join(words[action]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
