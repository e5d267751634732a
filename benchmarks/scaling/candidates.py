"""What selecting from candidates costs in quality, compared with a selection from the whole pool.

    python -m benchmarks.scaling.candidates --rows 100000 1000000
    python -m benchmarks.scaling.candidates --images cifar10.zip

The first command measures coverage on synthetic features: the mean cosine of a row to the nearest
selected row. The second measures coverage and accuracy on real images, given as a ZIP file with the
folders train/<class> and test/<class>: a ridge classifier learns from the selected images of a part
of the train images, and predicts a part of the test images. Differences are paired by seed.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import vecaf
from benchmarks.speed.synthetic import clustered
from vecaf.arrays import Floats, unit_rows
from vecaf.encoders import embed_images, load_pvm
from vecaf.selection import LocalSharding, select_from_candidates
from vecaf.selection.assignment import nearest
from vecaf.settings import Settings

SHARDS = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[])
    parser.add_argument("--images", type=Path)
    parser.add_argument("--width", type=int, default=64, help="of the synthetic features")
    parser.add_argument("--pool", type=int, default=10_000, help="train images")
    parser.add_argument("--selected", type=int, default=500)
    parser.add_argument("--factors", type=int, nargs="+", default=[4, 16])
    parser.add_argument("--strategies", nargs="+", default=["kmeans", "maxherding"])
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    for n in given.rows:
        print(f"\n{n:,} synthetic rows × {given.width}, {given.selected} selected")
        compare(clustered(n, given.width, 1), given)
    if given.images:
        pool, labels, test, truth = real(given.images, given.pool)
        print(f"\n{len(pool):,} images × {pool.shape[1]}, {given.selected} selected")
        compare(pool, given, labels, test, truth)


def compare(rows: Floats, given: argparse.Namespace, *answers: npt.NDArray[Any]) -> None:
    """Print a table: for each strategy the whole pool, then the ways to keep candidates."""
    k, seeds = given.selected, range(given.seeds)
    print("| strategy | candidates | seconds | coverage | difference | accuracy | difference |")
    print("|---|---|---|---|---|---|---|")
    for strategy in ["random", *given.strategies]:
        ways: list[tuple[str, dict[str, Any]]] = [("whole pool", {})]
        if strategy != "random":
            ways += [
                (f"{factor} × budget, {method}", {"candidates": factor * k, "method": method})
                for factor in given.factors
                for method in ("random", "central")
            ]
        base: npt.NDArray[np.float64] | None = None
        for name, way in ways:
            started = time.perf_counter()
            found = [
                select_from_candidates(
                    rows, k, strategy, seed=seed, sharding=LocalSharding(SHARDS), **way
                )
                if way
                else vecaf.select(rows, k, strategy, seed=seed)
                for seed in seeds
            ]
            seconds = (time.perf_counter() - started) / len(seeds)
            scores = np.array([quality(rows, selection.ids, *answers) for selection in found])
            base = scores if base is None else base
            cells = [
                text
                for column in range(scores.shape[1])
                for text in _cells(scores[:, column], base[:, column])
            ]
            print(f"| {strategy} | {name} | {seconds:.1f} | {' | '.join(cells)} |", flush=True)


def _cells(scores: npt.NDArray[np.float64], base: npt.NDArray[np.float64]) -> tuple[str, str]:
    """Return the mean and the paired difference, ± its standard error."""
    difference = scores - base
    error = difference.std(ddof=1) / np.sqrt(len(scores)) if len(scores) > 1 else np.nan
    return f"{scores.mean():.2f}", f"{difference.mean():+.2f} ± {error:.2f}"


def quality(
    rows: Floats, selected: npt.NDArray[np.int64], *answers: npt.NDArray[Any]
) -> tuple[float, ...]:
    """Return the coverage in percent, and the test accuracy in percent if there are labels."""
    unit = unit_rows(rows)
    similarity, _ = nearest(unit, unit[selected])
    coverage = 100 * float(similarity.mean(dtype=np.float64))
    if not answers:
        return (coverage,)
    labels, test, truth = answers
    mean = unit.mean(axis=0)
    known, targets = unit[selected] - mean, np.eye(labels.max() + 1)[labels[selected]]
    gram = known.T @ known + 0.1 * np.eye(known.shape[1])
    weights = np.linalg.solve(gram, known.T @ (targets - targets.mean(axis=0)))
    predicted = ((unit_rows(test) - mean) @ weights + targets.mean(axis=0)).argmax(axis=1)
    return coverage, 100 * float((predicted == truth).mean())


def real(
    archive: Path, pool: int, tests: int = 2000
) -> tuple[Floats, npt.NDArray[np.int64], Floats, npt.NDArray[np.int64]]:
    """Embed random train and test images; return features and labels of both.

    Features are cached in VECAF_HOME.
    """
    settings, encoder = Settings.from_environment(), load_pvm("efficientnet_lite0").at_size(64)
    found: list[Any] = []
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(archive) as opened:
        for split, count in (("train", pool), ("test", tests)):
            names = sorted(
                n for n in opened.namelist() if n.startswith(f"{split}/") and n[-1] != "/"
            )
            classes = sorted({name.split("/")[1] for name in names})
            order = np.random.default_rng(0).permutation(len(names))[:count]
            paths = {}
            labels = []
            for name in (names[index] for index in order):
                content = opened.read(name)
                path = Path(folder) / name.replace("/", "-")
                path.write_bytes(content)
                key = hashlib.sha256(content).hexdigest()
                if key not in paths:
                    paths[key] = path
                    labels.append(classes.index(name.split("/")[1]))
            rows = embed_images(encoder, list(paths), paths.__getitem__, settings=settings)
            found += [rows, np.array(labels)]
    return found[0], found[1], found[2], found[3]


if __name__ == "__main__":
    main()
