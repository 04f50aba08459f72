"""The shell commands: ``python -m alexnet_lab doctor | ledger | train | study``.

For instructors: ``mark`` and ``key``.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from alexnet_lab import doctor, named, train
from alexnet_lab.environment import print_with_substitutes

# those of studies/variants.py, which loads PyTorch
STUDIES = [
    "short", "long", "modern", "figure1", "lrn", "quick", "80sec", "18pct",
    "ten_minutes", "alexnet", "seven",
]  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is 0 if all went well."""
    options = _parser().parse_args(arguments)
    options.words = sys.argv[1:] if arguments is None else arguments
    try:
        status = options.run(options)
        if sys.stdout:  # None where somebody closed it
            sys.stdout.flush()  # here, not where Python ends and nobody listens
        return status
    except KeyboardInterrupt:
        print(f"{options.command}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `… | head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ValueError, TypeError, RuntimeError, OSError, ImportError, Warning) as why:
        advice = ""
        if isinstance(why, ModuleNotFoundError):
            advice = "; `python -m alexnet_lab doctor` says what is missing"
        print(f"{options.command}: {why}{advice}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m alexnet_lab", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    check = commands.add_parser("doctor", help="what this machine has, and how fast")
    check.set_defaults(run=lambda options: doctor.main())

    ledger = commands.add_parser("ledger", help="a network's sizes, parameters, work")
    ledger.add_argument("--verify", action="store_true", help="compare with torchinfo")
    named.arguments(ledger)
    ledger.set_defaults(run=_ledger)

    training = commands.add_parser("train", help="train a network, with checkpoints")
    train.arguments(training)
    named.arguments(training)
    training.set_defaults(run=train.run)

    study = commands.add_parser("study", help="a long recorded run")
    study.add_argument("name", choices=STUDIES)
    study.add_argument("rest", nargs=argparse.REMAINDER, help="NAME --help lists them")
    study.set_defaults(run=_study)

    mark = commands.add_parser(
        "mark", help="for instructors: mark a folder's notebooks"
    )
    mark.add_argument("folder", type=Path, help="NAME.ipynb, or NAME/….ipynb")
    mark.add_argument("--out", type=Path, required=True, help="the table, as CSV")
    for name, default, text in (
        ("seconds", 20.0, "for a cell, and for an answer"),
        ("memory", 4.0, "GiB for a notebook"),
    ):
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


def _study(options: argparse.Namespace) -> int:
    from alexnet_lab import studies

    return studies.main(options.name, options.rest)


def _mark(options: argparse.Namespace) -> int:
    from alexnet_lab import marking
    from alexnet_lab.runtime import check_writable, whole_file

    check_writable(options.out)  # before the work, which may take an hour
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

    book = ledger(named.build(options), named.input_shape(options))
    print(book)
    if not options.verify:
        return 0
    verification = book.verify()
    print(verification)
    return int(not verification.exact)


if __name__ == "__main__":
    print_with_substitutes()
    sys.exit(main())
