"""Selection from pools that are too large for one selection: candidates first.

In the first stage, each shard reduces its rows to candidates, without communication. In the second
stage, a strategy selects from the candidates of all shards. Greedy distributed selection works in
this way, too (Mirzasoleiman et al. 2013, Distributed submodular maximization).
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from vecaf.errors import InputError
from vecaf.selection.interface import Selection, select
from vecaf.selection.sharded_rows import ShardedRows, Sharding
from vecaf.selection.strategy_pool import make_pool

Method = Literal["random", "central"]
ITERATIONS = 3  # of k-means in a shard


def select_from_candidates(
    features: npt.ArrayLike,
    budget: int,
    strategy: str,
    *,
    candidates: int,
    method: Method,
    sharding: Sharding,
    keys: npt.ArrayLike | None = None,
    seed: int = 0,
    **options: Any,
) -> Selection:
    """Select from `candidates` rows that the shards keep.

    The rows of a shard are a random part of the pool, so the result depends on the number of
    shards.

    Parameters
    ----------
    features, budget, strategy, keys, seed, options
        As in `vecaf.select`.
    candidates
        Number of candidates of all shards, at least `budget`.
    method
        "random" keeps random rows. "central" keeps the rows nearest to the centers of a k-means
        clustering of each shard, which costs a shard's rows × its candidates × 4 products.
    sharding
        Creates the shards.

    Raises
    ------
    InputError
        For unusable input.
    """
    if method not in get_args(Method):
        raise InputError(f"method is '{method}'. Use {' or '.join(map(repr, get_args(Method)))}.")
    pool = make_pool(features, seed, keys=keys, sharding=sharding)
    if not budget <= candidates <= len(pool):
        raise InputError(
            f"candidates is {candidates}. Use a number from {budget}, the budget, to {len(pool)}, "
            "the size of the pool."
        )
    assert isinstance(pool.rows, ShardedRows)
    with closing(pool):
        positions = pool.rows.candidates(candidates, ITERATIONS if method == "central" else None)
        rows = pool.rows.read(positions)
    ids = pool.order[positions]
    own_keys = None if keys is None else np.asarray(keys)[ids]
    found = select(rows, budget, strategy, keys=own_keys, seed=seed, **options)
    return replace(found, ids=ids[found.ids])
