"""Search for images by text."""

from __future__ import annotations

from typing import Any

from vecaf.errors import InputError
from vecaf.inference.ranking import is_near, ranked, ranked_by_best
from vecaf.inference.requests import HANDLERS, InferenceContext
from vecaf.store.columns import search_text as find_words

MAX_TEXT = 500  # characters; text encoders read far fewer


@HANDLERS.register
def search_text(
    context: InferenceContext, user: int, *, dataset_id: int, text: str, vlm: str = "embedded"
) -> dict[str, Any]:
    """Rank the images of a dataset by similarity to a text.

    Commas separate several texts. An image's score is that of the text that it is most similar to.

    Returns
    -------
    {"ids", "scores", "near"}: up to 500 samples by cosine, best first; whether the best are similar
    enough to call them matches, see `is_near`.

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
    texts = [part.strip() for part in words.split(",") if part.strip()] or [words]
    queries = index.embed_texts(texts)
    if len(queries) == 1:
        found = ranked(index.ids, index.joint, queries[0])
    else:
        found = ranked_by_best(index.ids, index.joint, queries)
    return found | {
        "near": is_near(index.joint, queries) or _in_captions(context, user, dataset_id, texts)
    }


def _in_captions(context: InferenceContext, user: int, dataset_id: int, texts: list[str]) -> bool:
    """Return whether a caption or file name has all words of one of the texts."""
    with context.store.read() as session:
        return any(len(find_words(session, user, dataset_id, text)) for text in texts)
