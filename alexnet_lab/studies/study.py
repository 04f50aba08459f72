"""Train the variants of a study on the same images and budget, several seeds each.

    python -m alexnet_lab study short --seeds 5 --out data/runs/short

Each run is one line of `runs.jsonl`, written when it ends, so that the same command
goes on where it was stopped. Seeds loop outermost: an interrupted study has every
variant at the same number of seeds, give or take one. A seed chooses the held-out
validation images, the training images and their order, the first weights and the
dropout, so that all variants of one seed can be compared in pairs. Which images score
a study says its `test`.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from torch import nn

from alexnet_lab.arithmetic import ledger
from alexnet_lab.data import cifar10
from alexnet_lab.data.cifar import CLASSES
from alexnet_lab.environment import folder
from alexnet_lab.runtime import (
    check_writable,
    device,
    provenance,
    whole_file,
    write_json,
)
from alexnet_lab.studies.variants import STUDIES, Study, Variant
from alexnet_lab.training import TenViews, TrainingDiverged, checkpoints, evaluate, fit

Run = dict[str, Any]
BATCH = 500  # images at a time for scoring


@dataclass(frozen=True)
class Settings:
    """What all runs of a study share; by default as the study's table has it."""

    epochs: int
    learning_rate: float
    train_images: int | None = None  # None: all that there are
    batch_size: int = 128
    precision: str = "float32"

    @classmethod
    def of(cls, study: Study) -> "Settings":
        """The settings of a study in the table."""
        return cls(study.epochs, study.learning_rate, batch_size=study.batch_size)


def run_variant(
    name: str, variant: str, seed: int, settings: Settings, out: Path | None = None
) -> Run:
    """Train one variant of a study on CIFAR-10 from one seed and score it.

    Returns:
        seed, parameters, macs (for one image), the settings, own (names of those that
        are the variant's own), train_curve (accuracy of each pass, gathered while the
        weights change), accuracy and loss (nats) on the images that score this study,
        accuracy of ten views where it has them, seconds (of training), machine. The
        weights of seed 0 of a study with ten views are written into ``out``, in 16
        bits.

    Raises:
        TrainingDiverged: the loss is no longer finite.
        KeyboardInterrupt: the training was interrupted.
    """
    study = STUDIES[name]
    chosen = study.variants[variant]
    images = {"seed": seed, "train_images": settings.train_images, **study.images}
    images |= {"held_out": 0} if study.test else {}
    splits = cifar10(batch_size=settings.batch_size, **images)
    train, scored = splits.train, splits.test if study.test else splits.validation
    train.augment, scored.batch_size = chosen.augment, BATCH
    torch.manual_seed(seed)
    net = chosen.build()
    book = ledger(net, _read_by(chosen, train))  # before fit moves it to its device
    options = _options(chosen, net, settings, seed)
    history = fit(net, train, **options)
    if history.interrupted:
        raise KeyboardInterrupt
    side, padding = study.view or (32, 0)
    score = evaluate(_centred(net, side), scored)
    run = {
        "seed": seed,
        "parameters": book.total_parameters,
        "macs": book.total_macs,
        **_recorded(options, settings),
        "train_curve": [round(e.train_accuracy, 5) for e in history.epochs],
        "accuracy": score.accuracy,
        "loss": score.loss,
        "seconds": round(history.seconds, 1),
        "machine": history.machine,
    }
    if study.view:
        run["ten_views"] = evaluate(TenViews(net, side, padding), scored).accuracy
        if out is not None and seed == 0:
            state = net.state_dict().items()
            weights = {key: value.half().cpu() for key, value in state}
            checkpoints.save(weights, out / f"{variant}.pt")
    return run


def _options(
    variant: Variant, net: nn.Sequential, settings: Settings, seed: int
) -> dict[str, Any]:
    """What fit gets: the study's settings, then what the variant wants instead."""
    own = variant.options
    shared = {"epochs": settings.epochs, "learning_rate": settings.learning_rate}
    wanted = own(net=net, epochs=settings.epochs) if callable(own) else own
    # the same for all, whatever their size
    fixed = {"precision": settings.precision, "cuda_graph": True, "quiet": True}
    return {**shared, **wanted, **fixed, "seed": seed}


def _recorded(options: dict[str, Any], settings: Settings) -> Run:
    """The settings as the network was trained with them, and which are its own."""
    shared = asdict(settings)
    trained = {key: options.get(key, value) for key, value in shared.items()}
    own = [key for key, value in trained.items() if value != shared[key]]
    return trained | ({"own": own} if own else {})


def _read_by(variant: Variant, train: Any) -> tuple[int, int, int]:
    """The shape of an image as the network gets it: augmentation may crop it."""
    one = train.prepare(train.images[:1], torch.Generator(train.device))
    return tuple(one.shape[1:])


def _centred(net: nn.Sequential, side: int) -> nn.Module:
    """The network, reading the middle of an image if it is trained on crops."""
    from torchvision.transforms import v2

    return net if side == 32 else nn.Sequential(v2.CenterCrop(side), net)


def run_study(
    name: str,
    out: str | Path | None = None,
    *,
    only: Sequence[str] = (),
    seeds: int = 5,
    settings: Settings | None = None,
    workers: int = 1,
    report: Callable[[str], object] = print,
) -> list[Run]:
    """Train every variant from every seed, leaving out the runs that ``out`` holds.

    Args:
        name: of the study, see ``STUDIES``.
        out: folder of `runs.jsonl`; None keeps the runs in memory only.
        only: names of variants; by default all of the study.
        seeds: 0 to seeds − 1.
        settings: what all runs share, if not what the study's table says.
        workers: so many processes at once; worth it on a GPU.
        report: called with one line a run.

    Returns:
        The runs of these variants and seeds, those done earlier included. A run that
        diverged is reported and left out.

    Raises:
        ValueError: an unknown study or variant; ``out`` holds runs of other settings,
            or another result.
        OSError: ``out`` cannot be written.
        KeyboardInterrupt: interrupted; every finished run is on the disk.
    """
    wanted = _wanted(name, only)
    settings = settings or Settings.of(STUDIES[name])
    if seeds < 1:
        raise ValueError(f"seeds={seeds}: use at least 1")
    path = Path(out) / "runs.jsonl" if out else None
    done = {_key(run): run for run in _resume(path, settings)}
    keys = [(name, variant, seed) for seed in range(seeds) for variant in wanted]
    missing = [key for key in keys if key not in done]
    if path and missing:
        check_writable(path)
    train = partial(_attempt, settings=settings, out=path and path.parent)
    for key, scores in _each(train, missing, workers):
        _, variant, seed = key
        if isinstance(scores, TrainingDiverged):
            report(f"seed {seed}  {variant}: left out, {scores}")
            continue
        done[key] = {"study": name, "variant": variant, **scores}
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8", newline="\n") as file:
                file.write(_line(done[key]))  # closed, and so flushed, at once
        report(
            f"seed {seed}  {name}  {variant:20}  {scores['accuracy']:.2%}  "
            f"{scores['seconds']:.0f} s"
        )
    return [done[key] for key in keys if key in done]


def _attempt(
    key: tuple[str, str, int], settings: Settings, out: Path | None
) -> Run | TrainingDiverged:
    """A run, or why it diverged: an exception of ours could not leave its process."""
    try:
        return run_variant(*key, settings, out)
    except TrainingDiverged as error:
        return error


def _each(
    train: Callable[..., Any], keys: Sequence[Any], workers: int
) -> Iterator[tuple[Any, Any]]:
    """Train each key, here or in processes of their own, and give what came of it."""
    if workers == 1:
        yield from ((key, train(key)) for key in keys)
        return
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        futures = {pool.submit(train, key): key for key in keys}
        for future in as_completed(futures):
            yield futures[future], future.result()


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


def _wanted(name: str, only: Sequence[str]) -> list[str]:
    """The names of the variants, or say which there are."""
    if name not in STUDIES:
        raise ValueError(f"no study {name!r}; there are {', '.join(STUDIES)}")
    there = list(STUDIES[name].variants)
    if unknown := [variant for variant in only if variant not in there]:
        raise ValueError(f"no variant {unknown[0]!r}; there are {' | '.join(there)}")
    return [variant for variant in there if not only or variant in only]


def _key(run: Run) -> tuple[str, str, int]:
    return run["study"], run["variant"], run["seed"]


def _resume(path: Path | None, settings: Settings) -> list[Run]:
    """The runs that are there, all of the same settings; half a line is dropped."""
    if path is None or not path.exists():
        if path and (path.parent / "result.json").exists():
            text = "holds the result of something else, which this would replace"
            raise ValueError(f"{path.parent} {text}; use another folder")
        return []
    runs = read_runs(path)
    for run in runs:
        for key, value in asdict(settings).items():
            if key not in run.get("own", ()) and run.get(key) != value:
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


def main(name: str, arguments: Sequence[str]) -> int:
    """Run the command line; the exit status is 0 if all went well."""
    parser = argparse.ArgumentParser(
        prog=f"python -m alexnet_lab study {name}",
        description="Train variants of a network on CIFAR-10, several seeds each.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--seeds", type=int, default=5, help="how many, from 0")
    parser.add_argument("--workers", type=int, default=1, help="processes, for a GPU")
    parser.add_argument("--out", type=folder, required=True, help="of the record")
    for key, value in asdict(Settings.of(STUDIES[name])).items():
        option, kind = f"--{key.replace('_', '-')}", type(value)
        kind = int if value is None else kind
        parser.add_argument(option, type=kind, default=value, help="of each run")
    options = vars(parser.parse_args(arguments))
    out = options.pop("out")
    which = {key: options.pop(key) for key in ("only", "seeds", "workers")}
    which["report"] = partial(print, flush=True)  # a log shows each run as it ends
    settings = Settings(**options)
    try:
        runs = run_study(name, out, settings=settings, **which)
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
    where = device()
    chip = torch.cuda.get_device_name(where) if where.type == "cuda" else where.type
    command = f"python -m alexnet_lab study {name} {shlex.join(arguments)}"
    scored = _scored_on(STUDIES[name])
    differ = {key for run in runs for key in run.get("own", ())}
    shared = {k: v for k, v in asdict(settings).items() if k not in differ}
    result = {  # what a reader of the recorded study wants to know first
        **provenance(command, f"{chip}, {which['workers']} at a time"),
        "scored_on": scored,
        **shared,
        "runs": len(runs),
        "training_seconds": round(sum(run["seconds"] for run in runs), 1),
    }
    write_json(result | {key: old[key] for key in old.keys() & {"note"}}, path)
    return 0


def _scored_on(study: Study) -> str:
    if study.test:
        return f"the {1_000 * len(study.images.get('classes', CLASSES)):,} test images"
    return "5,000 validation images a seed; the test images are not used"
