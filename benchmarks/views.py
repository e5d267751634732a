"""Image sizes, views, and vision models: `python -m benchmarks.views cifar10 [--seeds 4]`

A linear classifier is trained on random images of the pool, with the features of each row. All rows
use the same images, so differences are paired by seed. The dataset must be in VECAF_HOME.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.rows import points, samples_of
from vecaf.arrays import Floats, Labels, Rows, softmax, unit_rows
from vecaf.datasets.pool import Samples
from vecaf.encoders import embed_images, load_pvm
from vecaf.encoders.views import MIRROR, PLAIN, TWO_SIZES
from vecaf.evaluation.comparison import paired_over_seeds
from vecaf.settings import Settings
from vecaf.store import TEST, VAL

LENGTH = 8.0  # of a feature row; unit rows would need a larger learning rate
PENALTIES = (0.003, 0.02, 0.1)  # the best one on validation images counts
STEPS, MOMENTUM = 150, 0.9


@dataclass(frozen=True)
class Features:
    """Models whose features are concatenated, their image size, and the views of each image."""

    models: tuple[str, ...]
    image_size: int
    views: str = PLAIN

    def __str__(self) -> str:
        return f"{' + '.join(self.models)}, {self.image_size} px, {self.views}"

    def of(self, samples: Samples, rows: Rows, settings: Settings) -> Floats:
        """Return unit features (n, d) of `rows`, which the cache keeps."""
        parts = [
            embed_images(
                load_pvm(model, self.image_size).at_views(self.views),
                [samples.keys[row] for row in rows],
                samples.path_of,
                settings=settings,
            )
            for model in self.models
        ]
        return unit_rows(np.hstack([unit_rows(part) for part in parts]))


LITE0, LITE2 = "efficientnet_lite0", "efficientnet_lite2"
ROWS = (
    Features((LITE0,), 96),
    Features((LITE0,), 96, MIRROR),
    Features((LITE0,), 160),
    Features((LITE0,), 160, TWO_SIZES),
    Features((LITE2,), 160),
    Features((LITE0, LITE2), 160),
)


def train(rows: Floats, labels: Labels, classes: int, penalty: float) -> Floats:
    """Return weights (d, classes) of logistic regression, by gradient descent with momentum."""
    n = len(rows)
    kernel = rows @ rows.T
    rate = 1 / (np.linalg.eigvalsh(kernel)[-1] / (2 * n) + penalty)
    wanted = np.eye(classes, dtype=np.float32)[labels]
    dual, step = np.zeros((2, n, classes), dtype=np.float32)
    for _ in range(STEPS):
        ahead = dual + MOMENTUM * step
        slope = (softmax(kernel @ ahead) - wanted) / n + penalty * ahead
        step = np.asarray(MOMENTUM * step - rate * slope, np.float32)
        dual = np.asarray(dual + step, np.float32)
    return np.asarray(rows.T @ dual)


def accuracies(features: Floats, labels: Labels, pool: int, val: int, counts: list[int],
               seeds: int) -> dict[int, float]:  # fmt: skip
    """Return the mean accuracy over `counts` by seed; rows are pool, validation, and test."""
    rows = LENGTH * unit_rows(features - features[:pool].mean(axis=0))
    checked, tested = slice(pool, pool + val), slice(pool + val, None)
    found = {}
    for seed in range(seeds):
        best = []
        for count in counts:
            drawn = np.random.default_rng(seed).permutation(pool)[:count]
            tried = []
            for penalty in PENALTIES:
                weights = train(rows[drawn], labels[drawn], labels.max() + 1, penalty)
                right = (rows @ weights).argmax(axis=1) == labels
                tried.append((right[checked].mean(), right[tested].mean()))
            best.append(max(tried, key=lambda pair: pair[0])[1])
        found[seed] = float(np.mean(best))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("dataset")
    parser.add_argument("--pool", type=int, default=6000)
    parser.add_argument("--val", type=int, default=500)
    parser.add_argument("--test", type=int, default=3000)
    parser.add_argument("--labels", default="100,500", help="numbers of labels, with commas")
    parser.add_argument("--seeds", type=int, default=4)
    options = parser.parse_args()
    settings = replace(Settings.from_environment(), device="cpu")
    samples = samples_of(options.dataset, settings)
    draw = np.random.default_rng(3).permutation
    splits = [(samples.pool, options.pool), (samples.rows(VAL), options.val),
              (samples.rows(TEST), options.test)]  # fmt: skip
    drawn = [draw(rows[samples.labels[rows] >= 0])[:count] for rows, count in splits]
    chosen, (pool, val) = np.concatenate(drawn), map(len, drawn[:2])
    counts = [int(one) for one in options.labels.split(",")]
    first: dict[int, float] = {}
    print("| features | accuracy | row − first |\n|---|---|---|")
    for row in ROWS:
        features = row.of(samples, chosen, settings)
        found = accuracies(features, samples.labels[chosen], pool, val, counts, options.seeds)
        gap = points(paired_over_seeds(found, first)) if first else "–"
        first = first or found
        print(f"| {row} | {100 * np.mean(list(found.values())):.1f} | {gap} |", flush=True)


if __name__ == "__main__":
    main()
