"""Work on a dataset that is not a run: maps, selections, exports, and shift evaluations.

One task per file, registered under the name of its function. A page queues it by that name with
`vecaf.engine.queue.submit_task`, and reads its row and then its files.
"""

from vecaf.tasks import (  # noqa: F401 (importing a module registers its task)
    batch_predict,
    embed,
    map,
    measure_cost,
    model_export,
    review,
    select_images,
    shift_preview,
    shift_result,
)
from vecaf.tasks.task import RETIRED, TASKS, StageReporter, TaskContext, check_params

__all__ = ["RETIRED", "TASKS", "StageReporter", "TaskContext", "check_params"]
