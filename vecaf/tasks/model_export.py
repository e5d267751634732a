"""Export a finished run once, as an archive that downloads read."""

from __future__ import annotations

from typing import Any

from vecaf.export.bundle import build_archive
from vecaf.tasks.task import TASKS, TaskContext


@TASKS.register
def model_export(context: TaskContext, run: int, archive: str) -> dict[str, Any]:
    """Build the archive of a run; the result holds its size in bytes.

    Parameters
    ----------
    run
        Number of the run.
    archive
        File name of the archive (`vecaf.export.bundle.archive_path`). It changes with the layout of
        the archive, so that a new layout is a new task.

    Raises
    ------
    InputError
        The run has not finished.
    """

    def report(stage: str) -> None:
        context.check()
        context.stage(stage)

    path = build_archive(context.store, context.user_id, run, report)
    return {"bytes": path.stat().st_size}
