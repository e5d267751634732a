"""ActiveFT as it is plainly done: the baseline of `selection`, and what its ids are compared with.

Written from the formula (arXiv 2303.14382, eq. 7) in the manner of the authors' program: all scores
of rows × centroids at once, gradients by autograd, and a full sort of all rows for each centroid.
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
    """Unit centroids (k, d) after `steps` of Adam from `initial` on unit rows (n, d)."""
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
    """In order, every centroid takes the first row of its sorted list that nobody has: (k,)."""
    order = torch.from_numpy(centroids) @ torch.from_numpy(features).T
    taken: dict[int, None] = {}
    for ranked in order.argsort(dim=1, descending=True, stable=True).numpy():
        taken[next(row for row in ranked.tolist() if row not in taken)] = None
    return np.array(list(taken), dtype=np.int64)
