"""Train the variants of alexnet_mini on the same images and budget, several seeds each.

    python -m alexnet_lab.studies.study --seeds 3 --out data/runs/ablations

Each run is one line of `runs.jsonl`, written when it ends, so that the same command
goes on where it was stopped. Seeds loop outermost: an interrupted study has every
variant at the same number of seeds, give or take one. A seed chooses the held-out
validation images, the training images and their order, the first weights and the
dropout, so that all variants of one seed can be compared in pairs. Variants are
compared on the validation images; the test images are never looked at.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev

import torch

from alexnet_lab.arithmetic.accounting import ledger
from alexnet_lab.data import fashion_mnist
from alexnet_lab.files import whole_file, write_json
from alexnet_lab.runtime import provenance
from alexnet_lab.studies.variants import STUDIES, Variant
from alexnet_lab.training import TrainingDiverged, evaluate, fit

INPUT = (1, 28, 28)
KNOWN_IMAGES = (
    5_000  # training images on which a trained net is scored, without dropout
)
Run = dict[str, object]


@dataclass(frozen=True)
class Settings:
    """What all runs of a study share.

    The learning rate, the peak of fit's one-cycle schedule, is one for all. Of 0.01,
    0.02, 0.05 and 0.1 the validation images chose 0.05, on 4,000 training images with
    a seed that the study does not use: for the baseline 75.5, 76.0, 77.9 and 76.1 %,
    for mini_global_pool 77.1, 80.4, 83.6 and 83.8 %. A variant that would like another
    rate is at a disadvantage.
    """

    train_images: int = 20_000
    epochs: int = 3
    learning_rate: float = 0.05
    batch_size: int = 64


def run_variant(
    variant: Variant, seed: int, settings: Settings | None = None, quiet: bool = True
) -> Run:
    """Train one variant on Fashion-MNIST from one seed and score it.

    Returns:
        seed, parameters, macs (for one image), the settings, and train_accuracy (on up
        to 5,000 of the training images, without dropout and augmentation),
        validation_accuracy, validation_loss (nats), seconds (of training).

    Raises:
        TrainingDiverged: the loss is no longer finite.
        KeyboardInterrupt: the training was interrupted.
    """
    settings = settings or Settings()
    count, batch_size = settings.train_images, settings.batch_size
    train, validation, _ = fashion_mnist(
        batch_size=batch_size,
        train_images=count,
        seed=seed,
        augment=variant.augment,
    )
    torch.manual_seed(seed)
    net = variant.build()
    book = ledger(net, INPUT)  # before fit moves the net to its device
    history = fit(
        net,
        train,
        validation,
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        seed=seed,
        precision="float32",  # the same for all, whatever their size
        channels_last=True,  # on a CPU a third faster
        quiet=quiet,
    )
    if history.interrupted:
        raise KeyboardInterrupt
    known = fashion_mnist(
        batch_size=500, train_images=min(count, KNOWN_IMAGES), seed=seed
    ).train
    return {
        "seed": seed,
        "parameters": book.total_parameters,
        "macs": book.total_macs,
        **asdict(settings),
        "train_accuracy": evaluate(net, known).accuracy,
        "validation_accuracy": history.last.validation_accuracy,
        "validation_loss": history.last.validation_loss,
        "seconds": round(history.seconds, 1),
    }


def run_study(
    out: str | Path | None = None,
    *,
    studies: Sequence[str] = tuple(STUDIES),
    only: Sequence[str] = (),
    seeds: int = 3,
    settings: Settings | None = None,
    report=print,
) -> list[Run]:
    """Train every variant from every seed, but for the runs that ``out`` holds already.

    Args:
        out: folder of `runs.jsonl`; None keeps the runs in memory only.
        studies: "ablation", "modern" or both.
        only: names of variants; by default all of the studies.
        seeds: 0 to seeds − 1.
        report: called with one line a run.

    Returns:
        The runs of these variants and seeds, those done earlier included. A run that
        diverged is reported and left out.

    Raises:
        ValueError: an unknown study or variant; ``out`` holds runs of other settings.
        KeyboardInterrupt: interrupted; every finished run is on the disk.
    """
    settings = settings or Settings()
    wanted = list(_wanted(studies, only))
    if seeds < 1:
        raise ValueError(f"seeds={seeds}: use at least 1")
    path = Path(out) / "runs.jsonl" if out else None
    runs = _resume(path, settings)
    done = {_key(run): run for run in runs}
    result = []
    for seed in range(seeds):
        for study, name in wanted:
            if (study, name, seed) in done:
                result.append(done[study, name, seed])
                continue
            try:
                scores = run_variant(STUDIES[study][name], seed, settings)
            except TrainingDiverged as error:
                report(f"seed {seed}  {name}: left out, {error}")
                continue
            run = {"study": study, "variant": name, **scores}
            result.append(run)
            if path:
                _append(run, path)
            report(
                f"seed {seed}  {study:8}  {name:16}  "
                f"validation {run['validation_accuracy']:.2%}  {run['seconds']:.0f} s"
            )
    return result


def read_runs(path: str | Path) -> list[Run]:
    """Return the runs of a `runs.jsonl`; a half-written last line counts as none.

    Raises:
        OSError: the file cannot be read.
        ValueError: a line before the last is no run.
    """
    lines = Path(path).read_text(encoding="utf-8", errors="replace").split("\n")
    runs = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            run = json.loads(line)
            _key(run)
        except (ValueError, KeyError, TypeError):
            if number == len(lines):  # no newline after it: its run was killed
                break
            raise ValueError(
                f"line {number} of {path} is no run of this study; mend or delete it"
            ) from None
        runs.append(run)
    return runs


def summary(path: str | Path, measure: str = "validation_accuracy") -> list[Run]:
    """Return `summarise` of the runs in a file, or in a folder's `runs.jsonl`."""
    path = Path(path)
    return summarise(read_runs(path / "runs.jsonl" if path.is_dir() else path), measure)


def summarise(runs: Sequence[Run], measure: str = "validation_accuracy") -> list[Run]:
    """Put the runs of each variant together, in the order of `variants.STUDIES`.

    Args:
        measure: the field to compare, such as validation_accuracy or validation_loss.

    Returns:
        For each variant: study, variant, parameters, macs; n runs, their mean and
        standard_deviation (of the sample); difference to the study's first variant and
        its difference_error, the standard error: both from the pairs of the same
        seed, of which there are `pairs`; train_accuracy and seconds, means. None where
        there are too few runs to say: deviations and errors need two.
    """
    rows = []
    for study, variants in STUDIES.items():
        baseline = {
            run["seed"]: run[measure]
            for run in runs
            if run["study"] == study and run["variant"] == next(iter(variants))
        }
        for name in variants:
            mine = [r for r in runs if (r["study"], r["variant"]) == (study, name)]
            if mine:
                rows.append(_summary_row(mine, baseline, measure))
    return rows


def _summary_row(mine: list[Run], baseline: dict, measure: str) -> Run:
    values = [run[measure] for run in mine]
    gains = [r[measure] - baseline[r["seed"]] for r in mine if r["seed"] in baseline]
    few = len(gains) < 2
    return {
        **{key: mine[0][key] for key in ("study", "variant", "parameters", "macs")},
        "n": len(mine),
        "mean": mean(values),
        "standard_deviation": stdev(values) if len(values) > 1 else None,
        "difference": mean(gains) if gains else None,
        "difference_error": None if few else stdev(gains) / len(gains) ** 0.5,
        "pairs": len(gains),
        "train_accuracy": mean(run["train_accuracy"] for run in mine),
        "seconds": mean(run["seconds"] for run in mine),
    }


def _wanted(studies: Sequence[str], only: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield (study, variant), or say which names there are."""
    for study in studies:
        if study not in STUDIES:
            raise ValueError(f"no study {study!r}; there are {', '.join(STUDIES)}")
    names = [name for study in studies for name in STUDIES[study]]
    if unknown := [name for name in only if name not in names]:
        raise ValueError(f"no variant {unknown[0]!r}; there are {' | '.join(names)}")
    for study in studies:
        for name in STUDIES[study]:
            if not only or name in only:
                yield study, name


def _key(run: Run) -> tuple[str, str, int]:
    return run["study"], run["variant"], run["seed"]


def _resume(path: Path | None, settings: Settings) -> list[Run]:
    """Return the runs that are there, all of the same settings; drop half a line."""
    if path is None or not path.exists():
        return []
    runs = read_runs(path)
    for run in runs:
        for key, value in asdict(settings).items():
            if run.get(key) != value:
                raise ValueError(
                    f"{path} holds runs with {key} {run.get(key)}, not {value}: use "
                    "the same settings to go on with it, or another folder"
                )
    if not path.read_bytes().endswith(b"\n"):
        with whole_file(path) as file:
            file.write("".join(map(_line, runs)).encode("utf-8"))
    return runs


def _append(run: Run, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.write(_line(run))  # closed, and so flushed, at once


def _line(run: Run) -> str:
    return json.dumps(run, ensure_ascii=False) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status is 0 if all went well."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser().parse_args(arguments)
    settings = Settings(**{key: getattr(options, key) for key in asdict(Settings())})
    studies = list(STUDIES) if options.study == "all" else [options.study]
    try:
        runs = run_study(
            options.out,
            studies=studies,
            only=options.only,
            seeds=options.seeds,
            settings=settings,
            report=lambda line: print(line, flush=True),
        )
        _write_result(arguments, settings, runs, options.out)
    except (ValueError, OSError) as error:
        print(f"study: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here")
        return 1
    return 0


def _write_result(
    arguments: Sequence[str], settings: Settings, runs: list[Run], out: Path
) -> None:
    """Write what a reader of the recorded study wants to know first."""
    command = f"python -m alexnet_lab.studies.study {shlex.join(arguments)}"
    result = {
        **provenance(command, f"{torch.get_num_threads()} threads, float32"),
        "compared_on": "5,000 validation images a seed; the test images are not used",
        **asdict(settings),
        "runs": len(runs),
        "training_seconds": round(sum(run["seconds"] for run in runs), 1),
    }
    write_json(result, out / "result.json")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m alexnet_lab.studies.study",
        description="Train variants of alexnet_mini, several seeds each.",
    )
    default = Settings()
    parser.add_argument("--study", choices=["all", *STUDIES], default="all")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--seeds", type=int, default=3, help="how many, from 0")
    parser.add_argument("--train-images", type=int, default=default.train_images)
    parser.add_argument("--epochs", type=int, default=default.epochs)
    parser.add_argument("--learning-rate", type=float, default=default.learning_rate)
    parser.add_argument("--batch-size", type=int, default=default.batch_size)
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for runs.jsonl and result.json"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
