"""Features of a dataset. Cached features need no import of PyTorch, which is slow."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vecaf.config import RunConfig
from vecaf.datasets.pool import Samples
from vecaf.encoders import embed_images, load_pvm
from vecaf.encoders.pvm import PVM
from vecaf.settings import Settings


def pvm_for(config: RunConfig, samples: Samples) -> PVM:
    """Return the configured backbone for the configured views, at the configured image size or one
    that suits the images.
    """
    pvm = load_pvm(config.model).at_views(config.views)
    if config.image_size:
        return pvm.at_size(config.image_size)
    return pvm.at_size_of(samples.short_sides)


def embed_samples(
    pvm: PVM, samples: Samples, settings: Settings, progress: Callable[[int, int], None]
) -> tuple[NDArray[np.float32], int]:
    """Return features (n, d) of all samples, and how many of them were not in the cache."""
    computed = 0

    def count(done: int, total: int) -> None:
        nonlocal computed
        computed = done
        progress(done, total)

    features = embed_images(pvm, samples.keys, samples.path_of, settings=settings, progress=count)
    return features, computed
