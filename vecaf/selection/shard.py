"""One shard of feature rows, and what it computes for the process that selects."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vecaf.arrays import Floats, Ids
from vecaf.selection.assignment import (
    nearest_in_blocks,
    nearest_unused,
    survey_blocks,
    weighted_sums,
)
from vecaf.selection.centroid_gradient import pulls
from vecaf.selection.exact_sums import Doubles, grid_of, on_grid
from vecaf.selection.shard_layout import Layout
from vecaf.selection.subspace import Subspace, unit_float32


class Shard:
    """The rows of one shard, processed block by block.

    Parameters
    ----------
    rows
        In the order of their positions, float16 of shape (m, d).
    number
        Number of the shard.
    layout
        Positions of all shards.
    """

    def __init__(self, rows: npt.NDArray[np.float16], number: int, layout: Layout) -> None:
        self._rows = rows
        self._number = number
        self._layout = layout
        self._positions = layout.positions(number)
        self._batch: list[tuple[slice, Floats, Floats, Ids]] = []
        self._nearest_center = np.empty(0, np.float32)
        self._unused = np.empty(0, dtype=bool)

    def read(self, positions: Ids) -> npt.NDArray[np.float16]:
        """Return the stored rows of those positions that are on this shard."""
        return self._rows[self._local(positions)]

    def survey(
        self, subspace: Subspace | None, centroids: Floats, listing: int, taken: Ids
    ) -> tuple[Floats, Ids, Floats, Ids]:
        """Find the nearest centroid of each row, and the best rows of the first centroids.

        Returns
        -------
        similarity, assigned : arrays of shape (m,)
        near, where : arrays of shape (listing, at most 32)
            Similarity and position of the best rows that are not taken, in any order.
        """
        free = np.ones(len(self._rows), dtype=bool)
        free[self._local(taken)] = False
        rows = _Rows(self._rows, subspace)
        found = survey_blocks(rows, centroids, listing, free, self._layout.block)
        where = self._positions[found.where] if len(self._rows) else found.where
        return found.similarity, found.assigned.astype(np.int32), found.near, where

    def cluster(
        self, subspace: Subspace | None, centers: Floats, weights: Floats | None, grid: float
    ) -> tuple[Floats, Ids, Doubles, Doubles]:
        """Find the nearest center of each row; sum rows and weights by center, in grid steps."""
        rows = _Rows(self._rows, subspace)
        similarity, assigned = nearest_in_blocks(rows, centers, self._layout.block)
        sums = _GridSums(len(centers), rows.shape[1], grid)
        for start in range(0, len(rows), self._layout.block):
            part = slice(start, start + self._layout.block)
            at = self._positions[part]
            mass = np.ones(len(at), np.float32) if weights is None else weights[at]
            sums.add(rows.read(part), assigned[part], mass)
        return similarity, assigned.astype(np.int32), sums.rows, sums.mass

    def assign_batch(
        self, subspace: Subspace | None, start: int, stop: int, centroids: Floats
    ) -> Ids:
        """Assign the positions start to stop − 1 to centroids; return the count of each, (k,)."""
        rows, self._batch = _Rows(self._rows, subspace), []
        counts = np.zeros(len(centroids), dtype=np.int64)
        for own, part in self._layout.pieces(self._number, start, stop):
            piece = rows.read(own)
            similarity, assigned = nearest_in_blocks(piece, centroids, self._layout.block)
            self._batch.append((part, piece, similarity, assigned))
            counts += np.bincount(assigned, minlength=len(centroids))
        return counts

    def pull_batch(
        self,
        log_repulsion: Floats,
        hit: Ids,
        temperature: float,
        weights: Floats | None,
        log_gain: Floats | None,
        grid: float,
    ) -> tuple[list[float], Doubles, Doubles]:
        """Return losses, and Σ pull·row and Σ pull of the centroids `hit`, in grid steps."""
        import torch

        place = np.zeros(len(log_repulsion), dtype=np.int64)
        place[hit] = np.arange(len(hit))
        width = self._batch[0][1].shape[1] if self._batch else 1
        sums, losses = _GridSums(len(hit), width, grid), []
        for part, rows, similarity, assigned in self._batch:
            gain = None if log_gain is None else torch.from_numpy(log_gain[part])
            loss, pull = pulls(similarity, assigned, log_repulsion, gain, temperature)
            if weights is not None:
                own = torch.from_numpy(weights[part])
                loss, pull = loss * own, pull * own
            losses.append(float(loss.sum(dtype=torch.float64)))
            sums.add(rows, place[assigned], pull.numpy())
        self._batch = []
        return losses, sums.rows, sums.mass

    def start_covering(self) -> None:
        """Forget the centers of `farthest`."""
        self._nearest_center = np.full(len(self._rows), -1, np.float32)
        self._unused = np.ones(len(self._rows), dtype=bool)

    def farthest(
        self, subspace: Subspace | None, centers: Floats, selected: Ids, count: int
    ) -> tuple[Floats, Ids]:
        """Add centers; return similarity and position of the `count` rows farthest from all."""
        rows, near = _Rows(self._rows, subspace), self._nearest_center
        self._unused[self._local(selected)] = False
        for start in range(0, len(rows) if len(centers) else 0, self._layout.block):
            part = slice(start, start + self._layout.block)
            found, _ = nearest_in_blocks(rows.read(part), centers, self._layout.block)
            np.maximum(near[part], found, out=near[part])
        open_rows = np.flatnonzero(self._unused)
        order = np.argsort(near[open_rows], kind="stable")[:count]
        best = open_rows[order]
        return near[best], self._positions[best]

    def candidates(self, subspace: Subspace | None, shares: Ids, iterations: int | None) -> Ids:
        """Return the positions of this shard's share of candidates.

        See `ShardedRows.candidates`. An empty cluster keeps its center.
        """
        count = int(shares[self._number])
        if iterations is None or not count:
            return self._positions[:count]
        rows = _Rows(self._rows, subspace)
        centers, grid = rows.read(slice(count)), grid_of(float(len(rows)))
        for _ in range(iterations):
            sums = self.cluster(subspace, centers, None, grid)[2].astype(np.float32)
            length = np.linalg.norm(sums, axis=1, keepdims=True)
            centers = np.where(length > 0, sums / np.maximum(length, np.float32(1e-30)), centers)
        found = nearest_unused(rows, centers, np.ones(len(rows), dtype=bool))
        return self._positions[found]

    def _local(self, positions: Ids) -> Ids:
        mine = self._layout.owner(positions) == self._number
        return self._layout.local(positions[mine])


class _Rows:
    """The rows of a shard in a subspace, to be read block by block."""

    def __init__(self, stored: npt.NDArray[np.float16], subspace: Subspace | None) -> None:
        self._stored = stored
        self._subspace = subspace
        width = stored.shape[1] if subspace is None else subspace.directions.shape[1]
        self.shape = (len(stored), width)

    def __len__(self) -> int:
        return len(self._stored)

    def read(self, part: slice | Ids) -> Floats:
        rows = unit_float32(self._stored[part])
        return rows if self._subspace is None else self._subspace.project(rows)


class _GridSums:
    """Sums of rows and weights by group, in grid steps: `rows` (groups, d) and `mass` (groups,)."""

    def __init__(self, groups: int, width: int, grid: float) -> None:
        self._grid = grid
        self.rows: Doubles = np.zeros((groups, width))
        self.mass: Doubles = np.zeros(groups)

    def add(self, rows: Floats, group: Ids, weights: Floats) -> None:
        """Add the rows of one block. Their sum is rounded to the grid."""
        present, place = np.unique(group, return_inverse=True)
        sums, mass = weighted_sums(rows, place, weights, len(present))
        self.rows[present] += on_grid(sums, self._grid)
        self.mass[present] += on_grid(mass, self._grid)
