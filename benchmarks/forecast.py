"""Calibration of the forecasts: `python -m benchmarks.forecast DATASET.zip`

Does runs of several rounds and compares the forecast after each round with the accuracy that later
rounds measure. The test images are a random sample, as large as a user would label; each run draws
another one. An 80% interval should contain about 80% of the measured changes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.rows import import_samples
from vecaf.config import RunConfig
from vecaf.datasets.pool import Samples
from vecaf.evaluation.forecast import HORIZONS, Estimate
from vecaf.evaluation.forecast_outcomes import Outcome, count_covered, measured_gain
from vecaf.runs.recording import MemoryRecorder
from vecaf.runs.rounds import run_rounds
from vecaf.settings import Settings
from vecaf.store import TEST


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--pool", type=int, default=0, help="pool images, at random; 0 = all")
    parser.add_argument("--budget", default="25")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--tests", type=int, default=200, help="images of a test sample; 0 = all")
    given = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as home:
        settings = Settings.from_environment({"VECAF_HOME": home})
        samples = import_samples(given.dataset, settings, given.pool)
        config = RunConfig(dataset="data", budget=given.budget, rounds=given.rounds)
        outcomes: list[Outcome] = []
        for seed in range(given.first_seed, given.first_seed + given.runs):
            print(f"seed {seed} …", file=sys.stderr)
            drawn = with_test_sample(samples, given.tests, seed)
            outcomes += outcomes_of(replace(config, seed=seed), drawn, settings)
    print(
        "| more labels | forecasts | in the 80% interval | mean forecast | mean measured | error |"
    )
    print("|---|---|---|---|---|---|")
    for more in HORIZONS:
        print(row(str(more), [one for one in outcomes if one.more == more]))
    print(row("all", outcomes))
    print(
        f"\n{given.runs} runs of {given.rounds} × {given.budget} labels from {len(samples.pool)} "
        f"images, {given.tests or 'all'} test images; {time.monotonic() - started:.0f} s."
    )


def with_test_sample(samples: Samples, size: int, seed: int) -> Samples:
    """Return the samples with a random part of the test split; the rest is in no split."""
    test = samples.rows(TEST)
    if not 0 < size < len(test):
        return samples
    kept = np.random.default_rng(seed).choice(test, size, replace=False)
    return samples.without(np.setdiff1d(test, kept))


def outcomes_of(config: RunConfig, samples: Samples, settings: Settings) -> list[Outcome]:
    """Do one run and compare its forecasts with its later rounds."""
    recorder = MemoryRecorder()
    with tempfile.TemporaryDirectory() as folder:
        run_rounds(config, samples, recorder, Path(folder), settings)
    points = [(one.labeled, one.test_accuracy or 0.0) for one in recorder.results]
    found = []
    for result, now in zip(recorder.results, points, strict=True):
        for more, gain in result.forecast.get("gains", {}).items():
            measured = measured_gain(now, int(more), points)
            if measured is not None:
                found.append(Outcome(now[0], int(more), Estimate(**gain), measured))
    return found


def row(name: str, outcomes: list[Outcome]) -> str:
    """Format a table row: coverage, means in points, and the mean absolute error of the median."""
    covered, total = count_covered(outcomes)
    if not total:
        return f"| {name} | 0 | – | – | – | – |"
    forecast = np.array([one.gain.middle for one in outcomes])
    measured = np.array([one.measured for one in outcomes])
    return (
        f"| {name} | {total} | {covered / total:.0%} | {100 * forecast.mean():+.1f} | "
        f"{100 * measured.mean():+.1f} | {100 * np.abs(forecast - measured).mean():.1f} |"
    )


if __name__ == "__main__":
    main()
