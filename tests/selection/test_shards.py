"""Selections from features in shards don't depend on the number of shards."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import vecaf
from tests.examples import examples
from vecaf.selection import STRATEGIES, LocalSharding, select_from_candidates
from vecaf.selection.exact_sums import grid_of, on_grid
from vecaf.selection.shard_layout import Layout

SHARDED = sorted(name for name in STRATEGIES if STRATEGIES[name].info.sharded)
OPTIONS: dict[str, dict[str, Any]] = {
    "activeft": {"steps": 12, "batch_rows": 250},
    "vecaf": {"steps": 4, "dimensions": 8, "restarts": 1},
    "kmeans": {"iterations": 4},
}
N, BUDGET, COPIES = 900, 40, 30


def pool(d: int = 24) -> dict[str, npt.NDArray[Any]]:
    rng = np.random.default_rng(5)
    labels = rng.integers(12, size=N)
    rows = rng.normal(size=(12, d))[labels] + 0.5 * rng.normal(size=(N, d))
    rows[:COPIES] = rows[COPIES : 2 * COPIES]
    p = rng.dirichlet(np.ones(12), size=N)
    return {"features": rows.astype(np.float16), "losses": rng.exponential(size=N), "p": p}


def select(name: str, sharding: LocalSharding | None, d: int = 24, **more: Any) -> vecaf.Selection:
    data = pool(d)
    given: dict[str, Any] = {**OPTIONS.get(name, {}), **more}
    if "losses" in STRATEGIES[name].info.optional:
        given |= {"losses": data["losses"]}
    if "probabilities" in STRATEGIES[name].info.optional:
        given |= {"probabilities": data["p"]}
    return vecaf.select(
        data["features"], BUDGET, name, selected=np.arange(7), sharding=sharding, **given
    )


def first_copies(ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the ids with that of the first copy of each row."""
    return np.where(ids < 2 * COPIES, ids % COPIES, ids)


def equal(one: vecaf.Selection, other: vecaf.Selection) -> None:
    np.testing.assert_array_equal(one.ids, other.ids)
    for name, scores in one.scores.items():
        np.testing.assert_array_equal(scores, other.scores[name])


def test_at_least_the_strategies_for_large_pools_are_sharded() -> None:
    assert {"kmeans", "activeft", "vecaf", "kcenter", "maxherding"} <= set(SHARDED)


@pytest.mark.parametrize("name", SHARDED)
def test_the_number_of_shards_changes_no_bit(name: str) -> None:
    one = select(name, LocalSharding(1, block=64))
    for count in (2, 3, 4, 20):  # 20 shards have 15 blocks: some are empty
        equal(one, select(name, LocalSharding(count, block=64)))


@pytest.mark.parametrize("name", SHARDED)
def test_wide_features_are_reduced_in_the_shards(name: str) -> None:
    one, four = (select(name, LocalSharding(count, block=64), d=400) for count in (1, 4))
    equal(one, four)


@pytest.mark.parametrize("name", SHARDED)
def test_shards_select_what_one_array_selects(name: str) -> None:
    """The same arithmetic in another order: here, rounding only decides between equal rows."""
    whole, sharded = select(name, None), select(name, LocalSharding(3, block=128))
    np.testing.assert_array_equal(first_copies(sharded.ids), first_copies(whole.ids))
    same = sharded.ids == whole.ids  # copies have probabilities and losses of their own
    for part, scores in whole.scores.items():
        np.testing.assert_allclose(sharded.scores[part][same], scores[same], atol=2e-3)


@pytest.mark.parametrize("name", ["activeft", "kmeans"])
def test_the_number_of_threads_changes_no_bit(name: str) -> None:
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = select(name, LocalSharding(1))
        torch.set_num_threads(2)
        equal(one, select(name, LocalSharding(2)))
    finally:
        torch.set_num_threads(threads)


def test_features_of_other_types_and_options_of_the_objective() -> None:
    data = pool()
    for features in (
        data["features"].astype(np.float64) * 1e6,
        data["features"].astype(np.float32),
    ):
        given: dict[str, Any] = {"losses": data["losses"], "objective": "released-code"}
        found = [
            vecaf.select(
                features, BUDGET, "vecaf", sharding=LocalSharding(count, 64), gamma=1.0, **given
            )
            for count in (1, 4)
        ]
        equal(*found)


def test_a_strategy_without_a_sharded_form_selects_in_this_process() -> None:
    found = [
        vecaf.select(pool()["features"], 9, "typiclust", sharding=sharding)
        for sharding in (None, LocalSharding(2))
    ]
    equal(*found)


@examples(40)
@given(n=st.integers(1, 300), count=st.integers(1, 6), block=st.integers(1, 50), data=st.data())
def test_each_position_is_on_one_shard(n: int, count: int, block: int, data: st.DataObject) -> None:
    layout = Layout(n, count, block)
    parts = [layout.positions(number) for number in range(count)]
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(n))
    np.testing.assert_array_equal(layout.joined(list(parts)), np.arange(n))
    for number, positions in enumerate(parts):
        assert (layout.owner(positions) == number).all()
        np.testing.assert_array_equal(layout.local(positions), np.arange(len(positions)))
    start = data.draw(st.integers(0, n - 1))
    stop = data.draw(st.integers(start + 1, n))
    covered = np.full(stop - start, -1)
    for number, positions in enumerate(parts):
        for own, part in layout.pieces(number, start, stop):
            covered[part] = positions[own]
    np.testing.assert_array_equal(covered, np.arange(start, stop))


@examples(40)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 400))
def test_sums_on_a_grid_do_not_depend_on_the_order(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    terms = (rng.normal(size=n) * 10.0 ** rng.integers(-12, 3, size=n)).astype(np.float32)
    grid = grid_of(float(np.abs(terms).sum()))
    steps = on_grid(terms, grid)
    total = steps.sum()
    halves = steps[rng.permutation(n)]
    assert halves[: n // 2].sum() + halves[n // 2 :].sum() == total
    error = abs(total / grid - terms.astype(np.float64).sum())
    assert error <= n / grid + 1e-12


@pytest.mark.parametrize("method", ["random", "central"])
def test_candidates_of_shards(method: Any) -> None:
    features = pool()["features"]
    given: dict[str, Any] = {"sharding": LocalSharding(3, block=64), "method": method}
    found = select_from_candidates(features, 20, "kmeans", candidates=200, **given)
    assert len(set(found.ids.tolist())) == 20 and found.strategy == "kmeans"
    again = select_from_candidates(features, 20, "kmeans", candidates=200, **given)
    equal(found, again)
    keys = np.random.default_rng(0).integers(256, size=(N, 32)).astype(np.uint8)
    every = select_from_candidates(features, 20, "kcenter", candidates=N, keys=keys, **given)
    whole = vecaf.select(features, 20, "kcenter", keys=keys)
    np.testing.assert_array_equal(every.ids, whole.ids)
    with pytest.raises(vecaf.InputError, match="from 20, the budget, to 900"):
        select_from_candidates(features, 20, "kmeans", candidates=10, **given)
