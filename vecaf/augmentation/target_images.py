"""Adapt a classifier to unlabeled images of a target domain.

Two steps. **Centering**: most of the difference between domains is one vector, the difference of
their mean features. The rows of each domain are therefore centered on the mean of that domain.
**Self-labeling**: a ridge classifier is fitted to the labeled source images and to the target
images with the classes that the model predicts for them. Its predictions are the classes of the
next round. Each round costs a matrix product, because the system of equations stays the same.

Source images keep their mean and their weights. A linear boundary decides which domain an image
belongs to, so that a single new image gets the right mean.

The adaptation is refused if it would harm (`adapt`). No label of a target image is used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from vecaf.arrays import Floats, Labels, softmax, unit_rows
from vecaf.augmentation.source_domain import SourceDomain
from vecaf.wording import plural, points

ROUNDS = 5
PENALTY = 0.004  # of the ridge fit, in units of its total weight; chosen from photos to cartoons
BOUNDARY_PENALTY = 1e-4  # of the boundary between domains, in the same units
MAX_HARM = 0.005  # of the validation accuracy on the source
MAX_CALLED_TARGET = 0.01  # share of the source's validation images beyond the boundary
MIN_VALIDATION = 20  # validation images without which harm can't be measured
MIN_IMAGES = 20  # of the target; fewer say little about its mean
MIN_CLASSES = 0.5  # effective classes of the predictions, relative to those of the labels
SCALES = (1, 2, 4, 8, 16, 32, 64)  # of the logits


@dataclass(frozen=True)
class LinearModel:
    """A linear classifier: logits `rows` @ `weight`.T + `bias`; shapes (classes, d), (classes,)."""

    weight: Floats
    bias: Floats

    def logits(self, rows: Floats) -> Floats:
        """Compute logits (n, classes) of rows (n, d)."""
        return np.asarray(rows @ self.weight.T + self.bias, np.float32)


@dataclass(frozen=True)
class Boundary:
    """A linear boundary between two domains: `units` @ `direction` + `offset` > 0 is the target."""

    direction: Floats
    offset: float

    def is_target(self, units: Floats) -> NDArray[np.bool_]:
        """Return which unit features (n, d) are on the side of the target, shape (n,)."""
        return np.asarray(units @ self.direction + self.offset > 0)


@dataclass(frozen=True)
class Adaptation:
    """A classifier for the target domain, or the reason why there is none.

    Attributes
    ----------
    adapted
        Whether the model should use it.
    reason
        A sentence that explains what was found.
    mean
        Mean unit features of the target, shape (d,).
    boundary
        Decides which images belong to the target.
    model
        The classifier for rows centered on `mean`.
    predicted
        Its classes of the target images, shape (n,).
    """

    adapted: bool
    reason: str
    mean: Floats
    boundary: Boundary
    model: LinearModel
    predicted: Labels


def adapt(
    model: LinearModel, mean: Floats, pool: Floats, source: SourceDomain, target: Floats
) -> Adaptation:
    """Adapt a classifier to images of a target domain, and decide whether that does no harm.

    It is refused
    - with fewer than MIN_IMAGES target images, or MIN_VALIDATION labeled validation images;
    - if the effective number of predicted classes, exp(entropy), is below MIN_CLASSES of that of
      the training labels: then the predictions have collapsed, or the target lacks classes, and its
      mean is not that of the domain;
    - if accuracy on the source's validation images falls by more than MAX_HARM.

    Parameters
    ----------
    model
        The classifier of the source, for centered rows.
    mean
        Mean unit features of the source's pool, shape (d,).
    pool
        Unit features of the source's pool, shape (p, d).
    source
        Labeled images of the source: centered rows.
    target
        Features of the target images, shape (n, d).
    """
    units = unit_rows(target)
    target_mean = units.mean(axis=0) if len(units) else mean
    rows = unit_rows(units - target_mean)
    val = uncentered(source.val_features, mean)
    boundary = find_boundary(pool, units, val)
    found, predicted = label_itself(model, source, rows)
    enough = len(source.val_labels) >= MIN_VALIDATION
    called = boundary.is_target(val)
    before = model.logits(source.val_features).argmax(axis=1) == source.val_labels
    beyond = found.logits(unit_rows(val - target_mean)).argmax(axis=1) == source.val_labels
    change = float((np.where(called, beyond, before).astype(int) - before).mean()) if enough else 0
    kept, wanted = effective_classes(predicted), effective_classes(source.labels)
    refusal = ""
    if len(units) < MIN_IMAGES:
        refusal = f"there are only {len(units)} of them. Use at least {MIN_IMAGES}"
    elif not enough:
        refusal = (
            "the original dataset has too few labeled validation images to check whether "
            f"adaptation reduces accuracy. Label at least {MIN_VALIDATION} validation images"
        )
    elif kept < MIN_CLASSES * wanted:
        refusal = (
            "the predictions on the target images are concentrated on too few classes (effective "
            f"number of classes: {kept:.1f}; in the training labels: {wanted:.1f}). The target "
            "images should show most of the classes"
        )
    elif change < -MAX_HARM:
        refusal = (
            f"validation accuracy would drop by {-100 * change:.1f} points. Use more or "
            "different target images"
        )
    reason = (
        f"The model was not adapted to the target images: {refusal}."
        if refusal
        else f"The model was adapted to {plural(len(units), 'target image')}. Validation accuracy "
        f"on the original dataset changes by {points(change)} points."
    )
    return Adaptation(not refusal, reason, target_mean, boundary, found, predicted)


def label_itself(
    model: LinearModel, source: SourceDomain, rows: Floats
) -> tuple[LinearModel, Labels]:
    """Fit a classifier to the source's labels and to its own predictions on the target.

    The n target images and the m source images have equal total weight.

    Parameters
    ----------
    model
        Makes the first predictions.
    source
        Labeled images.
    rows
        Centered rows of the target images, shape (n, d).

    Returns
    -------
    model : LinearModel
        Its logits are scaled to the lowest cross-entropy on the source's validation images.
    predicted : array of shape (n,)
        Its classes of the target images.
    """
    k = len(model.bias)
    predicted: Labels = model.logits(rows).argmax(axis=1)
    if not len(rows) or not len(source.labels):
        return model, predicted
    weight = np.float32(len(rows) / len(source.labels))
    gram = rows.T @ rows + weight * (source.features.T @ source.features)
    gram[np.diag_indices_from(gram)] += PENALTY * 2 * len(rows)
    factor = cho_factor(gram)
    known = weight * (source.features.T @ _centered_labels(source.labels, k))
    for _ in range(ROUNDS):
        fitted = cho_solve(factor, known + rows.T @ _centered_labels(predicted, k))
        predicted = (rows @ fitted).argmax(axis=1)
    scale = _best_scale(source.val_features @ fitted, source.val_labels)
    weights = np.ascontiguousarray(scale * fitted.T, np.float32)
    return LinearModel(weights, np.zeros(k, np.float32)), predicted


def find_boundary(pool: Floats, units: Floats, held_out: Floats) -> Boundary:
    """Find a linear boundary between two domains by ridge regression.

    Parameters
    ----------
    pool, units
        Unit features of the source (p, d) and of the target (n, d). Both sides have equal weight.
    held_out
        Unit features of other source images, shape (v, d). The boundary moves until at most
        MAX_CALLED_TARGET of them are beyond it.
    """
    middle = (pool.mean(axis=0) + (units.mean(axis=0) if len(units) else pool.mean(axis=0))) / 2
    share = np.float32(len(units) / len(pool))
    here, there = pool - middle, units - middle
    gram = there.T @ there + share * (here.T @ here)
    gram[np.diag_indices_from(gram)] += max(BOUNDARY_PENALTY * 2 * len(units), 1e-6)
    direction = cho_solve(cho_factor(gram), there.sum(axis=0) - share * here.sum(axis=0))
    offset = -float(middle @ direction)
    if len(held_out):
        highest = float(np.quantile(held_out @ direction + offset, 1 - MAX_CALLED_TARGET))
        offset -= max(highest, 0.0)
    return Boundary(np.asarray(direction, np.float32), offset)


def effective_classes(labels: Labels) -> float:
    """Return exp(entropy) of the class frequencies: k for k classes of the same size."""
    counts = np.bincount(labels)
    share = counts[counts > 0] / max(len(labels), 1)
    return float(np.exp(-(share * np.log(share)).sum()))


def uncentered(rows: Floats, mean: Floats) -> Floats:
    """Return the unit features u (n, d) of which `rows` are (u − mean) / |u − mean|.

    u = mean + t·row for the only t > 0 that gives u a length of 1.
    """
    along = rows @ mean
    t = np.sqrt(np.maximum(along * along + 1 - mean @ mean, 0)) - along
    return np.asarray(mean + t[:, None] * rows, np.float32)


def _centered_labels(labels: Labels, k: int) -> Floats:
    """Return one-hot labels minus their mean over classes, shape (n, k)."""
    return np.asarray(np.eye(k)[labels] - 1 / k, np.float32)


def _best_scale(logits: Floats, labels: Labels) -> float:
    """Return the factor of SCALES with the lowest cross-entropy; 1 without labels."""
    if not len(labels):
        return 1.0
    at = np.arange(len(labels)), labels
    losses = [-np.log(np.maximum(softmax(s * logits)[at], 1e-12)).mean() for s in SCALES]
    return float(SCALES[int(np.argmin(losses))])
