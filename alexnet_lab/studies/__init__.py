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
    """``python -m alexnet_lab study NAME …``: ablations, modern or photo_crops."""
    if name == "photo_crops":
        return photo_crops.main(arguments)
    only = {"ablations": "ablation", "modern": "modern"}[name]
    return study.main(["--study", only, *arguments])
