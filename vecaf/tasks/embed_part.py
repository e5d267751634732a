"""Embed one part of a dataset, so that several workers can share the work."""

from __future__ import annotations

from typing import Any

import numpy as np

from vecaf.tasks.task import TASKS, TaskContext


@TASKS.register
def embed_part(
    context: TaskContext, *, model: str, image_size: int, part: int, parts: int
) -> dict[str, Any]:
    """Add the embeddings of one part of the dataset to the cache.

    Parts can run in any order: the cache is addressed by content.

    Parameters
    ----------
    model
        Vision model.
    image_size
        Pixels; 0 = automatic, as in a run.
    part
        Which of the `parts` consecutive slices of the images, from 0.

    Raises
    ------
    InputError, UnavailableError
        The model can't be loaded.
    """
    from vecaf.config import RunConfig
    from vecaf.encoders import embed_images
    from vecaf.encoders.dataset_features import pvm_for

    samples = context.samples()
    context.stage("Loading the model")
    pvm = pvm_for(RunConfig(model=model, image_size=image_size), samples)
    rows = np.array_split(np.arange(len(samples)), parts)[part]
    keys = [samples.keys[row] for row in rows]
    progress = context.progress("Computing embeddings")
    embed_images(
        pvm, keys, samples.path_of, settings=context.store.settings, progress=progress,
        should_stop=context.should_stop,
    )  # fmt: skip
    return {"images": len(keys)}
