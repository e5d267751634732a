"""The first start: import the demo dataset into an empty data folder, then launch a small run."""

from __future__ import annotations

import logging
import threading

import sqlalchemy as sa

from vecaf.errors import VecafError
from vecaf.runs.demo_run import COLOR, CONFIG, SOURCES
from vecaf.store import ENDED, FINISHED, Dataset, Import, Run, Store

SOURCE = SOURCES[COLOR]
LOOK_SECONDS = 1.0

log = logging.getLogger(__name__)


class DemoSetup:
    """Take the next step of the demo when it is due.

    Each step is read from the database, so the next start continues after an interruption.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="demo-setup", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(2 * LOOK_SECONDS)

    def _keep(self) -> None:
        try:
            while advance(self.store) and not self._stopping.wait(LOOK_SECONDS):
                pass
        except VecafError as error:
            log.warning("The demo could not be prepared: %s", error)


def advance(store: Store) -> bool:
    """Queue the demo's import in an empty data folder, then its run when the dataset is ready.

    Return whether a later call may have more to do.
    """
    user = store.owner()
    with store.read() as session:
        demo = session.scalar(
            sa.select(Import)
            .where(Import.owner_id == user, Import.source == SOURCE)
            .order_by(Import.id.desc())
            .limit(1)
        )
        datasets = session.scalar(sa.select(Dataset.id).limit(1))
        imports = session.scalar(sa.select(Import.id).limit(1))
        runs = session.scalar(sa.select(Run.id).limit(1))
    if demo is None:
        if datasets is not None or imports is not None:
            return False  # the data folder is in use
        from vecaf.engine.queue import submit_import

        submit_import(store, SOURCE, COLOR, user)
        return True
    if demo.state not in ENDED:
        return True
    if demo.state == FINISHED and demo.dataset_id is not None and runs is None:
        from vecaf.engine.queue import submit_run

        submit_run(store, CONFIG, user)
    return False
