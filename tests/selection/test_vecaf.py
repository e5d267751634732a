"""Strategies beyond the contract: weights, typical rows, earlier rounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

import vecaf
from tests.examples import examples
from vecaf.selection.cluster_density import densest_rows
from vecaf.selection.space import principal_space
from vecaf.selection.strategy_pool import make_pool
from vecaf.selection.vecaf import auto_gamma, herded_share, loss_weights

Array = npt.NDArray[Any]


def blobs(sizes: tuple[int, ...], spread: float = 0.15, seed: int = 0) -> tuple[Array, Array]:
    """Rows around orthogonal directions, and the direction of each."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(sizes)), sizes)
    rows = np.eye(len(sizes), 12)[group] + spread * rng.normal(size=(len(group), 12))
    return rows.astype(np.float32), group


@examples(30)
@given(
    losses=st.lists(st.floats(0, 20, width=32), min_size=1, max_size=50),
    gamma=st.floats(-2, 2),
    mix=st.floats(0, 1),
)
def test_weights_are_a_distribution_in_the_order_of_the_losses(
    losses: list[float], gamma: float, mix: float
) -> None:
    values = np.array(losses, dtype=np.float32)
    p = loss_weights(values, gamma, mix, len(values))
    assert p.sum() == pytest.approx(1, abs=1e-4) and (p > 0).all() | (mix == 0)
    assert (p * len(p)).min() >= mix * (1 - 1e-4)
    along = p[np.argsort(values)] * (1 if gamma > 0 else -1)
    assert (np.diff(along) >= -1e-6).all()


@pytest.mark.parametrize("gamma", [2.0, -2.0])
def test_weights_of_tiny_losses_are_finite(gamma: float) -> None:
    np.testing.assert_array_equal(
        loss_weights(np.full(2, 1e-44, np.float32), gamma, 0.0, 2), [0.5, 0.5]
    )


def test_weights_without_losses_are_uniform() -> None:
    np.testing.assert_array_equal(loss_weights(None, 1.0, 0.2, 4), np.full(4, 0.25))


def test_auto_gamma_goes_from_easy_to_hard_with_the_budget() -> None:
    rule = [auto_gamma(selected, 10) for selected in (10, 100, 1000, 10_000, 100_000)]
    assert rule == pytest.approx([-0.5, -0.5, 0, 0.5, 0.5])
    assert auto_gamma(100, None) == 0


def test_auto_gamma_is_1_in_later_rounds() -> None:
    rule = [auto_gamma(selected, 10, earlier=5) for selected in (10, 1000, 10_000)]
    assert rule == [1, 1, 1]


@pytest.mark.parametrize("gamma", [-1.0, 1.0])
def test_gamma_decides_whether_high_or_low_losses_are_selected(gamma: float) -> None:
    rows, _ = blobs((300,) * 6, spread=0.4)
    losses = np.random.default_rng(1).uniform(0.05, 3, size=len(rows)).astype(np.float32)
    selected = [vecaf.select(rows, 12, losses=losses, gamma=gamma, mix=0, seed=s) for s in range(4)]
    plain = [vecaf.select(rows, 12, seed=s) for s in range(4)]
    difference = np.mean(
        [losses[a.ids].mean() - losses[b.ids].mean() for a, b in zip(selected, plain, strict=True)]
    )
    assert difference * gamma > 0
    assert np.mean([a.scores["loss_weight"].mean() for a in selected]) > 1
    assert all((b.scores["loss_weight"] == pytest.approx(1)) for b in plain)


def test_the_released_objective_differs() -> None:
    rows, _ = blobs((100,) * 5, spread=0.4)
    losses = np.random.default_rng(1).exponential(size=500).astype(np.float32)
    paper = vecaf.select(rows, 20, losses=losses, gamma=1.0)
    released = vecaf.select(rows, 20, losses=losses, objective="released-code")
    assert set(paper.ids.tolist()) != set(released.ids.tolist())


@pytest.mark.parametrize("strategy", ["kmeans", "activeft", "vecaf"])
def test_one_row_per_cluster_ranked_by_size(strategy: str) -> None:
    rows, group = blobs((20, 80, 160, 40), spread=0.05)
    options: dict[str, Any] = {"steps": 0} if strategy == "vecaf" else {}
    if strategy == "activeft":  # it keeps its starting clusters: start it in each of them
        options = {"initial_ids": [0, 30, 150, 290]}
    selected = vecaf.select(rows, 4, strategy, **options)
    assert group[selected.ids].tolist() == [2, 1, 3, 0]
    np.testing.assert_allclose(
        selected.scores["coverage"], [160 / 300, 80 / 300, 40 / 300, 20 / 300]
    )


@pytest.mark.parametrize("strategy", ["kmeans", "kcenter", "vecaf"])
def test_clusters_of_earlier_rounds_are_skipped(strategy: str) -> None:
    rows, group = blobs((90, 90, 90, 90, 90), spread=0.05)
    for seed in range(5):
        selected = vecaf.select(rows, 3, strategy, selected=[5, 200], seed=seed)  # groups 0 and 2
        assert sorted(group[selected.ids].tolist()) == [1, 3, 4]


def test_kcenter_selects_the_farthest_row_each_time() -> None:
    rows, _ = blobs((30, 30, 30), spread=0.5)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    selected = vecaf.select(rows, 10, "kcenter", selected=[3])
    covered = [3]
    for row, distance in zip(selected.ids, selected.scores["distance"], strict=True):
        gaps = np.linalg.norm(unit[:, None] - unit[covered], axis=2).min(axis=1)
        assert gaps[row] == pytest.approx(gaps.max(), abs=1e-4) == distance
        covered.append(int(row))


def test_the_typical_row_is_the_densest_not_the_most_central() -> None:
    angle = np.array([-1.0, -0.98, -1.02, -0.99, 0.0, 0.9, 1.4], dtype=np.float32)
    rows = np.stack((np.cos(angle), np.sin(angle)), axis=1)
    center = rows.mean(axis=0, keepdims=True) / np.linalg.norm(rows.mean(axis=0))
    assert (rows @ center[0]).argmax() == 4
    assigned, free = np.zeros(7, dtype=np.int64), np.ones(7, dtype=bool)
    uniform = np.full(7, 1 / 7, dtype=np.float32)
    near = rows @ center[0]
    selected, density = densest_rows(rows, near, assigned, center, free, uniform, 0.05)
    assert selected[0] in (0, 3) and 0.5 < density[0] < 1
    heavy = np.where(np.arange(7) == 6, 100, 1).astype(np.float32)
    assert densest_rows(rows, near, assigned, center, free, heavy, 0.05)[0][0] == 6


def test_all_principal_components_keep_the_angles_about_the_mean() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32) + 3
    centered = rows - rows.mean(axis=0)
    centered /= np.linalg.norm(centered, axis=1, keepdims=True)
    space = principal_space(rows, 6)
    np.testing.assert_allclose(space @ space.T, centered @ centered.T, atol=1e-4)
    assert principal_space(rows, 2).shape == (50, 2)
    assert principal_space(rows, 0) is rows


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"losses": -np.ones(30)}, "negative"),
        ({"gamma": "soft"}, "'auto' or a number"),
        ({"gamma": float("inf")}, "gamma"),
        ({"mix": 1.5}, "from 0 to 1"),
        ({"objective": "papers"}, "'paper' or 'released-code'"),
        ({"width": 0.0}, "width"),
        ({"classes": 0}, "classes"),
        ({"dimensions": -1}, "dimensions"),
        ({"restarts": 0}, "restarts"),
    ],
)
def test_bad_options_get_a_sentence(options: dict[str, Any], says: str) -> None:
    rows = np.random.default_rng(0).normal(size=(30, 4))
    call: dict[str, Any] = {"gamma": 1.0, **options}
    with pytest.raises(vecaf.InputError, match=says):
        vecaf.select(rows, 3, **call)


def test_with_all_labels_and_a_large_budget_importance_selects() -> None:
    rows, group = blobs((400, 400), spread=0.4)
    losses = np.random.default_rng(1).exponential(size=800).astype(np.float32)
    known: dict[str, Any] = {"losses": losses}
    drawn = vecaf.select(rows, 200, labels=group, **known)
    assert drawn.strategy == "importance"
    np.testing.assert_array_equal(
        drawn.ids, vecaf.select(rows, 200, "importance", losses=losses).ids
    )
    hidden = np.where(np.arange(800) < 799, group, -1)
    for few in (
        vecaf.select(rows, 199, labels=group, **known),
        vecaf.select(rows, 200, labels=hidden, **known),
        vecaf.select(rows, 200, labels=group, gamma=1.0, **known),
        vecaf.select(rows, 200, labels=group, objective="released-code", **known),
    ):
        assert "density" in few.scores


def test_the_fewer_rows_per_class_the_more_are_herded() -> None:
    rows, group = blobs((200,) * 4, spread=0.5)
    p = np.full((800, 4), 0.1, np.float32)
    p[np.arange(800), group] = 0.7
    p[group == 1] = 0.25
    after: dict[str, Any] = {"selected": [0, 1, 250, 450], "probabilities": p}
    losses = -np.log(p.max(axis=1))
    herded = vecaf.select(rows, 100, "uherding", **after).ids  # 25 rows per class
    found = vecaf.select(rows, 100, **after, losses=losses)
    np.testing.assert_array_equal(found.ids, herded)
    assert found.strategy == "uherding"
    assert set(vecaf.select(rows, 100, **after).ids) != set(herded)  # without losses, none
    some = vecaf.select(rows, 110, **after, losses=losses)
    assert some.strategy == "vecaf" and len(set(some.ids) & set(herded)) > 50
    plain = vecaf.select(rows, 200, **after, losses=losses, gamma=1.0)  # 50 per class
    np.testing.assert_array_equal(vecaf.select(rows, 200, **after, losses=losses).ids, plain.ids)
    pool = make_pool(rows, 0, **after, losses=losses)
    shares = [herded_share(pool, budget, 4) for budget in (4, 100, 110, 140, 199, 200, 400)]
    assert shares == sorted(shares, reverse=True)
    assert shares[:2] == [1, 1] and 0.6 > shares[3] > 0.3 and shares[-2:] == [0, 0]


def test_later_rounds_select_uncertain_rows() -> None:
    rows, group = blobs((100,) * 5, spread=0.3)
    sure = np.where(group == 2, 0.52, 0.99).astype(np.float32)
    after: dict[str, Any] = {
        "selected": [3, 103, 203, 303, 403],  # one in each
        "probabilities": np.stack([sure, 1 - sure], axis=1),
        "losses": -sure * np.log(sure),
    }
    selected = vecaf.select(rows, 6, **after)
    assert (group[selected.ids] == 2).sum() >= 5
    assert (selected.scores["uncertainty"][group[selected.ids] == 2] > 0.9).all()
    without = vecaf.select(rows, 6, **{**after, "losses": None})
    assert (group[without.ids] == 2).sum() <= 3
