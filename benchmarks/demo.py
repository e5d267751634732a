"""Strategies on the demo dataset: `python -m benchmarks.demo [--seeds 3]`

Repeats the demo run with several strategies and seeds. Prints the test accuracy by round (mean over
the seeds) and the difference from random selection, paired by seed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from vecaf.datasets import import_demo
from vecaf.datasets.pool import Samples, load_samples
from vecaf.runs.demo_run import COLOR, CONFIG
from vecaf.runs.recording import MemoryRecorder
from vecaf.runs.rounds import run_rounds
from vecaf.settings import Settings
from vecaf.store import Store, dataset_named

STRATEGIES = ("random", "kmeans", "activeft", "vecaf")


def accuracies(strategy: str, seed: int, samples: Samples, settings: Settings) -> list[float]:
    """Return the test accuracy after each round of the demo run, in percent."""
    recorder = MemoryRecorder()
    with tempfile.TemporaryDirectory() as folder:
        config = replace(CONFIG, strategy=strategy, seed=seed)
        run_rounds(config, samples, recorder, Path(folder), settings)
    return [100 * (result.test_accuracy or 0) for result in recorder.results]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    seeds = parser.parse_args().seeds
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as home:
        settings = Settings.from_environment({"VECAF_HOME": home})
        store = Store.open(settings)
        import_demo(store, "color", COLOR)
        with store.read() as session:
            dataset = dataset_named(session, store.owner(), COLOR)
            samples = load_samples(session, dataset, settings.images)
        results = {}
        for strategy in STRATEGIES:
            print(f"{strategy} …", file=sys.stderr)
            rows = [accuracies(strategy, seed, samples, settings) for seed in range(seeds)]
            results[strategy] = np.array(rows)

    rounds = range(1, CONFIG.rounds + 1)
    print(f"| strategy | {' | '.join(f'round {r}' for r in rounds)} | last round − random |")
    print(f"|---|{'---|' * (len(rounds) + 1)}")
    for strategy, values in results.items():
        means = " | ".join(f"{value:.1f}" for value in values.mean(axis=0))
        gap = values[:, -1] - results["random"][:, -1]
        spread = gap.std(ddof=1) / np.sqrt(len(gap)) if len(gap) > 1 else float("nan")
        print(f"| {strategy} | {means} | {gap.mean():+.1f} ± {spread:.1f} |")
    print(
        f"\n{seeds} seeds, {len(samples.rows('test'))} test images, {CONFIG.budget} of "
        f"{len(samples.pool)} images per round, {time.monotonic() - started:.0f} s."
    )


if __name__ == "__main__":
    main()
