"""Ablation with few labels: `python -m benchmarks.ablation [recipes] [--seeds 5]`

Runs in the label-free track on a dataset in VECAF_HOME. The table `parts` compares VeCAF with
variants in which one part is removed or replaced, all head-only. The table `recipes` compares ways
to train on the same selected images. Differences are paired by seed. The number of batches is that
of the largest number of labels and includes the training of the classifier.
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
    Row("complete"),
    Row("γ = ½", {"strategy_options": "gamma=0.5"}),
    Row("γ = −½, easy images first", {"strategy_options": "gamma=-0.5"}),
    Row("without losses (no ODS, γ = 0)", {"strategy_options": "gamma=0"}),
    Row("objective of the released code", {"strategy_options": "objective=released-code"}),
    Row("captions in training, too", {"train_on_captions": "yes"}),
    Row("without captions (no CEA)", {"caption_weight": 0.0}),
    Row("one round", {"rounds": 1}),
    Row("classifier starts from zeros", {"head_init": "zeros"}),
    Row("classifier starts from class means", {"head_init": "means"}),
    Row("one initialization instead of the best of four", {"strategy_options": "restarts=1"}),
    Row("random selection", {"strategy": "random"}),
    Row("without captions and class names", {"caption_weight": 0.0, "head_init": "zeros"}),
)
PATIENCE = {"patience": 3}
LORA = {
    "mode": "lora",
    "lr": 3e-3,
}  # about ten times that of full mode, as the Finetune page recommends
FULL = {"mode": "full"}
RECIPES = (
    Row("head-only, initialized from class names"),
    Row("head-only, early stopping", PATIENCE),
    Row("head-only, initialized with zeros", {"head_init": "zeros"}),
    Row("LoRA", LORA),
    Row("LoRA, early stopping", {**LORA, **PATIENCE}),
    Row("full finetuning", FULL),
    Row("full finetuning, early stopping", {**FULL, **PATIENCE}),
)
TABLES = {"parts": (PARTS, 4), "recipes": (RECIPES, 1)}
"""The rows of each table (the others are compared with the first) and their number of rounds."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("table", nargs="?", choices=TABLES, default="parts")
    parser.add_argument("--dataset", default="cifar10")
    parser.add_argument(
        "--labels",
        default="100,250,500,1000",
        help="numbers of labels after the last round, separated by commas",
    )
    parser.add_argument(
        "--pool", type=int, default=12_000, help="number of pool images; 0 uses all"
    )
    parser.add_argument(
        "--image-size", type=int, default=0, help="in pixels; 0 uses the model's default"
    )
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

    columns = " | ".join(f"{count:,}" for count in labels)
    print(f"| | {columns} | mean | difference from first | batches |")
    print(f"|---|{'---|' * (len(labels) + 3)}")
    means_by_seed = [dict(enumerate(one.mean(axis=1).tolist())) for one in found]
    for row, values, by_seed, used in zip(rows, found, means_by_seed, batches, strict=True):
        means = " | ".join(f"{100 * value:.1f}" for value in values.mean(axis=0))
        gap = "–" if row is rows[0] else points(paired_over_seeds(by_seed, means_by_seed[0]))
        print(f"| {row.name} | {means} | {100 * values.mean():.1f} | {gap} | {used:.0f} |")
    print(f"\n{options.seeds} seeds, {len(samples.pool):,} pool images, "
          f"{time.monotonic() - started:.0f} s including cached results.")  # fmt: skip


if __name__ == "__main__":
    main()
