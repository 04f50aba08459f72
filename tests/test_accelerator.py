"""The package on an accelerator: on the one that is here, or on a pretended one.

The tests are those of on_accelerator.py. Whole notebooks run there by
`PRETEND=1 python tools/notebooks.py check`, which the public workflow does each night.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from alexnet_lab import device

HERE = Path(__file__).parent
# pretend_cuda knows PyTorch's inner parts, which differ in older versions
VERSION = tuple(map(int, re.findall(r"\d+", torch.__version__)[:2]))
CAN_PRETEND = sys.platform == "linux" and VERSION >= (2, 14)


@pytest.mark.skipif(
    device().type == "cpu" and not CAN_PRETEND, reason="no accelerator, none pretended"
)
def test_the_package_on_an_accelerator() -> None:
    pretence = [str(HERE / "pretend_cuda.py")] if device().type == "cpu" else []
    names = ("ALEXNET_LAB_DEVICE", "ALEXNET_LAB_BUDGET")
    plain = {key: value for key, value in os.environ.items() if key not in names}
    command = ["-m", "pytest", "-p", "no:cacheprovider"]
    result = subprocess.run(
        [sys.executable, *pretence, *command, str(HERE / "on_accelerator.py")],
        cwd=HERE.parent,
        env=plain,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr


REFUSED = {
    "a + b": "at least two devices",
    "a.numpy()": "numpy",
    "torch.rand(3, device='cuda', generator=torch.Generator())": "for generator",
    "b[a.long()]": "indices should be",
    "torch.cat([a, b])": "at least two devices",
}
CODE = """
import torch, pretend_cuda
pretend_cuda.on()
a, b = torch.ones(3, device="cuda"), torch.ones(3)
print((a + a).device, (a * 2).cpu().tolist(), float(a.sum()))
for line in LINES:
    try:
        print("not refused:", eval(line))
    except (RuntimeError, TypeError) as error:
        print(str(error).splitlines()[0])
"""


@pytest.mark.skipif(not CAN_PRETEND, reason="no pretence here")
def test_the_pretence_refuses_what_cuda_refuses() -> None:
    code = CODE.replace("LINES", repr(list(REFUSED)))
    said = subprocess.check_output([sys.executable, "-c", code], cwd=HERE, text=True)
    first, *refusals = said.splitlines()
    assert first == "cuda:0 [2.0, 2.0, 2.0] 3.0"
    for refusal, wanted in zip(refusals, REFUSED.values(), strict=True):
        assert wanted in refusal and "not refused" not in refusal
