"""Explain why an image is selected: what it represents, how typical it is, what it replaced.

`features` (n, d) are the pool's unit rows in the space of the strategy; rows are positions in them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vecaf.arrays import Floats, Ids
from vecaf.selection.assignment import nearest, nearest_unused
from vecaf.selection.space import principal_space
from vecaf.selection.strategy_pool import canonical_order

NEIGHBORS = 20  # nearest rows whose mean similarity is the density
SAMPLE = 2_000  # rows that estimate a share, with an error of about 1%
DIMENSIONS = 128  # as in the vecaf strategy
_CHUNK = 1_024
_CHUNK_SCORES = 2**25  # similarities in memory: 128 MiB


@dataclass(frozen=True)
class Covering:
    """The selected row that represents each row of the pool.

    Attributes
    ----------
    owner
        Index of the selected row, shape (n,); −1 if a row of an earlier round is nearer.
    similarity
        Cosine to the nearest of both, shape (n,).
    """

    owner: Ids
    similarity: Floats

    def counts(self, selected: int) -> Ids:
        """Count the rows that each of `selected` rows represents, itself included: (selected,)."""
        return np.bincount(self.owner[self.owner >= 0], minlength=selected).astype(np.int64)

    def members(self, count: int) -> dict[int, list[int]]:
        """Return the `count` most similar rows of each selected row (by index), itself included."""
        order = np.lexsort((-self.similarity, self.owner))
        order = order[self.owner[order] >= 0]
        owners = self.owner[order]
        first = np.searchsorted(owners, np.unique(owners))
        ends = np.append(first[1:], len(owners))
        return {
            int(owners[start]): order[start : min(end, start + count)].tolist()
            for start, end in zip(first, ends, strict=True)
        }


@dataclass(frozen=True)
class Overlap:
    """Two selections of one pool: ids in both (in the order of the first), and in only one."""

    both: list[int]
    first: list[int]
    second: list[int]

    @classmethod
    def of(cls, first: list[int], second: list[int]) -> Overlap:
        one, other = set(first), set(second)
        return cls(
            [i for i in first if i in other],
            [i for i in first if i not in other],
            [i for i in second if i not in one],
        )

    @property
    def jaccard(self) -> float:
        """Jaccard index: size of the intersection over size of the union, 0 to 1."""
        return len(self.both) / max(1, len(self.both) + len(self.first) + len(self.second))


def comparing_space(features: Floats) -> Floats:
    """Return the pool in its leading 128 principal components, as unit rows (n, at most 128)."""
    order = canonical_order(features, seed=0)  # the first rows estimate the space
    rows = np.empty((len(features), min(DIMENSIONS, features.shape[1])), dtype=np.float32)
    found = principal_space(np.ascontiguousarray(features[order]), DIMENSIONS)
    rows = np.empty_like(found)
    rows[order] = found
    return rows


def covering(features: Floats, selected: Ids, earlier: Ids) -> Covering:
    """Assign each row to the most similar of `selected` (k,) and of `earlier` rows (e,)."""
    centers = features[np.concatenate((selected, earlier))]
    similarity, assigned = nearest(features, np.ascontiguousarray(centers))
    owner = np.where(assigned < len(selected), assigned, -1)
    owner[selected] = np.arange(len(selected))  # a duplicate must not own it
    return Covering(owner, similarity)


def typicality(features: Floats, selected: Ids, seed: int = 0) -> Floats:
    """Return the share of the pool with a lower density than each selected row, 0 to 1: shape (k,).

    Density is the mean cosine to the 20 nearest other rows. The share is estimated on 2,000 random
    rows.
    """
    n = len(features)
    draw = np.random.default_rng(seed)
    sample = draw.choice(n, SAMPLE, replace=False) if n > SAMPLE else np.arange(n)
    others = np.sort(_density(features, sample))
    below = np.searchsorted(others, _density(features, selected))
    return (below / len(others)).astype(np.float32)


def _density(features: Floats, rows: Ids) -> Floats:
    count = min(NEIGHBORS, len(features) - 1)
    found = np.zeros(len(rows), dtype=np.float32)
    if count < 1:
        return found
    step = max(16, min(_CHUNK, _CHUNK_SCORES // len(features)))
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        near = features[part] @ features.T
        near[np.arange(len(part)), part] = -np.inf
        top = np.partition(near, len(features) - count, axis=1)[:, -count:]
        found[start : start + len(part)] = top.mean(axis=1)
    return found


def turned(plain: Floats, pulled: Floats) -> Floats:
    """Return the angle in degrees between rows (k, d) and (k, d): how far text turned each one."""
    lengths = np.linalg.norm(plain, axis=1) * np.linalg.norm(pulled, axis=1)
    cosine = np.einsum("ij,ij->i", plain, pulled) / np.maximum(lengths, np.float32(1e-12))
    degrees: Floats = np.degrees(np.arccos(np.clip(cosine, -1, 1))).astype(np.float32)
    return degrees


def displaced(features: Floats, selected: Ids, instead: Ids) -> Ids:
    """Return the row that each selected row replaced in another selection: shape (k,).

    In rank order, each row that only this selection contains replaces the most similar row that
    only the other one contains. −1 for rows that both contain.

    Parameters
    ----------
    features
        Unit rows, shape (n, d).
    selected, instead
        Rows of the two selections, shape (k,) each.
    """
    gained = np.flatnonzero(~np.isin(selected, instead))
    lost = np.zeros(len(features), dtype=bool)
    lost[np.setdiff1d(instead, selected)] = True
    found = np.full(len(selected), -1, dtype=np.int64)
    if len(gained):
        found[gained] = nearest_unused(features, features[selected[gained]], lost)
    return found


def runners_up(
    features: Floats, selected: Ids, cover: Covering, free: npt.NDArray[np.bool_]
) -> Ids:
    """Return the second choice for each selected row: shape (k,), −1 if it represents only itself.

    That is the available row, of those that it represents, nearest to their mean.
    """
    open_rows = free & (cover.owner >= 0)
    open_rows[selected] = False
    rows = np.flatnonzero(open_rows)
    sums = np.zeros((len(selected), features.shape[1]), dtype=np.float32)
    members = np.flatnonzero(cover.owner >= 0)
    np.add.at(sums, cover.owner[members], features[members])
    score = np.einsum("ij,ij->i", features[rows], sums[cover.owner[rows]])
    order = np.lexsort((-score, cover.owner[rows]))
    owners, first = np.unique(cover.owner[rows][order], return_index=True)
    found = np.full(len(selected), -1, dtype=np.int64)
    found[owners] = rows[order[first]]
    return found
