"""Predictions of many images: start them, follow them, and use their results."""

from __future__ import annotations

import secrets
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vecaf.datasets.names import dataset_name
from vecaf.errors import InputError, NotFoundError, NotReadyError
from vecaf.runs.batch_results import (
    CSV,
    JSONL,
    BatchSummary,
    Prediction,
    as_jsonl,
    most_unlike_first,
    read_predictions,
    read_summary,
)
from vecaf.store import FINISHED, QUEUED, Run, Task, visible
from vecaf.store.imports import check_name_free
from vecaf.store.prediction_queries import BATCH, batch, batches

from ..shell.address import whole
from ..shell.studio import Studio
from ..shell.templates import macros

SHOWN = 60  # images at first, and with each "Show more"
MAX_NAME = 100  # characters of what the user called the images
FILES = (CSV, JSONL)
ALL, UNLIKE = "all", "unlike"  # which images to import


@dataclass(frozen=True)
class BatchPage:
    """What the page shows of one batch. `images` are the most unlike the training data."""

    task: Task
    summary: BatchSummary | None
    images: list[Prediction]
    refused: list[Prediction]
    more: int  # how many images the next page shows


def start(studio: Studio, user: int, run_id: int, archive: Path, name: str) -> int:
    """Queue the predictions of the images in an uploaded archive; return the id of the task.

    Raises
    ------
    InputError
        The run has no model.
    NotFoundError, NotAllowedError
        The run does not exist, or it is only shared with the user.
    """
    from vecaf.engine.queue import submit_task
    from vecaf.export.bundle import model_folder

    model_folder(studio.store, user, run_id)
    with studio.store.read() as session:
        dataset_id = visible(session, user, Run, run_id).dataset_id
    params = {"run": run_id, "upload": archive.name, "name": name[:MAX_NAME]}
    return submit_task(studio.store, BATCH, dataset_id, params, user)


def status(studio: Studio, user: int, run_id: int, task_id: int) -> dict[str, Any]:
    """Return the progress of a batch, and its summary once it has finished."""
    with studio.store.read() as session:
        task = batch(session, user, run_id, task_id)
        stage = task.stage
        if task.state == QUEUED:
            stage = studio.idle(session) or "Waiting in the queue"
    return {
        "id": task.id,
        "run": run_id,
        "state": task.state,
        "stage": stage,
        "done": task.done,
        "total": task.total,
        "error": task.error,
        "summary": task.result or None,
    }


def results_folder(studio: Studio, user: int, run_id: int, task_id: int) -> Path:
    """Return the folder with the results of a batch.

    Raises
    ------
    NotFoundError
        The batch does not exist, or its files were deleted.
    NotReadyError
        The batch has not finished.
    """
    with studio.store.read() as session:
        task = batch(session, user, run_id, task_id)
    if task.state != FINISHED:
        raise NotReadyError(f"Prediction task {task_id} is {task.state}. Try again later.")
    folder = studio.settings.tasks / str(task.id)
    if not (folder / JSONL).is_file():
        raise NotFoundError("These predictions were deleted. Predict the images again.")
    return folder


def file_of(studio: Studio, user: int, run_id: int, task_id: int, name: str) -> str:
    """Return the text of a file with the results; `name` is one of FILES."""
    if name not in FILES:
        raise NotFoundError(f"There is no file {name}. The files are {' and '.join(FILES)}.")
    folder = results_folder(studio, user, run_id, task_id)
    if name == JSONL:
        return as_jsonl(read_predictions(folder))
    return (folder / CSV).read_text(encoding="utf-8")


def image_of_batch(
    studio: Studio, user: int, run_id: int, task_id: int, sha256: str, *, small: bool
) -> Path:
    """Return the file of an image of a batch, or of its thumbnail. Raises NotFoundError."""
    folder = results_folder(studio, user, run_id, task_id)
    names = ("thumbs", "images") if small else ("images",)  # small images have no thumbnail
    for name in names:
        found = next((folder / name).glob(f"{sha256}.*"), None)
        if found is not None:
            return found
    raise NotFoundError("There is no such image in these predictions.")


def import_images(
    studio: Studio, user: int, run_id: int, task_id: int, name: str, which: str
) -> int:
    """Queue an import of images of a batch as a dataset without labels; return its id.

    Parameters
    ----------
    name
        Name of the new dataset.
    which
        "unlike" for the images that are unlike the training data, or "all".

    Raises
    ------
    InputError
        The name is invalid or taken, or there is no such image.
    NotFoundError, NotReadyError
        As `results_folder`.
    """
    from vecaf.engine.queue import submit_import

    folder = results_folder(studio, user, run_id, task_id)
    name = dataset_name(name)
    with studio.store.read() as session:
        check_name_free(session, user, name)
    found = [one for one in read_predictions(folder) if one.sha256]
    found = [one for one in found if one.unlike or which == ALL]
    if not found:
        raise InputError("No image is an outlier. Import all images instead.")
    studio.settings.uploads.mkdir(parents=True, exist_ok=True)
    archive = studio.settings.uploads / f"{secrets.token_hex(16)}.zip"
    with zipfile.ZipFile(archive, "w") as out:
        for one in found:
            stored = folder / "images" / f"{one.sha256}{one.extension}"
            # Without folders, which would become classes.
            out.write(stored, one.file.replace("/", "__"))
    return submit_import(studio.store, str(archive), name, user)


def section(studio: Studio, user: int, run_id: int, values: dict[str, str]) -> str:
    """Render the part of the Predict page on many images. Raises NotFoundError."""
    task_id = whole(values, "batch")
    shown = whole(values, "show") or SHOWN
    with studio.store.read() as session:
        earlier = batches(session, user, run_id)
        task = None if task_id is None else batch(session, user, run_id, task_id)
    page = None if task is None else _page(studio, task, shown)
    html = macros("predict", "batch.html")
    return str(html.section(run_id, earlier, page, studio.settings.limits.max_archive_bytes))


def _page(studio: Studio, task: Task, shown: int) -> BatchPage:
    folder = studio.settings.tasks / str(task.id)
    if task.state != FINISHED or not (folder / JSONL).is_file():
        return BatchPage(task, None, [], [], 0)
    found = read_predictions(folder)
    refused = [one for one in found if one.error]
    return BatchPage(
        task, read_summary(folder), most_unlike_first(found)[:shown], refused, shown + SHOWN
    )
