"""Images of a dataset as static HTML: a map of their features, and a grid."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vecaf.arrays import Floats
from vecaf.arrays.principal_components import fit_basis
from vecaf.datasets.pool import Samples, thumb_path
from vecaf.drawing import render
from vecaf.settings import Settings

MOST_POINTS = 4_000
"""More images are a random sample on the map, to keep notebooks small."""
SIDE = 520  # pixels
COLORS = (
    "#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#ff8ab7", "#a463f2", "#97bbf5",
    "#9c6b4e", "#9498a0",
)  # fmt: skip
UNLABELED = "#b8bcc4"


@dataclass(frozen=True)
class Point:
    """An image on the map: its place in pixels, its color, and its label."""

    x: float
    y: float
    color: str
    label: str
    selected: bool


@dataclass(frozen=True)
class Tile:
    """An image in the grid."""

    source: str
    label: str


@dataclass(frozen=True)
class View:
    """A map and a grid of images. Notebooks show it."""

    html: str = field(repr=False)

    def _repr_html_(self) -> str:
        return self.html

    def save(self, path: str | Path) -> None:
        """Write the HTML to a file."""
        Path(path).write_text(self.html, encoding="utf-8")

    @classmethod
    def of(
        cls,
        name: str,
        samples: Samples,
        features: Floats,
        settings: Settings,
        selected: NDArray[np.int64] | None,
        images: int,
    ) -> View:
        """Draw the map of all images, and the grid of the selected ones or of random ones.

        Parameters
        ----------
        features
            Features of all samples, shape (n, d).
        selected
            Ids of the images to highlight, in rank order.
        images
            How many images the grid shows.
        """
        rng = np.random.default_rng(0)
        marked = np.zeros(len(samples), dtype=bool)
        if selected is None:
            rows = rng.permutation(len(samples))[:images]
        else:
            rows = np.searchsorted(samples.ids, selected)
            marked[rows] = True
        shown = rng.permutation(len(samples))[:MOST_POINTS]
        shown = np.union1d(shown, np.flatnonzero(marked))
        html = render(
            "notebook/view.html",
            name=name,
            side=SIDE,
            points=_points(samples, features, shown, marked),
            tiles=_tiles(samples, rows[:images], settings),
            classes=[(one, COLORS[k % len(COLORS)]) for k, one in enumerate(samples.classes[:20])],
            total=len(samples),
            selected=int(marked.sum()),
        )
        return cls(html)


def _points(
    samples: Samples, features: Floats, rows: NDArray[np.int64], marked: NDArray[np.bool_]
) -> list[Point]:
    """Place images by the two principal components of their features; marked ones come last."""
    places = fit_basis(features, 2).project(features)[:, :2]
    low, high = places.min(axis=0), places.max(axis=0)
    scaled = 12 + (SIDE - 24) * (places - low) / np.maximum(high - low, 1e-9)
    order = np.concatenate([rows[~marked[rows]], rows[marked[rows]]])
    return [
        Point(
            round(float(scaled[row, 0]), 1),
            round(SIDE - float(scaled[row, 1]), 1),
            _color(int(samples.labels[row])),
            _label(samples, int(row)),
            bool(marked[row]),
        )
        for row in order.tolist()
    ]


def _tiles(samples: Samples, rows: NDArray[np.int64], settings: Settings) -> list[Tile]:
    return [
        Tile(_data_address(_file(samples, row, settings)), _label(samples, row))
        for row in rows.tolist()
    ]


def _file(samples: Samples, row: int, settings: Settings) -> Path:
    """Return the thumbnail, or the image itself if it is small."""
    thumb = thumb_path(settings.thumbs, samples.keys[row])
    return thumb if thumb.is_file() else samples.paths[row]


def _data_address(path: Path) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return ""
    kind = {".png": "png", ".webp": "webp", ".gif": "gif", ".bmp": "bmp"}.get(path.suffix, "jpeg")
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _label(samples: Samples, row: int) -> str:
    label = int(samples.labels[row])
    return "no label" if label < 0 else samples.classes[label]


def _color(label: int) -> str:
    return UNLABELED if label < 0 else COLORS[label % len(COLORS)]
