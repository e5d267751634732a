"""`vecaf.select`: one call for every strategy."""

from __future__ import annotations

import operator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from vecaf.arrays import Floats, Ids
from vecaf.errors import InputError
from vecaf.selection.sharded import WHOLE, Split
from vecaf.selection.strategies import STRATEGIES, check_request
from vecaf.selection.strategy_pool import make_pool


@dataclass(frozen=True)
class Selection:
    """What a strategy picked.

    ids     int64 (budget,), rows of the features, distinct, in rank order
    scores  name → float32 (budget,): what each pick was chosen for
    """

    ids: Ids
    scores: dict[str, Floats]


def select(
    features: npt.ArrayLike,
    budget: int,
    strategy: str = "vecaf",
    *,
    losses: npt.ArrayLike | None = None,
    labels: npt.ArrayLike | None = None,
    probabilities: npt.ArrayLike | None = None,
    chosen: npt.ArrayLike | None = None,
    keys: npt.ArrayLike | None = None,
    seed: int = 0,
    split: Split = WHOLE,
    **options: Any,
) -> Selection:
    """Pick `budget` rows of `features` that are worth finetuning on.

    features       (n, d), one row an image; scaled to unit length here
    budget         how many rows to pick, 1 … n − len(chosen)
    strategy       a name from `vecaf.selection.describe()`
    losses         (n,), what each image still costs the model being finetuned
    labels         (n,) whole numbers, -1 where unknown
    probabilities  (n, classes), the model's predictions
    chosen         rows picked in earlier rounds: never picked again, counted as covered
    keys           (n, bytes) uint8, what each row is known by, such as its image's sha256; without
                   them, its features' bytes
    seed           the only source of randomness
    split          the processes that call this together, see `vecaf.selection.sharded`
    options        the strategy's own, see `StrategyInfo.options`

    The same seed gives the same picks, in whatever order the rows come (rows with equal keys
    stand for one another). What is drawn hangs on `seed` and `keys`: with keys of images it is the
    same wherever features differ in their last bits (other threads, devices, precision).
    Raises InputError, with the remedy, for anything it cannot use.
    """
    function = STRATEGIES[strategy]
    arguments = {"losses": losses, "labels": labels, "probabilities": probabilities}
    given = {name for name, value in arguments.items() if value is not None}
    check_request(function.info, given, options)
    count, start = _whole(budget, "budget"), _whole(seed, "seed")
    if start < 0:
        raise InputError(f"seed is {start}; use 0 or a positive whole number.")
    pool = replace(make_pool(features, start, chosen=chosen, keys=keys, **arguments), split=split)
    _check_budget(count, len(pool), len(pool.chosen))
    positions, scores = function(pool, count, np.random.default_rng(start), **options)
    return Selection(
        ids=pool.order[positions],
        scores={name: np.asarray(part, dtype=np.float32) for name, part in scores.items()},
    )


def _whole(value: object, name: str) -> int:
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise InputError(f"{name} must be a whole number; got {value!r}.") from None


def _check_budget(budget: int, n: int, chosen: int) -> None:
    if budget < 1:
        raise InputError(f"budget is {budget}; pick at least 1 row.")
    if budget > n - chosen:
        already = f" and {chosen} of them are already chosen" if chosen else ""
        raise InputError(
            f"budget is {budget}, but the pool has {n} rows{already}; use a budget of at most "
            f"{n - chosen}."
            if n > chosen
            else f"Every one of the pool's {n} rows is already chosen; nothing is left to pick."
        )
