"""The shell commands: ``python -m alexnet_lab doctor | ledger | train``."""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from alexnet_lab.data import Splits
from alexnet_lab.files import write_json
from alexnet_lab.runtime import provenance
from alexnet_lab.training import checkpoints, distributed
from alexnet_lab.training.history import History

INPUTS = {
    "lenet5": (1, 28, 28),
    "lenet5_1998": (1, 32, 32),
    "alexnet_2012": (3, 227, 227),
    "alexnet_one_tower": (3, 227, 227),
    "alexnet_torchvision": (3, 224, 224),
    "alexnet_mini": (1, 28, 28),
}
COLOUR_SAMPLE = 2_000  # pictures from which the axes of colour are found
LECUN_1998 = {"padding": 2, "value_range": (-0.1, 1.175)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is 0 if all went well."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except (ValueError, TypeError, RuntimeError, OSError, ImportError) as error:
        print(f"{options.command}: {error}", file=sys.stderr)
        return 1
    finally:
        distributed.leave()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m alexnet_lab", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    doctor = commands.add_parser("doctor", help="what this machine has, and how fast")
    doctor.set_defaults(run=_doctor)

    ledger = commands.add_parser("ledger", help="a network's sizes, parameters, work")
    _model_options(ledger)
    ledger.add_argument(
        "--input", type=_shape, help="C,H,W; by default the model's own"
    )
    ledger.add_argument("--verify", action="store_true", help="compare with torchinfo")
    ledger.set_defaults(run=_ledger)

    train = commands.add_parser("train", help="train a network, with checkpoints")
    _model_options(train)
    train.add_argument(
        "--data", required=True, help="mnist, fashion_mnist, imagenette, or a folder"
    )
    train.add_argument("--epochs", type=int, default=10)
    train.add_argument("--batch-size", type=int, default=128)
    train.add_argument("--train-images", type=int, help="use only so many")
    train.add_argument("--learning-rate", type=float, default=0.05)
    train.add_argument("--weight-decay", type=float, default=5e-4)
    train.add_argument("--optimizer", choices=["sgd", "adamw"], default="sgd")
    train.add_argument("--schedule", default="one-cycle")
    train.add_argument(
        "--temperature", type=float, default=1.0, help="divides the logits in the loss"
    )
    train.add_argument(
        "--augment",
        nargs="+",
        choices=["flip", "shift", "colour"],
        default=[],
        help="random changes of the training images: mirrored, moved by 2 pixels, the "
        "paper's colour noise (folders of photographs are cropped and mirrored anyway)",
    )
    train.add_argument("--precision", default="auto")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder for checkpoint.pt, weights.pt, history.json and result.json; the "
        "same command goes on where it was interrupted",
    )
    train.add_argument(
        "--test", action="store_true", help="score on the test set, once"
    )
    train.set_defaults(run=_train)
    return parser


def _model_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model",
        help=f"{', '.join(INPUTS)}, or your own as package.module:function",
    )
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="an argument of the model, for example --set activation=relu",
    )


def _shape(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.replace("x", ",").split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no shape; write C,H,W, for example 3,227,227"
        ) from None


def _builder(name: str) -> Callable[..., nn.Module]:
    if name in INPUTS:
        return getattr(importlib.import_module("alexnet_lab.models"), name)
    module, colon, function = name.partition(":")
    if not colon:
        raise ValueError(
            f"no model is called {name!r}; there are {', '.join(INPUTS)}, and your own "
            "as package.module:function"
        )
    sys.path.insert(0, "")  # a module in the current folder
    try:
        return getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"cannot find {name!r}: {error}") from error


def _build(options: argparse.Namespace, **defaults: object) -> nn.Module:
    """The network; ``defaults`` are set where it has such an argument."""
    builder = _builder(options.model)
    known = inspect.signature(builder).parameters
    arguments = {key: value for key, value in defaults.items() if key in known}
    return builder(**arguments | _chosen(options))


def _chosen(options: argparse.Namespace) -> dict[str, int | str]:
    """What ``--set`` asks for."""
    chosen = {}
    for item in options.set:
        key, equals, value = item.partition("=")
        if not equals:
            raise ValueError(f"--set {item!r}: write NAME=VALUE")
        chosen[key] = int(value) if value.lstrip("-").isdigit() else value
    return chosen


def _input(options: argparse.Namespace) -> tuple[int, int, int] | None:
    """(C, H, W) of a named model as ``--set`` makes it; None for one's own."""
    if options.model not in INPUTS:
        return None
    channels, size, _ = INPUTS[options.model]
    chosen = _chosen(options)
    size = chosen.get("image_size", size)
    return chosen.get("in_channels", channels), size, size


def _doctor(options: argparse.Namespace) -> int:
    from alexnet_lab import doctor

    return doctor.main()


def _ledger(options: argparse.Namespace) -> int:
    from alexnet_lab.arithmetic.accounting import ledger

    net = _build(options)
    shape = options.input or _input(options)
    if shape is None:
        raise ValueError("a network of your own needs --input C,H,W")
    book = ledger(net, shape)
    print(book)
    if options.verify:
        verification = book.verify()
        print(verification)
        return 0 if verification.exact else 1
    return 0


def _batches(options: argparse.Namespace) -> Splits:
    """The images that the command names, in the size that its network reads."""
    from alexnet_lab import data

    size = (_input(options) or (1, 28, 28))[1]
    shared = {
        "batch_size": options.batch_size,
        "train_images": options.train_images,
        "seed": options.seed,
    }
    if options.data in ("mnist", "fashion_mnist"):
        images = {"image_size": size}
        if options.model == "lenet5_1998":
            images = LECUN_1998
        return getattr(data, options.data)(**images, **shared)
    if options.data == "imagenette":
        return data.imagenette(image_size=size, **shared)
    return data.image_folder(options.data, image_size=size, **shared)


def _augment(train: Any, names: Sequence[str]) -> None:
    """Let training batches go through the named augmentations, in the order named."""
    from alexnet_lab.data import augment

    if "colour" in names and train.image_shape[0] != 3:
        raise ValueError("--augment colour needs colour images; these are grey")
    steps = {
        "flip": augment.RandomFlip,
        "shift": lambda: augment.RandomShift(2),
        "colour": lambda: augment.ColourNoise.fit(train.sample(COLOUR_SAMPLE)),
    }
    if names:
        train.augment = augment.compose(*[steps[name]() for name in names])


def _train(options: argparse.Namespace) -> int:
    from alexnet_lab.training import TemperedCrossEntropy, evaluate, fit

    train, validation, test = _batches(options)
    classes = _chosen(options).get("num_classes", len(train.classes))
    if classes != len(train.classes):
        raise ValueError(
            f"--set num_classes={classes}, but the images have "
            f"{len(train.classes)} classes"
        )
    _same_run(options)
    _augment(train, options.augment)
    torch.manual_seed(options.seed)
    net = _build(
        options, in_channels=train.image_shape[0], num_classes=len(train.classes)
    )
    history = fit(
        net,
        train,
        validation,
        epochs=options.epochs,
        learning_rate=options.learning_rate,
        weight_decay=options.weight_decay,
        optimizer=options.optimizer,
        schedule=options.schedule,
        loss=TemperedCrossEntropy(options.temperature),
        precision=options.precision,
        seed=options.seed,
        checkpoint=options.out / "checkpoint.pt",
    )
    if not distributed.leads():
        return 0
    history.save(options.out / "history.json")
    checkpoints.save(net.state_dict(), options.out / "weights.pt")
    if history.interrupted:
        print("interrupted; the same command goes on from here")
        return 1
    result = _result(history)
    if options.test:
        score = evaluate(net, test)
        print(f"test: {score}")
        result["test"] = score._asdict()
    write_json(result, options.out / "result.json")
    return 0


def _same_run(options: argparse.Namespace) -> None:
    """Refuse a folder that holds another run; else note there what this one is."""
    path = options.out / "options.json"
    free = {"run", "out", "test", "precision"}  # may differ when a run goes on
    mine = {key: value for key, value in vars(options).items() if key not in free}
    mine = json.loads(json.dumps(mine, default=str))
    if path.exists() and (options.out / "checkpoint.pt").exists():
        saved = json.loads(path.read_text(encoding="utf-8"))
        checkpoints.check_same_run(str(options.out), saved, mine)
    elif distributed.leads():
        options.out.mkdir(parents=True, exist_ok=True)
        write_json(mine, path)


def _result(history: History) -> dict[str, object]:
    """What a reader of a recorded run wants to know first."""
    command = " ".join(["python -m alexnet_lab", *sys.argv[1:]])
    return {
        **provenance(command, history.machine),
        "training_seconds": round(history.seconds, 1),
        "validation_accuracy": history.last.validation_accuracy,
    }


if __name__ == "__main__":
    sys.exit(main())
