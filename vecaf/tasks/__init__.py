"""Work on a dataset other than a run, done by the worker: maps, selections, evaluations.

One task a file, registered by its function's name; a page queues it by that name
(`vecaf.engine.queue.submit_task`), reads its row, and then its files.
"""

from vecaf.tasks import (  # noqa: F401 (importing a module registers its task)
    embed_part,
    map,
    measure_cost,
    model_export,
    review,
    select_images,
    shift_preview,
    shift_result,
)
from vecaf.tasks.task import TASKS, Stage, Work, check_params

__all__ = ["TASKS", "Stage", "Work", "check_params"]
