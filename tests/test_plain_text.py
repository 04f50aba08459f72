"""Outputs that lack our characters, as pipes on Windows do, get substitutes."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from alexnet_lab import ledger
from alexnet_lab.environment import SUBSTITUTES, print_with_substitutes
from alexnet_lab.models import lenet5

SCRIPT = """
from alexnet_lab import ledger
from alexnet_lab.models import lenet5
led = ledger(lenet5(), (1, 28, 28))
print(led)
print(led.verify())
"""
COMMAND = ["-m", "alexnet_lab", "ledger", "lenet5", "--verify"]


@pytest.mark.parametrize("arguments", [COMMAND, ["-c", SCRIPT]], ids=["-m", "script"])
def test_a_ledger_goes_through_a_pipe_of_windows(arguments):
    environment = os.environ | {"PYTHONIOENCODING": "cp1252"}
    result = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, check=True
    )
    assert not result.stderr
    printed = result.stdout.decode("cp1252")
    assert "floor((28 - 2 + 2·0)/2) + 1 = 14" in printed
    assert "12 of 12 rows exact" in printed and "?" not in printed


@pytest.fixture
def pipe(monkeypatch):
    """Standard output in an encoding; it returns what arrives."""

    def open_pipe(encoding: str) -> io.BytesIO:
        arrives = io.BytesIO()
        stream = io.TextIOWrapper(arrives, encoding=encoding, write_through=True)
        monkeypatch.setattr(sys, "stdout", stream)
        return arrives

    return open_pipe


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "cp1251", "gbk", "ascii"])
def test_what_an_encoding_lacks_is_written_otherwise(pipe, encoding):
    led = ledger(lenet5(), (1, 28, 28))
    arrives = pipe(encoding)
    print(led)
    print(led.verify())
    text = arrives.getvalue().decode(encoding)
    assert "?" not in text
    assert ("⌊(28 − 2 + 2·0)/2⌋ + 1 = 14" in text) == (encoding == "utf-8")
    for character, substitute in SUBSTITUTES.items():
        text = text.replace(character, substitute)
    assert "floor((28 - 2 + 2*0)/2) + 1 = 14" in text
    assert "Conv2d 5x5 p2" in text and "12 of 12 rows exact" in text


def test_a_command_dies_of_no_character(pipe):
    arrives = pipe("cp1251")  # Russian Windows' code page has no ×
    print_with_substitutes()
    print("227×227 ☃")
    assert arrives.getvalue() == b"227x227 ?" + os.linesep.encode()
