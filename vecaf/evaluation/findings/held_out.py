"""Out-of-sample predictions by cross-validation of a linear classifier on features."""

from __future__ import annotations

import numpy as np

from vecaf.arrays import Floats, Rows, softmax

MIN_LABELED = 5  # labeled images that a class needs: one for each fold
L2_PENALTY = 1e-3


def held_out_probabilities(
    space: Floats, labels: Rows, classes: int, *, folds: int = 5, seed: int = 0
) -> Floats:
    """Predict each image with a linear classifier that was not trained on it.

    Parameters
    ----------
    space : array of shape (n, m)
        Rows of unit length.
    labels : array of shape (n,)
        −1 if there is no label. The prediction of such a row is the mean over the folds.
    classes
        Number of classes.
    folds
        Number of stratified folds.
    seed
        Determines the folds.

    Returns
    -------
    array of shape (n, classes)
        Class probabilities. A class with fewer than `folds` labeled images has a column of zeros,
        and its images are not used in training. With fewer than two remaining classes, all values
        are zero.
    """
    out = np.zeros((len(space), classes), np.float32)
    counts = np.bincount(labels[labels >= 0], minlength=classes)
    kept = np.flatnonzero(counts >= max(MIN_LABELED, folds))
    if len(kept) < 2:
        return out
    index_of = np.full(classes + 1, -1)
    index_of[kept] = np.arange(len(kept))
    targets = index_of[labels]  # label −1 reads the last entry, which is −1
    fold = _stratified_folds(targets, folds, seed)
    for number in range(folds):
        train = np.flatnonzero((targets >= 0) & (fold != number))
        weight, bias = fit_head(space[train], targets[train], len(kept))
        held_out = np.flatnonzero((targets >= 0) & (fold == number))
        out[np.ix_(held_out, kept)] = softmax(space[held_out] @ weight.T + bias)
        other = np.flatnonzero(targets < 0)
        out[np.ix_(other, kept)] += softmax(space[other] @ weight.T + bias) / folds
    return out


def fit_head(rows: Floats, targets: Rows, classes: int) -> tuple[Floats, Floats]:
    """Fit a logistic regression.

    Minimizes the cross-entropy plus L2_PENALTY · |weight|² / 2 with L-BFGS, starting from zero. The
    objective is convex, so the result does not depend on a seed.

    Parameters
    ----------
    rows : array of shape (n, m)
    targets : array of shape (n,)
    classes

    Returns
    -------
    weight : array of shape (classes, m)
    bias : array of shape (classes,)
    """
    import torch
    from torch.nn import functional as F

    x, y = torch.from_numpy(np.ascontiguousarray(rows, np.float32)), torch.from_numpy(targets)
    weight = torch.zeros((classes, rows.shape[1]), requires_grad=True)
    bias = torch.zeros(classes, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=60, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = F.cross_entropy(x @ weight.T + bias, y) + L2_PENALTY / 2 * (weight**2).sum()
        value.backward()
        return value

    optimizer.step(loss)
    return weight.detach().numpy(), bias.detach().numpy()


def _stratified_folds(targets: Rows, folds: int, seed: int) -> Rows:
    """Assign each row to a fold, distributing the rows of each class evenly."""
    fold = np.zeros(len(targets), np.int64)
    rng = np.random.default_rng(seed)
    for number in range(int(targets.max(initial=-1)) + 1):
        rows = rng.permutation(np.flatnonzero(targets == number))
        fold[rows] = np.arange(len(rows)) % folds
    return fold
