"""How this process asks Linux for memory: once, and then it keeps it."""

from __future__ import annotations

import ctypes
import os
import sys

# glibc, malloc.h
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4


def keep_memory() -> bool:
    """Have freed memory kept for the next training step instead of given back.

    glibc gives large blocks back to Linux at once and asks for them again a moment
    later; Linux clears each page anew. That took a tenth of the processors' time in a
    training step of AlexNet, more in LeNet-5's (CONTRIBUTING.md has the figures). In
    exchange the process stays as large as it was at its largest.

    Returns:
        Whether it is so now: not where the system has no glibc, nor where the
        environment has ``ALEXNET_LAB_KEEP_MEMORY=0``.
    """
    if os.environ.get("ALEXNET_LAB_KEEP_MEMORY", "1") == "0":
        return False
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library, such as musl
        return False
    never, always = 0, 2**31 - 1  # mmap a block of its own; keep what is freed
    return bool(mallopt(_M_MMAP_MAX, never) and mallopt(_M_TRIM_THRESHOLD, always))
