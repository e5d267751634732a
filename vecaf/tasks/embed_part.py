"""One part of a dataset's embedding, so that many workers can share it."""

from __future__ import annotations

from typing import Any

import numpy as np

from vecaf.tasks.task import TASKS, Work


@TASKS.register
def embed_part(work: Work, *, model: str, image_size: int, part: int, parts: int) -> dict[str, Any]:
    """Fill the cache with part `part` (from 0) of `parts` of the dataset's images, in their order.

    Parts need no order and no lock: the cache is addressed by content. `image_size` in pixels; 0
    chooses, as a run does. Raises InputError or UnavailableError for a model that can't be had.
    """
    from vecaf.config import RunConfig
    from vecaf.encoders import embed_images
    from vecaf.encoders.dataset_features import pvm_for

    samples = work.samples()
    work.stage("Loading the model")
    pvm = pvm_for(RunConfig(model=model, image_size=image_size), samples)
    rows = np.array_split(np.arange(len(samples)), parts)[part]
    keys = [samples.keys[row] for row in rows]
    progress = work.progress("Looking at images")
    embed_images(
        pvm, keys, samples.path_of, settings=work.store.settings, progress=progress,
        should_stop=work.should_stop,
    )  # fmt: skip
    return {"images": len(keys)}
