"""The contract of strategies; a new one is tested by being registered."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

import vecaf
from tests.examples import examples
from vecaf.selection import FIRST_ROUND, STRATEGIES, describe

pytestmark = pytest.mark.parametrize("name", sorted(STRATEGIES))

Array = npt.NDArray[Any]


def pool(n: int, d: int = 6, seed: int = 0) -> dict[str, Array]:
    """Clustered features and all other arguments of strategies."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(5, d))
    labels = rng.integers(5, size=n)
    features = (centers[labels] + 0.4 * rng.normal(size=(n, d))).astype(np.float32)
    logits = 3 * np.eye(5)[labels] + rng.normal(size=(n, 5))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    losses = -np.log(probabilities[np.arange(n), labels])
    return {
        "features": features,
        "labels": labels,
        "probabilities": probabilities,
        "losses": losses,
    }


def select(name: str, data: dict[str, Array], budget: int, **options: Any) -> vecaf.Selection:
    """`vecaf.select` with the arguments that the strategy uses."""
    info = STRATEGIES[name].info
    used: dict[str, Any] = {key: data[key] for key in (*info.required, *info.optional)}
    return vecaf.select(data["features"], budget, name, **used, **options)


def check(
    selection: vecaf.Selection, n: int, budget: int, earlier_rows: Array | None = None
) -> None:
    assert selection.ids.dtype == np.int64 and selection.ids.shape == (budget,)
    assert len(set(selection.ids.tolist())) == budget
    assert selection.ids.min() >= 0 and selection.ids.max() < n
    if earlier_rows is not None:
        assert not set(selection.ids.tolist()) & set(earlier_rows.tolist())
    for part in selection.scores.values():
        assert part.dtype == np.float32 and part.shape == (budget,) and np.isfinite(part).all()


@examples(15)
@given(n=st.integers(1, 60), data=st.data())
def test_selected_rows_are_distinct_and_new(name: str, n: int, data: st.DataObject) -> None:
    earlier = data.draw(st.integers(0, n - 1))
    budget = data.draw(st.integers(1, n - earlier))
    seed = data.draw(st.integers(0, 2**32))
    earlier_rows = np.random.default_rng(seed).permutation(n)[:earlier]
    selection = select(name, pool(n, seed=seed), budget, selected=earlier_rows, seed=seed)
    check(selection, n, budget, earlier_rows)


@examples(10)
@given(seed=st.integers(0, 2**32), budget=st.integers(1, 40), earlier=st.integers(0, 20))
def test_permuted_rows_give_the_same_selection(
    name: str, seed: int, budget: int, earlier: int
) -> None:
    n = 80
    data = pool(n, seed=seed)
    order = np.random.default_rng(seed + 1).permutation(n)
    earlier_rows = np.arange(earlier)
    straight = select(name, data, budget, selected=earlier_rows, seed=seed)
    shuffled = {key: value[order] for key, value in data.items()}
    again = select(name, shuffled, budget, selected=np.argsort(order)[earlier_rows], seed=seed)
    np.testing.assert_array_equal(order[again.ids], straight.ids)
    for part, value in straight.scores.items():
        np.testing.assert_array_equal(again.scores[part], value)


def test_a_seed_gives_the_same_selection_again(name: str) -> None:
    data = pool(100)
    first, second = (select(name, data, 17, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.ids, second.ids)


def test_the_whole_pool_can_be_selected(name: str) -> None:
    check(select(name, pool(40), 40), 40, 40)


@pytest.mark.parametrize("kind", ["equal", "duplicates", "zeros", "one column", "huge"])
def test_degenerate_rows_are_allowed(name: str, kind: str) -> None:
    data = pool(60)
    rows = data["features"]
    data["features"] = {
        "equal": np.ones_like(rows),
        "duplicates": np.repeat(rows[:6], 10, axis=0),
        "zeros": np.zeros_like(rows),
        "one column": rows[:, :1],
        "huge": rows * np.float32(1e30),
    }[kind]
    for budget in (1, 25, 60):
        check(select(name, data, budget), 60, budget)
    check(select(name, data, 20, selected=np.arange(40)), 60, 20, np.arange(40))


def test_features_may_be_half_precision_and_are_not_changed(name: str) -> None:
    data = pool(50)
    data["features"] = data["features"].astype(np.float16)
    before = {key: value.copy() for key, value in data.items()}
    check(select(name, data, 9), 50, 9)
    for key, value in before.items():
        np.testing.assert_array_equal(data[key], value)


def test_nan_and_infinity_are_rejected(name: str) -> None:
    for bad in (np.nan, np.inf):
        data = pool(20)
        data["features"][7, 2] = bad
        with pytest.raises(vecaf.InputError, match="row 7"):
            select(name, data, 3)


def test_budgets_out_of_range_are_rejected(name: str) -> None:
    for budget, earlier_rows in ((0, []), (-1, []), (21, []), (16, [0, 1, 2, 3, 4])):
        with pytest.raises(vecaf.InputError, match="budget"):
            select(name, pool(20), budget, selected=np.array(earlier_rows, dtype=np.int64))


def test_missing_arguments_are_named(name: str) -> None:
    for argument in STRATEGIES[name].info.required:
        data = pool(20)
        others = set(STRATEGIES[name].info.required) - {argument}
        used: dict[str, Any] = {key: data[key] for key in others}
        with pytest.raises(vecaf.InputError, match=f"{argument}="):
            vecaf.select(data["features"], 3, name, **used)


def test_used_arguments_are_checked(name: str) -> None:
    info = STRATEGIES[name].info
    for argument in {*info.required, *info.optional} - {"labels"}:
        used: dict[str, Any] = {key: pool(20)[key] for key in info.required}
        broken = pool(20)[argument].copy()
        broken[3] = np.nan
        for bad, says in ((broken, "NaN"), (broken[:19], "19 rows")):
            with pytest.raises(vecaf.InputError, match=f"{argument} .*{says}"):
                vecaf.select(pool(20)["features"], 3, name, **{**used, argument: bad})


def test_round_1_needs_no_trained_model(name: str) -> None:
    info = STRATEGIES[name].info
    stand_in = STRATEGIES[FIRST_ROUND].info
    assert not stand_in.needs_model and set(info.tracks) <= set(stand_in.tracks)
    assert info.needs_model == info.description.endswith(
        f"Without a trained model, {FIRST_ROUND} is used."
    )
    # On the labels-known track, the first losses come from an untrained model.
    late = {"probabilities"} if info.tracks == ("labels-known",) else {"losses", "probabilities"}
    assert info.needs_model == bool(set(info.required) & late)


def test_label_free_strategies_require_no_label(name: str) -> None:
    info = STRATEGIES[name].info
    assert "labels" not in info.required or "label-free" not in info.tracks


def test_each_strategy_has_a_description(name: str) -> None:
    (info,) = (entry for entry in describe() if entry.name == name)
    assert info.description.endswith(".") and len(info.description) <= 115
    assert set(info.tracks) <= {"label-free", "labels-known"} and info.tracks
    assert set(info.required) | set(info.optional) <= {"losses", "labels", "probabilities"}
    assert (STRATEGIES[name].__doc__ or "").strip()


def test_an_unknown_option_is_rejected(name: str) -> None:
    with pytest.raises(vecaf.InputError, match="no option 'no_such_option'"):
        select(name, pool(20), 3, no_such_option=1)
