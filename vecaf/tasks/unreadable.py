"""Leave out images whose files are missing or damaged, so that a task can do the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from vecaf.arrays import Rows
from vecaf.datasets.pool import Samples
from vecaf.errors import InputError, UnreadableImageError
from vecaf.wording import plural


def without_unreadable(samples: Samples, work: Callable[[Rows], dict[str, Any]]) -> dict[str, Any]:
    """Return `work(rows)`, with `rows` the ascending positions of images to leave out.

    No image is left out at first: an image in the embedding cache needs no file. If `work` finds an
    unreadable image, it is called again without this image and those whose files are missing.

    Returns
    -------
    The result. If images were left out, "left_out" is their number, and "warning" a sentence.

    Raises
    ------
    InputError
        No image can be read.
    """
    lost = np.zeros(len(samples), dtype=bool)
    while True:
        try:
            result = work(np.flatnonzero(lost))
        except UnreadableImageError as error:
            found = np.array([path == error.path for path in samples.paths], dtype=bool)
            if not (found & ~lost).any():
                raise
            lost |= found | np.array([not path.exists() for path in samples.paths], dtype=bool)
            if lost.all():
                raise InputError(
                    "All image files of this dataset are missing or damaged. To restore them, "
                    "restore a backup or import the same images again as a new dataset."
                ) from error
        else:
            count = int(lost.sum())
            return result | {"left_out": count, "warning": _warning(count)} if count else result


def _warning(count: int) -> str:
    files = "its file" if count == 1 else "the files"
    be, they = ("is", "it was") if count == 1 else ("are", "they were")
    return (
        f"{plural(count, 'image')} {be} missing or damaged, so {they} left out. To restore "
        f"{files}, import the same images again as a new dataset: both datasets then use the new "
        "files."
    )
