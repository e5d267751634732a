"""Which images fit these words best?"""

from __future__ import annotations

from typing import Any

from vecaf.errors import InputError
from vecaf.inference.questions import ANSWERS, Desk
from vecaf.inference.ranking import ranked

MAX_TEXT = 500  # characters; text towers read far less


@ANSWERS.register
def search_text(
    desk: Desk, user: int, *, dataset_id: int, text: str, vlm: str = "embedded"
) -> dict[str, Any]:
    """{"ids", "scores"}: the best 500 images by cosine with the words, best first.

    Raises InputError for blank or overlong text, NotFoundError for the dataset, UnavailableError
    while its images have not been embedded.
    """
    words = " ".join(text.split())
    if not words:
        raise InputError("Type some words to search for.")
    if len(words) > MAX_TEXT:
        raise InputError(f"Search for at most {MAX_TEXT} characters.")
    gallery = desk.gallery(user, dataset_id, vlm)
    return ranked(gallery.ids, gallery.words, gallery.texts([words])[0])
