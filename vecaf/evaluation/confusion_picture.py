"""A confusion matrix as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from vecaf.files import replacing

MOST_NAMED = 40  # more classes have no names and counts in the picture
CELL, MARGIN, FONT = 28, 130, 12
MOST_LETTERS = 17  # of a name beside the matrix
LIGHT, DARK = np.array([247, 251, 255]), np.array([8, 48, 107])


def save_confusion(path: Path, counts: Sequence[Sequence[int]], classes: Sequence[str]) -> None:
    """Draw a confusion matrix and save it as a PNG file.

    The shade of a cell is its share of the true class.

    Parameters
    ----------
    counts
        Shape (classes, classes): rows are true classes, columns are predicted classes.
    classes
        Names of the classes.
    """
    cells = np.asarray(counts, dtype=np.float64)
    shares = cells / np.maximum(cells.sum(axis=1, keepdims=True), 1)
    named = len(classes) <= MOST_NAMED
    side = CELL if named else max(1, 1000 // len(classes))
    colors = LIGHT + shares[..., None] * (DARK - LIGHT)
    matrix = Image.fromarray(colors.round().astype(np.uint8))
    matrix = matrix.resize((side * len(classes),) * 2, Image.Resampling.NEAREST)
    if named:
        matrix = _with_names(matrix, cells.astype(np.int64), shares, classes)
    with replacing(path) as temporary:
        matrix.save(temporary, "PNG")


def _with_names(
    matrix: Image.Image,
    cells: NDArray[np.int64],
    shares: NDArray[np.float64],
    classes: Sequence[str],
) -> Image.Image:
    """Add the counts, the names of the true classes at the left, and the predicted ones on top."""
    size = matrix.width + MARGIN
    picture = Image.new("RGB", (size, size), "white")
    picture.paste(matrix, (MARGIN, MARGIN))
    font = ImageFont.load_default(FONT)
    draw = ImageDraw.Draw(picture)
    draw.text((8, 8), "rows: true class\ncolumns: predicted", "black", font)
    for place, name in enumerate(map(_short, classes)):
        middle = MARGIN + place * CELL + CELL // 2
        draw.text((MARGIN - 6, middle), name, "black", font, anchor="rm")
        column = Image.new("RGB", (MARGIN, CELL), "white")
        ImageDraw.Draw(column).text((6, CELL // 2), name, "black", font, anchor="lm")
        picture.paste(column.rotate(90, expand=True), (middle - CELL // 2, 0))
        for other, count in enumerate(cells[place]):
            if count:
                x = MARGIN + other * CELL + CELL // 2
                color = "white" if shares[place, other] > 0.5 else "black"
                draw.text((x, middle), f"{count}", color, font, anchor="mm")
    return picture


def _short(name: str) -> str:
    return name if len(name) <= MOST_LETTERS else f"{name[: MOST_LETTERS - 1]}…"
