"""CCS: the hardest share is dropped, and every stratum of the rest gives as many."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import vecaf
from tests.selection.clusters import clusters
from vecaf.selection import STRATEGIES
from vecaf.selection.ccs import auto_hardest, even_shares, levels

ROWS, _ = clusters((500, 500))
LOSSES = np.random.default_rng(0).exponential(size=1000).astype(np.float32)


def test_the_hardest_are_dropped_and_strata_share_the_budget_alike() -> None:
    picked = vecaf.select(ROWS, 60, "ccs", losses=LOSSES, hardest=0.3, strata=6)
    kept = np.sort(LOSSES)[:700]
    assert LOSSES[picked.ids].max() <= kept[-1]
    edges = np.linspace(kept[0], kept[-1], 7)
    counts, _ = np.histogram(LOSSES[picked.ids], edges)
    assert counts.tolist() == [10] * 6
    np.testing.assert_array_equal(picked.scores["loss"], LOSSES[picked.ids])
    assert np.bincount(picked.scores["stratum"].astype(int)).tolist() == [10] * 6


def test_any_first_part_of_the_picks_is_spread_over_the_strata() -> None:
    picked = vecaf.select(ROWS, 300, "ccs", losses=LOSSES, hardest=0.5, strata=3)
    assert np.bincount(picked.scores["stratum"][:90].astype(int)).min() > 15


def test_what_a_small_stratum_cannot_give_goes_to_the_others() -> None:
    assert even_shares(10, np.array([1, 50, 0, 50])).tolist() == [1, 4, 0, 5]
    assert even_shares(101, np.array([1, 50, 0, 50])).tolist() == [1, 50, 0, 50]
    assert levels(np.array([1, 1, 1], np.float32), 5).tolist() == [0, 0, 0]
    assert levels(np.array([0, 1, 9, 10], np.float32), 5).tolist() == [0, 0, 4, 4]


def test_the_smaller_the_share_the_more_of_the_hardest_are_dropped() -> None:
    rule = [auto_hardest(share) for share in (0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.9)]
    assert rule == pytest.approx([0.3, 0.3, 0.1, 0.1, 0.05, 0, 0])
    picked = vecaf.select(ROWS, 10, "ccs", losses=LOSSES)
    assert LOSSES[picked.ids].max() <= np.sort(LOSSES)[699]


def test_it_looks_at_labels_and_says_so() -> None:
    assert STRATEGIES["ccs"].info.tracks == ("labels-known",)
    bad: list[tuple[str, Any]] = [("hardest", 1.5), ("hardest", "most"), ("strata", 0)]
    for name, value in bad:
        with pytest.raises(vecaf.InputError, match=name):
            vecaf.select(ROWS, 3, "ccs", losses=LOSSES, **{name: value})
