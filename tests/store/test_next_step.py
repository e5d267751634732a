"""The next step for a dataset follows from the labels of its pool and its selections."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from vecaf.store import FINISHED, RUNNING, SELECTION
from vecaf.store.next_step import (
    FINETUNE,
    LABEL,
    LABEL_REST,
    PREDICT,
    SELECT,
    WATCH,
    RunState,
    step_from,
    step_to_train,
)
from vecaf.store.subsets import SubsetSummary


def selection(id_: int, labeled: int, images: int = 4) -> SubsetSummary:
    return SubsetSummary(id_, 1, f"s{id_}", SELECTION, {}, images, labeled, datetime.now(UTC))


@pytest.mark.parametrize(
    ("pool_counts", "selections", "kind", "subset"),
    [
        ([], [], SELECT, None),
        ([3, 0], [], SELECT, None),  # one class is not enough
        ([9, 9], [], FINETUNE, None),
        ([], [(1, 0)], LABEL, 1),
        ([1, 1], [(1, 2)], LABEL, 1),  # the selection is half labeled
        ([2, 2], [(1, 4)], FINETUNE, 1),
        ([2, 2], [(2, 0), (1, 4)], FINETUNE, 1),
        ([4, 4], [(2, 4), (1, 4)], FINETUNE, 2),
        ([4, 0], [(1, 4)], SELECT, None),  # all labels are of one class
        ([9, 9], [(1, 4)], FINETUNE, None),  # a strategy has more to select from
        ([9, 9], [(1, 0)], FINETUNE, None),
    ],
)
def test_the_next_step_follows_the_labels(
    pool_counts: list[int], selections: list[tuple[int, int]], kind: str, subset: int | None
) -> None:
    step = step_to_train(pool_counts, [selection(*one) for one in selections])
    assert (step.kind, step.subset and step.subset.id) == (kind, subset)


BEFORE, RUN_AT, LATER = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(3))


@pytest.mark.parametrize(
    ("states", "unlabeled", "later", "kind"),
    [
        ([], 9, None, FINETUNE),
        ([RUNNING], 9, None, WATCH),
        ([RUNNING, FINISHED], 0, None, WATCH),
        ([FINISHED], 9, None, LABEL_REST),
        ([FINISHED], 0, None, PREDICT),
        ([FINISHED], 9, 1, LABEL),  # the images that the model left for people
        ([FINISHED], 0, 4, PREDICT),  # all of them are labeled
        ([FINISHED], 5, 4, FINETUNE),  # a second selection is labeled
    ],
)
def test_the_next_step_after_a_run(
    states: list[str], unlabeled: int, later: int | None, kind: str
) -> None:
    runs = [RunState(7 - place, state, RUN_AT) for place, state in enumerate(states)]
    lines = [replace(selection(1, 4), created_at=BEFORE)]
    if later is not None:
        lines.insert(0, replace(selection(2, later), created_at=LATER))
    step = step_from([4, 4], lines, unlabeled, runs)
    assert step.kind == kind
    assert step.run == (7 if kind in (WATCH, LABEL_REST, PREDICT) else None)
