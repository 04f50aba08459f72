"""Long recorded runs: what is trained once, and read by the notebooks.

What belongs here makes a folder of data/runs/ and goes on where it was interrupted.
What a notebook trains by itself does not.
"""

from collections.abc import Sequence

from alexnet_lab.studies import photo_crops, study
from alexnet_lab.studies.photo_crops import PhotoCrops, photo_net, prepared
from alexnet_lab.studies.study import Settings, read_runs, run_study
from alexnet_lab.studies.variants import ABLATIONS

__all__ = [
    "ABLATIONS",
    "PhotoCrops",
    "Settings",
    "photo_net",
    "prepared",
    "read_runs",
    "run_study",
]


def main(name: str, arguments: Sequence[str]) -> int:
    """``python -m alexnet_lab study NAME …``: variants or photo_crops."""
    return {"variants": study, "photo_crops": photo_crops}[name].main(arguments)
