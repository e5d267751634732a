"""Batches to reach 99% of full training: `python -m benchmarks.batches [--seeds 5]`

Runs in the labels-known track on a dataset in VECAF_HOME. Every row trains the same classifier, or
the whole model with --mode full, or adapters with --mode lora. Rows differ in the images of each
batch and in the initialization of the classifier. Hyperparameters were chosen on validation images;
test images are used only for measurement. Each row uses T batches and one learning-rate schedule
that ends with the last batch.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.rows import Row, measured, points, samples_of
from vecaf.budget import parse_budget
from vecaf.config import LABELS_KNOWN, RunConfig
from vecaf.errors import InputError
from vecaf.evaluation.comparison import cost_to_reach, paired_over_seeds
from vecaf.settings import Settings
from vecaf.training.cost import RunSizes, batches_per_round

BATCH = 64
ROUNDS = 5
TARGET_SHARE = 0.99
FULL, VECAF, ACTIVEFT = "full: schedule shortened to T batches", "vecaf", "activeft"
ACTIVEFT_SHARE = 1 / 15  # fraction of the pool that activeft selects once and trains on repeatedly
SEVERAL_ROUNDS = {"rounds": ROUNDS, "training_images": "replace", "schedule": "run"}
MEANS = {"head_init": "means"}


def rows_of(several: Mapping[str, Any]) -> tuple[Row, ...]:
    """Return the table's rows. `several` holds VeCAF's settings for several rounds, or nothing."""
    vecaf = {"strategy": "vecaf", **several, "head_init": "auto"}
    alone = {"strategy": "random", **MEANS, "head_lr": 1e-8, "lr": 1e-8}
    rounds = (
        Row("vecaf in one round", {"strategy": "vecaf", "head_init": "auto"}),
        Row("vecaf with a schedule per round", {**vecaf, "schedule": "round"}),
    )
    whole = (Row("vecaf always initialized from class means", {**vecaf, **MEANS}),)
    return (
        Row(FULL, {"strategy": "random"}),
        Row(VECAF, vecaf),
        Row("vecaf without initialization from class means", {**vecaf, "head_init": "zeros"}),
        Row("vecaf without losses (random selection)", {**vecaf, "strategy": "random"}),
        Row("vecaf with square roots of losses",
            {**vecaf, "strategy": "importance", "strategy_options": "gamma=0.5"}),
        Row("vecaf with captions (CEA)",
            {**vecaf, "caption_weight": 0.25, "train_on_captions": "yes"}),
        Row("vecaf initialized from class names", {**vecaf, "head_init": "text"}),
        *(rounds if several else whole),
        Row(ACTIVEFT, {"strategy": "activeft"}),
        Row("activeft initialized from class means", {"strategy": "activeft", **MEANS}),
        Row("class means only (learning rate 1e-8)", alone),
    )  # fmt: skip


@dataclass(frozen=True)
class Track:
    """The settings of a training mode.

    Attributes
    ----------
    base
        The settings that all rows share.
    budgets
        The values of T.
    epochs
        The epochs of full training. For head-only training, 8 is the best of 1, 3 and 8 on the
        validation images of CIFAR-10.
    full
        The settings of full training.
    several
        The settings for several rounds; see `rows_of`. On validation images, five rounds are better
        for head-only training, and one round for the whole model.
    """

    base: RunConfig
    budgets: tuple[int, ...]
    epochs: int
    full: dict[str, Any]
    several: dict[str, Any]


WHOLE = RunConfig(
    strategy="random", track=LABELS_KNOWN, mode="full", rounds=1, epochs=1, batch_size=BATCH,
    caption_weight=0.0, lr=1e-3, head_init="zeros",
)  # fmt: skip

TRACKS = {
    "head-only": Track(
        RunConfig(
            strategy="random", track=LABELS_KNOWN, rounds=1, epochs=1, batch_size=BATCH,
            caption_weight=0.0, head_lr=0.06, head_weight_decay=0.03, head_init="zeros",
        ),
        (100, 200, 400, 700), 8, {"head_lr": 0.03}, SEVERAL_ROUNDS,
    ),
    "full": Track(WHOLE, (100, 190), 4, {}, {}),
    "lora": Track(replace(WHOLE, mode="lora", lr=1e-2), (100, 190), 4, {}, {}),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dataset", default="cifar10")
    parser.add_argument("--mode", choices=sorted(TRACKS), default="head-only")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--pool", type=int, default=0, help="number of pool images; 0 uses all")
    parser.add_argument("--image-size", type=int, default=96)
    parser.add_argument(
        "--rows",
        default="",
        help="only these rows: complete names or parts of names, separated by commas",
    )
    parser.add_argument("--budgets", default="", help="values of T, separated by commas")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    started = time.monotonic()
    settings = Settings.from_environment()
    samples = samples_of(options.dataset, settings, options.pool)
    track = TRACKS[options.mode]
    budgets = tuple(int(one) for one in options.budgets.split(",") if one) or track.budgets
    seeds, pool = range(options.seeds), len(samples.pool)
    fixed = {"dataset": options.dataset, "image_size": options.image_size}
    whole = {**track.full, "budget": "100%", "epochs": track.epochs, **fixed}
    configs = [Row("").config(track.base, seed=seed, **whole) for seed in seeds]
    try:
        rows = matching_rows(rows_of(track.several), options.rows)
        configs += [
            spending(row, track.base, pool, budget, seed=seed, **fixed)
            for row in rows for seed in seeds for budget in budgets
        ]  # fmt: skip
    except InputError as error:
        parser.error(str(error))
    results = measured(configs, samples, settings, options.workers)
    for config, result in zip(configs, results, strict=True):
        if result.batches != (expected := _all_batches(config, pool)):
            raise SystemExit(f"{config.strategy} used {result.batches} batches, not {expected}.")
    full, rest = results[: options.seeds], results[options.seeds :]
    accuracies = np.array([one.accuracy for one in rest]).reshape(len(rows), len(seeds), -1)

    final = float(np.mean([one.accuracy for one in full]))
    target = TARGET_SHARE * final
    used = batches_used(configs[0], pool)
    print(f"Full training: {used} batches, test accuracy {100 * final:.2f}. "
          f"The target (99%) is {100 * target:.2f}{_reached(full, target)}.\n")  # fmt: skip
    print(f"| T batches | {' | '.join(map(str, budgets))} | T to 99% | vecaf − row |")
    print(f"|---|{'---|' * (len(budgets) + 2)}")
    best = next((found for row, found in zip(rows, accuracies, strict=True) if row.name == VECAF),
                None)  # fmt: skip
    for row, found in zip(rows, accuracies, strict=True):
        means = " | ".join(f"{100 * value:.1f}" for value in found.mean(axis=0))
        print(f"| {row.name} | {means} | {_first(found.mean(axis=0), budgets, target)} | "
              f"{_gap(best, found) if row.name != VECAF else '–'} |")  # fmt: skip
    size = f"{options.image_size} pixels" if options.image_size else "the model's default size"
    print(f"\n{options.seeds} seeds, {pool} pool images, {size}, "
          f"{time.monotonic() - started:.0f} s including cached results.")  # fmt: skip


def spending(row: Row, base: RunConfig, pool: int, batches: int, **more: Any) -> RunConfig:
    """Set a row's budget and epochs so that it uses about T = `batches` batches.

    Raises
    ------
    InputError
        If no whole number of epochs comes close.
    """
    if row.changes["strategy"] == "activeft":
        epoch_batches = max(1, round(ACTIVEFT_SHARE * pool / BATCH))
        budget, epochs = epoch_batches * BATCH, max(1, round(batches / epoch_batches))
    else:
        copies = (
            2 if row.changes.get("train_on_captions") and base.mode == "head-only" else 1
        )  # captioned copies
        epochs = math.ceil(batches * BATCH / (pool * copies))  # above 1 if the pool is too small
        budget = batches * BATCH // (epochs * copies * row.changes.get("rounds", 1))
    config = row.config(base, budget=str(budget), epochs=epochs, **more)
    used = batches_used(config, pool)
    if abs(used - batches) > max(ROUNDS, 0.1 * batches):  # the last batch of a round may be smaller
        raise InputError(
            f"“{row.name}” would use {used} batches instead of {batches}. "
            "Pass other values to --budgets."
        )
    return config


def batches_used(config: RunConfig, pool: int) -> int:
    """Return the T of a run: its batches, in full mode without those of the head."""
    if config.mode != "head-only":  # exclude the preceding training of the head
        config = replace(config, mode="head-only", caption_weight=0.0)
    return _all_batches(config, pool)


def _all_batches(config: RunConfig, pool: int) -> int:
    budget = parse_budget(config.budget).of(pool)
    return sum(
        batches_per_round(
            config, RunSizes(budget, pool, val=0, test=0, images=pool, not_embedded=0)
        )
    )


def matching_rows(rows: Sequence[Row], words: str) -> tuple[Row, ...]:
    """Return the rows whose names match; all rows if `words` is empty.

    A complete name matches only that row.

    Raises
    ------
    InputError
        If a word matches no row.
    """
    names = [row.name for row in rows]
    matching: set[str] = set()
    for word in filter(None, words.split(",")):
        found = [word] if word in names else [name for name in names if word in name]
        if not found:
            raise InputError(f"No row name contains “{word}”. The rows are: {'; '.join(names)}.")
        matching.update(found)
    return tuple(row for row in rows if row.name in matching or not matching)


def _reached(full: list[Any], target: float) -> str:
    """Describe where the mean curve of full training reaches the target."""
    curve = np.mean([[p.test_accuracy or 0 for p in one.curve] for one in full], axis=0)
    steps = [point.batches for point in full[0].curve]
    seen = [place for place, value in enumerate(curve) if value]
    if len(seen) < 2:
        return ""
    cost = cost_to_reach(target, [steps[place] for place in seen], curve[seen].tolist())
    return f", which full training reaches after {cost:.0f} batches"


def _first(means: NDArray[np.float64], budgets: tuple[int, ...], target: float) -> str:
    """Interpolate the T at which the accuracy first reaches the target."""
    cost = cost_to_reach(target, budgets, means.tolist())
    if cost is None:
        return f"> {budgets[-1]}"
    return f"≤ {budgets[0]}" if cost == budgets[0] else f"{cost:.0f}"


def _gap(best: NDArray[np.float64] | None, found: NDArray[np.float64]) -> str:
    """Return the mean difference of vecaf from the row, paired by seed."""
    if best is None:
        return "–"
    first, second = (dict(enumerate(one.mean(axis=1).tolist())) for one in (best, found))
    return points(paired_over_seeds(first, second))


if __name__ == "__main__":
    main()
