"""``python -m alexnet_lab train``: one run of a network, with all that records it."""

from __future__ import annotations

import argparse
import shlex
import tempfile
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from alexnet_lab import named
from alexnet_lab.environment import folder

COLOUR_SAMPLE = 2_000  # pictures from which the axes of colour are found
# options of data and of fit: name, type, default, help
IMAGES = (
    ("batch_size", int, 128, "images a step"),
    ("train_images", int, None, "use only so many"),
    ("seed", int, 0, "of weights, order, dropout and augmentation"),
)
FIT = (
    ("epochs", int, 10, "passes over the training images"),
    ("learning_rate", float, 0.05, "the schedule's peak"),
    ("weight_decay", float, 5e-4, "on weights, not on biases"),
    ("optimizer", str, "sgd", "sgd or adamw"),
    ("schedule", str, "one-cycle", "one-cycle, cosine, steps or constant"),
    ("precision", str, "auto", "auto, float32, bfloat16 or float16"),
    ("resume", str, "exact", "anyway: go on from a checkpoint of other settings"),
)


def arguments(command: argparse.ArgumentParser) -> None:
    """Let the command be told images, how to train, and a folder for the record."""
    text = "mnist, fashion_mnist, cifar10, imagenette, or a folder"
    command.add_argument("--data", required=True, help=text)
    text = (
        "folder for checkpoint.pt, weights.pt, history.json and result.json; the same "
        "command goes on where it was interrupted"
    )
    command.add_argument("--out", type=folder, required=True, help=text)
    tempered = ("temperature", float, 1.0, "divides the logits in the loss")
    for name, kind, default, text in (*IMAGES, *FIT, tempered):
        shown = "" if default is None else " (default: %(default)s)"
        option = f"--{name.replace('_', '-')}"
        command.add_argument(option, type=kind, default=default, help=text + shown)
    changes = ["flip", "shift", "colour"]
    text = (
        "random changes of the training images: mirrored, moved by up to 2 pixels (4 "
        "of 32), the paper's colour noise (folders of photographs are cropped and "
        "mirrored anyway)"
    )
    command.add_argument("--augment", nargs="+", choices=changes, default=[], help=text)
    command.add_argument("--test", action="store_true", help="score on the test set")


def run(options: argparse.Namespace) -> int:
    """Train as asked, or go on; the exit status is 0 once the record is whole."""
    import torch

    from alexnet_lab import training
    from alexnet_lab.runtime import device, write_json
    from alexnet_lab.training import checkpoints, distributed, given

    _check_out(options.out)
    given.check_seed(options.seed)
    team = distributed.join(device())
    train, validation, test = _batches(options)
    classes = len(train.classes)
    asked = named.model(options)[2].get("num_classes", classes)
    if asked != classes:
        raise ValueError(f"num_classes={asked}, but the images have {classes} classes")
    _augment(train, options.augment)
    chosen = ("model", "set", "data", "augment")  # with fit's options the whole run
    train.origin = {name: getattr(options, name) for name in chosen}
    torch.manual_seed(options.seed)
    net = named.build(options, in_channels=train.image_shape[0], num_classes=classes)
    warnings.filterwarnings("error", ".* outputs for .* classes")  # here it is wrong
    history = training.fit(
        net,
        train,
        validation,
        loss=training.TemperedCrossEntropy(options.temperature),
        checkpoint=options.out / "checkpoint.pt",
        seed=options.seed,
        **{name: getattr(options, name) for name, *_ in FIT},
    )
    if not team.leads:
        return 0

    def record(out: Path) -> None:
        history.save(out / "history.json")
        checkpoints.save(net.state_dict(), out / "weights.pt")
        if not history.interrupted:
            write_json(_result(options, history, net, test), out / "result.json")

    try:
        record(options.out)
    except OSError as error:  # a full disk: what hours have taught goes to another one
        record(elsewhere := Path(tempfile.mkdtemp(prefix="alexnet_lab_")))
        raise OSError(f"{error}. What was learned is in {elsewhere}") from error
    if history.interrupted:
        print("interrupted; the same command goes on from here")
    return int(history.interrupted)


def _result(
    options: argparse.Namespace, history: Any, net: Any, test: Any
) -> dict[str, Any]:
    """What a finished run came to, and where that comes from."""
    from alexnet_lab import training
    from alexnet_lab.runtime import provenance

    command = f"python -m alexnet_lab {shlex.join(options.words)}"
    result: dict[str, Any] = {
        **provenance(command, history.machine),
        "training_seconds": round(history.seconds, 1),
        "validation_accuracy": history.last.validation_accuracy,
    }
    if options.test:
        score = training.evaluate(net, test)
        print(f"test: {score}")
        result["test"] = score._asdict()
    return result


def _batches(options: argparse.Namespace) -> Any:
    """The splits that the command names, in the size that its network reads."""
    from alexnet_lab import data

    *_, height, width = named.input_shape(options)
    if height != width:
        raise ValueError(f"pictures are made squares, not {height}×{width}")
    images: dict[str, Any] = {"image_size": height}
    if options.model == "lenet5_1998":
        images = {"padding": 2, "value_range": (-0.1, 1.175)}
    images |= {name: getattr(options, name) for name, *_ in IMAGES}
    if options.data in ("mnist", "fashion_mnist", "cifar10", "imagenette"):
        return getattr(data, options.data)(**images)
    return data.image_folder(options.data, **images)


def _augment(train: Any, names: Sequence[str]) -> None:
    """Let training batches go through the named augmentations, in the order named."""
    from alexnet_lab.data import augment

    if "colour" in names and train.image_shape[0] != 3:
        raise ValueError("--augment colour needs colour images; these are grey")
    steps: dict[str, Callable[[], Any]] = {
        "flip": augment.RandomFlip,
        "shift": lambda: augment.RandomShift(4 if train.image_shape[1] == 32 else 2),
        "colour": lambda: augment.ColourNoise.fit(_some_pictures(train)),
    }
    if names:
        train.augment = augment.compose(*[steps[name]() for name in names])


def _some_pictures(train: Any) -> Iterable[Any]:
    """Training pictures, uint8 (3, H, W): from memory, or small ones of a folder."""
    if hasattr(train, "images"):
        return train.images[:COLOUR_SAMPLE]
    return (picture[:, ::4, ::4] for picture in train.sample(COLOUR_SAMPLE))


def _check_out(out: Path) -> None:
    """Raise ValueError if a folder holds a record that this command would replace."""
    from alexnet_lab.data.place import RECORD, ships

    if ships(out):
        text = "is a record of the course, which `train` leaves alone"
        raise ValueError(f"{out} {text}; use a folder of your own, data/my_runs/NAME")
    there = [name for name in RECORD if (out / name).exists()]
    if there and not (out / "checkpoint.pt").exists():
        text = (
            f"holds the result of another run ({', '.join(there)}), which can't go on"
        )
        how = "use another folder, or delete it to train anew"
        raise ValueError(f"{out} {text} without its checkpoint.pt; {how}")
