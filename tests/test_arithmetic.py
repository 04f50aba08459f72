"""The arithmetic of one dimension, against counting by hand and against PyTorch."""

import itertools
import math
import random
import re
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn

from alexnet_lab.arithmetic.sizes import (
    Field,
    SizeError,
    Sweep,
    output_size,
    size_formula,
)

_NOTATION = [("⌊(", "floor(F("), ("⌈(", "ceil(F("), ("⌊", "floor("), ("⌋", ")"),
             ("⌉", ")"), ("·", "*"), ("−", "-"), (",", "")]  # fmt: skip


def evaluate(working: str) -> tuple[Fraction, int]:
    """Compute the left side of a working, and read its right side."""
    working = re.sub(r" \(the last .*\)$", "", working)
    left, right = working.rsplit(" = ", 1)
    for old, new in _NOTATION:
        left = left.replace(old, new)
    names = {"floor": math.floor, "ceil": math.ceil, "F": Fraction}
    return eval(left, {"__builtins__": {}}, names), int(right.replace(",", ""))


def windows_by_hand(size, kernel, stride, padding, dilation, ceil_mode):
    """Slide a window along marked positions and return the sets that it reads.

    Positions run over the padded input; ceil mode may read beyond it.
    """
    padded = size + 2 * padding
    found, start = [], 0
    while True:
        window = [start + dilation * i for i in range(kernel)]
        if window[-1] >= padded:
            unread = not found or found[-1][-1] < padded - 1
            # One more in ceil mode if anything is unread, unless it starts outside;
            # and the very first only if it sticks out by less than a stride.
            inside = start < padding + size
            near = window[-1] - (padded - 1) < stride
            if ceil_mode and unread and inside and near:
                found.append(window)
            return found
        found.append(window)
        start += stride


def draw(rng):
    kernel = rng.randint(1, 6)
    return (
        rng.randint(1, 20),
        kernel,
        rng.randint(1, 6),
        rng.randint(0, kernel // 2),  # as pools may pad
        rng.choice([1, 1, 2, 3]),
        rng.random() < 0.5,
    )


DRAWN = [draw(random.Random(seed)) for seed in range(1500)]


@pytest.mark.parametrize(
    ("size", "setting", "expected"),
    [
        (227, dict(kernel_size=11, stride=4), 55),
        (224, dict(kernel_size=11, stride=4), 54),
        (224, dict(kernel_size=11, stride=4, padding=1), 54),
        (224, dict(kernel_size=11, stride=4, padding=2), 55),
        (224, dict(kernel_size=11, stride=4, padding=(0, 3)), 55),
        (224, dict(kernel_size=11, stride=4, ceil_mode=True), 55),
        (27, dict(kernel_size=5, padding="same"), 27),
        (27, dict(kernel_size=4, padding="same", dilation=3), 27),
        (27, dict(kernel_size=5, padding="valid"), 23),
        (np.int64(28), dict(kernel_size=5, padding=2), 28),
        (2, dict(kernel_size=3, stride=2, ceil_mode=True), 1),
    ],
)
def test_known_sizes(size, setting, expected):
    result = output_size(size, **setting)
    assert result == expected
    assert type(result) is int


def test_drawn_settings_agree_with_counting_by_hand():
    rejected = 0
    for setting in DRAWN:
        found = windows_by_hand(*setting)
        if not found:
            rejected += 1
            with pytest.raises(SizeError):
                output_size(*setting)
            continue
        padded = setting[0] + 2 * setting[3]
        end = found[-1][-1] + 1
        assert output_size(*setting) == len(found), setting
        assert Sweep(*setting).leftover == max(0, padded - end), setting
        assert Sweep(*setting).overhang == max(0, end - padded), setting
    assert 50 < rejected < len(DRAWN) / 2


def test_drawn_settings_agree_with_pytorch():
    for size, kernel, stride, padding, dilation, ceil_mode in DRAWN:
        pool = nn.MaxPool2d((kernel, 1), (stride, 1), (padding, 0), (dilation, 1),
                            ceil_mode=ceil_mode)  # fmt: skip
        setting = (size, kernel, stride, padding, dilation, ceil_mode)
        try:
            expected = pool(torch.empty(1, 1, size, 1, device="meta")).shape[2]
        except RuntimeError:
            with pytest.raises(SizeError):
                output_size(*setting)
        else:
            assert output_size(*setting) == expected, setting


def test_every_working_computes_its_result():
    dropped = 0
    for setting in DRAWN:
        try:
            expected = output_size(*setting)
        except SizeError:
            continue
        working = size_formula(*setting)
        assert evaluate(working) == (expected, expected), working
        dropped += "dropped" in working
    assert dropped > 10


@pytest.mark.parametrize(
    ("setting", "working"),
    [
        ((227, 11, 4), "⌊(227 − 11 + 2·0)/4⌋ + 1 = 55"),
        ((27, 5, 1, 2), "⌊(27 − 5 + 2·2)/1⌋ + 1 = 27"),
        ((224, 11, 4, (0, 3)), "⌊(224 − 11 + 0 + 3)/4⌋ + 1 = 55"),
        ((27, 4, 1, "same"), "⌊(27 − 4 + 1 + 2)/1⌋ + 1 = 27"),
        ((32, 3, 1, 2, 2), "⌊(32 − 2·(3 − 1) − 1 + 2·2)/1⌋ + 1 = 32"),
        ((224, 11, 4, 0, 1, True), "⌈(224 − 11 + 2·0)/4⌉ + 1 = 55"),
        (
            (5, 1, 5, 0, 1, True),
            "⌈(5 − 1 + 2·0)/5⌉ + 1 − 1 = 1 "
            "(the last window would start past the input and is dropped)",
        ),
    ],
)
def test_workings_read_as_a_student_writes_them(setting, working):
    assert size_formula(*setting) == working


@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_same_puts_the_odd_zero_after_the_input_as_pytorch_does():
    conv = nn.Conv2d(1, 1, (4, 1), padding="same", bias=False)
    nn.init.ones_(conv.weight)
    output = conv(torch.tensor([1.0, 10, 100, 1000]).view(1, 1, 4, 1)).flatten()
    assert output.tolist() == [111, 1111, 1110, 1100]  # one zero before, two after


@pytest.mark.parametrize(
    ("size", "padding", "left"), [(227, 0, 0), (224, 0, 1), (224, 1, 3), (224, 2, 1)]
)
def test_what_conv1_leaves_unread(size, padding, left):
    assert Sweep(size, 11, 4, padding).leftover == left


def test_the_last_window_of_the_2012_code_overhangs_by_three():
    sweep = Sweep(224, 11, 4, ceil_mode=True)
    assert (sweep.overhang, sweep.leftover) == (3, 0)


@pytest.mark.parametrize("ceil_mode", [False, True])
def test_the_smallest_size_is_the_smallest(ceil_mode):
    settings = itertools.product(range(1, 5), range(1, 5), range(3), (1, 2))
    for kernel, stride, padding, dilation in settings:
        if padding > (dilation * (kernel - 1) + 1) // 2:
            continue
        setting = kernel, stride, padding, dilation, ceil_mode

        def gives(size, setting=setting):
            try:
                return output_size(size, *setting)
            except SizeError:
                return 0

        expected = next(size for size in itertools.count(1) if gives(size))
        assert Sweep(9, *setting).smallest == expected, setting


def test_receptive_field_of_alexnet():
    layers = [(11, 4), (3, 2), (5, 1), (3, 2), (3, 1), (3, 1), (3, 1), (3, 2)]
    windows = [Field(*layer) for layer in layers]
    grown = [tuple(field)[:2] for field in itertools.accumulate(windows, Field.through)]
    assert grown == [(11, 4), (19, 8), (51, 8), (67, 16), (99, 16), (131, 16),
                     (163, 16), (195, 32)]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (dict(size=5, kernel_size=11, stride=4), ValueError,
         r"window of 11 does not fit into 5: ⌊\(5 − 11 \+ 2·0\)/4⌋ \+ 1 = −1\. "
         r"The smallest size that works is 11\."),
        (dict(size=5, kernel_size=11, padding=1), ValueError,
         r"5 padded to 7: .*smallest size that works is 9\."),
        (dict(size=4, kernel_size=3, dilation=2), ValueError, "dilation 2 spans 5"),
        (dict(size=1, kernel_size=3, stride=2, ceil_mode=True), ValueError, "is 2"),
        (dict(size=5, kernel_size=3, stride=0), ValueError, "stride must be at least"),
        (dict(size=5, kernel_size=3, padding=-1), ValueError, "padding must be"),
        (dict(size=5, kernel_size=3, padding=(1, -1)), ValueError, "at least 0"),
        (dict(size=0, kernel_size=3), ValueError, "size must be at least 1"),
        (dict(size=5, kernel_size=0), ValueError, "kernel_size must be at least 1"),
        (dict(size=5, kernel_size=3, dilation=0), ValueError, "dilation must be"),
        (dict(size=5, kernel_size=3, padding="full"), ValueError, "'same', 'valid'"),
        (dict(size=5, kernel_size=3, stride=2, padding="same"), ValueError,
         "'same' needs stride 1, not 2"),
        (dict(size=(5, 5), kernel_size=3), TypeError, "one dimension at a time"),
        (dict(size=5, kernel_size=(3, 3)), TypeError, "one dimension at a time"),
        (dict(size=5, kernel_size=3, padding=(1, 1, 1)), ValueError, "both ends"),
        (dict(size=227.0, kernel_size=3), TypeError, r"whole number, but is 227\.0"),
        (dict(size=True, kernel_size=1), TypeError, "whole number, but is True"),
        (dict(size=5, kernel_size=3, padding=None), TypeError, "None"),
        (dict(size=5, kernel_size=3, ceil_mode=1), TypeError, "ceil_mode"),
    ],
)  # fmt: skip
def test_errors_say_what_is_wrong(arguments, error, says):
    for function in (output_size, size_formula):
        with pytest.raises(error, match=says):
            function(**arguments)


def test_the_error_names_the_smallest_size():
    with pytest.raises(SizeError, match="The smallest size that works is 81"):
        output_size(60, kernel_size=3, stride=2, dilation=40)
    assert output_size(81, 3, 2, 0, 40) == 1
    with pytest.raises(SizeError):
        output_size(80, 3, 2, 0, 40)
