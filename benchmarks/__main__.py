"""``make bench``: our training against the textbooks', step by step and to a goal.

For each network a training step, plain and ours, beside a large matrix product; the
time to accuracies that others published, over several seeds; and for networks in no
textbook, what its recipe reaches. ``--only`` and ``--skip`` leave parts out, which keep
what the record has of them. Prints a table and writes bench.json and bench.png.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import torch

from alexnet_lab import environment
from alexnet_lab.runtime import device, provenance, write_json
from alexnet_lab.training.precision import bfloat16_gain
from benchmarks import recipes
from benchmarks.accuracy import GOALS, reach, textbook
from benchmarks.measure import Bar, in_another_process, interleaved, quarters, repeat
from benchmarks.picture import draw, table


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    nets = list(recipes.NETS)
    parser.add_argument("--only", nargs="+", choices=nets, default=nets)
    parser.add_argument("--skip", nargs="+", choices=["goals", "textbook"], default=[])
    parser.add_argument("--rounds", type=int, default=5, help="of steps, at least 2")
    parser.add_argument(
        "--out", type=environment.folder, metavar="FOLDER", help="of the record"
    )
    options = parser.parse_args(arguments)
    if not environment.FAST_CPU.keys() <= os.environ.keys():
        print("Without the settings for a fast CPU; `make bench` has them.", flush=True)
    where = device()
    cpu = "with_bfloat16" if bfloat16_gain() > 1 else "without_bfloat16"
    kind = cpu if where.type == "cpu" else where.type
    path = (options.out or Path(__file__).parent / "results" / kind) / "bench.json"
    record = {"steps": {}, "goals": {}, "textbook": {}}
    if path.exists():
        record |= json.loads(path.read_text(encoding="utf-8"))

    def keep(part: str, name: str, result: dict) -> None:
        chip = f"{where.type}, {torch.get_num_threads()} threads"
        record[part][name] = provenance(f"{parser.prog} --only {net}", chip) | result
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(record, path)  # at once: an interrupted run has done that much

    for net in options.only:
        keep("steps", net, steps(net, where, options.rounds))
        plain = record["steps"][net]["plain_seconds"]
        for name, goal in GOALS.items():
            if goal.network == net and "goals" not in options.skip:
                keep("goals", name, reach(name, where, plain))
    for net in options.only:
        if net in recipes.IN_NO_TEXTBOOK and "textbook" not in options.skip:
            keep("textbook", net, {"accuracy": textbook(net, where)})
    print("\n" + "\n".join(table(record)))
    draw(record).savefig(path.with_suffix(".png"), dpi=150)


def steps(name: str, where: torch.device, rounds: int) -> dict:
    """One network's training step, plain and ours, between matrix products."""
    kinds = {"float32": torch.float32, "bfloat16": torch.bfloat16}
    if where.type == "cpu" and bfloat16_gain() <= 1:
        del kinds["bfloat16"]  # its product may take a minute
    bar = Bar(f"{name}, steps of {recipes.BATCH} images")
    with in_another_process(recipes.steps, True, name, where) as plain:
        timed = {"plain": plain, "ours": repeat(recipes.steps(False, name, where))}
        timed |= {k: repeat(recipes.product_step(t, where)) for k, t in kinds.items()}
        calls = {"float32": 3, "bfloat16": 6}
        calls |= dict.fromkeys(("plain", "ours"), recipes.NETS[name].calls)
        seconds = interleaved(timed, rounds, calls, bar.at)
    timing = {key: quarters(values) for key, values in seconds.items()}
    # round by round: a machine that slows down for a minute slows both
    pairs = zip(seconds["plain"], seconds["ours"], strict=True)
    timing["gain"] = quarters([a / b for a, b in pairs])
    ceiling = {k: 2 * 2048**3 / timing[k][1] / 1e9 for k in kinds}
    plain, ours, gain = (timing[key][1] for key in ("plain", "ours", "gain"))
    work = recipes.BATCH * recipes.flops(name, recipes.NETS[name].shape[-1]) / 1e9
    bar.end(f"plain {plain:.4g} s, ours {ours:.4g} s, {gain:.2f}×")
    return {
        "quarters": {key: timing[key] for key in ("plain", "ours", "gain")},
        "plain_seconds": plain,
        "our_seconds": ours,
        "gain": gain,
        "gflops": work / ours,
        "ceiling_gflops": ceiling,
        "of_ceiling": work / ours / max(ceiling.values()),
    }


if __name__ == "__main__":
    main()
