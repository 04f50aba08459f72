"""Print the lower bounds of pyproject.toml as pip's constraints, to test with them.

    python tools/lower_bounds.py > lowest.txt
    python -m pip install -r requirements.txt -c lowest.txt

Needs nothing but Python 3.10, since nothing is installed yet.
"""

from __future__ import annotations

import re
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"
REQUIREMENT = re.compile(r'"([\w-]+)>=([\d.]+)"')


def lower_bounds(pyproject: str) -> list[str]:
    """The text of a pyproject.toml as constraints such as ``torch==2.6``.

    The tools that build the package are left out: they are no dependency of it.
    """
    _, project = pyproject.split("[project]", 1)
    return [f"{name}=={bound}" for name, bound in REQUIREMENT.findall(project)]


if __name__ == "__main__":
    print("\n".join(lower_bounds(PYPROJECT.read_text(encoding="utf-8"))))
