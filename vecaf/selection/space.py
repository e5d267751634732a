"""The space in which rows are compared: leading principal components on the unit sphere."""

from __future__ import annotations

from typing import overload

import numpy as np

from vecaf.arrays import Floats
from vecaf.arrays.principal_components import leading_directions
from vecaf.selection.stored_rows import LoadedRows, read_rows
from vecaf.selection.subspace import Subspace

_SAMPLE = 20_000  # rows that the covariance is estimated from


WIDEST = 384  # feature width of ViT-S, which ActiveFT was developed for


@overload
def narrowed(features: Floats, dimensions: int = WIDEST) -> Floats: ...
@overload
def narrowed(features: LoadedRows, dimensions: int = WIDEST) -> LoadedRows: ...
def narrowed(features: LoadedRows, dimensions: int = WIDEST) -> LoadedRows:
    """Reduce features to `dimensions` principal components if they are wider; see
    `principal_space`.

    For strategies whose authors compare the features themselves. The 1,280 features of a
    convolutional network take three times the time of 384 and contain little more.

    Parameters
    ----------
    features
        Unit rows, shape (n, d).
    dimensions
        384 by default, the width of the features that ActiveFT was developed for (ViT-S); 0 keeps
        all.
    """
    if not dimensions or features.shape[1] <= dimensions:
        return features
    return principal_space(features, dimensions)


@overload
def principal_space(features: Floats, dimensions: int) -> Floats: ...
@overload
def principal_space(features: LoadedRows, dimensions: int) -> LoadedRows: ...
def principal_space(features: LoadedRows, dimensions: int) -> LoadedRows:
    """Project centered rows on their leading principal components, and scale them to unit length.

    The components are estimated on the first 20,000 rows, which are a random sample of a canonical
    pool. A row that equals the mean becomes a row of zeros.

    Parameters
    ----------
    features
        Unit rows, shape (n, d).
    dimensions
        Number of components. With 0, or fewer than three rows, the features are returned unchanged.

    Returns
    -------
    float32 array of shape (n, at most dimensions), or the same shards in that subspace
    """
    if dimensions == 0 or len(features) < 3:
        return features
    sample = read_rows(features, slice(_SAMPLE)).astype(np.float64)
    mean = sample.mean(axis=0)
    sample -= mean
    leading = leading_directions(sample, dimensions)
    if not leading.shape[1]:
        return features
    found = Subspace(leading.astype(np.float32), (mean @ leading).astype(np.float32))
    return (
        found.project(features) if isinstance(features, np.ndarray) else features.projected(found)
    )
