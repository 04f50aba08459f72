"""What the package asks of the memory allocator, seen from outside."""

import os
import platform
import subprocess
import sys

import pytest

from alexnet_lab import allocator

FAULTS = """
import resource, torch
import alexnet_lab

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(10_000_000)  # 40 MB, as the first maps of a batch in AlexNet
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
print(faults())
"""


def faults(**environment):
    result = subprocess.run(
        [sys.executable, "-c", FAULTS],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(result.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc")
def test_memory_is_asked_for_once():
    """Tensor after tensor comes to lie in the same pages, unless that is unwanted."""
    assert faults(ALEXNET_LAB_KEEP_MEMORY="1") < 100
    # else in new pages each time, of 4 KiB or of 2 MiB
    assert faults(ALEXNET_LAB_KEEP_MEMORY="0") > 200


def test_another_system_is_left_alone(monkeypatch):
    monkeypatch.delenv("ALEXNET_LAB_KEEP_MEMORY", raising=False)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert allocator.keep_memory() is False
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda name: object())  # no mallopt
    assert allocator.keep_memory() is False
