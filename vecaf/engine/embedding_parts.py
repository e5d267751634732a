"""Split the embedding of a large dataset into tasks that all workers share."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.engine.queue import cancel_task, submit_task
from vecaf.errors import CanceledError, UnavailableError
from vecaf.store import ENDED, FINISHED, Store, Task
from vecaf.store.workers import count_alive_workers

PART_IMAGES = 8192
"""Images per task: about a minute on a CPU, so that little work is lost with a worker."""
MIN_SHARED_IMAGES = 2 * PART_IMAGES
POLL_SECONDS = 0.5


def should_share(session: Session, missing: int) -> bool:
    """Return whether several workers should share the embedding of this many images."""
    return missing >= MIN_SHARED_IMAGES and count_alive_workers(session) > 1


def embed_in_parts(
    store: Store,
    user_id: int,
    dataset_id: int,
    images: int,
    *,
    model: str,
    image_size: int,
    parts: int = 0,
    progress: Callable[[int, int], None],
    should_stop: Callable[[], bool],
) -> None:
    """Queue one task per part and wait for all of them.

    Parameters
    ----------
    images
        Number of images in the dataset.
    parts
        Number of tasks; 0 = one per PART_IMAGES images.

    Raises
    ------
    UnavailableError
        A part failed. The other parts are canceled.
    CanceledError
        `should_stop` returned True. All parts are canceled.
    """
    parts = parts or math.ceil(images / PART_IMAGES)
    tasks = [
        submit_task(
            store, "embed_part", dataset_id,
            {"model": model, "image_size": image_size, "part": part, "parts": parts},
            user_id, again=True,
        )
        for part in range(parts)
    ]  # fmt: skip
    try:
        while True:
            with store.read() as session:
                rows = session.scalars(sa.select(Task).where(Task.id.in_(tasks))).all()
            failed = [row.error for row in rows if row.state in ENDED and row.state != FINISHED]
            if failed or len(rows) < parts:
                raise UnavailableError(failed[0] if failed and failed[0] else _ENDED_EARLY)
            finished = sum(row.state == FINISHED for row in rows)
            progress(round(images * finished / parts), images)
            if finished == parts:
                return
            if should_stop():
                raise CanceledError("Canceled while computing embeddings.")
            time.sleep(POLL_SECONDS)
    finally:
        for task in tasks:  # has no effect on tasks that have ended
            cancel_task(store, task, user_id)


_ENDED_EARLY = "A part of the embedding was canceled or deleted. Try again."
