"""Embed a new dataset in the background, before a user needs its embeddings."""

from __future__ import annotations

from typing import Any

import numpy as np

from vecaf.arrays import Rows
from vecaf.tasks.task import TASKS, TaskContext
from vecaf.tasks.unreadable import without_unreadable


@TASKS.register
def embed(context: TaskContext) -> dict[str, Any]:
    """Fill the embedding cache with the default vision model at the size that suits the images.

    Maps, searches, selections and runs with default settings find their features there.

    Returns
    -------
    The number of embedded images.

    Raises
    ------
    InputError, UnavailableError
        The model can't be loaded.
    """
    from vecaf.config import RunConfig
    from vecaf.encoders.dataset_features import embed_samples, pvm_for

    samples = context.samples()
    context.check()
    context.stage("Loading the model")
    pvm = pvm_for(RunConfig(), samples)
    progress = context.progress("Computing embeddings")

    def work(lost: Rows) -> dict[str, Any]:
        kept = samples.take(np.delete(np.arange(len(samples)), lost))
        features, _ = embed_samples(pvm, kept, context.store.settings, progress)
        return {"images": len(features)}

    return without_unreadable(samples, work)
