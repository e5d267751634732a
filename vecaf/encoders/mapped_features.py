"""Centered features of a dataset that stay in the embedding cache, as memory maps.

50,000 × 1,280 features need 256 MB in memory. A fit reads the rows of its labeled images only, and
a product with weights reads each shard once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vecaf.arrays import Floats, Rows, unit_rows
from vecaf.encoders.cache import Digests, Index

BLOCK = 4096  # rows that are copied at a time


@dataclass(frozen=True)
class MappedFeatures:
    """Centered unit features of n images, as `vecaf.training.model.center_rows` computes them.

    Attributes
    ----------
    index
        The embedding set, opened.
    at
        Position of each image in the index, shape (n,).
    mean
        Mean of the pool's unit features, shape (d,).
    length
        Length of each raw row, shape (n,).
    spread
        Length of each unit row minus the mean, shape (n,).
    """

    index: Index
    at: NDArray[np.int64]
    mean: Floats
    length: Floats
    spread: Floats

    @classmethod
    def of(cls, index: Index, keys: Digests, features: Floats, pool: Rows) -> MappedFeatures:
        """Describe images by their keys (n,), raw features (n, d) and the rows of the pool.

        The features are those of the index. They are read here and not kept.
        """
        mean = np.zeros(features.shape[1], np.float32)
        for start in range(0, len(pool), BLOCK):
            mean += unit_rows(features[pool[start : start + BLOCK]]).sum(axis=0)
        mean /= max(1, len(pool))
        length = np.empty(len(features), np.float32)
        spread = np.empty(len(features), np.float32)
        for start in range(0, len(features), BLOCK):
            block = slice(start, start + BLOCK)
            length[block] = np.linalg.norm(features[block], axis=1)
            spread[block] = np.linalg.norm(unit_rows(features[block]) - mean, axis=1)
        least = np.float32(1e-12)
        return cls(
            index, index.find(keys), mean, np.maximum(length, least), np.maximum(spread, least)
        )

    def __len__(self) -> int:
        return len(self.at)

    def take(self, rows: Rows) -> Floats:
        """Return the centered unit features of `rows`, shape (m, d)."""
        shard, row = self.index.shard[self.at[rows]], self.index.row[self.at[rows]]
        raw = np.empty((len(rows), len(self.mean)), np.float32)
        for number in np.unique(shard):
            mine = shard == number
            raw[mine] = self.index.shards[number][row[mine]]
        raw /= self.length[rows, None]
        raw -= self.mean
        raw /= self.spread[rows, None]
        return raw

    def product(self, weights: Floats, rows: Rows) -> Floats:
        """Multiply the features of `rows` with weights (classes, d); returns (m, classes).

        The raw rows are multiplied where they lie; lengths and mean are applied to the result.
        """
        out = np.empty((len(rows), len(weights)), np.float32)
        shard, row = self.index.shard[self.at[rows]], self.index.row[self.at[rows]]
        order = np.argsort(shard, kind="stable")
        bounds = np.searchsorted(shard[order], np.arange(len(self.index.shards) + 1))
        across = np.ascontiguousarray(weights.T)
        for number, stored in enumerate(self.index.shards):
            mine = order[bounds[number] : bounds[number + 1]]
            if 2 * len(mine) > len(stored):  # faster than a copy of these rows
                out[mine] = (stored @ across)[row[mine]]
            elif len(mine):
                out[mine] = stored[row[mine]] @ across
        out /= self.length[rows, None]
        out -= weights @ self.mean
        out /= self.spread[rows, None]
        return out
