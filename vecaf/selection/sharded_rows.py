"""Feature rows in several shards, for the process that selects: arrays in, arrays out.

Centroids are sent to all shards. Shards return sums, or a few numbers per row.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from vecaf.arrays import Floats, Ids
from vecaf.selection.exact_sums import grid_of
from vecaf.selection.shard_layout import Layout
from vecaf.selection.subspace import Subspace, unit_float32

Mask = npt.NDArray[np.bool_]


class Shards(Protocol):
    """A set of `shard.Shard` objects, in this process or in others."""

    @property
    def layout(self) -> Layout: ...
    @property
    def width(self) -> int:
        """Number of features."""

    def call(self, method: str, *arguments: Any) -> list[Any]:
        """Call a method of every shard with the same arguments; return the results in order."""

    def close(self) -> None:
        """Release the shards."""


class Sharding(Protocol):
    """Creates shards."""

    def __call__(self, rows: npt.NDArray[Any], order: Ids) -> Shards:
        """Store rows[order] in float16; rows (m, d) may be a mapped file, order is (n,)."""


@dataclass(frozen=True)
class ShardedRows:
    """Rows of a pool in shards, as unit rows, or projected to a subspace."""

    shards: Shards
    subspace: Subspace | None = None

    @property
    def shape(self) -> tuple[int, int]:
        space = self.subspace
        return len(self), self.shards.width if space is None else space.directions.shape[1]

    def __len__(self) -> int:
        return self.shards.layout.n

    def projected(self, subspace: Subspace) -> ShardedRows:
        """Return the same rows in a subspace."""
        assert self.subspace is None  # rows are projected once
        return ShardedRows(self.shards, subspace)

    def read(self, part: slice | Ids) -> Floats:
        """Return the rows at these positions as float32 unit rows.

        They are projected here. A matrix product in each shard would have other shapes, and
        rounding, for another number of shards.
        """
        layout = self.shards.layout
        wanted = np.arange(layout.n)[part] if isinstance(part, slice) else part
        stored = np.empty((len(wanted), self.shards.width), np.float16)
        owner = layout.owner(wanted)
        for number, rows in enumerate(self.shards.call("read", wanted)):
            stored[owner == number] = rows
        rows = unit_float32(stored)
        return rows if self.subspace is None else self.subspace.project(rows)

    def survey(
        self, centroids: Floats, listing: int, depth: int, free: Mask
    ) -> tuple[Floats, Ids, Ids]:
        """Find the nearest centroid of each row, and the best rows of the first centroids.

        Parameters
        ----------
        centroids
            Shape (k, d).
        listing
            Number of centroids that list rows.
        depth
            Rows per list, at most the number of available rows.
        free
            Available rows, shape (n,).

        Returns
        -------
        similarity, assigned : arrays of shape (n,)
        listed : int64 array of shape (listing, depth)
            Positions, best first.
        """
        taken = np.flatnonzero(~free) if listing else np.empty(0, np.int64)
        found = self.shards.call("survey", self.subspace, centroids, listing, taken)
        near = np.concatenate([part[2] for part in found], axis=1)
        where = np.concatenate([part[3] for part in found], axis=1)
        best = np.lexsort((where, -near))[:, :depth]
        return (*self._joined(found), np.take_along_axis(where, best, axis=1))

    def cluster(
        self, centers: Floats, weights: Floats | None
    ) -> tuple[Floats, Ids, Floats, Floats]:
        """Find the nearest center of each row, and sum rows and weights by center.

        Returns
        -------
        similarity, assigned : arrays of shape (n,)
        sums : float32 array of shape (k, d)
        masses : float32 array of shape (k,)
        """
        total = float(len(self)) if weights is None else float(weights.sum(dtype=np.float64))
        grid = grid_of(total)
        found = self.shards.call("cluster", self.subspace, centers, weights, grid)
        sums, mass = (_total(found, place) / grid for place in (2, 3))
        return (*self._joined(found), sums.astype(np.float32), mass.astype(np.float32))

    def batch(
        self, part: slice, centroids: Floats, weights: Floats | None, log_gain: Floats | None
    ) -> ShardedBatch:
        """Assign the positions of a slice to centroids; see `centroid_gradient.Batch`.

        `weights` sum to 1, and `log_gain` are logarithms; both have one entry per row of the slice.
        """
        found = self.shards.call("assign_batch", self.subspace, part.start, part.stop, centroids)
        return ShardedBatch(
            self.shards, part.stop - part.start, _total(found).astype(np.int64), weights, log_gain
        )

    def start_covering(self) -> None:
        """Forget the centers of `farthest`."""
        self.shards.call("start_covering")

    def farthest(self, centers: Floats, selected: Ids, count: int) -> tuple[Floats, Ids]:
        """Add centers (c, d), and return the rows that are farthest from all centers so far.

        Parameters
        ----------
        centers
            Shape (c, d).
        selected
            Positions to omit from now on.
        count
            Number of rows to return.

        Returns
        -------
        similarity : float32 array of shape (at most count,)
            To the nearest center, ascending; −1 without centers.
        positions : int64 array of the same shape
        """
        found = self.shards.call("farthest", self.subspace, centers, selected, count)
        similarity = np.concatenate([part[0] for part in found])
        where = np.concatenate([part[1] for part in found])
        order = np.lexsort((where, similarity))[:count]
        return similarity[order], where[order]

    def candidates(self, count: int, iterations: int | None) -> Ids:
        """Return the positions of `count` rows, an equal share of each shard, ascending.

        They are the rows nearest to centers after `iterations` of k-means in each shard, or random
        rows for None.
        """
        layout = self.shards.layout
        sizes = np.array([len(layout.positions(number)) for number in range(layout.count)])
        bounds = np.round(np.cumsum(sizes) * (count / len(self))).astype(np.int64)
        shares = np.diff(bounds, prepend=0)
        found = self.shards.call("candidates", self.subspace, shares, iterations)
        return np.sort(np.concatenate(found))

    def _joined(self, found: Sequence[Any]) -> tuple[Floats, Ids]:
        layout = self.shards.layout
        similarity = layout.joined([part[0] for part in found])
        assigned = layout.joined([part[1] for part in found])
        return cast(Floats, similarity), cast(Ids, assigned.astype(np.int64))


@dataclass(frozen=True)
class ShardedBatch:
    """Rows that the shards have assigned to centroids.

    Attributes
    ----------
    shards
        They keep the rows.
    size
        Number of rows.
    counts
        Rows of each centroid, shape (k,).
    weights, log_gain
        As in `ShardedRows.batch`.
    """

    shards: Shards
    size: int
    counts: Ids
    weights: Floats | None
    log_gain: Floats | None

    def pull(
        self, log_repulsion: Floats, hit: Ids, temperature: float
    ) -> tuple[float, Floats, Floats]:
        """Return the loss, and Σ pull·row and Σ pull of the centroids `hit`: (h, d), (h,)."""
        scale = float(self.size) if self.weights is None else 1.0
        grid = grid_of(scale)
        found = self.shards.call(
            "pull_batch", log_repulsion, hit, temperature, self.weights, self.log_gain, grid
        )
        loss = math.fsum(loss for part in found for loss in part[0]) / scale
        sums, mass = (_total(found, place) / (grid * scale) for place in (1, 2))
        return loss, sums.astype(np.float32), mass.astype(np.float32)


def _total(found: Sequence[Any], place: int | None = None) -> npt.NDArray[np.float64]:
    total = np.zeros(())
    for part in found:
        total = total + (part if place is None else part[place])
    return total
