"""Which images look like this one?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vecaf.errors import InputError
from vecaf.inference.questions import ANSWERS, Desk
from vecaf.inference.ranking import ranked


@ANSWERS.register
def search_image(
    desk: Desk,
    user: int,
    *,
    dataset_id: int,
    path: str | None = None,
    sample_id: int | None = None,
    vlm: str = "embedded",
) -> dict[str, Any]:
    """{"ids", "scores"}: the best 500 images by cosine with an image, best first.

    The image is a file that the studio itself has put at `path`, or the dataset's own sample.
    Raises InputError for a file that can't be read, NotFoundError, UnavailableError as
    `search_text`.
    """
    if (path is None) == (sample_id is None):
        raise InputError("Search with an image file or with one of the dataset's images.")
    gallery = desk.gallery(user, dataset_id, vlm)
    if sample_id is not None:
        return ranked(gallery.ids, gallery.looks, gallery.looks[gallery.row_of(sample_id)])
    return ranked(gallery.ids, gallery.looks, gallery.look(Path(str(path))))
