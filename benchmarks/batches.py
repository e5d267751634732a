"""How many batches until 99% of full training? `python -m benchmarks.batches [--seeds 5]`

Labels known, head-only: every row trains the same classifier on the features of a dataset that
`python -m vecaf import` and `embed` have put into VECAF_HOME; rows differ in which images a batch
holds and in what the classifier starts from. Choices are made on validation images, test images
only measure.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from vecaf.benchmarking.cells import Cell
from vecaf.benchmarking.measuring import Bench, lay_ground
from vecaf.config import LABELS_KNOWN, RunConfig
from vecaf.datasets.pool import load_samples
from vecaf.settings import Settings
from vecaf.store import Store, dataset_named

BATCH = 64
ROUNDS = 5
BUDGETS = (100, 200, 400, 700)  # fewer than a pass over CIFAR-10
FULL_EPOCHS = 8  # best of 1, 3 and 8 by validation on CIFAR-10
SHARE = 0.99
COMMON = RunConfig(
    strategy="random", track=LABELS_KNOWN, rounds=1, epochs=1, batch_size=BATCH, text_pull=0.0,
    head_lr=0.06, head_weight_decay=0.03, head_init="zeros",
)  # fmt: skip
MEANS = {"head_init": "means", "head_lr": 0.03}


@dataclass(frozen=True)
class Row:
    """A way to spend T batches: `rounds` rounds of T / rounds new batches under one schedule."""

    name: str
    strategy: str
    changes: Mapping[str, object] = field(default_factory=dict)

    def config(self, dataset: str, batches: int, seed: int) -> RunConfig:
        several = {"rounds": ROUNDS, "picks": "replace", "schedule": "run"}
        values = {**several, "strategy": self.strategy, **self.changes}
        one = replace(COMMON, dataset=dataset, seed=seed, **values)  # type: ignore[arg-type]
        return replace(one, budget=str(batches * BATCH // one.rounds)).checked()


FULL = "full: a random pass, cut to T"
ROWS = (
    Row(FULL, "random", {"rounds": 1, "picks": "keep", "schedule": "round"}),
    Row("drawn by loss", "importance"),
    Row("full, from class means", "random",
        {"rounds": 1, "picks": "keep", "schedule": "round", **MEANS}),
    Row("drawn by loss, from class means", "importance", MEANS),
    Row("drawn by loss, own schedule a round", "importance", {"schedule": "round"}),
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--dataset", default="cifar10")
    parser.add_argument("--image-size", type=int, default=96)
    options = parser.parse_args()
    started = time.monotonic()
    torch.set_num_threads(1)
    settings = Settings.from_environment()
    store = Store.open(settings)
    with store.read() as session:
        dataset = dataset_named(session, store.owner(), options.dataset)
        samples = load_samples(session, dataset, settings.images)
    sized = {"image_size": options.image_size}
    base = replace(COMMON, dataset=options.dataset, **sized)
    with tempfile.TemporaryDirectory() as folder:
        ground = lay_ground([base], samples, settings, Path(folder), lambda done, total: None)
        bench = Bench(ground)
        whole = replace(base, budget="100%", epochs=FULL_EPOCHS, head_lr=0.03)
        full = [
            bench.measure(Cell("full", "100%", replace(whole, seed=seed)))
            for seed in range(options.seeds)
        ]
        final = float(np.mean([run.rounds[-1].test_accuracy for run in full]))
        target = SHARE * final
        curve = np.mean([[p.test_accuracy or 0 for p in run.curve] for run in full], axis=0)
        steps = [point.batches for point in full[0].curve]
        reached = next(s for s, value in zip(steps, curve, strict=True) if value >= target)
        print(
            f"Full training: {steps[-1]} batches, test accuracy {100 * final:.2f}; 99% of it is "
            f"{100 * target:.2f}, which its curve reaches after {reached}.\n"
        )
        print(f"| T batches | {' | '.join(map(str, BUDGETS))} | T to 99% |")
        print(f"|---|{'---|' * (len(BUDGETS) + 1)}")
        for row in ROWS:
            found = np.empty((options.seeds, len(BUDGETS)))
            for seed in range(options.seeds):
                for place, budget in enumerate(BUDGETS):
                    config = replace(row.config(options.dataset, budget, seed), **sized)
                    result = bench.measure(Cell(row.strategy, config.budget, config))
                    found[seed, place] = result.rounds[-1].test_accuracy
                print(f"{row.name}, seed {seed} …", file=sys.stderr)
            means = found.mean(axis=0)
            enough = _first(means, target)
            cells = " | ".join(f"{100 * value:.1f}" for value in means)
            print(f"| {row.name} | {cells} | {enough} |", flush=True)
    print(f"\n{options.seeds} seeds, {time.monotonic() - started:.0f} s.")


def _first(means: NDArray[np.float64], target: float) -> str:
    """Where the line through (T, accuracy) first meets the target, between measured T."""
    above = np.flatnonzero(means >= target)
    if not len(above):
        return f"> {BUDGETS[-1]}"
    place = int(above[0])
    if place == 0:
        return f"≤ {BUDGETS[0]}"
    low, high = means[place - 1], means[place]
    left, right = BUDGETS[place - 1], BUDGETS[place]
    return f"{left + (right - left) * (target - low) / (high - low):.0f}"


if __name__ == "__main__":
    main()
