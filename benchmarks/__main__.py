"""``make bench``: our training step against the textbooks' and against the machine.

Prints a table and writes bench.json and bench.png to benchmarks/results, or to another
``--out`` folder for another kind of machine: the training step of LeNet-5 and AlexNet,
plain and ours, beside a large matrix product; then the time to the accuracies that Dive
into Deep Learning publishes after ten epochs, 77.9 % with LeNet and 88.3 % with
AlexNet. The last takes minutes on a CPU; ``--accuracy LeNet-5`` leaves it out,
``--accuracy`` alone leaves out both.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
from contextlib import ExitStack
from pathlib import Path

import torch

from alexnet_lab import environment
from alexnet_lab.arithmetic import ledger
from alexnet_lab.runtime import device
from alexnet_lab.training.precision import bfloat16_gain
from benchmarks import recipes
from benchmarks.accuracy import PUBLISHED, time_to_accuracy
from benchmarks.elsewhere import in_another_process
from benchmarks.measure import Timing, interleaved, repeat
from benchmarks.picture import draw

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--accuracy", nargs="*", choices=list(PUBLISHED), default=None)
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FOLDER")
    options = parser.parse_args()
    if not environment.FAST_CPU.keys() <= os.environ.keys():
        print("Without the settings for a fast CPU; `make bench` has them.", flush=True)
    where = device()
    record = {
        "date": datetime.date.today().isoformat(),
        "machine": f"{platform.machine()}, {where.type}, "
        f"{torch.get_num_threads()} threads, torch {torch.__version__}",
        "steps": {name: steps(name, where, options.rounds) for name in recipes.NETS},
    }
    names = list(PUBLISHED) if options.accuracy is None else options.accuracy
    record["accuracy"] = {
        name: time_to_accuracy(name, where, record["steps"][name]["plain_seconds"])
        for name in names
    }
    options.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
    (options.out / "bench.json").write_text(text, encoding="utf-8")
    draw(record).savefig(options.out / "bench.png", dpi=150)


def steps(name: str, where: torch.device, rounds: int) -> dict:
    """One network's training step, plain and ours, between matrix products."""
    kinds = {"float32": torch.float32}
    if where.type != "cpu" or bfloat16_gain() > 1:  # else a product takes a minute
        kinds["bfloat16"] = torch.bfloat16
    calls = 50 if name == "LeNet-5" else 1
    with ExitStack() as stack:
        plain = in_another_process(recipes.plain_steps, name, where)
        timed = {
            "plain": stack.enter_context(plain),
            "ours": repeat(recipes.our_steps(name, where)),
            **{k: repeat(recipes.product_step(t, where)) for k, t in kinds.items()},
        }
        seconds = interleaved(
            timed, rounds, {"plain": calls, "ours": calls, "float32": 3, "bfloat16": 6}
        )
    timing = {key: Timing.of(values) for key, values in seconds.items()}
    # round by round: a machine that slows down for a minute slows both
    gains = [a / b for a, b in zip(seconds["plain"], seconds["ours"], strict=True)]
    ceiling = {kind: 2 * 2048**3 / timing[kind].median for kind in kinds}
    result = _result(name, timing, Timing.of(gains), ceiling)
    best = max(result["ceiling_gflops"].values())
    print(f"{name}, batch {recipes.BATCH}")
    print(f"  plain step  {timing['plain']}")
    print(f"  our step    {timing['ours']}")
    low, high = result["gain_quarters"]
    print(f"  gain        {result['gain']:.2f}× ({low:.2f}–{high:.2f})")
    print(
        f"  work        {result['gflops']:,.0f} GFLOP/s, {result['of_ceiling']:.0%} "
        f"of the matrix product's {best:,.0f}",
        flush=True,
    )
    return result


def _result(
    name: str, timing: dict[str, Timing], gain: Timing, ceiling: dict[str, float]
) -> dict:
    book = ledger(recipes.NETS[name][0](False), (1, *[recipes.NETS[name][1]] * 2))
    # forward, and twice that backward; the first layer needs no gradient of its input
    flops = 2 * recipes.BATCH * (3 * book.total_macs - book["conv1"].macs)
    speed = flops / timing["ours"].median
    return {
        "plain_seconds": timing["plain"].median,
        "plain_quarters": [timing["plain"].low, timing["plain"].high],
        "our_seconds": timing["ours"].median,
        "our_quarters": [timing["ours"].low, timing["ours"].high],
        "gain": gain.median,
        "gain_quarters": [gain.low, gain.high],
        "gflops": speed / 1e9,
        "ceiling_gflops": {kind: value / 1e9 for kind, value in ceiling.items()},
        "of_ceiling": speed / max(ceiling.values()),
    }


if __name__ == "__main__":
    main()
