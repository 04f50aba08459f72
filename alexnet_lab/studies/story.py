"""The course in one table: a row a change, from a linear model to AlexNet.

All rows are recorded runs on all of CIFAR-10, scored on the test images.
"""

import json
from typing import NamedTuple

from alexnet_lab.data import data_folder
from alexnet_lab.studies.study import Run, read_runs


class Chapter(NamedTuple):
    """A row of the table: since which notebook, what it says, which run it reads."""

    notebook: str
    says: str
    folder: str
    variant: str
    score: str = "accuracy"


CHAPTERS = (
    Chapter("02", "one linear layer", "alexnet_ten_minutes", "linear"),
    Chapter("02", "+ a hidden layer of 128", "alexnet_ten_minutes", "mlp"),
    Chapter("02", "windows instead: LeNet-5", "alexnet_ten_minutes", "lenet5"),
    Chapter("03", "wider, in 4 passes: 80sec", "krizhevsky_quick", "80sec"),
    Chapter("07", "deeper and wider: AlexNet", "alexnet_ten_minutes", "alexnet"),
    Chapter("07", "+ 80 passes, dropout", "alexnet_cifar", "alexnet"),
    Chapter("07", "+ ten views of an image", "alexnet_cifar", "alexnet", "ten_views"),
    Chapter("10", "+ twice the width", "alexnet_cifar", "alexnet_wide", "ten_views"),
)
HEAD = f"{'':28}{'error':>8}{'parameters':>12}{'MACs':>15}  seconds"


def story(notebook: str = "10") -> str:
    """The table as far as a notebook has come, such as ``story("03")``, as text.

    Error in % of the 10,000 test images; multiply-accumulates for one image, tenfold
    for ten views; seconds of training, where no GPU is named on two CPU cores.

    Raises:
        ValueError: no chapter is told by then.
        OSError: a record is not there.
    """
    told = [chapter for chapter in CHAPTERS if chapter.notebook <= notebook]
    if not told:
        raise ValueError(f"notebook {notebook!r}: the story begins in 02")
    return "\n".join([HEAD, *map(_line, told)])


def _line(chapter: Chapter) -> str:
    """Mean over seeds, where there are several."""
    folder = data_folder() / "runs" / chapter.folder
    runs = [run for run in read_runs(folder / "runs.jsonl") if _tells(chapter, run)]
    error = 100 - 100 * sum(run[chapter.score] for run in runs) / len(runs)
    seconds = sum(run["seconds"] for run in runs) / len(runs)
    macs = runs[0]["macs"] * (10 if chapter.score == "ten_views" else 1)
    on_gpu = runs[0]["machine"].startswith("cuda")
    machine = json.loads((folder / "result.json").read_text(encoding="utf-8"))[
        "machine"
    ]
    where = f", {machine.split(', ')[1].split(' ', 1)[-1]}" if on_gpu else ""
    return (
        f"{chapter.says:28}{error:7.1f}%{runs[0]['parameters']:12,}{macs:15,}"
        f"{seconds:9,.0f}{where}"
    )


def _tells(chapter: Chapter, run: Run) -> bool:
    return run["variant"] == chapter.variant
