"""Why a pick is there: what it stands for, how typical it is, what it displaced. Arrays in and out.

`features` (n, d) are always the pool's unit rows as the strategy compared them, and rows are
positions in them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vecaf.arrays import Floats, Ids
from vecaf.selection.assignment import nearest, nearest_unused
from vecaf.selection.space import principal_space
from vecaf.selection.strategy_pool import canonical_order

NEIGHBOURS = 20  # rows whose mean similarity says how dense a place is
SAMPLE = 2_000  # rows that a place is compared with: shares are right to about 1%
DIMENSIONS = 128  # as many as the VeCAF strategy looks at
_BLOCK = 1_024
_BLOCK_SCORES = 2**25  # made at once: 128 MiB


@dataclass(frozen=True)
class Covering:
    """Which pick stands for which row.

    owner       int64 (n,), index into the picks; −1 where an earlier pick is nearer
    similarity  float32 (n,), cosine to whichever is nearest
    """

    owner: Ids
    similarity: Floats

    def counts(self, picks: int) -> Ids:
        """How many rows each of `picks` picks stands for, itself included: int64 (picks,)."""
        return np.bincount(self.owner[self.owner >= 0], minlength=picks).astype(np.int64)

    def members(self, count: int) -> dict[int, list[int]]:
        """The `count` most similar rows of each pick (by index), the pick's own row among them."""
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
    """Two selections of the same pool: ids in both (in the first one's order), in only one."""

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
        """Size of the intersection over the size of the union, 0 to 1 (Jaccard 1901)."""
        return len(self.both) / max(1, len(self.both) + len(self.first) + len(self.second))


def comparing_space(features: Floats) -> Floats:
    """The pool's leading principal components on the unit sphere, (n, ≤128), in its own order."""
    order = canonical_order(features, seed=0)  # the space is estimated from its first rows
    rows = np.empty((len(features), min(DIMENSIONS, features.shape[1])), dtype=np.float32)
    found = principal_space(np.ascontiguousarray(features[order]), DIMENSIONS)
    rows = np.empty_like(found)
    rows[order] = found
    return rows


def covering(features: Floats, picks: Ids, earlier: Ids) -> Covering:
    """Every row goes to the most similar of `picks` (k,) and `earlier` picks (e,)."""
    centres = features[np.concatenate((picks, earlier))]
    similarity, winner = nearest(features, np.ascontiguousarray(centres))
    owner = np.where(winner < len(picks), winner, -1)
    owner[picks] = np.arange(len(picks))  # twins of a pick don't take its own row from it
    return Covering(owner, similarity)


def typicality(features: Floats, picks: Ids, seed: int = 0) -> Floats:
    """Share of the pool (0 to 1) that lies in less dense surroundings than each pick: float32 (k,).

    Density is the mean cosine to the 20 nearest other rows; the share is of 2,000 random rows.
    """
    n = len(features)
    draw = np.random.default_rng(seed)
    sample = draw.choice(n, SAMPLE, replace=False) if n > SAMPLE else np.arange(n)
    others = np.sort(_density(features, sample))
    below = np.searchsorted(others, _density(features, picks))
    return (below / len(others)).astype(np.float32)


def _density(features: Floats, rows: Ids) -> Floats:
    count = min(NEIGHBOURS, len(features) - 1)
    found = np.zeros(len(rows), dtype=np.float32)
    if count < 1:
        return found
    step = max(16, min(_BLOCK, _BLOCK_SCORES // len(features)))
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        near = features[part] @ features.T
        near[np.arange(len(part)), part] = -np.inf
        top = np.partition(near, len(features) - count, axis=1)[:, -count:]
        found[start : start + len(part)] = top.mean(axis=1)
    return found


def turned(plain: Floats, pulled: Floats) -> Floats:
    """How far text turned each row, in degrees: the angle between rows (k, d) and (k, d)."""
    lengths = np.linalg.norm(plain, axis=1) * np.linalg.norm(pulled, axis=1)
    cosine = np.einsum("ij,ij->i", plain, pulled) / np.maximum(lengths, np.float32(1e-12))
    degrees: Floats = np.degrees(np.arccos(np.clip(cosine, -1, 1))).astype(np.float32)
    return degrees


def displaced(features: Floats, picks: Ids, instead: Ids) -> Ids:
    """What each pick displaced: int64 (k,), −1 for a pick that another selection has, too.

    `instead` (k,): what that other selection of the same size picks. In rank order each pick that
    only the first has takes the most similar row that only the second has and that is still left.
    """
    gained = np.flatnonzero(~np.isin(picks, instead))
    lost = np.zeros(len(features), dtype=bool)
    lost[np.setdiff1d(instead, picks)] = True
    found = np.full(len(picks), -1, dtype=np.int64)
    if len(gained):
        found[gained] = nearest_unused(features, features[picks[gained]], lost)
    return found


def runners_up(features: Floats, picks: Ids, cover: Covering, free: npt.NDArray[np.bool_]) -> Ids:
    """Each pick's second choice: of the free rows it stands for, itself aside, the one nearest to
    their mean. int64 (k,), −1 where it stands for itself alone."""
    open_rows = free & (cover.owner >= 0)
    open_rows[picks] = False
    rows = np.flatnonzero(open_rows)
    sums = np.zeros((len(picks), features.shape[1]), dtype=np.float32)
    members = np.flatnonzero(cover.owner >= 0)
    np.add.at(sums, cover.owner[members], features[members])
    score = np.einsum("ij,ij->i", features[rows], sums[cover.owner[rows]])
    order = np.lexsort((-score, cover.owner[rows]))
    owners, first = np.unique(cover.owner[rows][order], return_index=True)
    found = np.full(len(picks), -1, dtype=np.int64)
    found[owners] = rows[order[first]]
    return found
