"""What a classifier starts from without a batch: the classes' means, or their names."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from vecaf.finetuning.model import Head

SHRINKAGES = (0.05, 0.2, 0.5, 0.9)
SCALES = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
USUAL_SCALE = 0.3  # the validation images' choice on CIFAR-10, at 64 and at 96 pixels
TRUST = (0.0, 0.25, 0.5, 0.75, 1.0)


def start_from_means(
    head: Head, features: Tensor, labels: Tensor, val_features: Tensor, val_labels: Tensor
) -> None:
    """Set `head` to the linear discriminants of `features` (n, d) under `labels` (n,).

    w_c = s·S⁻¹m_c and b_c = −½·w_c·m_c with the class means m_c (Fisher's discriminant for classes
    of equal shares). S, the covariance about the means, is shrunk toward a multiple of the identity
    (Ledoit & Wolf 2004), so that it can be inverted for few rows. In many dimensions the
    discriminants are too sure of themselves: hence the factor s. Of SHRINKAGES and SCALES those
    count whose cross-entropy on the validation rows is lowest: thousands of rows a class want 0.05,
    hundreds ten times that. Without such rows the identity weighs as much as d rows, and s is
    USUAL_SCALE. A class without rows starts below all others.
    """
    classes, n, d = head.linear.out_features, *features.shape
    counts = torch.bincount(labels, minlength=classes)
    means = features.new_zeros(classes, d).index_add_(0, labels, features)
    means /= counts.clamp(min=1)[:, None]
    apart = features - means[labels]
    covariance = apart.T @ apart / n

    def discriminants(shrinkage: float) -> tuple[Tensor, Tensor]:
        shrunk = (1 - shrinkage) * covariance
        shrunk.diagonal().add_(shrinkage * covariance.diagonal().mean().clamp(min=1e-6))
        weight = torch.linalg.solve(shrunk, means.T).T
        bias = -0.5 * (weight * means).sum(dim=1)
        bias[counts == 0] = bias[counts > 0].min() - 1
        return weight, bias

    def loss(scale: float, weight: Tensor, bias: Tensor) -> float:
        return float(F.cross_entropy(scale * (val_features @ weight.T + bias), val_labels))

    if len(val_labels):
        found = [discriminants(shrinkage) for shrinkage in SHRINKAGES]
        scale, (weight, bias) = min(
            itertools.product(SCALES, found), key=lambda tried: loss(tried[0], *tried[1])
        )
    else:
        scale, (weight, bias) = USUAL_SCALE, discriminants(d / (n + d))
    with torch.no_grad():
        head.linear.weight.copy_(scale * weight)
        head.linear.bias.copy_(scale * bias)


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


def decay_toward(optimizer: torch.optim.Optimizer, weight: Tensor, anchor: Tensor) -> None:
    """Make the decoupled weight decay of `weight`'s group pull toward `anchor`, not toward zero."""

    def give_back(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        group = optimizer.param_groups[0]
        with torch.no_grad():
            weight.add_(anchor, alpha=group["lr"] * group["weight_decay"])

    optimizer.register_step_post_hook(give_back)
