"""What a classifier starts from without a batch: the classes' means, or their names."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from vecaf.training.model import Head

SHRINKAGES = (0.05, 0.2, 0.5, 0.9)
SCALES = (0.0, 0.0003, 0.001, 0.003, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
FOLDS = 5
ENOUGH = 50  # validation rows that decide alone; of a handful all may be right by luck
TRUST = (0.0, 0.25, 0.5, 0.75, 1.0)


def start_from_means(
    head: Head, features: Tensor, labels: Tensor, val_features: Tensor, val_labels: Tensor
) -> None:
    """Set `head` to the linear discriminants of `features` (n, d) under `labels` (n,).

    w_c = s·S⁻¹m_c and b_c = −½·w_c·m_c with the class means m_c (Fisher's discriminant for classes
    of equal shares). S, the covariance about the means, is shrunk toward a multiple of the identity
    (Ledoit & Wolf 2004), so that it can be inverted for few rows. In many dimensions the
    discriminants are too sure of themselves, the more so the fewer rows: hence the factor s. Of
    SHRINKAGES and SCALES those count whose cross-entropy on the validation rows is lowest:
    thousands of rows a class want 0.05, hundreds ten times that. Where those are few or none, the
    rows themselves decide, too, each fifth by what the others make of it; where that tells nothing,
    as with one row a class or in all, s is 0. A class without rows starts below all others.
    """
    classes, n = head.linear.out_features, len(labels)
    judged = [(features, labels, val_features, val_labels)]
    if len(val_labels) < ENOUGH and n < 2:
        judged = []
    elif len(val_labels) < ENOUGH:
        fold = torch.empty_like(labels)
        fold[labels.argsort(stable=True)] = torch.arange(n, device=fold.device) % FOLDS
        judged += [
            (features[fold != i], labels[fold != i], features[fold == i], labels[fold == i])
            for i in range(min(n, FOLDS))
        ]
    losses = torch.zeros(len(SHRINKAGES), len(SCALES), dtype=torch.float64)
    for known, known_labels, rows, targets in judged:
        found = Discriminants.of(known, known_labels, classes)
        for i, shrinkage in enumerate(SHRINKAGES):
            weight, bias = found.shrunk(shrinkage)
            logits = rows @ weight.T + bias
            for j, scale in enumerate(SCALES):
                losses[i, j] += float(F.cross_entropy(scale * logits, targets, reduction="sum"))
    at, by = divmod(int(losses.argmin()), len(SCALES))
    weight, bias = Discriminants.of(features, labels, classes).shrunk(SHRINKAGES[at])
    with torch.no_grad():
        head.linear.weight.copy_(SCALES[by] * weight)
        head.linear.bias.copy_(SCALES[by] * bias)


@dataclass(frozen=True)
class Discriminants:
    """What rows say of their classes: means (classes, d), the covariance about them (d, d), the
    least variance that is believed, and how many rows each class has."""

    means: Tensor
    covariance: Tensor
    least: Tensor
    counts: Tensor

    @classmethod
    def of(cls, features: Tensor, labels: Tensor, classes: int) -> Discriminants:
        n, d = features.shape
        counts = torch.bincount(labels, minlength=classes)
        means = features.new_zeros(classes, d).index_add_(0, labels, features)
        means /= counts.clamp(min=1)[:, None]
        apart = features - means[labels]
        # One row a class has no variance about its mean: a tenth of all rows' is the least.
        least = features.var(dim=0, unbiased=False).mean().clamp(min=1e-5) / 10
        return cls(means, apart.T @ apart / max(n, 1), least, counts)

    def shrunk(self, shrinkage: float) -> tuple[Tensor, Tensor]:
        """Weights (classes, d) and biases (classes,)."""
        shrunk = (1 - shrinkage) * self.covariance
        variance = self.covariance.diagonal().mean()
        shrunk.diagonal().add_(shrinkage * torch.maximum(variance, self.least))
        weight = torch.linalg.solve(shrunk, self.means.T).T
        bias = -0.5 * (weight * self.means).sum(dim=1)
        seen = self.counts > 0
        if seen.any():
            bias[~seen] = bias[seen].min() - 1
        return weight, bias


def start_from_text(head: Head, guide: Tensor, features: Tensor, labels: Tensor) -> None:
    """Set `head` to `guide` (classes, d), a classifier that no label has shaped, times a factor.

    The factor, one of TRUST, is the one with the lowest cross-entropy on `features` (n, d) and
    `labels` (n,), which may be the ones that training is about to use: names that mean nothing for
    these images get no say.
    """
    logits = features @ guide.T
    trust = min(TRUST, key=lambda s: float(F.cross_entropy(s * logits, labels)))
    with torch.no_grad():
        head.linear.weight.copy_(trust * guide)


def left_to_learn(head: Head, features: Tensor, labels: Tensor) -> float:
    """The share of ln k, what knowing nothing of k classes costs, that `head` leaves of the
    cross-entropy on `features` (n, d) under `labels` (n,), which it was made of; at most 1.

    1 also where n is not above d: a linear start has such rows by heart, whatever others it knows
    (from the means of 500 CIFAR-10 images, a rate by what it left of these cost a point).

    AdamW's steps don't shrink with the gradient, so at full length they lead away from a start that
    fits: from the class means of 1,641 cartoons 100 batches of VeCAF's at a rate of 0.03 cost 2
    points, where a twelfth of 0.06 costs none (`benchmarks/README.md`).
    """
    n, d = features.shape
    classes = head.linear.out_features
    if n <= d or classes < 2:
        return 1.0
    with torch.no_grad():
        loss = float(F.cross_entropy(head(features), labels))
    return min(1.0, loss / math.log(classes))


def decay_toward(optimizer: torch.optim.Optimizer, weight: Tensor, anchor: Tensor) -> None:
    """Make the decoupled weight decay of `weight`'s group pull toward `anchor`, not toward zero."""

    def give_back(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        group = optimizer.param_groups[0]
        with torch.no_grad():
            weight.add_(anchor, alpha=group["lr"] * group["weight_decay"])

    optimizer.register_step_post_hook(give_back)
