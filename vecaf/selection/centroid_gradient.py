"""The loss of centroids on a batch of rows, and its gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from vecaf.arrays import Floats, Ids
from vecaf.selection.assignment import weighted_sums

if TYPE_CHECKING:
    from torch import Tensor

_CHUNK = 512  # centroids per block of the repulsion


class Batch(Protocol):
    """Rows that are assigned to their nearest centroids."""

    @property
    def counts(self) -> Ids:
        """Number of rows of each centroid, shape (k,)."""

    def pull(
        self, log_repulsion: Floats, hit: Ids, temperature: float
    ) -> tuple[float, Floats, Floats]:
        """Return the loss, and Σ pull·row and Σ pull of the centroids `hit`: (h, d), (h,)."""


@dataclass(frozen=True)
class LoadedBatch:
    """A batch in memory.

    Attributes
    ----------
    rows
        Unit rows, shape (b, d).
    similarity, assigned
        Score and index of the nearest centroid of each row, shape (b,).
    counts
        As in `Batch`.
    weights, log_gain
        Shape (b,), or None. Weights sum to 1.
    """

    rows: Floats
    similarity: Floats
    assigned: Ids
    counts: Ids
    weights: Tensor | None
    log_gain: Tensor | None

    def pull(
        self, log_repulsion: Floats, hit: Ids, temperature: float
    ) -> tuple[float, Floats, Floats]:
        import torch

        loss, pull = pulls(
            self.similarity, self.assigned, log_repulsion, self.log_gain, temperature
        )
        if self.weights is None:
            pull /= int(self.counts.sum())
            total = loss.sum(dtype=torch.float64) / int(self.counts.sum())
        else:
            pull *= self.weights
            total = (loss * self.weights).sum(dtype=torch.float64)
        place = np.cumsum(self.counts > 0) - 1  # index of each centroid in `hit`
        sums, mass = weighted_sums(self.rows, place[self.assigned], pull.numpy(), len(hit))
        return float(total), sums, mass


def pulls(
    similarity: Floats,
    assigned: Ids,
    log_repulsion: Floats,
    log_gain: Tensor | None,
    temperature: float,
) -> tuple[Tensor, Tensor]:
    """Return the loss of each row and how strongly it pulls its centroid, shape (b,) each.

    Parameters
    ----------
    similarity, assigned
        Score and index of the nearest centroid of each row, shape (b,).
    log_repulsion
        Of each centroid, shape (k,).
    log_gain
        Shape (b,), or None.
    temperature
        τ.
    """
    import torch
    from torch.nn import functional

    gap = torch.from_numpy(log_repulsion)[torch.from_numpy(assigned)]
    gap -= torch.from_numpy(similarity) / temperature
    if log_gain is not None:
        gap -= log_gain
    return functional.softplus(gap), torch.sigmoid(gap)


def loss_and_gradient(
    batch: Batch, centroids: Floats, k: int, temperature: float
) -> tuple[float, Tensor]:
    """Compute the loss of a batch, and its gradient in θ/‖θ‖ of the first `k` centroids: (k, d)."""
    import torch

    hit = np.flatnonzero(batch.counts)
    log_repulsion = torch.zeros(len(centroids))
    log_repulsion[hit], push = repulsion(centroids, hit, temperature)
    loss, attracted, mass = batch.pull(log_repulsion.numpy(), hit, temperature)
    moving = hit[hit < k]  # fixed centroids have no gradient
    h = len(moving)
    pushed = push[:h].mul_(torch.from_numpy(mass)[:h, None])
    pushed.sub_(torch.from_numpy(attracted[:h])).div_(temperature)
    # Only the part tangent to the sphere changes c = θ/‖θ‖.
    unit = torch.from_numpy(centroids[moving])
    pushed.sub_(unit * (pushed * unit).sum(dim=1, keepdim=True))
    gradient = torch.zeros(k, centroids.shape[1])
    gradient[torch.from_numpy(moving)] = pushed
    return loss, gradient


def repulsion(centroids: Floats, hit: Ids, temperature: float) -> tuple[Tensor, Tensor]:
    """Compute log R_k, and τ·∂log R_k/∂c_k, the softmax-weighted mean of all centroids, for k in
    `hit`.

    Scores are symmetric, so each pair in `hit` is computed once. A centroid's own term exp(1/τ) is
    the largest possible one: sums scaled by it neither overflow nor vanish. The mean omits it,
    because it doesn't turn c_k.

    Parameters
    ----------
    centroids
        Unit rows, shape (k, d).
    hit
        Centroids with at least one row, ascending, shape (h,).
    temperature
        τ.

    Returns
    -------
    log_repulsion : tensor of shape (h,)
    mean : tensor of shape (h, d)
    """
    import torch

    others = np.ones(len(centroids), dtype=bool)
    others[hit] = False
    table = torch.from_numpy(centroids[np.concatenate((hit, np.flatnonzero(others)))])
    h = len(hit)
    mass = (table[:h].norm(dim=1) - 1).div_(temperature).exp_()  # 1, except for a row of zeros
    mean = torch.zeros(h, table.shape[1])
    for start in range(0, h, _CHUNK):
        stop = min(start + _CHUNK, h)
        chunk = table[start:stop]
        shares = chunk @ table[start:].T
        shares.sub_(1).div_(temperature).exp_().fill_diagonal_(0)
        mass[start:stop] += shares.sum(dim=1)
        mean[start:stop].addmm_(shares, table[start:])
        right = shares[:, stop - start : h - start]
        mass[stop:] += right.sum(dim=0)
        mean[stop:].addmm_(right.T, chunk)
    return mass.log() + 1 / temperature, mean.div_(mass[:, None])
