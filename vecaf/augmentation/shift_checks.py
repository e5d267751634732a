"""Whether a VLM knows the target words: two checks that need no target image."""

from __future__ import annotations

import numpy as np

from vecaf.arrays import Floats, eigh
from vecaf.augmentation.ridge import RidgeMap, fit_ridge

REMEDY = "Use other words, or adapt to images of the domain."  # for words without effect


def reach_of(direction: Floats, embeddings: Floats, kept: float = 0.95) -> float:
    """Return the share of a direction's energy in the subspace where image embeddings vary.

    A VLM that knows objects but no styles puts "a cartoon of" in a direction in which no image
    differs from another.

    Parameters
    ----------
    direction
        In text space, shape (e,).
    embeddings
        Of the pool in the same space, shape (n, e).
    kept
        Share of their variance in the principal axes that span the subspace.

    Returns
    -------
    float
        0 to 1.
    """
    centered = embeddings - embeddings.mean(axis=0)
    values, axes = eigh(centered.T @ centered)
    values, axes = values[::-1].clip(0), axes[:, ::-1]
    total = values.sum()
    energy = float(direction @ direction)
    if not total or not energy:
        return 0.0
    count = int((np.cumsum(values) / total < kept).sum()) + 1
    inside = axes[:, :count].T @ direction
    return float(inside @ inside) / energy


def agreement_of(direction: Floats, embeddings: Floats, features: Floats, seed: int = 0) -> float:
    """Return the correlation of the VLM and the backbone along a direction.

    It compares how far each image lies along the direction in text space, and along the mapped
    direction in feature space. The map is fitted on one half of the images and evaluated on the
    other, then the other way around.

    Parameters
    ----------
    direction
        In text space, shape (e,).
    embeddings
        Of the pool in the same space, shape (n, e).
    features
        Of the same images, shape (n, d).
    seed
        Seed of the split into halves.

    Returns
    -------
    float
        Mean of the two correlations; 0 for fewer than 8 images.
    """
    if len(features) < 8:
        return 0.0
    order = np.random.default_rng(seed).permutation(len(features))
    halves = order[::2], order[1::2]
    found = []
    for fitted, held_out in (halves, halves[::-1]):
        ridge: RidgeMap = fit_ridge(embeddings[fitted], features[fitted])
        in_features = features[held_out] @ ridge.direction(direction)
        in_text = embeddings[held_out] @ direction
        spread = in_features.std() * in_text.std()
        covariance = ((in_features - in_features.mean()) * (in_text - in_text.mean())).mean()
        found.append(float(covariance / spread) if spread > 1e-12 else 0.0)
    return sum(found) / len(found)
