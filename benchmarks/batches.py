"""How many batches until 99% of full training? `python -m benchmarks.batches [--seeds 5]`

Labels known: every row trains the same classifier, or with --mode full the whole model, on a
dataset that `python -m vecaf import` has put into VECAF_HOME; rows differ in which images a batch
holds and in what the classifier starts from. Choices are made on validation images, test images
only measure. Each row spends T batches under one learning-rate schedule that ends with the last.
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
SHARE = 0.99
FULL, VECAF, ACTIVEFT = "full: a random pass, cut to T", "vecaf", "activeft"
SHARE_ONCE = 1 / 15  # of the pool: what activeft picks once and passes over again and again
SEVERAL = {"rounds": ROUNDS, "picks": "replace", "schedule": "run"}
MEANS = {"head_init": "means"}


def rows_of(several: Mapping[str, Any]) -> tuple[Row, ...]:
    """The table's rows; `several` is how VeCAF spreads its batches over rounds, or nothing."""
    vecaf = {"strategy": "vecaf", **several, **MEANS}
    alone = {"strategy": "random", **MEANS, "head_lr": 1e-8, "lr": 1e-8}
    rounds = (
        Row("vecaf in one round", {"strategy": "vecaf", **MEANS}),
        Row("vecaf with a schedule a round", {**vecaf, "schedule": "round"}),
    )
    return (
        Row(FULL, {"strategy": "random"}),
        Row(VECAF, vecaf),
        Row("vecaf without the start from class means", {**vecaf, "head_init": "zeros"}),
        Row("vecaf without losses (random picks)", {**vecaf, "strategy": "random"}),
        Row("vecaf with square roots of losses",
            {**vecaf, "strategy": "importance", "strategy_options": "gamma=0.5"}),
        Row("vecaf with captions pulling (CEA)", {**vecaf, "text_pull": 0.25}),
        Row("vecaf from the classes' names", {**vecaf, "head_init": "text"}),
        *(rounds if several else ()),
        Row(ACTIVEFT, {"strategy": "activeft"}),
        Row("activeft from class means", {"strategy": "activeft", **MEANS}),
        Row("class means alone (a rate of 1e-8)", alone),
    )  # fmt: skip


@dataclass(frozen=True)
class Track:
    """What is trained, and for how many batches. `epochs`: full training's, the best of 1, 3 and 8
    by validation on CIFAR-10 where only the head learns. `several`: see `rows_of`; five rounds
    are better by validation where only the head learns, one where all of the model does."""

    base: RunConfig
    budgets: tuple[int, ...]
    epochs: int
    full: dict[str, Any]  # what full training has of its own
    several: dict[str, Any]


TRACKS = {
    "head-only": Track(
        RunConfig(
            strategy="random", track=LABELS_KNOWN, rounds=1, epochs=1, batch_size=BATCH,
            text_pull=0.0, head_lr=0.06, head_weight_decay=0.03, head_init="zeros",
        ),
        (100, 200, 400, 700), 8, {"head_lr": 0.03}, SEVERAL,
    ),
    "full": Track(
        RunConfig(
            strategy="random", track=LABELS_KNOWN, mode="full", rounds=1, epochs=1,
            batch_size=BATCH, text_pull=0.0, lr=1e-3, head_init="zeros",
        ),
        (100, 190), 4, {}, {},
    ),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dataset", default="cifar10")
    parser.add_argument("--mode", choices=sorted(TRACKS), default="head-only")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--pool", type=int, default=0, help="images of the pool, 0 for all")
    parser.add_argument("--image-size", type=int, default=96)
    parser.add_argument(
        "--rows", default="", help="only these: a whole name, or a word that their names hold"
    )
    parser.add_argument("--budgets", default="", help="T, parted by commas")
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
        rows = chosen(rows_of(track.several), options.rows)
        configs += [
            spending(row, track.base, pool, budget, seed=seed, **fixed)
            for row in rows for seed in seeds for budget in budgets
        ]  # fmt: skip
    except InputError as error:
        parser.error(str(error))
    results = measured(configs, samples, settings, options.workers)
    for config, result in zip(configs, results, strict=True):
        if result.batches != (foretold := _all_batches(config, pool)):
            raise SystemExit(f"{config.strategy} took {result.batches} batches, not {foretold}.")
    full, rest = results[: options.seeds], results[options.seeds :]
    accuracies = np.array([one.accuracy for one in rest]).reshape(len(rows), len(seeds), -1)

    final = float(np.mean([one.accuracy for one in full]))
    target = SHARE * final
    print(f"Full training: {spent(configs[0], pool)} batches, test accuracy {100 * final:.2f}. "
          f"99% of it is {100 * target:.2f}{_reached(full, target)}.\n")  # fmt: skip
    print(f"| T batches | {' | '.join(map(str, budgets))} | T to 99% | vecaf − it |")
    print(f"|---|{'---|' * (len(budgets) + 2)}")
    best = next((found for row, found in zip(rows, accuracies, strict=True) if row.name == VECAF),
                None)  # fmt: skip
    for row, found in zip(rows, accuracies, strict=True):
        means = " | ".join(f"{100 * value:.1f}" for value in found.mean(axis=0))
        print(f"| {row.name} | {means} | {_first(found.mean(axis=0), budgets, target)} | "
              f"{_gap(best, found) if row.name != VECAF else '–'} |")  # fmt: skip
    size = f"{options.image_size} pixels" if options.image_size else "the model's own size"
    print(f"\n{options.seeds} seeds, a pool of {pool}, {size}, "
          f"{time.monotonic() - started:.0f} s with what was at hand.")  # fmt: skip


def spending(row: Row, base: RunConfig, pool: int, batches: int, **more: Any) -> RunConfig:
    """The row's run with the budget and epochs by which it spends T = `batches`, nearly.

    Raises InputError where no whole number of passes comes near.
    """
    if row.changes["strategy"] == "activeft":
        an_epoch = max(1, round(SHARE_ONCE * pool / BATCH))
        budget, epochs = an_epoch * BATCH, max(1, round(batches / an_epoch))
    else:
        copies = 2 if row.changes.get("text_pull") and base.mode == "head-only" else 1  # captioned
        epochs = math.ceil(batches * BATCH / (pool * copies))  # where all of the pool is too little
        budget = batches * BATCH // (epochs * copies * row.changes.get("rounds", 1))
    config = row.config(base, budget=str(budget), epochs=epochs, **more)
    took = spent(config, pool)
    if abs(took - batches) > max(ROUNDS, 0.1 * batches):  # a round's last batch may be short
        raise InputError(
            f"“{row.name}” would spend {took} batches where {batches} are meant: "
            "give --budgets another T."
        )
    return config


def spent(config: RunConfig, pool: int) -> int:
    """A run's T: all of its batches, or those of the whole model alone where that is trained."""
    if config.mode != "head-only":  # without the head's before, which captioned copies fill, too
        config = replace(config, mode="head-only", text_pull=0.0)
    return _all_batches(config, pool)


def _all_batches(config: RunConfig, pool: int) -> int:
    budget = parse_budget(config.budget).of(pool)
    return sum(
        batches_per_round(
            config, RunSizes(budget, pool, val=0, test=0, images=pool, not_embedded=0)
        )
    )


def chosen(rows: Sequence[Row], words: str) -> tuple[Row, ...]:
    """The rows that are meant, all without words: one's whole name means that one alone.

    Raises InputError for a word that means none.
    """
    names = [row.name for row in rows]
    meant: set[str] = set()
    for word in filter(None, words.split(",")):
        found = [word] if word in names else [name for name in names if word in name]
        if not found:
            raise InputError(f"No row has “{word}” in its name; there are: {'; '.join(names)}.")
        meant.update(found)
    return tuple(row for row in rows if row.name in meant or not meant)


def _reached(full: list[Any], target: float) -> str:
    """Where full training's own curve, mean over the seeds, reaches the target."""
    curve = np.mean([[p.test_accuracy or 0 for p in one.curve] for one in full], axis=0)
    steps = [point.batches for point in full[0].curve]
    seen = [place for place, value in enumerate(curve) if value]
    if len(seen) < 2:
        return ""
    cost = cost_to_reach(target, [steps[place] for place in seen], curve[seen].tolist())
    return f", which its own curve reaches after {cost:.0f}"


def _first(means: NDArray[np.float64], budgets: tuple[int, ...], target: float) -> str:
    """Where the line through (T, accuracy) first meets the target, between measured T."""
    cost = cost_to_reach(target, budgets, means.tolist())
    if cost is None:
        return f"> {budgets[-1]}"
    return f"≤ {budgets[0]}" if cost == budgets[0] else f"{cost:.0f}"


def _gap(best: NDArray[np.float64] | None, found: NDArray[np.float64]) -> str:
    """vecaf less the row, mean over T, paired by seed."""
    if best is None:
        return "–"
    first, second = (dict(enumerate(one.mean(axis=1).tolist())) for one in (best, found))
    return points(paired_over_seeds(first, second))


if __name__ == "__main__":
    main()
