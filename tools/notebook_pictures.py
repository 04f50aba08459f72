"""The small pictures of README's syllabus, cut from the notebooks' own outputs."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import NamedTuple

from nbformat import NotebookNode
from notebook_outputs import pictures
from PIL import Image

SIZE = (360, 200)  # shown at half of it


class Choice(NamedTuple):
    """What stands for a notebook: a part of a cell's picture, and words for it."""

    cell: str
    box: tuple[float, float, float, float]  # left, top, right, bottom as fractions
    alt: str


CHOSEN = {
    "00": Choice("picture-code", (0.2, 0.0, 0.8, 0.36), "LeNet-5 drawn to scale"),
    "01": Choice(
        "see-picture", (0.0, 0.0, 1.0, 1.0), "Windows of a kernel on the letter T"
    ),
    "02": Choice(
        "drawing-code",
        (0.0, 0.12, 0.5, 1.0),
        "Digits drawn by LeNet-5 beside their bitmaps",
    ),
    "03": Choice(
        "activation-picture", (0.0, 0.0, 1.0, 1.0), "Three activations and their slopes"
    ),
    "04": Choice(
        "towers-picture",
        (0.0, 0.0, 1.0, 0.88),
        "AlexNet and its two towers, drawn to scale",
    ),
    "05": Choice(
        "wall-picture",
        (0.0, 0.0, 1.0, 1.0),
        "Bricks: each row holds parts of two or three images",
    ),
    "06": Choice(
        "noise-look", (0.0, 0.0, 0.6, 1.0), "A photograph in changing colours"
    ),
    "07": Choice(
        "names-picture",
        (0.0, 0.03, 0.6, 0.34),
        "Test pictures with their five likeliest classes",
    ),
    "08": Choice(
        "colour-draw", (0.0, 0.0, 1.0, 1.0), "Colour filters, before and after training"
    ),
    "09": Choice(
        "table-picture",
        (0.0, 0.0, 1.0, 1.0),
        "Minutes of training against the number of GPUs",
    ),
    "10": Choice(
        "result-picture",
        (0.0, 0.0, 1.0, 1.0),
        "What each change gains or loses, with intervals",
    ),
    "11": Choice(
        "lying-draw",
        (0.0, 0.0, 1.0, 1.0),
        "Photographs as they are stored, lying, and upright",
    ),
}


def make(number: str, notebook: NotebookNode, folder: Path) -> Path:
    """Write ``folder/NN.png`` from the chosen cell's picture.

    Raises:
        ValueError: the notebook has no such cell, or the cell shows no picture.
    """
    cell, box, _ = CHOSEN[number]
    picture = _picture(notebook, cell).convert("RGB")
    width, height = picture.size
    left, top, right, bottom = box
    picture = picture.crop(
        (int(left * width), int(top * height), int(right * width), int(bottom * height))
    )
    picture.thumbnail(SIZE, Image.Resampling.LANCZOS)
    canvas = Image.new("RGB", SIZE, "white")
    canvas.paste(
        picture, ((SIZE[0] - picture.width) // 2, (SIZE[1] - picture.height) // 2)
    )
    path = folder / f"{number}.png"
    canvas.quantize(128).save(path, optimize=True)
    return path


def _picture(notebook: NotebookNode, cell_id: str) -> Image.Image:
    for cell in notebook.cells:
        if cell.id != cell_id:
            continue
        for output in cell.get("outputs", []):
            for picture in pictures(output):
                return Image.open(io.BytesIO(base64.b64decode(picture)))
    raise ValueError(f"no cell {cell_id!r} with a picture: choose another in CHOSEN")
