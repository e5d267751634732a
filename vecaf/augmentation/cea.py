"""CEA: cross-attentive embedding augmentation pulls image features toward caption embeddings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vecaf.arrays import Floats, Rows, softmax, unit_rows
from vecaf.augmentation.ridge import RidgeMap, check_rows, fit_ridge
from vecaf.errors import InputError

_CHUNK_NUMBERS = 2**23  # float32 numbers per chunk: 32 MiB


@dataclass(frozen=True)
class Augmentation:
    """Augmented features and the captions that pulled them.

    Attributes
    ----------
    features
        Shape (n, d); each row keeps its length.
    captions
        Rows whose captions got attention, shape (n, m), the image's own first. If several images
        share a caption, the first of them represents it.
    attention
        The attention weights α of those captions, shape (n, m); each row sums to 1.
    shift
        How far each row turned, as 1 − cosine, shape (n,).
    """

    features: Floats
    captions: Rows
    attention: Floats
    shift: Floats


def augment(
    features: npt.ArrayLike,
    captions: npt.ArrayLike,
    *,
    ridge: RidgeMap | None = None,
    strength: float = 0.5,
    candidates: int = 8,
    temperature: float = 0.1,
    only: npt.ArrayLike | None = None,
) -> Augmentation:
    """Pull each feature e toward captions: e − η·Σ_c α_c·(e − t_c).

    t_c is a caption mapped into feature space, and α = softmax_c(cos(e, t_c) / τ). Cosines use
    features minus their mean: otherwise the large common part makes all similarities equal. In the
    authors' program, α is a softmax over one number, so it is always 1. Here it weighs several
    captions, so a caption that doesn't fit its image has less effect.

    The work is done in chunks. 60,000 rows of 1,280 features need little more than their own
    memory.

    Parameters
    ----------
    features
        Image features, shape (n, d).
    captions
        Embedding of each image's caption, shape (n, e).
    ridge
        Map from captions to features. By default, it is fitted on these rows.
    strength
        η, from 0 (no effect) to 1.
    candidates
        m, the captions per image that get attention: its own, and the m − 1 distinct captions that
        are most similar to it.
    temperature
        τ of the attention.
    only
        Compute only these rows, shape (k,), in this order. The map and the candidate captions still
        come from all rows.

    Raises
    ------
    InputError
        For unequal lengths, NaN or infinity, or an option out of range.

    References
    ----------
    Zhang et al. 2024, VeCAF, arXiv 2401.07853, section 3.3.
    """
    e: Floats = check_rows(features, "features").astype(np.float32)
    text = check_rows(captions, "captions").astype(np.float32)
    if len(e) != len(text):
        raise InputError(
            f"features has {len(e)} rows, but captions has {len(text)}. Pass one caption per image."
        )
    _check_options(strength, candidates, temperature)
    ridge = fit_ridge(text, e) if ridge is None else ridge
    first, own = _distinct(text)
    mapped = ridge.apply(text[first])
    if mapped.shape[1] != e.shape[1]:
        raise InputError(
            f"The ridge map has {mapped.shape[1]} output dimensions, but features has "
            f"{e.shape[1]}. Fit the map on features of the same model."
        )
    near = _nearest_captions(text[first], min(candidates, len(first)))
    if only is not None:
        computed = np.asarray(only, dtype=np.int64)
        e, own = e[computed], own[computed]
    attended = near[own]
    centered = unit_rows(mapped - ridge.feature_mean)
    attention = np.empty(attended.shape, dtype=np.float32)
    pulled = np.empty_like(e)
    shift = np.empty(len(e), dtype=np.float32)
    # With few distinct captions, a product with all of them is faster than gathering some.
    few = len(first) <= 16 * attended.shape[1]
    step = max(1, _CHUNK_NUMBERS // (attended.shape[1] * e.shape[1]))
    for start in range(0, len(e), step):
        part = slice(start, start + step)
        chunk, keys = e[part], attended[part]
        query = unit_rows(chunk - ridge.feature_mean)
        if few:
            scores = np.take_along_axis(query @ centered.T, keys, axis=1)
        else:
            scores = np.einsum("nd,nmd->nm", query, centered[keys], optimize=True)
        weights = softmax(scores, temperature)
        if few:
            spread = np.zeros((len(keys), len(mapped)), dtype=np.float32)
            np.put_along_axis(spread, keys, weights, axis=1)
            target: Floats = spread @ mapped
        else:
            target = np.einsum("nm,nmd->nd", weights, mapped[keys], optimize=True)
        length = np.linalg.norm(chunk, axis=1, keepdims=True)
        moved = chunk if strength == 0 else unit_rows(chunk - strength * (chunk - target)) * length
        attention[part], pulled[part] = weights, moved
        shift[part] = 1 - (unit_rows(chunk) * unit_rows(moved)).sum(axis=1)
    return Augmentation(pulled, first[attended], attention, np.maximum(shift, 0))


def _distinct(text: Floats) -> tuple[Rows, Rows]:
    """Return the first row of each distinct caption (u,), and each row's index in those (n,)."""
    rows = np.ascontiguousarray(text + np.float32(0))  # −0 becomes 0, because bytes are compared
    keys = rows.view(np.dtype((np.void, rows.shape[1] * rows.itemsize)))[:, 0]
    _, first, own = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order].astype(np.int64), rank[own].astype(np.int64)


def _nearest_captions(text: Floats, m: int) -> Rows:
    """Return the m distinct captions most similar to each one, itself first: shape (u, m)."""
    import torch

    unit = torch.from_numpy(unit_rows(text))
    near = np.empty((len(text), m), dtype=np.int64)
    step = max(1, _CHUNK_NUMBERS // len(text))
    for start in range(0, len(text), step):
        similarity = unit[start : start + step] @ unit.T
        similarity.diagonal(start).fill_(torch.inf)
        near[start : start + step] = similarity.topk(m, dim=1).indices.numpy()
    return near


def _check_options(strength: float, candidates: int, temperature: float) -> None:
    if not 0 <= strength <= 1:
        raise InputError(f"strength is {strength!r}. Use a number from 0 to 1.")
    if not isinstance(candidates, int | np.integer) or candidates < 1:
        raise InputError(f"candidates is {candidates!r}. Use a whole number of at least 1.")
    if not 0 < temperature < np.inf:
        raise InputError(
            f"temperature is {temperature!r}. Use a positive number; the default is 0.1."
        )
