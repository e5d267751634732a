"""Optimization of centroids on the sphere, by the objective that ActiveFT and ODS share.

No rows × centroids array is in memory. Features must be float32 unit rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from vecaf.arrays import Floats
from vecaf.errors import InputError
from vecaf.selection.assignment import nearest
from vecaf.selection.centroid_gradient import Batch, LoadedBatch, loss_and_gradient
from vecaf.selection.nearest_tracker import NearestTracker
from vecaf.selection.option_checks import check_number
from vecaf.selection.sharded_rows import ShardedRows
from vecaf.selection.stored_rows import FeatureRows, read_rows

if TYPE_CHECKING:
    from torch import Tensor

Objective = Literal["paper", "released-code"]


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
        Unit rows, float32 or float16, shape (n, d); read in slices, so they may be mapped. The
        shards of `ShardedRows` compute their parts of each step.
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
    sharded = isinstance(features, ShardedRows)
    if 2 * batch > len(features) and steps > 1 and not sharded:  # every step sees the first slice
        # Rows of one centroid are neighbors in memory, so that the centroid stays in the cache.
        first = nearest(read_rows(features, slice(batch)), _unit(theta, still))[1]
        order = np.argsort(first, kind="stable")
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
        centroids = _unit(theta, still)
        if isinstance(features, ShardedRows):
            part = slice(start, start + batch)
            found: Batch = features.batch(
                part,
                centroids,
                None if p is None else (p[part] / p[part].sum()).numpy(),
                None if log_gain is None else log_gain[part].numpy(),
            )
        else:
            found = _loaded_batch(
                features, slice(start, start + batch), centroids, kept, p, log_gain
            )
        losses[step], gradient = loss_and_gradient(found, centroids, len(theta), temperature)
        adam.step(theta, gradient / _length(theta))
        start += batch
    return OptimizedCentroids(functional.normalize(theta, dim=1).numpy(), losses)


def _loaded_batch(
    features: FeatureRows,
    part: slice,
    centroids: Floats,
    kept: NearestTracker | None,
    weights: Tensor | None,
    log_gain: Tensor | None,
) -> LoadedBatch:
    """Assign the rows of a batch to the centroids."""
    rows = read_rows(features, part)
    similarity, assigned = kept.find(centroids) if kept else nearest(rows, centroids)
    if weights is not None:
        weights = weights[part] / float(weights[part].sum())
    return LoadedBatch(
        rows,
        similarity,
        assigned,
        np.bincount(assigned, minlength=len(centroids)),
        weights,
        None if log_gain is None else log_gain[part],
    )


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
