"""Tasks through the queue: run once, repeated after a crash, canceled, failed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from tests.engine.harness import wait_for, worker
from vecaf.engine.queue import cancel_task, submit_task
from vecaf.errors import InputError, NotFoundError
from vecaf.store import CANCELED, ENDED, FAILED, FINISHED, RUNNING, Store, Task
from vecaf.store.tasks import latest_task
from vecaf.tasks import TASKS


def counting(task: Any, *, upto: int, crash_at: int = 0) -> dict[str, Any]:
    raise AssertionError("only the worker's child does it, see stand_in/sitecustomize.py")


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Register the task in this process too."""
    monkeypatch.setattr(TASKS, "_entries", {**TASKS._entries, "counting": counting})
    yield


def row(store: Store, task_id: int) -> Task:
    with store.read() as session:
        return session.get_one(Task, task_id)


def ended(store: Store, task_id: int) -> Task:
    wait_for(lambda: row(store, task_id).state in ENDED, 60, "the task has not ended")
    return row(store, task_id)


def test_a_task_is_done_once_and_its_result_kept(store: Store, dataset_id: int) -> None:
    me = store.owner()
    first = submit_task(store, "counting", dataset_id, {"upto": 2}, me)
    assert submit_task(store, "counting", dataset_id, {"upto": 2}, me) == first
    other = submit_task(store, "counting", dataset_id, {"upto": 3}, me)
    with store.read() as session:
        assert list(session.scalars(sa.select(Task.id).order_by(Task.id))) == [first, other]
    with worker(store.settings, stand_in="task"):
        assert ended(store, first).result == {"counted": 2}
        assert ended(store, other).result == {"counted": 3}
        assert submit_task(store, "counting", dataset_id, {"upto": 2}, me) == first
    with store.read() as session:
        found = latest_task(session, me, dataset_id, "counting")
    assert found is not None and found.id == other
    assert (store.settings.tasks / str(first) / "step-2").exists()


def test_a_killed_task_is_repeated(store: Store, dataset_id: int) -> None:
    params = {"upto": 3, "crash_at": 2}
    task_id = submit_task(store, "counting", dataset_id, params, store.owner())
    with worker(store.settings, stand_in="task"):
        task = ended(store, task_id)
    assert (task.state, task.attempt, task.result) == (FINISHED, 2, {"counted": 3})


def test_a_canceled_task_can_be_queued_again(store: Store, dataset_id: int) -> None:
    me = store.owner()
    task_id = submit_task(store, "counting", dataset_id, {"upto": 600}, me)
    with worker(store.settings, stand_in="task"):
        wait_for(lambda: row(store, task_id).state == RUNNING, 60, "the task has not begun")
        cancel_task(store, task_id, me)
        assert ended(store, task_id).state == CANCELED
    assert submit_task(store, "counting", dataset_id, {"upto": 600}, me) != task_id


def test_a_failure_has_a_message(store: Store, dataset_id: int) -> None:
    task_id = submit_task(store, "counting", dataset_id, {"upto": "many"}, store.owner())
    with worker(store.settings, stand_in="task"):
        task = ended(store, task_id)
    assert task.state == FAILED and task.error is not None
    assert "TypeError" in task.error and "Traceback" not in task.error


def test_an_invalid_task_is_refused_before_it_is_queued(store: Store, dataset_id: int) -> None:
    me = store.owner()
    with pytest.raises(InputError, match="no task called 'count'; did you mean counting"):
        submit_task(store, "count", dataset_id, {}, me)
    with pytest.raises(InputError, match="Can't start the task"):
        submit_task(store, "counting", dataset_id, {"down_to": 1}, me)
    with pytest.raises(NotFoundError):
        submit_task(store, "counting", dataset_id, {"upto": 1}, me + 1)
    with store.read() as session:
        assert session.scalar(sa.select(Task.id).where(Task.state.not_in(ENDED))) is None
