"""A finished run's export, made once and kept as one archive."""

from __future__ import annotations

from typing import Any

from vecaf.export.bundle import build_archive
from vecaf.tasks.task import TASKS, Work


@TASKS.register
def model_export(work: Work, run: int, archive: str) -> dict[str, Any]:
    """Make the export of a run; the result holds its size in bytes.

    Parameters
    ----------
    run
        The run's id.
    archive
        The archive's file name (`vecaf.export.bundle.kept_archive`), which changes with its layout.

    Raises
    ------
    InputError
        The run has not finished.
    """

    def say(stage: str) -> None:
        work.check()
        work.stage(stage)

    return {"bytes": build_archive(work.store, work.user_id, run, say).stat().st_size}
