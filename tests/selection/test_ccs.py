"""CCS: no hardest rows, and equal shares of all strata."""

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


def test_the_hardest_rows_are_left_out_and_strata_share_the_budget_equally() -> None:
    selected = vecaf.select(ROWS, 60, "ccs", losses=LOSSES, hardest=0.3, strata=6)
    kept = np.sort(LOSSES)[:700]
    assert LOSSES[selected.ids].max() <= kept[-1]
    edges = np.linspace(kept[0], kept[-1], 7)
    counts, _ = np.histogram(LOSSES[selected.ids], edges)
    assert counts.tolist() == [10] * 6
    np.testing.assert_array_equal(selected.scores["loss"], LOSSES[selected.ids])
    assert np.bincount(selected.scores["stratum"].astype(int)).tolist() == [10] * 6


def test_the_first_selected_rows_cover_the_strata() -> None:
    selected = vecaf.select(ROWS, 300, "ccs", losses=LOSSES, hardest=0.5, strata=3)
    assert np.bincount(selected.scores["stratum"][:90].astype(int)).min() > 15


def test_large_strata_replace_the_missing_rows_of_small_ones() -> None:
    assert even_shares(10, np.array([1, 50, 0, 50])).tolist() == [1, 4, 0, 5]
    assert even_shares(101, np.array([1, 50, 0, 50])).tolist() == [1, 50, 0, 50]
    assert levels(np.array([1, 1, 1], np.float32), 5).tolist() == [0, 0, 0]
    assert levels(np.array([0, 1, 9, 10], np.float32), 5).tolist() == [0, 0, 4, 4]


def test_smaller_subsets_leave_out_more_of_the_hardest_rows() -> None:
    rule = [auto_hardest(share) for share in (0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.9)]
    assert rule == pytest.approx([0.3, 0.3, 0.1, 0.1, 0.05, 0, 0])
    selected = vecaf.select(ROWS, 10, "ccs", losses=LOSSES)
    assert LOSSES[selected.ids].max() <= np.sort(LOSSES)[699]


def test_it_is_only_for_known_labels() -> None:
    assert STRATEGIES["ccs"].info.tracks == ("labels-known",)
    bad: list[tuple[str, Any]] = [("hardest", 1.5), ("hardest", "most"), ("strata", 0)]
    for name, value in bad:
        with pytest.raises(vecaf.InputError, match=name):
            vecaf.select(ROWS, 3, "ccs", losses=LOSSES, **{name: value})
