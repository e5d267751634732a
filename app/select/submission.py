"""Queue a selection with settings that the pool allows."""

from __future__ import annotations

from typing import Any

from vecaf.config import RunConfig
from vecaf.store import Dataset, visible
from vecaf.store.samples import count_pool

from ..shell.studio import Studio

SETTINGS = ("strategy", "budget", "seed", "caption_weight", "track", "model", "vlm", "image_size")
"""The settings of a run that a selection has, too."""


def submit_selection(
    studio: Studio, user: int, dataset_id: int, config: RunConfig, run: int | None
) -> int:
    """Queue a selection, which the model of `run` scores if it is given, and return its id.

    Raises InputError for settings that the pool does not allow, NotFoundError, NotAllowedError.
    """
    from vecaf.engine.queue import submit_task

    params = selection_params(studio, user, dataset_id, config, run)
    return submit_task(studio.store, "selection", dataset_id, params, user)


def selection_params(
    studio: Studio, user: int, dataset_id: int, config: RunConfig, run: int | None
) -> dict[str, Any]:
    """Return the parameters of the task `selection`. Raises InputError, NotFoundError."""
    from vecaf.runs.run_checks import check_selection

    with studio.store.read() as session:
        dataset = visible(session, user, Dataset, dataset_id)
        size, labeled = count_pool(session, dataset_id)
    check_selection(config, size, labeled, labeled if labeled < size else 0)
    settings = {name: getattr(config, name) for name in SETTINGS}
    return {**settings, "run": run, "revision": dataset.revision}
