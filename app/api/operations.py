"""What the API does, over HTTP and through gradio_client. Each function authorizes the user."""

from __future__ import annotations

from vecaf.config import RunConfig
from vecaf.errors import InputError
from vecaf.store import Import, visible
from vecaf.store.datasets import dataset_summaries
from vecaf.store.records import RunDetails
from vecaf.store.runs import list_runs, run_details

from ..shell.studio import Studio
from .answers import DatasetItem, DatasetList, ImportStatus, RunList


def list_datasets(studio: Studio, user: int) -> DatasetList:
    """List the datasets that the user can see."""
    with studio.store.read() as session:
        found = dataset_summaries(session, user)
    return DatasetList(
        datasets=[
            DatasetItem(id=d.id, name=d.name, images=d.images, classes=d.classes, splits=d.splits)
            for d in found
        ]
    )


def get_import(studio: Studio, user: int, import_id: int) -> ImportStatus:
    """Return an import with its progress. Raises NotFoundError."""
    with studio.store.read() as session:
        job = visible(session, user, Import, import_id)
    return ImportStatus(
        id=job.id,
        name=job.name,
        dataset_id=job.dataset_id,
        state=job.state,
        stage=job.stage,
        done=job.done,
        total=job.total,
        error=job.error,
    )


def list_newest_runs(studio: Studio, user: int, before: int | None = None) -> RunList:
    """List the newest 100 runs, or the newest 100 before run `before`."""
    with studio.store.read() as session:
        return RunList(runs=list_runs(session, user, before_id=before))


def get_run(studio: Studio, user: int, run_id: int) -> RunDetails:
    """Return a run with its results. Raises NotFoundError."""
    with studio.store.read() as session:
        return run_details(session, user, run_id)


def launch_run(studio: Studio, user: int, settings: object) -> RunDetails:
    """Queue a run with settings by name, the fields of RunConfig. Raises InputError."""
    from vecaf.engine.queue import submit_run

    if not isinstance(settings, dict) or not settings.get("dataset"):
        raise InputError(
            'The body must be a JSON object of settings with "dataset", the name of a dataset.'
        )
    run_id = submit_run(studio.store, RunConfig.from_dict(settings), user)
    return get_run(studio, user, run_id)


def cancel_run(studio: Studio, user: int, run_id: int) -> RunDetails:
    """Cancel a run and return it. Raises NotFoundError."""
    from vecaf.engine import queue

    queue.cancel_run(studio.store, run_id, user)
    return get_run(studio, user, run_id)
