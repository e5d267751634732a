"""The next step for a dataset follows from the labels of its pool and its selections."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from vecaf.store import SELECTION
from vecaf.store.next_step import FINETUNE, LABEL, SELECT, step_from
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
    step = step_from(pool_counts, [selection(*one) for one in selections])
    assert (step.kind, step.subset and step.subset.id) == (kind, subset)
