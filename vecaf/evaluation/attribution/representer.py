"""Which training images an answer of a linear classifier rests on: representer points.

Yeh, Kim, Yen, Ravikumar, "Representer Point Selection for Explaining Deep Neural Networks",
NeurIPS 2018, theorem 3.1: where the last layer was trained to a stationary point with weight
decay λ, its weights are a sum over its n training images, and so is the logit of class c for an
image x:

    logit_c(x) = Σ_i (t_ic − p_ic) / (2 λ n) · (f_i · f_x)

with t_i the target, p_i the model's own probabilities and f the features under the last layer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vecaf.arrays import Floats


def pulls(
    features: Floats,
    logits: Floats,
    labels: NDArray[np.int64],
    query: Floats,
    chosen: int,
    label_smoothing: float = 0.0,
) -> Floats:
    """How far each training image pulls the answer on `query` (d,) toward class `chosen`: (n,).

    features (n, d), logits (n, classes) and labels (n,) are the training images', under the
    finished model. Positive: for the class; negative: against it. The factor 1 / (2 λ n), the
    same for every image, is left out: only the pulls' proportions are meant. An early-stopped
    head with other augmented rows is not quite stationary, so the proportions are approximate.
    """
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    probability = (shifted / shifted.sum(axis=1, keepdims=True))[:, chosen]
    classes = logits.shape[1]
    target = np.where(labels == chosen, 1.0 - label_smoothing, 0.0) + label_smoothing / classes
    pulled: Floats = ((target - probability) * (features @ query)).astype(np.float32)
    return pulled


def shares(pulled: Floats) -> Floats:
    """Each image's part (n,) of all that pulls toward the class; 0 for what pulls against it."""
    toward = np.maximum(pulled, 0.0)
    total = float(toward.sum())
    part: Floats = (toward / total if total > 0 else toward).astype(np.float32)
    return part
