"""CEA: cross-attentive embedding augmentation, image features pulled by what captions say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vecaf.arrays import Floats, Ids
from vecaf.augmentation.ridge import RidgeMap, check_rows, fit_ridge
from vecaf.errors import InputError

_BLOCK_NUMBERS = 2**23  # float32 numbers made at once: 32 MiB


@dataclass(frozen=True)
class Augmentation:
    """Augmented features and what moved them.

    features   float32 (n, d), each row as long as it was before
    captions   int64 (n, m), rows whose captions were attended to, the image's own first; a
               caption that several images share is named by the first of them
    attention  float32 (n, m), the weight α of each of those captions; a row sums to 1
    shift      float32 (n,), how far each row turned, as 1 − cosine (0 is not at all)
    """

    features: Floats
    captions: Ids
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
    """e − η·Σ_c α_c·(e − t_c): pull each feature e toward the captions that it attends to.

    features     (n, d_f), image features
    captions     (n, d_t), the embedding of each image's caption
    ridge        the map from captions to features; fitted on these rows when None
    strength     η, from 0 (returns the features as they are) to 1
    candidates   m, how many captions an image attends to: its own and the m − 1 nearest to that
                 one among the distinct captions (fewer where there are fewer)
    temperature  τ of the attention α = softmax_c(cos(e, t_c) / τ)
    only         (k,), the rows to answer for, in this order; the map and the candidates still come
                 from all rows. All of them when None

    t_c is the caption mapped into the feature space. Cosines are taken about the mean feature:
    all features share a large common part, which would make every similarity alike. In the
    released program of VeCAF (arXiv 2401.07853, section 3.3) α is a softmax over one number and
    always 1; here it weighs several captions, so a caption that does not fit its image pulls less.

    Work is in blocks: 60,000 rows of 1,280 dimensions need little more than their own memory.
    Raises InputError for unequal lengths, NaN or infinity, or an option out of range.
    """
    e: Floats = check_rows(features, "features").astype(np.float32)
    text = check_rows(captions, "captions").astype(np.float32)
    if len(e) != len(text):
        raise InputError(
            f"features has {len(e)} rows and captions has {len(text)}; give one caption an image."
        )
    _check_options(strength, candidates, temperature)
    ridge = fit_ridge(text, e) if ridge is None else ridge
    first, own = _distinct(text)
    mapped = ridge.apply(text[first])
    if mapped.shape[1] != e.shape[1]:
        raise InputError(
            f"The ridge map leads to {mapped.shape[1]} dimensions but features has {e.shape[1]}; "
            "fit it on features of this model."
        )
    near = _nearest_captions(text[first], min(candidates, len(first)))
    if only is not None:
        chosen = np.asarray(only, dtype=np.int64)
        e, own = e[chosen], own[chosen]
    attended = near[own]
    centred = _unit(mapped - ridge.feature_mean)
    attention = np.empty(attended.shape, dtype=np.float32)
    pulled = np.empty_like(e)
    shift = np.empty(len(e), dtype=np.float32)
    # Where images share few captions, a product with all of them is cheaper than gathering some.
    few = len(first) <= 16 * attended.shape[1]
    step = max(1, _BLOCK_NUMBERS // (attended.shape[1] * e.shape[1]))
    for start in range(0, len(e), step):
        part = slice(start, start + step)
        block, named = e[part], attended[part]
        query = _unit(block - ridge.feature_mean)
        if few:
            scores = np.take_along_axis(query @ centred.T, named, axis=1) / temperature
        else:
            scores = np.einsum("nd,nmd->nm", query, centred[named], optimize=True) / temperature
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        if few:
            spread = np.zeros((len(named), len(mapped)), dtype=np.float32)
            np.put_along_axis(spread, named, weights, axis=1)
            target: Floats = spread @ mapped
        else:
            target = np.einsum("nm,nmd->nd", weights, mapped[named], optimize=True)
        length = np.linalg.norm(block, axis=1, keepdims=True)
        moved = block if strength == 0 else _unit(block - strength * (block - target)) * length
        attention[part], pulled[part] = weights, moved
        shift[part] = 1 - (_unit(block) * _unit(moved)).sum(axis=1)
    return Augmentation(pulled, first[attended], attention, np.maximum(shift, 0))


def _distinct(text: Floats) -> tuple[Ids, Ids]:
    """First row of each distinct caption (u,), and each row's place among them (n,)."""
    rows = np.ascontiguousarray(text + np.float32(0))  # −0 becomes 0: bytes are compared
    keys = rows.view(np.dtype((np.void, rows.shape[1] * rows.itemsize)))[:, 0]
    _, first, own = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return first[order].astype(np.int64), place[own].astype(np.int64)


def _nearest_captions(text: Floats, m: int) -> Ids:
    """The m distinct captions most similar to each, itself first: int64 (u, m)."""
    import torch

    unit = torch.from_numpy(_unit(text))
    near = np.empty((len(text), m), dtype=np.int64)
    step = max(1, _BLOCK_NUMBERS // len(text))
    for start in range(0, len(text), step):
        similarity = unit[start : start + step] @ unit.T
        similarity.diagonal(start).fill_(torch.inf)
        near[start : start + step] = similarity.topk(m, dim=1).indices.numpy()
    return near


def _unit(rows: Floats) -> Floats:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Floats = rows / np.maximum(length, np.float32(1e-12))
    return unit


def _check_options(strength: float, candidates: int, temperature: float) -> None:
    if not 0 <= strength <= 1:
        raise InputError(f"strength is {strength!r}; use a number from 0 to 1 (0.5 is usual).")
    if not isinstance(candidates, int | np.integer) or candidates < 1:
        raise InputError(f"candidates is {candidates!r}; use a whole number, at least 1.")
    if not 0 < temperature < np.inf:
        raise InputError(f"temperature is {temperature!r}; use a positive number (0.1 is usual).")
