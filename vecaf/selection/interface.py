"""`vecaf.select`: one function for every strategy."""

from __future__ import annotations

import operator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vecaf.arrays import Floats, Ids
from vecaf.errors import InputError
from vecaf.selection.sharded_rows import Sharding
from vecaf.selection.strategies import STRATEGIES, check_request
from vecaf.selection.strategy_pool import make_pool


@dataclass(frozen=True)
class Selection:
    """The result of a strategy.

    Attributes
    ----------
    ids
        Selected rows of the features, int64 of shape (budget,): distinct, in rank order.
    scores
        What explains each selected row, by name: float32 arrays of shape (budget,).
    strategy
        The strategy that selected. It can differ from the requested one: "vecaf" hands over to
        "importance" if all labels are known and the budget is large, and to "uherding" if the
        budget is small.
    """

    ids: Ids
    scores: dict[str, Floats]
    strategy: str


def select(
    features: npt.ArrayLike,
    budget: int,
    strategy: str = "vecaf",
    *,
    losses: npt.ArrayLike | None = None,
    labels: npt.ArrayLike | None = None,
    probabilities: npt.ArrayLike | None = None,
    selected: npt.ArrayLike | None = None,
    keys: npt.ArrayLike | None = None,
    seed: int = 0,
    sharding: Sharding | None = None,
    **options: Any,
) -> Selection:
    """Select the `budget` rows of `features` that a strategy prefers for finetuning.

    The same seed selects the same rows, regardless of their order; rows with equal keys are
    interchangeable.

    Parameters
    ----------
    features
        One row per image, shape (n, d). They are scaled to unit length.
    budget
        Number of rows to select, 1 to n − len(selected).
    strategy
        A name from `vecaf.selection.describe()`.
    losses
        Per-sample losses under the current model, shape (n,).
    labels
        Class indices, shape (n,); −1 where unknown.
    probabilities
        Predictions of the current model, shape (n, classes).
    selected
        Rows selected in earlier rounds. They count as covered and are not selected again.
    keys
        Bytes that identify each row, such as the SHA-256 of its image: uint8 of shape (n, bytes).
        Random draws depend only on `seed` and `keys`, so they are the same on a machine where
        features differ in their last bits. By default, the bytes of the features.
    seed
        The only source of randomness.
    sharding
        Creates shards for the features, such as `vecaf.selection.LocalSharding()`. They are stored
        in float16, and the selection doesn't depend on the number of shards. Only for strategies
        with `StrategyInfo.sharded`; others select in this process.
    **options
        Options of the strategy; see `StrategyInfo.options`.

    Raises
    ------
    InputError
        For unusable input, such as NaN, a missing argument or an unknown option.
    """
    function = STRATEGIES[strategy]
    arguments = {"losses": losses, "labels": labels, "probabilities": probabilities}
    given = {name for name, value in arguments.items() if value is not None}
    check_request(function.info, given, options)
    count, start = _whole(budget, "budget"), _whole(seed, "seed")
    if start < 0:
        raise InputError(f"seed is {start}. Use 0 or a positive whole number.")
    pool = make_pool(
        features, start, selected=selected, keys=keys,
        sharding=sharding if function.info.sharded else None, **arguments,
    )  # fmt: skip
    with closing(pool):
        _check_budget(count, len(pool), len(pool.earlier))
        result = function(pool, count, np.random.default_rng(start), **options)
    return Selection(
        ids=pool.order[result.positions],
        scores={name: np.asarray(part, dtype=np.float32) for name, part in result.scores.items()},
        strategy=result.strategy or strategy,
    )


def _whole(value: object, name: str) -> int:
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise InputError(f"{name} is {value!r}. Use a whole number.") from None


def _check_budget(budget: int, n: int, earlier: int) -> None:
    if budget < 1:
        raise InputError(f"budget is {budget}. Select at least 1 row.")
    if n == earlier:
        raise InputError(f"All {n} rows of the pool are selected already.")
    if budget > n - earlier:
        already = f", and {earlier} of them are selected already" if earlier else ""
        raise InputError(
            f"budget is {budget}, but the pool has {n} rows{already}. Use a budget of at most "
            f"{n - earlier}."
        )
