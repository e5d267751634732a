"""Load the models of searches after an import, so that the first search answers quickly."""

from __future__ import annotations

import logging
import threading

import sqlalchemy as sa

from vecaf.errors import VecafError
from vecaf.store import ENDED, RUNNING, Store, Task
from vecaf.store.background import EMBED
from vecaf.store.models import FINISHED

from .inference import InferenceProcess

LOOK_SECONDS = 1.0

log = logging.getLogger(__name__)


class SearchWarmup:
    """Follow the tasks that embed new datasets.

    When a task starts, the inference process loads the text encoder; when it has finished, the
    embeddings and the image encoder.
    """

    def __init__(self, store: Store, inference: InferenceProcess) -> None:
        self.store, self.inference = store, inference
        self._last = 0  # the newest task that was seen
        self._active: dict[int, bool] = {}  # task id → whether it was seen running
        self._waiting: dict[int, int] = {}  # dataset to prepare → its owner
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="search-warmup", daemon=True)

    def start(self) -> None:
        with self.store.read() as session:
            ended = sa.select(sa.func.max(Task.id)).where(Task.state.in_(ENDED))
            self._last = session.scalar(ended) or 0
            active = sa.select(Task.id).where(Task.kind == EMBED, Task.state.not_in(ENDED))
            self._active = dict.fromkeys(session.scalars(active), False)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(2 * LOOK_SECONDS)

    def _keep(self) -> None:
        seen: int | None = None
        while not self._stopping.wait(LOOK_SECONDS):
            try:
                version = self.store.version()
                if version is None or version != seen or self._waiting:
                    self.look()
                    seen = version
            except (VecafError, sa.exc.SQLAlchemyError) as error:
                log.warning("Could not look for new embeddings: %s", error)

    def look(self) -> None:
        """Prepare searches in the datasets whose task has started or finished since last time."""
        wanted = sa.or_(Task.id > self._last, Task.id.in_(list(self._active)))
        query = sa.select(Task.id, Task.owner_id, Task.dataset_id, Task.state)
        with self.store.read() as session:
            rows = session.execute(query.where(Task.kind == EMBED, wanted)).all()
        for row in rows:
            self._last = max(self._last, row.id)
            started = self._active.pop(row.id, False)
            if row.state == FINISHED or (row.state == RUNNING and not started):
                self._waiting[row.dataset_id] = row.owner_id
            if row.state not in ENDED:
                self._active[row.id] = started or row.state == RUNNING
        for dataset_id, owner in list(self._waiting.items()):
            # It is skipped while the owner waits for another answer, then it is sent later.
            if self.inference.prepare("warm_search", user=owner, dataset_id=dataset_id):
                del self._waiting[dataset_id]
