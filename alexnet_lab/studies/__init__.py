"""Long recorded runs: what is trained once, and read by the notebooks.

What belongs here makes a folder of data/runs/ and goes on where it was interrupted.
What a notebook trains by itself does not.
"""

from alexnet_lab.studies.story import story
from alexnet_lab.studies.study import Settings, main, read_runs, run_study
from alexnet_lab.studies.variants import ABLATIONS, STUDIES

__all__ = [
    "ABLATIONS", "STUDIES", "Settings", "main", "read_runs", "run_study", "story",
]  # fmt: skip
