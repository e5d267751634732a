"""What a classifier says of images whose labels it has not seen: cross-validation on features."""

from __future__ import annotations

import numpy as np

from vecaf.arrays import Floats, Rows
from vecaf.evaluation.metrics import probabilities

LEAST = 5  # labelled images that a class needs to be judged: one in each fold
RIDGE = 1e-3


def held_out_probabilities(
    space: Floats, labels: Rows, classes: int, *, folds: int = 5, seed: int = 0
) -> Floats:
    """Class probabilities (n, classes) of unit rows (n, m), each by a head fitted without that row.

    labels: (n,), −1 where there is none; those rows get the mean over the folds. Folds are
    stratified. Classes with fewer than `folds` labelled images have a column of zeros, and their
    images train nothing; with fewer than two classes left everything is zero.
    """
    out = np.zeros((len(space), classes), np.float32)
    counts = np.bincount(labels[labels >= 0], minlength=classes)
    kept = np.flatnonzero(counts >= max(LEAST, folds))
    if len(kept) < 2:
        return out
    place = np.full(classes + 1, -1)
    place[kept] = np.arange(len(kept))
    targets = place[labels]  # −1 looks up the last entry, which is −1
    fold = _stratified(targets, folds, seed)
    for number in range(folds):
        train = np.flatnonzero((targets >= 0) & (fold != number))
        weight, bias = fit_head(space[train], targets[train], len(kept))
        tested = np.flatnonzero((targets >= 0) & (fold == number))
        out[np.ix_(tested, kept)] = probabilities(space[tested] @ weight.T + bias)
        other = np.flatnonzero(targets < 0)
        out[np.ix_(other, kept)] += probabilities(space[other] @ weight.T + bias) / folds
    return out


def fit_head(rows: Floats, targets: Rows, classes: int) -> tuple[Floats, Floats]:
    """A logistic head on rows (n, m): weight (classes, m), bias (classes,).

    Minimises cross-entropy + RIDGE·|weight|²/2 by L-BFGS from zero: no seed, one optimum.
    """
    import torch
    from torch.nn import functional as F

    x, y = torch.from_numpy(np.ascontiguousarray(rows, np.float32)), torch.from_numpy(targets)
    weight = torch.zeros((classes, rows.shape[1]), requires_grad=True)
    bias = torch.zeros(classes, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=60, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = F.cross_entropy(x @ weight.T + bias, y) + RIDGE / 2 * (weight**2).sum()
        value.backward()
        return value

    optimizer.step(loss)
    return weight.detach().numpy(), bias.detach().numpy()


def _stratified(targets: Rows, folds: int, seed: int) -> Rows:
    """A fold for every row: each class's rows are dealt out in random order."""
    fold = np.zeros(len(targets), np.int64)
    rng = np.random.default_rng(seed)
    for number in range(int(targets.max(initial=-1)) + 1):
        rows = rng.permutation(np.flatnonzero(targets == number))
        fold[rows] = np.arange(len(rows)) % folds
    return fold
