"""The densest row of each cluster."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vecaf.arrays import Floats, Ids
from vecaf.selection.assignment import nearest_unused
from vecaf.selection.stored_rows import LoadedRows, read_rows

_CANDIDATES = 512  # members, nearest to the centroid, that may be selected
_REFERENCES = 2048  # members that estimate the density
_READ = 32_768  # rows in memory at a time


def densest_rows(
    features: LoadedRows,
    similarity: Floats,
    assigned: Ids,
    centroids: Floats,
    free: npt.NDArray[np.bool_],
    weights: Floats,
    width: float,
) -> tuple[Ids, Floats]:
    """Select the row with the greatest weighted density in each cluster.

    The density of row j is Σ_i p_i·exp((f_i·f_j − 1) / width) / Σ_i p_i over the rows i of its
    cluster: a kernel density estimate on the sphere. Typical rows have a high density (TypiClust,
    Hacohen et al. 2022, arXiv 2202.02794); here it is weighted.

    In a large cluster, the 512 rows nearest to the centroid are compared with 2,048 random rows. A
    centroid without an available row selects the nearest row that is left.

    Parameters
    ----------
    features
        Unit rows in canonical (random) order, shape (n, d).
    similarity
        Cosine of each row to its nearest centroid, shape (n,).
    assigned
        Nearest centroid of each row, shape (n,); k and above are rows of earlier rounds.
    centroids
        Shape (k, d).
    free
        Rows that may be selected, bool of shape (n,); at least k.
    weights
        p, shape (n,).
    width
        Of the kernel, in units of 1 − cosine.

    Returns
    -------
    selected : int64 array of shape (k,)
        Distinct.
    density : float32 array of shape (k,)
        0 for rows from other clusters.
    """
    k = len(centroids)
    order = np.argsort(assigned, kind="stable")
    bounds = np.searchsorted(assigned[order], np.arange(k + 1))
    selected = np.full(k, -1, dtype=np.int64)
    density = np.zeros(k, dtype=np.float32)
    compared = []  # clusters with rows to select from
    for index in range(k):
        members = order[bounds[index] : bounds[index + 1]]
        open_members = members[free[members]]
        if len(open_members) > _CANDIDATES:
            nearest = np.argsort(-similarity[open_members], kind="stable")[:_CANDIDATES]
            open_members = open_members[nearest]
        if len(open_members):
            compared.append(_Cluster(index, open_members, members[:_REFERENCES]))
    for clusters in _batches(compared):
        wanted = np.unique(np.concatenate([part for c in clusters for part in (c.open, c.seen)]))
        rows = read_rows(features, wanted)
        for c in clusters:
            p = weights[c.seen]
            candidates = rows[np.searchsorted(wanted, c.open)]
            references = rows[np.searchsorted(wanted, c.seen)]
            masses = np.exp((candidates @ references.T - 1) / width) @ (p / p.sum())
            best = int(masses.argmax())
            selected[c.index], density[c.index] = c.open[best], masses[best]
    left = np.flatnonzero(selected < 0)
    if len(left):
        unused = free.copy()
        unused[selected[selected >= 0]] = False
        selected[left] = nearest_unused(features, centroids[left], unused)
    return selected, density


@dataclass(frozen=True)
class _Cluster:
    index: int
    open: Ids  # members that may be selected
    seen: Ids  # members that estimate the density


def _batches(clusters: list[_Cluster]) -> Iterator[list[_Cluster]]:
    """Divide clusters into batches that are read at once."""
    batch: list[_Cluster] = []
    size = 0
    for cluster in clusters:
        batch.append(cluster)
        size += len(cluster.open) + len(cluster.seen)
        if size >= _READ:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
