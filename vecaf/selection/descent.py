"""Centroids on the sphere: the objective that ActiveFT and ODS share, and its descent.

Nothing here holds a rows × centroids array. Features must be float32 and of unit length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from vecaf.arrays import Floats, Ids
from vecaf.errors import InputError
from vecaf.selection.assignment import nearest, weighted_sums
from vecaf.selection.blocks import Rows, read
from vecaf.selection.option_checks import check_number
from vecaf.selection.sharded import WHOLE, Split
from vecaf.selection.winners import Winners

if TYPE_CHECKING:
    from torch import Tensor

Objective = Literal["paper", "released-code"]

_BLOCK = 512  # centroids whose repulsion is computed at once


@dataclass(frozen=True)
class Descent:
    """What `descend` found: unit centroids float32 (k, d) and the loss before each step."""

    centroids: Floats
    losses: npt.NDArray[np.float64]


def descend(
    features: Rows,
    initial: Floats,
    *,
    fixed: Floats | None = None,
    weights: Floats | None = None,
    gains: Floats | None = None,
    steps: int = 300,
    temperature: float = 0.07,
    learning_rate: float = 1e-3,
    batch_rows: int = 100_000,
    split: Split = WHOLE,
) -> Descent:
    """Minimise the parametric selection objective over k centroids with Adam.

    The loss is Σ_i p_i · −log[ g_i·s_i / (g_i·s_i + R_k(i)) ] with s_i = exp(f_i·c_k(i)/τ), k(i)
    the centroid nearest to row i, and R_k = Σ_j exp(sg(c_j)·c_k/τ), j = k included (ActiveFT,
    arXiv 2303.14382, eq. 7; its weighted form is ODS, arXiv 2401.07853).

    features       float32 or float16 (n, d), unit rows; read in slices, so they may be mapped
    initial        float32 (k, d), where the centroids start
    fixed          float32 (c, d), centroids that win rows and repel but do not move
    weights        p, float32 (n,), positive; None is 1/n each. Scaled to sum 1 over a batch
    gains          g, float32 (n,), positive; None is 1. Only the authors' released program has it
    temperature    τ
    batch_rows     rows a step; larger pools are walked through in consecutive slices
    split          the processes that call this together, each for its part of every step's rows

    The gradient is exact and analytic. With a_i = f_i·c_k(i)/τ the loss of a row is
    softplus(log R − log g_i − a_i), so only winning pairs matter: one sum over each centroid's
    rows gathers them. Where every step sees the same rows, winners are kept (`winners.Winners`).
    """
    import torch
    from torch.nn import functional

    theta = torch.from_numpy(np.array(initial, dtype=np.float32))
    still = torch.empty(0, theta.shape[1]) if fixed is None else torch.from_numpy(fixed)
    adam = Adam.of(theta, learning_rate)
    losses = np.empty(steps)
    batch = min(batch_rows, len(features))
    kept: Winners | None = None
    if 2 * batch > len(features) and steps > 1:  # every step sees the first slice
        # Rows of the same winner side by side: what a step reads for one is in the cache for all.
        mine = np.arange(split.number, batch, split.count)
        first = nearest(read(features, mine), _unit(theta, still))[1]
        order = mine[np.argsort(first, kind="stable")]
        features = read(features, order)
        weights = None if weights is None else weights[order]
        gains = None if gains is None else gains[order]
        kept = Winners(features, len(theta) + len(still))
    p = None if weights is None else torch.from_numpy(weights)
    log_gain = None if gains is None else torch.from_numpy(gains).log()
    start = 0
    for step in range(steps):
        if start + batch > len(features):
            start = 0
        part: slice | Ids = slice(start, start + batch)
        if split.count > 1 and kept is None:
            part = np.arange(start + split.number, start + batch, split.count)
        rows = read(features, part)
        centroids = _unit(theta, still)
        similarity, winner = kept.find(centroids) if kept else nearest(rows, centroids)
        losses[step], gradient = _loss_and_gradient(
            rows,
            centroids,
            len(theta),
            similarity,
            winner,
            None if p is None else p[part] / float(split.sum(p[part].sum().numpy())),
            None if log_gain is None else log_gain[part],
            temperature,
            split,
        )
        adam.step(theta, gradient / _length(theta))
        start += batch
    found = functional.normalize(theta, dim=1)
    return Descent(found.numpy(), losses)


@dataclass(frozen=True)
class Adam:
    """`torch.optim.Adam` for one tensor, without its class: that imports PyTorch's compiler, which
    takes longer than a small selection."""

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
        """Move `theta` in place."""
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
    """θ scaled to unit rows, and the centroids that stand still below them."""
    import torch

    found: Floats = torch.cat((theta / _length(theta), still)).numpy()
    return found


def check_descent(steps: object, temperature: object, learning_rate: object) -> None:
    """Raise InputError for a descent that cannot run."""
    if not isinstance(steps, int | np.integer) or isinstance(steps, bool) or steps < 0:
        raise InputError(f"steps is {steps!r}; use a whole number, 0 or more (300 is usual).")
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
    winner: Ids,
    weights: Tensor | None,
    log_gain: Tensor | None,
    temperature: float,
    split: Split,
) -> tuple[float, Tensor]:
    """Loss of one batch of rows, and its gradient in the first `k` unit centroids' θ/‖θ‖: (k, d).

    similarity, winner  each row's nearest centroid and its score
    """
    import torch
    from torch.nn import functional

    won = torch.from_numpy(winner)
    counts = split.sum(np.bincount(winner, minlength=len(centroids)))
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
    place = np.cumsum(present) - 1  # of each centroid among those that are hit
    sums = weighted_sums(rows, place[winner], pull.numpy(), len(hit))
    attracted, mass = split.sum(sums[0]), split.sum(sums[1])
    moving = hit[hit < k]  # rows won by a fixed centroid pull nothing that moves
    h = len(moving)
    pushed = push[:h].mul_(torch.from_numpy(mass)[:h, None])
    pushed.sub_(torch.from_numpy(attracted[:h])).div_(temperature)
    # Through c = θ/‖θ‖ only the part that is tangent to the sphere moves θ.
    unit = torch.from_numpy(centroids[moving])
    pushed.sub_(unit * (pushed * unit).sum(dim=1, keepdim=True))
    gradient = torch.zeros(k, centroids.shape[1])
    gradient[torch.from_numpy(moving)] = pushed
    return float(split.sum(total.numpy())), gradient


def repulsion(centroids: Floats, hit: Ids, temperature: float) -> tuple[Tensor, Tensor]:
    """log R_k and τ·∂log R_k/∂c_k, the softmax-weighted mean of all centroids, for k in `hit`.

    centroids float32 (k, d), unit rows; hit int64 (h,), ascending. Returns (h,) and (h, d).

    Scores are symmetric: each pair of hit centroids is scored once, in blocks of rows right of the
    diagonal. A centroid's own term, exp(1/τ), is the largest there can be, so that sums scaled by
    it neither overflow nor vanish; in the mean it is left out, for it does not turn c_k.
    """
    import torch

    others = np.ones(len(centroids), dtype=bool)
    others[hit] = False
    table = torch.from_numpy(centroids[np.concatenate((hit, np.flatnonzero(others)))])
    h = len(hit)
    mass = (table[:h].norm(dim=1) - 1).div_(temperature).exp_()  # 1, but for a row of zeros
    mean = torch.zeros(h, table.shape[1])
    for start in range(0, h, _BLOCK):
        stop = min(start + _BLOCK, h)
        block = table[start:stop]
        shares = block @ table[start:].T
        shares.sub_(1).div_(temperature).exp_().fill_diagonal_(0)
        mass[start:stop] += shares.sum(dim=1)
        mean[start:stop].addmm_(shares, table[start:])
        right = shares[:, stop - start : h - start]
        mass[stop:] += right.sum(dim=0)
        mean[stop:].addmm_(right.T, block)
    return mass.log() + 1 / temperature, mean.div_(mass[:, None])
