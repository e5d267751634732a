"""ConSE: an image's place in text space is the mean of the class names it resembles.

Norouzi et al., Zero-Shot Learning by Convex Combination of Semantic Embeddings, 2013
(arXiv 1312.5650).
"""

from __future__ import annotations

import numpy as np

from vecaf.arrays import Floats

BLOCK = 8192  # rows at a time: 1000 classes in float32 make 33 MB


def convex_combination(
    features: Floats,
    weight: Floats,
    bias: Floats,
    class_embeddings: Floats,
    *,
    temperature: float = 2.0,
    top: int = 10,
) -> Floats:
    """Text-space rows (n, t) of image features (n, d): Σ over the `top` classes of p_c · e_c.

    p = softmax((features @ weight.T + bias) / temperature), renormalised over the top classes;
    weight (c, d), bias (c,), class_embeddings (c, t). A temperature of 2 spreads
    the mass over related classes, which is what places images of classes outside the c.
    """
    top = min(top, len(class_embeddings))
    out = np.empty((len(features), class_embeddings.shape[1]), np.float32)
    for start in range(0, len(features), BLOCK):
        block = features[start : start + BLOCK]
        logits = (block @ weight.T + bias) / np.float32(temperature)
        logits -= logits.max(axis=1, keepdims=True)
        p = np.exp(logits)
        p[p < np.partition(p, -top, axis=1)[:, -top, None]] = 0
        p /= p.sum(axis=1, keepdims=True)
        out[start : start + BLOCK] = p @ class_embeddings
    return out
