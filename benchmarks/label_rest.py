"""The guarantee of "Auto-label the rest": `python -m benchmarks.label_rest DATASET.zip`

Each run divides the images at random into pool, validation and test, finetunes a model on selected
images, and predicts the rest of the pool. Each draw takes random test images as check images and
uses them to choose the confidence threshold. The table shows the share of images that the model
labels and the share of these labels that are wrong. It also shows in which share of the draws more
labels are wrong than the limit allows: with 90% confidence, this should be at most 10%.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.rows import import_samples
from vecaf.config import RunConfig
from vecaf.datasets.pool import Samples
from vecaf.evaluation.error_guarantee import find_threshold
from vecaf.evaluation.predictions import Predictions, load_predictions
from vecaf.runs.recording import MemoryRecorder
from vecaf.runs.rounds import run_rounds
from vecaf.settings import Settings
from vecaf.store import TEST


@dataclass(frozen=True)
class Model:
    """The predictions of one run: on the rest of its pool, and on the labeled test images."""

    rest: NDArray[np.float32]
    rest_wrong: NDArray[np.bool_]
    test: NDArray[np.float32]
    test_wrong: NDArray[np.bool_]

    @classmethod
    def of(cls, predictions: Predictions, samples: Samples, selected: NDArray[np.int64]) -> Model:
        wrong = predictions.predicted != samples.labels
        rest = np.setdiff1d(samples.pool, selected)
        test = samples.rows(TEST)
        confidence = predictions.confidence
        return cls(confidence[rest], wrong[rest], confidence[test], wrong[test])


@dataclass(frozen=True)
class Outcome:
    """One draw: the share of images labeled, and the share of wrong labels among them."""

    labeled: float
    wrong: float


def draw(
    model: Model, rng: np.random.Generator, checked: int, max_error: float, failure: float
) -> Outcome:
    """Choose a threshold with `checked` random test images, and label the rest of the pool."""
    check = rng.choice(len(model.test), checked, replace=False)
    found = find_threshold(
        model.rest, model.test[check], model.test_wrong[check],
        max_error=max_error, failure=failure,
    )  # fmt: skip
    if found is None:
        return Outcome(0.0, 0.0)
    above = model.rest >= found.threshold
    return Outcome(float(above.mean()), float(model.rest_wrong[above].mean()) if above.any() else 0)


def redivided(samples: Samples, rng: np.random.Generator) -> Samples:
    """Divide the usable images at random, into splits of the same sizes."""
    splits, rows = samples.splits.copy(), samples.usable
    splits[rows] = rng.permutation(splits[rows])
    return replace(samples, splits=splits)


def train(config: RunConfig, samples: Samples, settings: Settings) -> Model:
    """Do one run in a temporary folder and return its predictions."""
    with tempfile.TemporaryDirectory() as folder:
        recorder = MemoryRecorder()
        run_rounds(config, samples, recorder, Path(folder), settings)
        predictions = load_predictions(Path(folder), config.rounds)
    assert predictions is not None
    chosen = [one.sample_ids for number in range(1, config.rounds + 1)
              if (one := recorder.selection(number)) is not None]  # fmt: skip
    selected = np.flatnonzero(np.isin(samples.ids, np.concatenate(chosen)))
    return Model.of(predictions, samples, selected)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--pool", type=int, default=0, help="pool images, at random; 0 = all")
    parser.add_argument("--budget", default="50")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--checked", type=int, nargs="+", default=[100, 200, 400])
    parser.add_argument("--max-error", type=float, nargs="+", default=[2, 5], help="percent")
    parser.add_argument("--confidence", type=float, default=90, help="percent")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--draws", type=int, default=10, help="draws of check images per run")
    given = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as home:
        settings = Settings.from_environment({"VECAF_HOME": home})
        samples = import_samples(given.dataset, settings, given.pool)
        config = RunConfig(dataset="data", budget=given.budget, rounds=given.rounds)
        models = []
        for seed in range(given.runs):
            print(f"run {seed + 1} of {given.runs} …", file=sys.stderr)
            divided = redivided(samples, np.random.default_rng(seed))
            models.append(train(replace(config, seed=seed), divided, settings))
    print("| limit | check images | labeled | wrong "
          "| draws above the limit | draws without labels |")  # fmt: skip
    print("|---|---|---|---|---|---|")
    for max_error in given.max_error:
        for checked in given.checked:
            _row(models, checked, max_error / 100, given)
    accuracy = np.mean([1 - one.test_wrong.mean() for one in models])
    print(
        f"\n{given.runs} runs with {given.draws} draws each; {given.rounds} × {given.budget} of "
        f"{len(samples.pool)} images selected, test accuracy {accuracy:.1%}; confidence "
        f"{given.confidence:g}%; {time.monotonic() - started:.0f} s."
    )


def _row(models: list[Model], checked: int, max_error: float, given: argparse.Namespace) -> None:
    if checked > len(models[0].test):
        return
    outcomes = [
        draw(model, np.random.default_rng((seed, number)), checked, max_error,
             1 - given.confidence / 100)
        for seed, model in enumerate(models)
        for number in range(given.draws)
    ]  # fmt: skip
    labeled = np.array([one.labeled for one in outcomes])
    wrong = np.array([one.wrong for one in outcomes])
    some = wrong[labeled > 0].mean() if (labeled > 0).any() else 0.0
    print(
        f"| {max_error:.0%} | {checked} | {labeled.mean():.0%} | {some:.1%} | "
        f"{(wrong > max_error).mean():.1%} | {(labeled == 0).mean():.0%} |"
    )


if __name__ == "__main__":
    main()
