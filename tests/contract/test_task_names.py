"""Every kind of task has a name that pages show."""

from __future__ import annotations

from vecaf.store.datasets import TASK_NAMES
from vecaf.tasks import TASKS


def test_every_kind_of_task_has_a_name() -> None:
    assert set(TASK_NAMES) == set(TASKS)
