"""Searches are prepared when the embedding of a dataset starts and when it has finished."""

from __future__ import annotations

from typing import Any

from app.shell.search_warmup import SearchWarmup
from app.shell.studio import Studio
from vecaf.store import FINISHED, RUNNING, Task, dataset_named


class InferenceProcess:
    """Fake inference process that records what it prepares, unless it is busy."""

    def __init__(self) -> None:
        self.prepared: list[int] = []
        self.busy = False

    def prepare(self, name: str, *, user: int, **arguments: Any) -> bool:
        if not self.busy:
            self.prepared.append(arguments["dataset_id"])
        return not self.busy


def test_searches_are_prepared_at_the_start_and_the_end(studio: Studio) -> None:
    store, inference = studio.store, InferenceProcess()
    warmup = SearchWarmup(store, inference)  # type: ignore[arg-type]
    warmup.look()
    with store.write() as session:
        dataset = dataset_named(session, store.owner(), "pets").id
        task = Task(owner_id=store.owner(), dataset_id=dataset, kind="embed", params={})
        session.add(task)
        session.flush()
        task_id = task.id

    def look(state: str) -> int:
        with store.write() as session:
            session.get_one(Task, task_id).state = state
        warmup.look()
        return len(inference.prepared)

    assert look("queued") == 0
    assert look(RUNNING) == 1
    assert look(RUNNING) == 1
    inference.busy = True
    assert look(FINISHED) == 1
    inference.busy = False
    assert look(FINISHED) == 2
    assert look(FINISHED) == 2
    assert set(inference.prepared) == {dataset}
