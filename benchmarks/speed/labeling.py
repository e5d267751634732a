"""Learning while labeling: what happens between a label and the next suggestions.

The features are synthetic and lie in a temporary embedding set. The reference of the fit is the
same fit from zeros.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.speed.figures import Figure, alternating, parser_of
from benchmarks.speed.synthetic import clustered
from vecaf.arrays import Floats, Rows, softmax, unit_rows
from vecaf.encoders.cache import EmbeddingSet, digests_of
from vecaf.encoders.mapped_features import MappedFeatures
from vecaf.selection.labeling_order import labeling_order
from vecaf.training.logistic import fit_logistic

WIDTH, SHARD = 1280, 2048
VISUAL = 128  # principal components that the order compares images by
ORDERED = 50


def measure(arguments: list[str]) -> Iterator[Figure]:
    parser = parser_of("labeling", __doc__, repeats=5)
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--classes", type=int, default=20)
    parser.add_argument("--labels", type=int, nargs="+", default=[100, 500, 2000])
    options = parser.parse_args(arguments)
    rows = clustered(options.images, WIDTH, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        features = _stored(Path(folder), rows)
        for count in options.labels:
            yield from _figures(features, rows, count, options)


def _figures(
    features: MappedFeatures, rows: Floats, count: int, options: argparse.Namespace
) -> Iterator[Figure]:
    rng = np.random.default_rng(count)
    classes = options.classes
    truth = (rows @ rng.standard_normal((WIDTH, classes), np.float32)).argmax(axis=1)
    labeled = rng.choice(len(rows), count, replace=False)
    queue = np.setdiff1d(np.arange(len(rows)), labeled)
    offset = rng.standard_normal((len(rows), classes), np.float32)
    visual = unit_rows(rows[:, :VISUAL])
    before = labeled[:-1]  # the head knows all labels but the newest
    start = fit_logistic(features.take(before), truth[before], offset[before])

    def fit(start: Floats | None = start) -> Floats:
        return fit_logistic(features.take(labeled), truth[labeled], offset[labeled], start)

    def keystroke() -> Rows:
        shares = softmax(offset[queue] + features.product(fit(), queue))
        return labeling_order(shares, visual[queue], visual[labeled], ORDERED)

    whole, alone, reference = alternating(
        keystroke, fit, lambda: fit(None), repeats=options.repeats, timer=options.timer
    )
    size = f"{len(rows):,} × {WIDTH}, {classes} classes, {count:,} labels"
    yield Figure(f"fit after one more label: {size}", alone, ("from zeros", reference))
    yield Figure(f"fit, predictions of all images and their order: {size}", whole, limit=0.3)


def _stored(folder: Path, rows: Floats) -> MappedFeatures:
    """Write the rows to an embedding set and map them."""
    stored = EmbeddingSet(folder, rows.shape[1])
    keys = digests_of([hashlib.sha256(str(n).encode()).hexdigest() for n in range(len(rows))])
    for start in range(0, len(rows), SHARD):
        stored.add(keys[start : start + SHARD], rows[start : start + SHARD])
    return MappedFeatures.of(stored.index(), keys, rows, np.arange(len(rows)))
