"""The densest row of each cluster."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vecaf.arrays import Floats, Ids
from vecaf.selection.assignment import nearest_unused

_CANDIDATES = 512  # members, nearest to the centroid, that may be selected
_REFERENCES = 2048  # members that estimate the density


def densest_rows(
    features: Floats,
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
    for index in range(k):
        members = order[bounds[index] : bounds[index + 1]]
        open_members = members[free[members]]
        if not len(open_members):
            continue
        if len(open_members) > _CANDIDATES:
            similarity = features[open_members] @ centroids[index]
            open_members = open_members[np.argsort(-similarity, kind="stable")[:_CANDIDATES]]
        references = members[:_REFERENCES]
        p = weights[references]
        kernel = np.exp((features[open_members] @ features[references].T - 1) / width)
        masses = kernel @ (p / p.sum())
        best = int(masses.argmax())
        selected[index], density[index] = open_members[best], masses[best]
    left = np.flatnonzero(selected < 0)
    if len(left):
        unused = free.copy()
        unused[selected[selected >= 0]] = False
        selected[left] = nearest_unused(features, centroids[left], unused)
    return selected, density
