"""Load what searches need before the first search."""

from __future__ import annotations

from typing import Any

from vecaf.inference.image_index import is_embedded, load_text_encoder
from vecaf.inference.requests import HANDLERS, InferenceContext
from vecaf.store import Dataset, visible


@HANDLERS.register
def warm_search(
    context: InferenceContext, user: int, *, dataset_id: int, vlm: str = "embedded"
) -> dict[str, Any]:
    """Load the text encoder; once a dataset is embedded, also its images and the image encoder.

    Returns
    -------
    {"ready"}: whether searches in the dataset now answer quickly.

    Raises
    ------
    NotFoundError
        The dataset does not exist.
    """
    with context.store.read() as session:
        dataset = visible(session, user, Dataset, dataset_id)
    load_text_encoder(context.store, vlm)
    ready = is_embedded(context.store, dataset, vlm)
    if ready:
        context.image_index(user, dataset_id, vlm).load_image_encoder()
    return {"ready": ready}
