"""Optimization of centroids on the sphere, by the objective that ActiveFT and ODS share.

No rows × centroids array is in memory. Features must be float32 unit rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from vecaf.arrays import Floats, Ids
from vecaf.errors import InputError
from vecaf.selection.assignment import nearest, weighted_sums
from vecaf.selection.nearest_tracker import NearestTracker
from vecaf.selection.option_checks import check_number
from vecaf.selection.process_group import SINGLE, ProcessGroup
from vecaf.selection.stored_rows import FeatureRows, read_rows

if TYPE_CHECKING:
    from torch import Tensor

Objective = Literal["paper", "released-code"]

_CHUNK = 512  # centroids per block of the repulsion


@dataclass(frozen=True)
class OptimizedCentroids:
    """Unit centroids, float32 of shape (k, d), and the loss before each step."""

    centroids: Floats
    losses: npt.NDArray[np.float64]


def optimize_centroids(
    features: FeatureRows,
    initial: Floats,
    *,
    fixed: Floats | None = None,
    weights: Floats | None = None,
    gains: Floats | None = None,
    steps: int = 300,
    temperature: float = 0.07,
    learning_rate: float = 1e-3,
    batch_rows: int = 100_000,
    processes: ProcessGroup = SINGLE,
) -> OptimizedCentroids:
    """Minimize the objective of parametric selection over k centroids with Adam.

    The loss is Σ_i p_i · −log[ g_i·s_i / (g_i·s_i + R_k(i)) ] with s_i = exp(f_i·c_k(i)/τ), the
    centroid k(i) nearest to row i, and R_k = Σ_j exp(sg(c_j)·c_k/τ), j = k included.

    The gradient is analytic and exact. With a_i = f_i·c_k(i)/τ, the loss of a row is softplus(log R
    − log g_i − a_i), so only pairs of a row and its nearest centroid matter. If all steps use the
    same rows, `NearestTracker` avoids most comparisons.

    Parameters
    ----------
    features
        Unit rows, float32 or float16, shape (n, d); read in slices, so they may be mapped.
    initial
        Initial centroids, shape (k, d).
    fixed
        Centroids that attract rows and repel others but don't move, shape (c, d).
    weights
        p > 0, shape (n,); 1/n by default. Scaled to a sum of 1 in each batch.
    gains
        g > 0, shape (n,); 1 by default. Only the authors' released program has it.
    steps
        Adam steps.
    temperature
        τ.
    learning_rate
        Of Adam.
    batch_rows
        Rows per step; in a larger pool, steps use consecutive slices.
    processes
        The processes that call this together, each for its part of the rows.

    References
    ----------
    ActiveFT, arXiv 2303.14382, equation 7; weighted (ODS): VeCAF, arXiv 2401.07853.
    """
    import torch
    from torch.nn import functional

    theta = torch.from_numpy(np.array(initial, dtype=np.float32))
    still = torch.empty(0, theta.shape[1]) if fixed is None else torch.from_numpy(fixed)
    adam = Adam.of(theta, learning_rate)
    losses = np.empty(steps)
    batch = min(batch_rows, len(features))
    kept: NearestTracker | None = None
    if 2 * batch > len(features) and steps > 1:  # every step sees the first slice
        # Rows of one centroid are neighbors in memory, so that the centroid stays in the cache.
        mine = np.arange(processes.number, batch, processes.count)
        first = nearest(read_rows(features, mine), _unit(theta, still))[1]
        order = mine[np.argsort(first, kind="stable")]
        features = read_rows(features, order)
        weights = None if weights is None else weights[order]
        gains = None if gains is None else gains[order]
        kept = NearestTracker(features, len(theta) + len(still))
    p = None if weights is None else torch.from_numpy(weights)
    log_gain = None if gains is None else torch.from_numpy(gains).log()
    start = 0
    for step in range(steps):
        if start + batch > len(features):
            start = 0
        part: slice | Ids = slice(start, start + batch)
        if processes.count > 1 and kept is None:
            part = np.arange(start + processes.number, start + batch, processes.count)
        rows = read_rows(features, part)
        centroids = _unit(theta, still)
        similarity, assigned = kept.find(centroids) if kept else nearest(rows, centroids)
        losses[step], gradient = _loss_and_gradient(
            rows,
            centroids,
            len(theta),
            similarity,
            assigned,
            None if p is None else p[part] / float(processes.sum(p[part].sum().numpy())),
            None if log_gain is None else log_gain[part],
            temperature,
            processes,
        )
        adam.step(theta, gradient / _length(theta))
        start += batch
    found = functional.normalize(theta, dim=1)
    return OptimizedCentroids(found.numpy(), losses)


@dataclass(frozen=True)
class Adam:
    """`torch.optim.Adam` for one tensor.

    Importing the class would import PyTorch's compiler, which takes longer than a small selection.
    """

    learning_rate: float
    mean: Tensor
    square: Tensor
    steps: Tensor

    @classmethod
    def of(cls, theta: Tensor, learning_rate: float) -> Adam:
        return cls(
            learning_rate,
            theta.new_zeros(theta.shape),
            theta.new_zeros(theta.shape),
            theta.new_zeros(()),
        )

    def step(self, theta: Tensor, gradient: Tensor) -> None:
        """Update `theta` in place."""
        from torch.optim.adam import adam

        adam(
            [theta], [gradient], [self.mean], [self.square], [], [self.steps],
            foreach=False, amsgrad=False, beta1=0.9, beta2=0.999, lr=self.learning_rate,
            weight_decay=0.0, eps=1e-8, maximize=False,
        )  # fmt: skip


def _length(theta: Tensor) -> Tensor:
    length: Tensor = theta.norm(dim=1, keepdim=True).clamp_min(1e-12)
    return length


def _unit(theta: Tensor, still: Tensor) -> Floats:
    """Return θ scaled to unit rows, followed by the fixed centroids."""
    import torch

    found: Floats = torch.cat((theta / _length(theta), still)).numpy()
    return found


def check_optimizer(steps: object, temperature: object, learning_rate: object) -> None:
    """Raise InputError for an option that the optimization can't use."""
    if not isinstance(steps, int | np.integer) or isinstance(steps, bool) or steps < 0:
        raise InputError(f"steps is {steps!r}. Use a whole number, 0 or more (300 is usual).")
    for name, value, usual in (
        ("temperature", temperature, 0.07),
        ("learning_rate", learning_rate, 0.001),
    ):
        check_number(name, value, above=0.0, usual=usual)


def _loss_and_gradient(
    rows: Floats,
    centroids: Floats,
    k: int,
    similarity: Floats,
    assigned: Ids,
    weights: Tensor | None,
    log_gain: Tensor | None,
    temperature: float,
    processes: ProcessGroup,
) -> tuple[float, Tensor]:
    """Compute the loss of a batch, and its gradient in θ/‖θ‖ of the first `k` centroids: (k, d).

    Parameters
    ----------
    similarity, assigned
        Score and index of the nearest centroid of each row.
    """
    import torch
    from torch.nn import functional

    won = torch.from_numpy(assigned)
    counts = processes.sum(np.bincount(assigned, minlength=len(centroids)))
    present = counts > 0
    hit = np.flatnonzero(present)
    log_repulsion = torch.zeros(len(centroids))
    log_repulsion[hit], push = repulsion(centroids, hit, temperature)
    gap = log_repulsion[won] - torch.from_numpy(similarity) / temperature
    if log_gain is not None:
        gap -= log_gain
    loss = functional.softplus(gap)
    pull = torch.sigmoid(gap)
    if weights is None:
        pull /= int(counts.sum())
        total = loss.sum(dtype=torch.float64) / int(counts.sum())
    else:
        pull *= weights
        total = (loss * weights).sum(dtype=torch.float64)
    place = np.cumsum(present) - 1  # index of each centroid in `hit`
    sums = weighted_sums(rows, place[assigned], pull.numpy(), len(hit))
    attracted, mass = processes.sum(sums[0]), processes.sum(sums[1])
    moving = hit[hit < k]  # fixed centroids have no gradient
    h = len(moving)
    pushed = push[:h].mul_(torch.from_numpy(mass)[:h, None])
    pushed.sub_(torch.from_numpy(attracted[:h])).div_(temperature)
    # Only the part tangent to the sphere changes c = θ/‖θ‖.
    unit = torch.from_numpy(centroids[moving])
    pushed.sub_(unit * (pushed * unit).sum(dim=1, keepdim=True))
    gradient = torch.zeros(k, centroids.shape[1])
    gradient[torch.from_numpy(moving)] = pushed
    return float(processes.sum(total.numpy())), gradient


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
