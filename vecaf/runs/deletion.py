"""Delete a run: first its rows, in one transaction, then its folder with the model."""

from __future__ import annotations

import shutil

from vecaf.errors import InputError
from vecaf.store import ENDED, Run, Store, changeable
from vecaf.store.deletion_lock import lock_for_deletion


def delete_run(store: Store, user_id: int, run_id: int) -> None:
    """Delete a run with its rounds, selected images, predictions and model.

    The dataset keeps its images and labels. If the process is killed before the folder is deleted,
    `vecaf gc` deletes it.

    Raises
    ------
    InputError
        The run has not ended.
    NotFoundError, NotAllowedError
        The user can't read or can't change the run.
    UnavailableError
        A backup is being made.
    """
    with lock_for_deletion(store.settings):
        with store.write() as session:
            run = changeable(session, user_id, Run, run_id)
            if run.state not in ENDED:
                raise InputError(
                    f"Run {run_id} can't be deleted before it has ended. Cancel it first, or wait."
                )
            session.delete(run)
        shutil.rmtree(store.settings.runs / str(run_id), ignore_errors=True)
