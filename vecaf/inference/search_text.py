"""Search for images by text."""

from __future__ import annotations

from typing import Any

from vecaf.errors import InputError
from vecaf.inference.ranking import ranked
from vecaf.inference.requests import HANDLERS, InferenceContext

MAX_TEXT = 500  # characters; text encoders read far fewer


@HANDLERS.register
def search_text(
    context: InferenceContext, user: int, *, dataset_id: int, text: str, vlm: str = "embedded"
) -> dict[str, Any]:
    """Rank the images of a dataset by similarity to a text.

    Returns
    -------
    {"ids", "scores"}: up to 500 samples by cosine, best first.

    Raises
    ------
    InputError
        The text is empty or too long.
    NotFoundError
        The dataset does not exist.
    UnavailableError
        Its images have no embeddings yet.
    """
    words = " ".join(text.split())
    if not words:
        raise InputError("Enter a text to search for.")
    if len(words) > MAX_TEXT:
        raise InputError(f"The text is too long. Enter at most {MAX_TEXT} characters.")
    index = context.image_index(user, dataset_id, vlm)
    return ranked(index.ids, index.joint, index.embed_texts([words])[0])
