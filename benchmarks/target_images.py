"""Adaptation to unlabeled images of a target domain: `python -m benchmarks.target_images`

For each pair of datasets with the same classes, runs train on the first one, without and with
`adapt_to` the second one. A run adapts to the pool of the target. Accuracy is measured on the
target's pool, on its other images, which the run has not seen, and on the test images of the
source. Labels of the target are used only for scoring. Differences are paired by seed, with 95%
t-intervals. The last rows adapt to targets that a run should refuse, or that lack classes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.shift import read_dataset
from benchmarks.zero_shot import DATA
from vecaf.arrays import Floats
from vecaf.config import RunConfig
from vecaf.datasets import import_dataset, import_demo
from vecaf.datasets.pool import Samples
from vecaf.encoders.dataset_features import embed_samples, pvm_for
from vecaf.errors import NotFoundError
from vecaf.evaluation.comparison import interval
from vecaf.export.predictor import Predictor
from vecaf.runs.recording import MemoryRecorder
from vecaf.runs.rounds import run_rounds
from vecaf.runs.target_outcome import read_outcome
from vecaf.settings import Settings
from vecaf.store import TEST, Store
from vecaf.training.model import Head

PAIRS = (
    ("pacs_photo", "pacs_cartoon", "10%"),
    ("pacs_cartoon", "pacs_photo", "10%"),
    ("color", "line", "20%"),  # the demo
)
Scores = dict[str, float]
Sides = dict[str, tuple[Floats, NDArray[np.int64]]]  # raw features and labels


def read(store: Store, name: str, data: Path) -> Samples:
    """Read a dataset, importing it if necessary."""
    try:
        return read_dataset(store, name)
    except NotFoundError:
        print(f"importing {name} …", file=sys.stderr)
        if name in ("color", "line"):
            import_demo(store, name, name)
        else:
            import_dataset(store, data / f"{name}.zip", name)
        return read_dataset(store, name)


def trained(config: RunConfig, source: Samples, target: Samples | None, settings: Settings) -> Head:
    """Do a run and return the head of its exported model."""
    with tempfile.TemporaryDirectory() as folder:
        run_rounds(config, source, MemoryRecorder(), Path(folder), settings, target=target)
        outcome = read_outcome(Path(folder))
        if outcome is not None and not outcome.adapted:
            print(f"  seed {config.seed}: {outcome.reason}", file=sys.stderr)
        return Predictor.load(Path(folder) / "model", "cpu").model.head


def accuracy(head: Head, features: Floats, labels: NDArray[np.int64]) -> float:
    """Return the accuracy of a head on raw features (n, d), in percent."""
    with torch.inference_mode():
        predicted = head(head.center(torch.from_numpy(features))).argmax(dim=1).numpy()
    return float(100 * (predicted == labels).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--source", choices=[first for first, *_ in PAIRS], help="only this pair")
    parser.add_argument("--data", type=Path, default=DATA, help="the folder with the ZIP files")
    parser.add_argument("--home", type=Path, help="a studio's folder, to reuse embeddings")
    given = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as apart:
        settings = Settings.from_environment({"VECAF_HOME": str(given.home or apart)})
        store = Store.open(settings)
        print("| pair | images | without | with | difference |\n|---|---|---|---|---|")
        for first, second, budget in PAIRS:
            if given.source not in (None, first):
                continue
            source, target = (read(store, name, given.data) for name in (first, second))
            config = RunConfig(dataset=first, budget=budget, rounds=1)
            pvm = pvm_for(config, source)
            features, of_target = (
                embed_samples(pvm, one, settings, lambda done, total: None)[0]
                for one in (source, target)
            )
            pool, test = target.pool, source.rows(TEST)
            new = np.setdiff1d(np.arange(len(target)), pool)
            sides = {
                f"{len(new)} new of the target": (of_target[new], target.labels[new]),
                f"{len(pool)} of the target's pool": (of_target[pool], target.labels[pool]),
                f"{len(test)} test images of the source": (features[test], source.labels[test]),
            }
            without = run_seeds(given.seeds, config, source, None, settings, sides)
            asked = replace(config, adapt_to=second)
            cases = {f"{first} → {second}": target} | partial_targets(first, second, target)
            for title, one in cases.items():
                found = run_seeds(given.seeds, asked, source, one, settings, sides)
                show(title, without, found)
    print(f"\n{given.seeds} seeds; {time.monotonic() - started:.0f} s.")


def partial_targets(first: str, second: str, target: Samples) -> dict[str, Samples]:
    """Return targets whose classes are not those of the source, to test the limits."""
    if first != "pacs_photo":
        return {}
    some = np.flatnonzero(target.labels < 3)
    one = np.flatnonzero(target.labels == 0)
    return {
        f"{first} → three classes of {second}": target.take(some),
        f"{first} → one class of {second}": target.take(one),
    }


def run_seeds(
    seeds: int,
    config: RunConfig,
    source: Samples,
    target: Samples | None,
    settings: Settings,
    sides: Sides,
) -> list[Scores]:
    """Return the accuracies of a run for each seed."""
    heads = (trained(replace(config, seed=seed), source, target, settings) for seed in range(seeds))
    return [{name: accuracy(head, *side) for name, side in sides.items()} for head in heads]


def show(title: str, without: list[Scores], found: list[Scores]) -> None:
    """Print a row for each set of images."""
    for name in without[0]:
        before, after = (np.array([one[name] for one in runs]) for runs in (without, found))
        gap = interval((after - before).tolist())
        bounds = "" if gap.low is None else f" ({gap.low:+.1f} to {gap.high:+.1f})"
        print(
            f"| {title} | {name} | {before.mean():.1f} | {after.mean():.1f} | "
            f"{gap.mean:+.1f}{bounds} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
