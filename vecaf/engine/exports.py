"""Start the export of a run, and report its progress."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vecaf.export.bundle import archive_path
from vecaf.store import FINISHED, Run, Store, Task, visible
from vecaf.store.tasks import find_task, last_task

KIND = "model_export"
NONE = "none"


@dataclass(frozen=True)
class ExportState:
    """How far the export of a run is: `NONE`, or the state of the task that makes it."""

    state: str
    stage: str = ""
    error: str | None = None


def start_export(store: Store, user_id: int, run_id: int) -> None:
    """Queue the export of a run, unless it exists or is queued already.

    Every user who can see the run can start it: the result is the same for all and is made once.
    The task belongs to the run's owner. Raises InputError for a run that has not finished,
    NotFoundError.
    """
    archive = archive_path(store, user_id, run_id)
    if archive.exists():
        return
    params = _params(run_id, archive)
    with store.write() as session:
        run = visible(session, user_id, Run, run_id)
        found = find_task(session, user_id, run.dataset_id, KIND, params)
        if found is None or found.state == FINISHED:  # its archive has been deleted since
            task = Task(owner_id=run.owner_id, dataset_id=run.dataset_id, kind=KIND, params=params)
            session.add(task)


def export_state(store: Store, user_id: int, run_id: int) -> ExportState:
    """Look up how far the export of a run is. Raises as `start_export`."""
    archive = archive_path(store, user_id, run_id)
    with store.read() as session:
        dataset_id = visible(session, user_id, Run, run_id).dataset_id
        task = last_task(session, user_id, dataset_id, KIND, _params(run_id, archive))
    if archive.exists():
        return ExportState(FINISHED)
    if task is None or task.state == FINISHED:
        return ExportState(NONE)
    return ExportState(task.state, task.stage, task.error)


def _params(run_id: int, archive: Path) -> dict[str, Any]:
    return {"run": run_id, "archive": archive.name}
