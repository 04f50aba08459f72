"""The shell commands: ``python -m alexnet_lab doctor | ledger | train | study``.

For instructors: ``mark`` and ``key``.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import os
import shlex
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alexnet_lab.environment import folder, print_with_substitutes

if TYPE_CHECKING:  # loaded by the commands that need it: doctor runs without PyTorch
    from torch import nn

INPUTS = {
    "lenet5": (1, 28, 28),
    "lenet5_1998": (1, 32, 32),
    "alexnet_2012": (3, 227, 227),
    "alexnet_one_tower": (3, 227, 227),
    "alexnet_torchvision": (3, 224, 224),
    "alexnet_mini": (1, 28, 28),
    "alexnet_cifar": (3, 32, 32),
    "krizhevsky_80sec": (3, 32, 32),
    "krizhevsky_18pct": (3, 32, 32),
    "krizhevsky_13pct": (3, 24, 24),
    "krizhevsky_11pct": (3, 24, 24),
}
# those of studies/variants.py, which loads PyTorch
STUDIES = [
    "short",
    "long",
    "modern",
    "figure1",
    "lrn",
    "quick",
    "80sec",
    "18pct",
    "ten_minutes",
    "alexnet",
    "seven",
]
OWN = "package.module:function or folder/file.py:Class"
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


MARKING = (
    ("seconds", 20.0, "for a cell, and for an answer"),
    ("memory", 4.0, "GiB for a notebook"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is 0 if all went well."""
    options = _parser().parse_args(arguments)
    options.words = sys.argv[1:] if arguments is None else arguments
    try:
        status = options.run(options)
        sys.stdout.flush()  # here, not where Python ends and nobody listens any more
        return status
    except KeyboardInterrupt:
        print(f"{options.command}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `… | head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (
        ValueError,
        TypeError,
        RuntimeError,
        OSError,
        ImportError,
        Warning,
    ) as error:
        advice = ""
        if isinstance(error, ModuleNotFoundError):
            advice = "; `python -m alexnet_lab doctor` says what is missing"
        print(f"{options.command}: {error}{advice}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m alexnet_lab", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    doctor = commands.add_parser("doctor", help="what this machine has, and how fast")
    doctor.set_defaults(run=_doctor)

    ledger = commands.add_parser("ledger", help="a network's sizes, parameters, work")
    ledger.add_argument("--verify", action="store_true", help="compare with torchinfo")
    ledger.set_defaults(run=_ledger)

    train = commands.add_parser("train", help="train a network, with checkpoints")
    _train_options(train)
    train.set_defaults(run=_train)

    own = f"{', '.join(INPUTS)}, or your own as {OWN}"
    choice = "an argument of the model, for example --set activation=relu"
    text = "channels, height, width, if not the model's own"
    for command in (ledger, train):
        command.add_argument("--input", type=shape, metavar="C,H,W", help=text)
        command.add_argument("model", help=own)
        command.add_argument(
            "--set", metavar="NAME=VALUE", action="append", default=[], help=choice
        )

    study = commands.add_parser("study", help="a long recorded run")
    study.add_argument("name", choices=STUDIES)
    study.add_argument("rest", nargs=argparse.REMAINDER, help="NAME --help lists them")
    study.set_defaults(run=_study)

    mark = commands.add_parser(
        "mark", help="for instructors: mark a folder's notebooks"
    )
    mark.add_argument("folder", type=Path, help="NAME.ipynb, or NAME/….ipynb")
    mark.add_argument("--out", type=Path, required=True, help="the table, as CSV")
    for name, default, text in MARKING:
        shown = f"{text} (default: %(default)s)"
        mark.add_argument(f"--{name}", type=float, default=default, help=shown)
    text = "run all cells, not only those that the answers need"
    mark.add_argument("--all", action="store_true", help=text)
    text = "run students' code without a box: it can do what you can"
    mark.add_argument("--trusted", action="store_true", help=text)
    mark.set_defaults(run=_mark)

    key = commands.add_parser("key", help="for instructors: solutions and diagnoses")
    text = "folder for key.ipynb and key.html (default: %(default)s)"
    key.add_argument("--out", type=Path, default=Path("build/key"), help=text)
    key.set_defaults(run=_key)
    return parser


def _train_options(train: argparse.ArgumentParser) -> None:
    text = "mnist, fashion_mnist, cifar10, imagenette, or a folder"
    train.add_argument("--data", required=True, help=text)
    text = (
        "folder for checkpoint.pt, weights.pt, history.json and result.json; the same "
        "command goes on where it was interrupted"
    )
    train.add_argument("--out", type=folder, required=True, help=text)
    tempered = ("temperature", float, 1.0, "divides the logits in the loss")
    for name, kind, default, text in (*IMAGES, *FIT, tempered):
        shown = "" if default is None else " (default: %(default)s)"
        option = f"--{name.replace('_', '-')}"
        train.add_argument(option, type=kind, default=default, help=text + shown)
    changes = ["flip", "shift", "colour"]
    text = (
        "random changes of the training images: mirrored, moved by up to 2 pixels (4 "
        "of 32), the paper's colour noise (folders of photographs are cropped and "
        "mirrored anyway)"
    )
    train.add_argument("--augment", nargs="+", choices=changes, default=[], help=text)
    train.add_argument("--test", action="store_true", help="score on the test set")


def _model(
    options: argparse.Namespace,
) -> tuple[Callable[..., nn.Module], set[str], dict[str, Any]]:
    """What builds the network, the arguments it takes, and what ``--set`` asks."""
    from torch import nn

    module, _, name = options.model.rpartition(":")
    folder, file = os.path.split(module.removesuffix(".py"))
    sys.path.insert(0, folder)  # "", where it is the current one
    try:
        source = importlib.import_module(file or "alexnet_lab.models")
        found = getattr(source, name)
    except Exception as error:  # somebody's file may raise anything
        raise ValueError(
            f"no model is called {options.model!r} ({type(error).__name__}: {error}); "
            f"there are {', '.join(INPUTS)}, and your own as {OWN}"
        ) from error
    if isinstance(found, nn.Module):
        return lambda: found, set(), {}
    known, chosen = inspect.signature(found).parameters, {}
    any_name = any(p.kind == p.VAR_KEYWORD for p in known.values())
    for item in options.set:
        key, equals, value = item.partition("=")
        if not equals:
            raise ValueError(f"--set {item!r}: write NAME=VALUE")
        if key not in known and not any_name:
            raise ValueError(
                f"--set {item}: {name} takes {', '.join(known) or 'nothing'}"
            )
        chosen[key] = _value(value, known.get(key))
    return found, {*known, *(["num_classes"] * any_name)}, chosen  # as torchvision's


def _value(text: str, parameter: inspect.Parameter | None) -> Any:
    """What ``--set`` gives a parameter: of its type, else as Python reads it."""
    kind: Any = parameter.annotation if parameter else ""
    if parameter and kind is parameter.empty:
        kind = type(parameter.default)
    kind, value = getattr(kind, "__name__", kind), text
    if kind != "str":
        with suppress(ValueError, SyntaxError):
            value = ast.literal_eval(text.capitalize() if kind == "bool" else text)
    if kind in ("bool", "int") and type(value).__name__ != kind:
        raise ValueError(f"--set {parameter}: {text} is no {kind}")
    return value


def _build(options: argparse.Namespace, **defaults: object) -> nn.Module:
    """The network; ``defaults`` are set where it has such an argument."""
    builder, known, chosen = _model(options)
    arguments = {key: value for key, value in defaults.items() if key in known}
    try:
        return builder(**arguments | chosen)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{options.model} cannot be built: {error}") from error


def shape(text: str) -> tuple[int, ...]:
    """(3, 227, 227) for 3,227,227."""
    return tuple(int(number) for number in text.split(","))


def _input(options: argparse.Namespace) -> tuple[int, ...]:
    """(C, H, W): as asked, a named model's as ``--set`` makes it, or the net's own."""
    import torch

    from alexnet_lab.arithmetic.accounting import own_input

    if options.input:
        return options.input
    if options.model in INPUTS:
        channels, size, _ = INPUTS[options.model]
        chosen = {"in_channels": channels, "image_size": size} | _model(options)[2]
        return chosen["in_channels"], chosen["image_size"], chosen["image_size"]
    found = None
    with torch.device("meta"), suppress(ValueError, TypeError):
        found = own_input(_build(options))
    if found is None:
        text = "takes images of many sizes, as far as one can see: say which"
        raise ValueError(f"{options.model} {text}, such as --input 3,224,224")
    return found


def _doctor(options: argparse.Namespace) -> int:
    from alexnet_lab import doctor

    return doctor.main()


def _study(options: argparse.Namespace) -> int:
    from alexnet_lab import studies

    return studies.main(options.name, options.rest)


def _mark(options: argparse.Namespace) -> int:
    from alexnet_lab import marking
    from alexnet_lab.marking.pupil import limit_memory
    from alexnet_lab.runtime import whole_file

    limit_memory(2 * options.memory)  # of what judges, too: it loads what comes out
    limits = marking.Limits(options.seconds, options.memory, options.all)
    marks = marking.mark_folder(options.folder, limits, trusted=options.trusted)
    with whole_file(options.out) as file:
        file.write(marking.table(marks).encode("utf-8-sig"))  # as Excel wants it
    print(marking.tally(marks))
    return 0


def _key(options: argparse.Namespace) -> int:
    from alexnet_lab import key

    print(*key.write(options.out), sep="\n")
    return 0


def _ledger(options: argparse.Namespace) -> int:
    from alexnet_lab import ledger

    book = ledger(_build(options), _input(options))
    print(book)
    if not options.verify:
        return 0
    verification = book.verify()
    print(verification)
    return int(not verification.exact)


def _batches(options: argparse.Namespace) -> Any:
    """The splits that the command names, in the size that its network reads."""
    from alexnet_lab import data

    *_, height, width = _input(options)
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


def _train(options: argparse.Namespace) -> int:
    import torch

    from alexnet_lab import training
    from alexnet_lab.runtime import device, provenance, write_json
    from alexnet_lab.training import checkpoints, distributed

    _check_out(options.out)
    team = distributed.join(device())
    train, validation, test = _batches(options)
    classes = len(train.classes)
    asked = _model(options)[2].get("num_classes", classes)
    if asked != classes:
        raise ValueError(f"num_classes={asked}, but the images have {classes} classes")
    _augment(train, options.augment)
    given = ("model", "set", "data", "augment")  # with fit's options the whole run
    train.origin = {name: getattr(options, name) for name in given}
    torch.manual_seed(options.seed)
    net = _build(options, in_channels=train.image_shape[0], num_classes=classes)
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
    history.save(options.out / "history.json")
    checkpoints.save(net.state_dict(), options.out / "weights.pt")
    if history.interrupted:
        print("interrupted; the same command goes on from here")
        return 1
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
    write_json(result, options.out / "result.json")
    return 0


if __name__ == "__main__":
    print_with_substitutes()
    sys.exit(main())
