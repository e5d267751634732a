"""A big dataset's embedding as independent tasks, which all workers take."""

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
"""Images of one task: a minute or so on a CPU, so that a lost one costs little."""
WORTH_SHARING = 2 * PART_IMAGES
LOOK_SECONDS = 0.5


def worth_sharing(session: Session, missing: int) -> bool:
    """Whether so many images that are not embedded yet should be shared between workers."""
    return missing >= WORTH_SHARING and count_alive_workers(session) > 1


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
    """Queue the dataset's `images` in `parts` (0: of PART_IMAGES each) and wait for all of them.

    Raises UnavailableError with the first complaint where a part fails, CanceledError when
    `should_stop()`; the parts that have not ended are canceled then.
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
            whole = sum(row.state == FINISHED for row in rows)
            progress(round(images * whole / parts), images)
            if whole == parts:
                return
            if should_stop():
                raise CanceledError("Canceled while images were looked at.")
            time.sleep(LOOK_SECONDS)
    finally:
        for task in tasks:  # those that have ended stay as they are
            cancel_task(store, task, user_id)


_ENDED_EARLY = "A part of the embedding was canceled or deleted; try again."
