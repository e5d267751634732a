"""Typical rows: of each cluster, the member that the others are most like."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vecaf.arrays import Floats, Ids
from vecaf.selection.assignment import nearest_unused

_CANDIDATES = 512  # members nearest to the centroid that are compared
_WITNESSES = 2048  # members that they are compared with


def typical_rows(
    features: Floats,
    winner: Ids,
    centroids: Floats,
    free: npt.NDArray[np.bool_],
    weights: Floats,
    width: float,
) -> tuple[Ids, Floats]:
    """For each centroid the free row of its cluster with the greatest weighted density.

    The density of row j is Σ_i p_i·exp((f_i·f_j − 1)/width) / Σ_i p_i over the rows i of the
    cluster: a kernel density estimate on the sphere, which typical (not atypical, hard) rows
    maximise, as in TypiClust (Hacohen et al. 2022, arXiv 2202.02794), but weighted.

    features   float32 (n, d), unit rows in canonical (random) order
    winner     int64 (n,), each row's nearest centroid; ≥ k stands for rows of earlier picks
    centroids  float32 (k, d)
    free       bool (n,), rows that may be picked; at least k
    weights    p, float32 (n,)

    Large clusters are judged on their 512 rows nearest to the centroid against 2,048 random
    members. A centroid without a free row takes the nearest row that is left. Returns the picks
    int64 (k,), distinct, and their densities float32 (k,) (0 for rows taken from elsewhere).
    """
    k = len(centroids)
    order = np.argsort(winner, kind="stable")
    bounds = np.searchsorted(winner[order], np.arange(k + 1))
    picked = np.full(k, -1, dtype=np.int64)
    density = np.zeros(k, dtype=np.float32)
    for index in range(k):
        members = order[bounds[index] : bounds[index + 1]]
        open_members = members[free[members]]
        if not len(open_members):
            continue
        if len(open_members) > _CANDIDATES:
            similarity = features[open_members] @ centroids[index]
            open_members = open_members[np.argsort(-similarity, kind="stable")[:_CANDIDATES]]
        witnesses = members[:_WITNESSES]
        p = weights[witnesses]
        kernel = np.exp((features[open_members] @ features[witnesses].T - 1) / width)
        masses = kernel @ (p / p.sum())
        best = int(masses.argmax())
        picked[index], density[index] = open_members[best], masses[best]
    left = np.flatnonzero(picked < 0)
    if len(left):
        unused = free.copy()
        unused[picked[picked >= 0]] = False
        picked[left] = nearest_unused(features, centroids[left], unused)
    return picked, density
