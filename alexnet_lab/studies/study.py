"""Train the variants of alexnet_mini on the same images and budget, several seeds each.

    python -m alexnet_lab study variants --seeds 3 --out data/runs/ablations

Each run is one line of `runs.jsonl`, written when it ends, so that the same command
goes on where it was stopped. Seeds loop outermost: an interrupted study has every
variant at the same number of seeds, give or take one. A seed chooses the held-out
validation images, the training images and their order, the first weights and the
dropout, so that all variants of one seed can be compared in pairs. Variants are
compared on the validation images; the test images are never looked at.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from alexnet_lab.arithmetic import ledger
from alexnet_lab.data import fashion_mnist
from alexnet_lab.runtime import provenance, whole_file, write_json
from alexnet_lab.studies.variants import STUDIES, Variant
from alexnet_lab.training import TrainingDiverged, evaluate, fit

KNOWN_IMAGES = 5_000  # training images that are scored, too, without dropout
Run = dict[str, Any]


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


def run_variant(variant: Variant, seed: int, settings: Settings) -> Run:
    """Train one variant on Fashion-MNIST from one seed and score it.

    Returns:
        seed, parameters, macs (for one image), the settings, and train_accuracy (on up
        to 5,000 of the training images, without dropout and augmentation),
        validation_accuracy, validation_loss (nats), seconds (of training).

    Raises:
        TrainingDiverged: the loss is no longer finite.
        KeyboardInterrupt: the training was interrupted.
    """
    images = {"train_images": settings.train_images, "seed": seed}
    train, validation, _ = fashion_mnist(
        batch_size=settings.batch_size, augment=variant.augment, **images
    )
    torch.manual_seed(seed)
    net = variant.build()
    book = ledger(net, (1, 28, 28))  # before fit moves the net to its device
    history = fit(
        net,
        train,
        validation,
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        seed=seed,
        precision="float32",  # the same for all, whatever their size
        channels_last=True,  # on a CPU a third faster
        quiet=True,
    )
    if history.interrupted:
        raise KeyboardInterrupt
    images["train_images"] = min(settings.train_images, KNOWN_IMAGES)
    known = fashion_mnist(batch_size=500, **images).train
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
    report: Callable[[str], object] = print,
) -> list[Run]:
    """Train every variant from every seed, leaving out the runs that ``out`` holds.

    Args:
        out: folder of `runs.jsonl`; None keeps the runs in memory only.
        studies: "ablation", "modern" or both.
        only: names of variants; by default all of the studies.
        seeds: 0 to seeds − 1.
        settings: what all runs share.
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
    done = {_key(run): run for run in _resume(path, settings)}
    result = []
    for key in [(study, name, seed) for seed in range(seeds) for study, name in wanted]:
        study, name, seed = key
        if key not in done:
            try:
                scores = run_variant(STUDIES[study][name], seed, settings)
            except TrainingDiverged as error:
                report(f"seed {seed}  {name}: left out, {error}")
                continue
            done[key] = {"study": study, "variant": name, **scores}
            if path:
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("a", encoding="utf-8", newline="\n") as file:
                    file.write(_line(done[key]))  # closed, and so flushed, at once
            report(
                f"seed {seed}  {study:8}  {name:16}  validation "
                f"{scores['validation_accuracy']:.2%}  {scores['seconds']:.0f} s"
            )
        result.append(done[key])
    return result


def read_runs(path: str | Path) -> list[Run]:
    """The runs of a `runs.jsonl`; a half-written last line counts as none.

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


def _wanted(studies: Sequence[str], only: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield (study, variant), or say which names there are."""
    for study in studies:
        if study not in STUDIES:
            raise ValueError(f"no study {study!r}; there are {', '.join(STUDIES)}")
    names = [(study, name) for study in studies for name in STUDIES[study]]
    there = [name for _, name in names]
    if unknown := [name for name in only if name not in there]:
        raise ValueError(f"no variant {unknown[0]!r}; there are {' | '.join(there)}")
    return (pair for pair in names if not only or pair[1] in only)


def _key(run: Run) -> tuple[str, str, int]:
    return run["study"], run["variant"], run["seed"]


def _resume(path: Path | None, settings: Settings) -> list[Run]:
    """The runs that are there, all of the same settings; half a line is dropped."""
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


def _line(run: Run) -> str:
    return json.dumps(run, ensure_ascii=False) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Run the command line; the exit status is 0 if all went well."""
    parser = argparse.ArgumentParser(
        prog="python -m alexnet_lab study variants",
        description="Train variants of alexnet_mini, several seeds each.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--study", choices=["all", *STUDIES], default="all")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--seeds", type=int, default=3, help="how many, from 0")
    parser.add_argument("--out", type=Path, required=True, help="folder of the record")
    for name, value in asdict(Settings()).items():
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, type=type(value), default=value, help="of each run")
    options = vars(parser.parse_args(arguments))
    out, study = options.pop("out"), options.pop("study")
    which = {"only": options.pop("only"), "seeds": options.pop("seeds")}
    which["report"] = partial(print, flush=True)  # a log shows each run as it ends
    settings = Settings(**options)
    studies = list(STUDIES) if study == "all" else [study]
    try:
        runs = run_study(out, studies=studies, settings=settings, **which)
    except (ValueError, OSError) as error:
        print(f"study: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here")
        return 1
    path = out / "result.json"
    old = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if old.get("runs") == len(runs):
        return 0  # nothing was trained: the record keeps its day and machine
    command = f"python -m alexnet_lab study variants {shlex.join(arguments)}"
    result = {  # what a reader of the recorded study wants to know first
        **provenance(command, f"{torch.get_num_threads()} threads, float32"),
        "compared_on": "5,000 validation images a seed; the test images are not used",
        **asdict(settings),
        "runs": len(runs),
        "training_seconds": round(sum(run["seconds"] for run in runs), 1),
    }
    write_json(result | {key: old[key] for key in old.keys() & {"note"}}, path)
    return 0
