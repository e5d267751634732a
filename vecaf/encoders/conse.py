"""ConSE: the text embedding of an image is the mean of the class names that it resembles.

References
----------
Norouzi et al. 2013, Zero-Shot Learning by Convex Combination of Semantic Embeddings, arXiv
1312.5650.
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
    """Compute Σ p_c·e_c over the `top` most likely classes of each image.

    p = softmax((features @ weight.T + bias) / temperature), normalized over those classes.

    Parameters
    ----------
    features
        Shape (n, d).
    weight, bias
        Of the classifier, shapes (c, d) and (c,).
    class_embeddings
        e, shape (c, t).
    temperature
        2 spreads the probability over related classes, which represents images of other classes
        better.
    top
        Number of classes per image.

    Returns
    -------
    float32 array of shape (n, t)
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
