"""The small pictures of README's syllabus, cut from the notebooks' own outputs."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from nbformat import NotebookNode
from notebook_outputs import pictures
from PIL import Image

SIZE = (360, 200)  # shown at half of it
# For each notebook the cell whose picture stands for it, and the part that is shown:
# left, top, right, bottom as fractions.
CHOSEN = {
    "00": ("picture-code", (0.2, 0.0, 0.8, 0.36)),
    "01": ("stride-picture", (0.0, 0.0, 0.62, 1.0)),
    "02": ("drawing-code", (0.0, 0.12, 0.5, 1.0)),
    "03": ("activation-picture", (0.0, 0.0, 1.0, 1.0)),
    "04": ("towers-picture", (0.0, 0.0, 1.0, 0.88)),
    "05": ("wall-picture", (0.0, 0.0, 1.0, 1.0)),
    "06": ("noise-look", (0.0, 0.0, 0.6, 1.0)),
    "07": ("recipes-picture", (0.0, 0.0, 1.0, 1.0)),
    "08": ("colour-draw", (0.0, 0.0, 1.0, 1.0)),
    "09": ("table-picture", (0.0, 0.0, 1.0, 1.0)),
    "10": ("result-picture", (0.0, 0.0, 1.0, 1.0)),
}


def make(number: str, notebook: NotebookNode, folder: Path) -> Path:
    """Write ``folder/NN.png`` from the chosen cell's picture.

    Raises:
        ValueError: the notebook has no such cell, or the cell shows no picture.
    """
    cell, box = CHOSEN[number]
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
