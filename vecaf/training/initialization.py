"""Initial weights of a head: from the means of the classes, or from their names."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from vecaf.training.batches import LabeledFeatures
from vecaf.training.model import Head

SHRINKAGES = (0.05, 0.2, 0.5, 0.9)
SCALES = (0.0, 0.0003, 0.001, 0.003, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
FOLDS = 5
ENOUGH_VALIDATION = 50  # rows; a model may get all of a handful right by chance
TEXT_SCALES = (0.0, 0.25, 0.5, 0.75, 1.0)


def initialize_from_means(head: Head, train: LabeledFeatures, val: LabeledFeatures) -> None:
    """Set `head` to a linear discriminant classifier of `train`.

    With the class means m_c and their shared covariance S, the weights are w_c = s·S⁻¹m_c and the
    biases are b_c = −½·w_c·m_c (linear discriminant analysis with equal priors). S is shrunk toward
    a multiple of the identity, so that it is invertible for few rows. The factor s corrects
    overconfidence, which grows with the number of features and shrinks with the number of rows.

    SHRINKAGES and SCALES are the candidates; the lowest cross-entropy on `val` decides. Thousands
    of rows per class need a shrinkage of 0.05, hundreds need ten times as much. With fewer than
    ENOUGH_VALIDATION rows in `val`, cross-validation on `train` in FOLDS folds counts, too. A
    single row, or one row per class, says nothing about either; s is 0 then. A class without rows
    starts with a lower score than all others.

    Parameters
    ----------
    head
        Changed in place.
    train
        At least one row.
    val
        May be empty.

    References
    ----------
    Fisher 1936, The use of multiple measurements in taxonomic problems; Ledoit & Wolf 2004, A
    well-conditioned estimator for large-dimensional covariance matrices.
    """
    classes, n = head.linear.out_features, len(train.labels)
    splits = [(train, val)]
    if len(val.labels) < ENOUGH_VALIDATION:
        splits = [] if n < 2 else [*splits, *_folds(train)]
    losses = torch.zeros(len(SHRINKAGES), len(SCALES), dtype=torch.float64)
    for fitted, held_out in splits:
        found = Discriminants.of(fitted, classes)
        for i, shrinkage in enumerate(SHRINKAGES):
            weight, bias = found.shrunk(shrinkage)
            logits = held_out.rows @ weight.T + bias
            for j, scale in enumerate(SCALES):
                loss = F.cross_entropy(scale * logits, held_out.labels, reduction="sum")
                losses[i, j] += float(loss)
    best_shrinkage, best_scale = divmod(int(losses.argmin()), len(SCALES))
    weight, bias = Discriminants.of(train, classes).shrunk(SHRINKAGES[best_shrinkage])
    with torch.no_grad():
        head.linear.weight.copy_(SCALES[best_scale] * weight)
        head.linear.bias.copy_(SCALES[best_scale] * bias)


def _folds(train: LabeledFeatures) -> list[tuple[LabeledFeatures, LabeledFeatures]]:
    """Split the rows into FOLDS folds with all classes: (other folds, fold) each."""
    labels = train.labels
    fold = torch.empty_like(labels)
    fold[labels.argsort(stable=True)] = torch.arange(len(labels), device=fold.device) % FOLDS
    return [
        (_subset(train, fold != i), _subset(train, fold == i))
        for i in range(min(len(labels), FOLDS))
    ]


def _subset(train: LabeledFeatures, chosen: Tensor) -> LabeledFeatures:
    return LabeledFeatures(train.rows[chosen], train.labels[chosen])


@dataclass(frozen=True)
class Discriminants:
    """Statistics for linear discriminant analysis.

    Attributes
    ----------
    means
        Mean of each class, shape (classes, d).
    deviations
        The rows minus their class mean, shape (n, d); None if n ≥ d.
    products
        Products of the deviations: of rows, shape (n, n), if n < d; else of features, (d, d).
    least_variance
        Lower bound of the mean variance, shape ().
    counts
        Rows per class, shape (classes,).
    """

    means: Tensor
    deviations: Tensor | None
    products: Tensor
    least_variance: Tensor
    counts: Tensor

    @classmethod
    def of(cls, train: LabeledFeatures, classes: int) -> Discriminants:
        """Compute the statistics of a training set."""
        n, d = train.rows.shape
        counts = torch.bincount(train.labels, minlength=classes)
        means = train.rows.new_zeros(classes, d).index_add_(0, train.labels, train.rows)
        means /= counts.clamp(min=1)[:, None]
        deviations = train.rows - means[train.labels]
        kept = deviations if n < d else None
        products = deviations.T @ deviations if kept is None else kept @ kept.T
        # With one row per class, the covariance is zero: use a tenth of the total variance.
        least = train.rows.var(dim=0, unbiased=False).mean().clamp(min=1e-5) / 10
        return cls(means, kept, products, least, counts)

    def shrunk(self, shrinkage: float) -> tuple[Tensor, Tensor]:
        """Return weights (classes, d) and biases (classes,) for a shrinkage between 0 and 1.

        With fewer rows than features, the Woodbury identity replaces the system of d equations by
        one of n.
        """
        n = max(int(self.counts.sum()), 1)
        variance = self.products.diagonal().sum() / (n * self.means.shape[1])
        ridge = shrinkage * torch.maximum(variance, self.least_variance)
        factor = n / (1 - shrinkage)
        system = self.products.clone()
        system.diagonal().add_(factor * ridge)
        if self.deviations is None:
            weight = factor * torch.linalg.solve(system, self.means.T).T
        else:
            inner = torch.linalg.solve(system, self.deviations @ self.means.T)
            weight = (self.means - inner.T @ self.deviations) / ridge
        bias = -0.5 * (weight * self.means).sum(dim=1)
        present = self.counts > 0
        if present.any():
            bias[~present] = bias[present].min() - 1
        return weight, bias


def initialize_from_text(head: Head, text_weights: Tensor, train: LabeledFeatures) -> None:
    """Set `head` to a multiple of a classifier made from class names.

    The factor is the one of TEXT_SCALES with the lowest cross-entropy on `train`. It is 0 for names
    that mean nothing for these images.

    Parameters
    ----------
    head
        Changed in place.
    text_weights
        Shape (classes, d); no label was used for them.
    train
        May contain the rows that training uses next.
    """
    scale = text_scale(train.rows @ text_weights.T, train.labels)
    with torch.no_grad():
        head.linear.weight.copy_(scale * text_weights)


def text_scale(logits: Tensor, labels: Tensor) -> float:
    """Return the factor of TEXT_SCALES for logits (n, classes) with the lowest cross-entropy."""
    return min(TEXT_SCALES, key=lambda s: float(F.cross_entropy(s * logits, labels)))


def remaining_loss_share(head: Head, train: LabeledFeatures) -> float:
    """Return the loss that an initial head leaves, relative to a uniform prediction.

    The learning rate is multiplied by it. AdamW's steps don't shrink with the gradient, so steps of
    full length lead away from an initial head that already fits. With the class means of 1,641
    cartoons, 100 batches at a rate of 0.03 cost 2 points; a twelfth of 0.06 costs none
    (`benchmarks/README.md`).

    Parameters
    ----------
    head
        Initialized from `train`.
    train
        n rows of d features.

    Returns
    -------
    float
        Cross-entropy over ln(classes), 1 at most. It is 1 for n ≤ d: a linear model fits so few
        rows exactly, which says nothing about other rows.
    """
    n, d = train.rows.shape
    classes = head.linear.out_features
    if n <= d or classes < 2:
        return 1.0
    with torch.no_grad():
        loss = float(F.cross_entropy(head(train.rows), train.labels))
    return min(1.0, loss / math.log(classes))


def decay_toward(optimizer: torch.optim.Optimizer, weight: Tensor, anchor: Tensor) -> None:
    """Make the decoupled weight decay of `weight` pull toward `anchor` in place of zero.

    Parameters
    ----------
    optimizer
        AdamW, with `weight` in its first parameter group.
    weight, anchor
        Tensors of one shape.
    """

    def add_anchor(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        group = optimizer.param_groups[0]
        with torch.no_grad():
            weight.add_(anchor, alpha=group["lr"] * group["weight_decay"])

    optimizer.register_step_post_hook(add_anchor)
