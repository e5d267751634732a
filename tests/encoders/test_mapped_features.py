"""Centered features in the embedding cache."""

from __future__ import annotations

import numpy as np
import torch
from numpy.testing import assert_allclose

from vecaf.encoders.cache import digests_of, gather, index_of
from vecaf.encoders.mapped_features import MappedFeatures
from vecaf.training.model import CenteredFeatures


def test_rows_and_products_are_those_of_the_heads_features() -> None:
    rng = np.random.default_rng(0)
    keys = [f"{number:064x}" for number in range(90)]
    stored = digests_of(keys)
    raw = rng.gamma(2, size=(90, 12)).astype(np.float32)
    index = index_of([(stored[:30], raw[:30]), (stored[30:], raw[30:])])
    order = rng.permutation(90)[:70]  # the set holds rows of other datasets, too
    mine = stored[order]
    pool = np.arange(50)
    features = MappedFeatures.of(index, mine, gather(index, mine), pool)
    expected = CenteredFeatures.of(raw[order], pool, "cpu")
    assert_allclose(features.mean, expected.mean, atol=1e-6)
    weights = rng.standard_normal((4, 12)).astype(np.float32)
    for rows in (np.arange(70), np.array([3, 61, 8]), np.empty(0, np.int64)):
        wanted = expected.rows[torch.from_numpy(rows)].numpy()
        assert_allclose(features.take(rows), wanted, atol=1e-5)
        assert_allclose(features.product(weights, rows), wanted @ weights.T, atol=1e-4)
