"""A plain implementation of ActiveFT, the baseline of `selection`.

It follows equation 7 of arXiv 2303.14382 in the style of the authors' program: all scores of rows ×
centroids at once, gradients by autograd, and a full sort of all rows for each centroid.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from vecaf.arrays import Floats


def plain_descent(
    features: Floats, initial: Floats, steps: int, temperature: float = 0.07, lr: float = 1e-3
) -> Floats:
    """Optimize unit centroids (k, d) with Adam, starting from `initial`, on unit rows (n, d)."""
    rows = torch.from_numpy(features)
    theta = torch.from_numpy(initial.copy()).requires_grad_()
    adam = torch.optim.Adam([theta], lr=lr)
    for _ in range(steps):
        centroids = F.normalize(theta, dim=1)
        similar = (rows @ centroids.T / temperature).exp()
        attraction, winner = similar.max(dim=1)
        repulsion = (centroids.detach() @ centroids.T / temperature).exp().sum(dim=0)
        loss = -(attraction / (attraction + repulsion[winner])).log().mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    found: Floats = F.normalize(theta.detach(), dim=1).numpy()
    return found


def plain_assignment(features: Floats, centroids: Floats) -> npt.NDArray[np.int64]:
    """Assign to each centroid, in order, its nearest unused row; returns rows (k,)."""
    order = torch.from_numpy(centroids) @ torch.from_numpy(features).T
    taken: dict[int, None] = {}
    for ranked in order.argsort(dim=1, descending=True, stable=True).numpy():
        taken[next(row for row in ranked.tolist() if row not in taken)] = None
    return np.array(list(taken), dtype=np.int64)
