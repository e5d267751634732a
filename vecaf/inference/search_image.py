"""Search for images that look like a given image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vecaf.errors import InputError
from vecaf.inference.ranking import ranked
from vecaf.inference.requests import HANDLERS, InferenceContext


@HANDLERS.register
def search_image(
    context: InferenceContext,
    user: int,
    *,
    dataset_id: int,
    path: str | None = None,
    sample_id: int | None = None,
    vlm: str = "embedded",
) -> dict[str, Any]:
    """Rank the images of a dataset by similarity to an image.

    Parameters
    ----------
    path
        An image file that the server has saved.
    sample_id
        Or an image of the dataset.

    Returns
    -------
    {"ids", "scores"}: up to 500 samples by cosine, best first.

    Raises
    ------
    InputError
        The file is not a readable image.
    NotFoundError, UnavailableError
        As `search_text`.
    """
    if (path is None) == (sample_id is None):
        raise InputError("Pass either an image file or an image of the dataset.")
    index = context.image_index(user, dataset_id, vlm)
    if sample_id is not None:
        return ranked(index.ids, index.visual, index.visual[index.row_of(sample_id)])
    return ranked(index.ids, index.visual, index.embed_file(Path(str(path))))
