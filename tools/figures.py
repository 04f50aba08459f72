"""The course's drawings for one's own talk or paper, as SVG and PDF: `make figures`.

    python tools/figures.py [--out build/figures]

All are drawn by the package: networks to scale, windows, the ledger as a table, curves
of recorded runs. Each file carries its licence; README.txt says how to cite.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

import matplotlib
from matplotlib.figure import Figure
from notebook_outputs import ROOT

from alexnet_lab import ledger, plots
from alexnet_lab.models import alexnet_2012, lenet5
from alexnet_lab.training import History

OUT = ROOT / "build" / "figures"
RUNS = ROOT / "data" / "runs"
CREATOR = "From LeNet-5 to AlexNet in nn.Sequential"
RIGHTS = (
    "MIT licence, © 2026 the authors of the course. Copy, change and print it; keep "
    "this notice. To cite, see CITATION.cff."
)
CITE = "MIT licence; to cite, see CITATION.cff"
PAPER = {"svg.hashsalt": "course", "pdf.fonttype": 42, "text.parse_math": False}


class Drawing(NamedTuple):
    """A figure, the name of its files, and what it shows, in words."""

    name: str
    figure: Figure
    shows: str


def drawings() -> Iterator[Drawing]:
    """Draw them all."""
    small, large = lenet5(), alexnet_2012()
    both = [("LeNet-5", small, (1, 28, 28)), ("AlexNet", large, (3, 227, 227))]
    yield Drawing(
        "lenet5_and_alexnet",
        plots.draw_networks(both),
        "LeNet-5 and AlexNet to the same scale: beside AlexNet's two rows of blocks "
        "LeNet-5 is tiny.",
    )
    yield Drawing(
        "alexnet",
        plots.draw_network(large, (3, 227, 227), "AlexNet"),
        "AlexNet to scale: 227×227 pixels, two towers of convolutions, which meet at "
        "conv3, and three linear layers.",
    )
    yield Drawing(
        "lenet5",
        plots.draw_network(small, (1, 28, 28), "LeNet-5"),
        "LeNet-5 to scale: 28×28 pixels, two convolutions, each with a pool, and three "
        "linear layers.",
    )
    for size, found in ((227, "55 windows and no pixel is left over"),
                        (224, "54 windows, and pixels are left over")):  # fmt: skip
        yield Drawing(
            f"windows_of_11_on_{size}",
            plots.draw_windows(size, kernel_size=11, stride=4),
            f"A window of 11 slides over {size} pixels in steps of 4: {found}.",
        )
    for name, net, shape in both:
        yield Drawing(
            f"ledger_{name.lower().replace('-', '')}",
            as_table(str(ledger(net, shape))),
            f"The ledger of {name}: output, parameters, multiply-accumulates and "
            "receptive field of each layer, with the working.",
        )
    for name, run, shows in (
        ("alexnet", "alexnet_2012_fashion_mnist", "AlexNet on Fashion-MNIST, 6 epochs"),
        ("lenet5", "lenet5_1998_mnist", "the LeNet-5 of 1998 on MNIST, 20 epochs"),
    ):
        history = History.load(RUNS / run / "history.json")
        yield Drawing(
            f"training_{name}",
            plots.curves(history),
            f"Loss and accuracy of {shows}: validation ends at "
            f"{history.last.validation_accuracy:.1%}.",
        )


def as_table(text: str, size: float = 9) -> Figure:
    """Return text in columns, such as a printed ledger, as a figure; `size` in pt."""
    lines = text.split("\n")
    width, height = (
        0.61 * max(map(len, lines)) * size / 72,
        1.5 * len(lines) * size / 72,
    )
    figure = Figure(figsize=(width, height))
    style = {"family": "monospace", "fontsize": size, "linespacing": 1.35}
    figure.text(0, 1, text, va="top", **style)
    return figure


def save(drawing: Drawing, out: Path) -> None:
    """Write one drawing as SVG and as PDF."""
    page = {"bbox_inches": "tight", "pad_inches": 0.1, "facecolor": "white"}
    with matplotlib.rc_context(PAPER):
        about = {"Title": drawing.name, "Creator": CREATOR, "Date": None,
                 "Description": drawing.shows, "Rights": RIGHTS}  # fmt: skip
        file = out / f"{drawing.name}.svg"
        drawing.figure.savefig(file, metadata=about, **page)
        about = {"Title": drawing.name, "Creator": CREATOR, "CreationDate": None,
                 "Subject": drawing.shows, "Keywords": CITE}  # fmt: skip
        drawing.figure.savefig(out / f"{drawing.name}.pdf", metadata=about, **page)
    said = f'<svg role="img" aria-label="{escape(drawing.shows)}" '
    text = file.read_text(encoding="utf-8").replace("<svg ", said, 1)
    file.write_text(text, encoding="utf-8", newline="\n")


def build(out: Path = OUT) -> None:
    """Write all drawings, the licence, how to cite, and a list."""
    out.mkdir(parents=True, exist_ok=True)
    lines = [
        "Figures of the course From LeNet-5 to AlexNet in nn.Sequential",
        "",
        RIGHTS,
    ]
    for drawing in drawings():
        save(drawing, out)
        lines += ["", f"{drawing.name}.svg, .pdf", f"  {drawing.shows}"]
    (out / "README.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for name in ("LICENSE", "CITATION.cff"):
        shutil.copy(ROOT / name, out)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--out", type=Path, default=OUT, help="default: build/figures")
    options = parser.parse_args(arguments)
    build(options.out)
    print(f"figures: see {options.out / 'README.txt'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
