"""Work on a dataset other than a run, done by the worker: maps, selections, evaluations.

One task a file, registered by its function's name; a page queues it by that name
(`vecaf.jobs.queue.submit_task`), reads its row, and then its files.
"""

from vecaf.tasks import (  # noqa: F401 (registers them)
    cost,
    embedding,
    findings,
    map,
    model_export,
    selecting,
    shift_preview,
    shift_result,
)
from vecaf.tasks.registry import TASKS, Stage, Work, check_params

__all__ = ["TASKS", "Stage", "Work", "check_params"]
