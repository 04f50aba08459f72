"""``make bench``: our training step against the textbooks' and against the machine.

Prints a table and writes benchmarks/results/bench.json and bench.png. With
``--accuracy`` it also measures the time to the accuracies that Dive into Deep Learning
publishes after ten epochs: 77.9 % with LeNet, and with ``--accuracy AlexNet`` 88.3 %
with AlexNet.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import time
from pathlib import Path

import torch

from alexnet_lab import device, ledger
from alexnet_lab.data import fashion_mnist
from alexnet_lab.precision import bfloat16_gain
from alexnet_lab.training import evaluate, fit
from benchmarks import recipes
from benchmarks.measure import interleaved

RESULTS = Path(__file__).parent / "results"
PUBLISHED = {"LeNet-5": 0.779, "AlexNet": 0.883}
# What reaches it: epochs, peak learning rate, number of training images.
OURS = {"LeNet-5": (1, 0.1, 25_000), "AlexNet": (1, 0.03, None)}
PLAIN_EPOCHS, TRAIN_IMAGES = 10, 60_000


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--accuracy", nargs="*", choices=list(PUBLISHED), default=None)
    options = parser.parse_args()
    where = device()
    record = {
        "date": datetime.date.today().isoformat(),
        "machine": f"{platform.machine()}, {where.type}, "
        f"{torch.get_num_threads()} threads, torch {torch.__version__}",
        "steps": {name: steps(name, where, options.rounds) for name in recipes.NETS},
    }
    if options.accuracy is not None:
        names = options.accuracy or ["LeNet-5"]
        record["accuracy"] = {
            name: accuracy(name, where, record["steps"][name]) for name in names
        }
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
    (RESULTS / "bench.json").write_text(text, encoding="utf-8")
    draw(record)


def steps(name: str, where: torch.device, rounds: int) -> dict[str, float]:
    """One network's training step, plain and ours, between matrix products."""
    small = name == "LeNet-5"
    kinds = {"float32": torch.float32}
    if where.type != "cpu" or bfloat16_gain() > 1:  # else a product takes a minute
        kinds["bfloat16"] = torch.bfloat16
    timed = {
        "plain": recipes.plain_steps(name, where),
        "ours": recipes.our_steps(name, where),
        **{kind: recipes.product_step(t, where) for kind, t in kinds.items()},
    }
    calls = {"plain": 50 if small else 1, "ours": 50 if small else 1}
    timing = interleaved(timed, rounds, {**calls, "float32": 3, "bfloat16": 6})
    ceiling = {kind: 2 * 2048**3 / timing[kind].median for kind in kinds}
    book = ledger(recipes.NETS[name][0](False), (1, *[recipes.NETS[name][1]] * 2))
    # forward, and twice that backward; the first layer needs no gradient of its input
    flops = 2 * recipes.BATCH * (3 * book.total_macs - book["conv1"].macs)
    speed = flops / timing["ours"].median
    best = max(ceiling.values())
    print(f"{name}, batch {recipes.BATCH}")
    print(f"  plain step  {timing['plain']}")
    print(f"  our step    {timing['ours']}")
    print(f"  gain        {timing['plain'].median / timing['ours'].median:.2f}×")
    print(
        f"  work        {speed / 1e9:,.0f} GFLOP/s, {speed / best:.0%} of the matrix "
        f"product's {best / 1e9:,.0f}"
    )
    return {
        "plain_seconds": timing["plain"].median,
        "our_seconds": timing["ours"].median,
        "gain": timing["plain"].median / timing["ours"].median,
        "gflops": speed / 1e9,
        "ceiling_gflops": {kind: value / 1e9 for kind, value in ceiling.items()},
        "of_ceiling": speed / best,
    }


def accuracy(name: str, where: torch.device, measured: dict) -> dict[str, float]:
    """Seconds of our training to the published accuracy, against ten plain epochs."""
    build, size, _ = recipes.NETS[name]
    epochs, rate, images = OURS[name]
    data = fashion_mnist(size, recipes.BATCH, train_images=images, device=where)
    torch.manual_seed(0)
    net = build(False)
    start = time.perf_counter()
    fit(net, data.train, epochs=epochs, learning_rate=rate, quiet=True)
    seconds = time.perf_counter() - start
    score = evaluate(net.to(where), data.test, precision="auto")
    batches = -(-TRAIN_IMAGES // recipes.BATCH)
    plain = measured["plain_seconds"] * batches * PLAIN_EPOCHS
    print(f"{name}: {score.accuracy:.1%} after {seconds:,.1f} s of training")
    print(f"  published {PUBLISHED[name]:.1%}; ten plain epochs here {plain:,.0f} s")
    print(f"  gain {plain / seconds:.0f}×")
    return {
        "accuracy": score.accuracy,
        "published": PUBLISHED[name],
        "reached": score.accuracy >= PUBLISHED[name],
        "seconds": seconds,
        "plain_seconds": plain,
        "gain": plain / seconds,
    }


def draw(record: dict) -> None:
    """Bars of the two steps of each network, on a logarithmic scale."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    ax = figure.subplots()
    bars = []
    for name, step in record["steps"].items():
        bars += [(f"{name}, plain", step["plain_seconds"], "#D55E00", "//")]
        bars += [(f"{name}, ours", step["our_seconds"], "#0072B2", "")]
    for label, seconds, colour, hatch in bars:
        bar = ax.barh(label, seconds, color=colour, hatch=hatch, edgecolor="white")
        ax.bar_label(bar, [f"{seconds:.3g} s"], padding=4)
    ax.set_xscale("log")
    ax.margins(x=0.2)
    ax.invert_yaxis()
    ax.set_xlabel(f"seconds a training step of {recipes.BATCH} images")
    ax.set_title(f"{record['machine']}, {record['date']}", fontsize=10)
    figure.savefig(RESULTS / "bench.png", dpi=150)


if __name__ == "__main__":
    main()
