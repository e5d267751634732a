"""What is each part worth with few labels? `python -m benchmarks.ablation [recipes] [--seeds 5]`

Label-free, on a dataset that `python -m vecaf import` has put into VECAF_HOME. `parts`: the whole
of VeCAF, and the whole with one part taken out or replaced, head-only. `recipes`: the same picks,
and other ways to train on them. Differences are paired by seed; batches are those that the most
labels took, the head's included.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from benchmarks.rows import Row, measured, points, samples_of
from vecaf.config import RunConfig
from vecaf.evaluation.comparison import paired_over_seeds
from vecaf.settings import Settings

PARTS = (
    Row("whole"),
    Row("γ = ½", {"strategy_options": "gamma=0.5"}),
    Row("γ = −½, easy images first", {"strategy_options": "gamma=-0.5"}),
    Row("without losses (no ODS, γ = 0)", {"strategy_options": "gamma=0"}),
    Row("the released code's objective", {"strategy_options": "objective=released-code"}),
    Row("without captions (no CEA)", {"text_pull": 0.0}),
    Row("without rounds (no refresh)", {"rounds": 1}),
    Row("without the start from names", {"head_init": "zeros"}),
    Row("start from class means instead", {"head_init": "means"}),
    Row("one start instead of the best of four", {"strategy_options": "restarts=1"}),
    Row("random picks instead", {"strategy": "random"}),
    Row("without captions and names", {"text_pull": 0.0, "head_init": "zeros"}),
)
PATIENCE = {"patience": 3}
LORA = {"mode": "lora", "lr": 3e-3}  # the page's advice: some ten times full mode's
FULL = {"mode": "full"}
RECIPES = (
    Row("head-only, from the classes' names"),
    Row("head-only, early stop", PATIENCE),
    Row("head-only, from zeros", {"head_init": "zeros"}),
    Row("LoRA after the head", LORA),
    Row("LoRA after the head, early stop", {**LORA, **PATIENCE}),
    Row("full after the head", FULL),
    Row("full after the head, early stop", {**FULL, **PATIENCE}),
)
TABLES = {"parts": (PARTS, 4), "recipes": (RECIPES, 1)}
"""Rows, the first of which the others are compared with, and how many rounds all of them take."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("table", nargs="?", choices=TABLES, default="parts")
    parser.add_argument("--dataset", default="cifar10")
    parser.add_argument("--labels", default="100,250,500,1000", help="after the last round")
    parser.add_argument("--pool", type=int, default=12_000, help="images of the pool, 0 for all")
    parser.add_argument("--image-size", type=int, default=0, help="pixels, 0 for the model's own")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    started = time.monotonic()
    settings = Settings.from_environment()
    samples = samples_of(options.dataset, settings, options.pool)
    rows, rounds = TABLES[options.table]
    base = RunConfig(dataset=options.dataset, rounds=rounds, image_size=options.image_size)
    labels = [int(one) for one in options.labels.split(",")]
    configs = [
        row.config(base, seed=seed, budget=str(round(count / row.changes.get("rounds", rounds))))
        for row in rows for seed in range(options.seeds) for count in labels
    ]  # fmt: skip
    results = measured(configs, samples, settings, options.workers)
    shape = (len(rows), options.seeds, len(labels))
    found = np.array([one.accuracy for one in results]).reshape(shape)
    batches = np.array([one.batches for one in results]).reshape(shape)[:, :, -1].mean(axis=1)

    print(f"| | {' | '.join(f'{count:,}' for count in labels)} | mean | it − first | batches |")
    print(f"|---|{'---|' * (len(labels) + 3)}")
    by_seed = [dict(enumerate(one.mean(axis=1).tolist())) for one in found]
    for row, values, mine, spent in zip(rows, found, by_seed, batches, strict=True):
        means = " | ".join(f"{100 * value:.1f}" for value in values.mean(axis=0))
        gap = "–" if row is rows[0] else points(paired_over_seeds(mine, by_seed[0]))
        print(f"| {row.name} | {means} | {100 * values.mean():.1f} | {gap} | {spent:.0f} |")
    print(f"\n{options.seeds} seeds, a pool of {len(samples.pool):,}, "
          f"{time.monotonic() - started:.0f} s with what was at hand.")  # fmt: skip


if __name__ == "__main__":
    main()
