"""Training and testing a network.

What belongs here is the loop of notebook 02 and what long work needs around it.
Data, plots and the networks themselves do not.
"""

from alexnet_lab.training.checkpoints import load
from alexnet_lab.training.comparing import Interval, effect, interval
from alexnet_lab.training.evaluation import TenViews, evaluate, predictions
from alexnet_lab.training.fingerprint import CheckpointError
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
    "CheckpointError", "History", "Interval", "TemperedCrossEntropy", "TenViews",
    "TrainingDiverged", "choose_precision", "effect", "evaluate", "fit", "interval",
    "load", "one_cycle", "predictions", "recipe", "steps",
]  # fmt: skip
