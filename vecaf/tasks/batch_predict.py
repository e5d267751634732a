"""Predict the images of an uploaded ZIP file with the model of a run."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from vecaf.errors import InputError
from vecaf.tasks.task import TASKS, TaskContext


@TASKS.register
def batch_predict(context: TaskContext, run: int, upload: str, name: str = "") -> dict[str, Any]:
    """Predict all images of an upload, and delete the upload.

    Parameters
    ----------
    run
        Number of the run.
    upload
        File name in the folder of uploads.
    name
        What the user called it, for pages.

    Returns
    -------
    The fields of `vecaf.runs.batch_results.BatchSummary`.

    Raises
    ------
    InputError
        The run has no model, or the upload can't be read.
    """
    from vecaf.runs.batch_predict import predict_images

    source = context.store.settings.uploads / upload
    if source.parent != context.store.settings.uploads or not source.is_file():
        raise InputError("The upload no longer exists. Choose the images again.")
    try:
        summary = predict_images(
            context.store,
            context.user_id,
            run,
            source,
            context.folder,
            progress=context.stage,
            should_stop=context.should_stop,
        )
    except InputError as error:  # the user doesn't know the name that the upload is stored under
        known = f"“{name}”" if name else "The upload"
        raise InputError(str(error).replace(upload, known)) from error
    source.unlink(missing_ok=True)
    return asdict(summary)
