"""Centroids on the sphere: the objective that ActiveFT and ODS share, its descent, its assignment.

Nothing here holds a rows × centroids array: scores are made in blocks of rows, and only each
row's winner is kept. Features must be float32 and of unit length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from vecaf.errors import InputError
from vecaf.selection.pool import Floats, Ids

if TYPE_CHECKING:
    from torch import Tensor

Objective = Literal["paper", "released-code"]

_BLOCK_SCORES = 2**21  # scores made at once: 8 MiB, about what two cores' caches hold


@dataclass(frozen=True)
class Descent:
    """What `descend` found: unit centroids float32 (k, d) and the loss before each step."""

    centroids: Floats
    losses: npt.NDArray[np.float64]


def nearest(features: Floats, centroids: Floats) -> tuple[Floats, Ids]:
    """Similarity to, and index of, the most similar centroid: float32 (n,) and int64 (n,)."""
    import torch

    similarity, index = _nearest(torch.from_numpy(features), torch.from_numpy(centroids))
    return similarity.numpy(), index.numpy()


def descend(
    features: Floats,
    initial: Floats,
    *,
    fixed: Floats | None = None,
    weights: Floats | None = None,
    gains: Floats | None = None,
    steps: int = 300,
    temperature: float = 0.07,
    learning_rate: float = 1e-3,
    batch_rows: int = 100_000,
) -> Descent:
    """Minimise the parametric selection objective over k centroids with Adam.

    The loss is Σ_i p_i · −log[ g_i·s_i / (g_i·s_i + R_k(i)) ] with s_i = exp(f_i·c_k(i)/τ), k(i)
    the centroid nearest to row i, and R_k = Σ_j exp(sg(c_j)·c_k/τ), j = k included (ActiveFT,
    arXiv 2303.14382, eq. 7; its weighted form is ODS, arXiv 2401.07853).

    features       float32 (n, d), unit rows
    initial        float32 (k, d), where the centroids start
    fixed          float32 (c, d), centroids that win rows and repel but do not move
    weights        p, float32 (n,), positive; None is 1/n each. Scaled to sum 1 over a batch
    gains          g, float32 (n,), positive; None is 1. Only the authors' released program has it
    temperature    τ
    batch_rows     rows a step; larger pools are walked through in consecutive slices

    The gradient is exact and analytic. With a_i = f_i·c_k(i)/τ the loss of a row is
    softplus(log R − log g_i − a_i), so only winning pairs matter: one sparse product gathers them.
    """
    import torch
    from torch.nn import functional

    rows = torch.from_numpy(features)
    theta = torch.from_numpy(np.array(initial, dtype=np.float32))
    still = torch.empty(0, theta.shape[1]) if fixed is None else torch.from_numpy(fixed)
    p = None if weights is None else torch.from_numpy(weights)
    log_gain = None if gains is None else torch.from_numpy(gains).log()
    adam = torch.optim.Adam([theta.requires_grad_()], lr=learning_rate)
    losses = np.empty(steps)
    batch = min(batch_rows, len(features))
    start = 0
    for step in range(steps):
        if start + batch > len(features):
            start = 0
        part = slice(start, start + batch)
        losses[step], theta.grad = _loss_and_gradient(
            rows[part],
            theta.detach(),
            still,
            None if p is None else p[part] / p[part].sum(),
            None if log_gain is None else log_gain[part],
            temperature,
        )
        adam.step()
        start += batch
    found = functional.normalize(theta.detach(), dim=1)
    return Descent(found.numpy(), losses)


def nearest_unused(features: Floats, centroids: Floats, free: npt.NDArray[np.bool_]) -> Ids:
    """Row for each centroid: in order, every centroid takes its nearest row still free.

    features (n, d), centroids (k, d), free bool (n,) with at least k True. Returns int64 (k,),
    distinct. Instead of sorting all rows, each centroid lists its 32 best free rows; where all of
    them are gone, the lists of the next centroids are made afresh from what is still free.
    """
    depth = 32
    unused = free.copy()
    picked = np.empty(len(centroids), dtype=np.int64)
    position, ahead = 0, len(centroids)
    while position < len(centroids):
        candidates = _best_rows(features, centroids[position : position + ahead], unused, depth)
        for listed in candidates:
            open_rows = listed[unused[listed]]
            if not len(open_rows):
                break
            picked[position] = open_rows[0]
            unused[open_rows[0]] = False
            position += 1
        ahead = depth  # at least this many can be served from lists that have just been made
    return picked


def check_descent(steps: object, temperature: object, learning_rate: object) -> None:
    """Raise InputError for a descent that cannot run."""
    if not isinstance(steps, int | np.integer) or isinstance(steps, bool) or steps < 0:
        raise InputError(f"steps is {steps!r}; use a whole number, 0 or more (300 is usual).")
    for name, value, usual in (
        ("temperature", temperature, 0.07),
        ("learning_rate", learning_rate, 0.001),
    ):
        check_number(name, value, above=0.0, usual=usual)


def check_number(
    name: str, value: object, *, above: float | None = None, usual: float | None = None
) -> float:
    """`value` as a finite float above `above`, or InputError."""
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not number or not np.isfinite(value) or (above is not None and value <= above):  # type: ignore[call-overload, operator]
        bound = "a number" if above is None else f"a number above {above:g}"
        hint = "" if usual is None else f" ({usual:g} is usual)"
        raise InputError(f"{name} is {value!r}; use {bound}{hint}.")
    return float(value)  # type: ignore[arg-type]


def _loss_and_gradient(
    rows: Tensor,
    theta: Tensor,
    still: Tensor,
    weights: Tensor | None,
    log_gain: Tensor | None,
    temperature: float,
) -> tuple[float, Tensor]:
    """Loss and its gradient in theta (k, d), for one batch of rows."""
    import torch
    from torch.nn import functional

    k = len(theta)
    length = theta.norm(dim=1, keepdim=True).clamp_min(1e-12)
    moving = theta / length
    centroids = torch.cat((moving, still))
    similarity, winner = _nearest(rows, centroids)
    log_repulsion, repulsion = _repulsion(moving, centroids, temperature)
    if len(still):  # rows won by a fixed centroid add a loss, but pull nothing that moves
        fixed_repulsion, _ = _repulsion(still, centroids, temperature)
        log_repulsion = torch.cat((log_repulsion, fixed_repulsion))
    gap = log_repulsion[winner] - similarity / temperature
    if log_gain is not None:
        gap -= log_gain
    loss = functional.softplus(gap)
    pull = torch.sigmoid(gap)
    if weights is None:
        pull /= len(rows)
        total = loss.mean(dtype=torch.float64)
    else:
        pull *= weights
        total = (loss * weights).sum(dtype=torch.float64)
    attracted, mass = weighted_sums(rows, winner, pull, len(centroids))
    gradient = (repulsion * mass[:k, None] - attracted[:k]) / temperature
    # Through c = θ/‖θ‖ only the part that is tangent to the sphere moves θ.
    gradient -= moving * (gradient * moving).sum(dim=1, keepdim=True)
    return float(total), gradient / length


def weighted_sums(
    rows: Tensor, group: Tensor, weights: Tensor, groups: int
) -> tuple[Tensor, Tensor]:
    """Σ weights·rows by group, (groups, d), and Σ weights by group, (groups,).

    As an embedding bag over rows sorted by group: in parallel, with no weighted copy of the rows.
    """
    import torch
    from torch.nn import functional

    order = torch.argsort(group.int())  # a radix sort: 300 times faster than for int64
    counts = torch.bincount(group, minlength=groups)
    offsets = torch.cumsum(counts, 0) - counts
    sums = functional.embedding_bag(
        order, rows, offsets, mode="sum", per_sample_weights=weights[order]
    )
    mass = torch.zeros(groups, dtype=weights.dtype).index_add_(0, group, weights)
    return sums, mass


def _repulsion(moving: Tensor, centroids: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """log R_k (k,) and τ·∂log R_k/∂c_k (k, d), the softmax-weighted mean of all centroids."""
    import torch

    scores = moving @ centroids.T
    scores /= temperature
    log_repulsion = torch.logsumexp(scores, dim=1)
    scores -= log_repulsion[:, None]
    return log_repulsion, scores.exp_() @ centroids


def _nearest(rows: Tensor, centroids: Tensor) -> tuple[Tensor, Tensor]:
    import torch

    similarity = torch.empty(len(rows))
    winner = torch.empty(len(rows), dtype=torch.int64)
    step = max(64, _BLOCK_SCORES // len(centroids))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        torch.max(rows[part] @ centroids.T, dim=1, out=(similarity[part], winner[part]))
    return similarity, winner


def _best_rows(features: Floats, centroids: Floats, free: npt.NDArray[np.bool_], depth: int) -> Ids:
    """The `depth` most similar free rows of each centroid, best first: int64 (k, ≤ depth)."""
    import torch

    rows = torch.from_numpy(features)
    targets = torch.from_numpy(centroids)
    blocked = torch.from_numpy(~free)
    depth = min(depth, int(free.sum()))
    best = torch.empty(len(targets), 0)
    where = torch.empty(len(targets), 0, dtype=torch.int64)
    step = max(64, 8 * _BLOCK_SCORES // len(targets))  # larger: every block costs a merge
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        scores = targets @ rows[part].T
        scores[:, blocked[part]] = -torch.inf
        top = scores.topk(min(depth, scores.shape[1]), dim=1)
        best = torch.cat((best, top.values), dim=1)
        where = torch.cat((where, top.indices + start), dim=1)
        best, keep = best.topk(min(depth, best.shape[1]), dim=1)
        where = where.gather(1, keep)
    return where.numpy()
