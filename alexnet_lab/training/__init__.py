"""Training and testing a network.

What belongs here is the loop of notebook 02 and what long work needs around it.
Data, plots and the networks themselves do not.
"""

from alexnet_lab.training.checkpoints import CheckpointError, load
from alexnet_lab.training.evaluation import TenViews, evaluate, predict
from alexnet_lab.training.history import History, TrainingDiverged
from alexnet_lab.training.loop import fit
from alexnet_lab.training.optimizers import (
    TemperedCrossEntropy,
    one_cycle,
    recipe,
    steps,
)
from alexnet_lab.training.precision import choose_precision

__all__ = [
    "CheckpointError", "History", "TemperedCrossEntropy", "TenViews",
    "TrainingDiverged", "choose_precision", "evaluate", "fit", "load", "one_cycle",
    "predict", "recipe", "steps",
]  # fmt: skip
