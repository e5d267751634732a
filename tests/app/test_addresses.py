"""What pages read from an address."""

from __future__ import annotations

import pytest

from app.compare import page as compare
from app.shell.address import parameters


@pytest.mark.parametrize(
    ("text", "ids"), [("3,1, 2", [3, 1, 2]), ("", []), ("x,-1,²,1e3", []), ("9" * 30, [])]
)
def test_runs_are_read_from_the_address(text: str, ids: list[int]) -> None:
    assert compare.read_runs(text) == ids


@pytest.mark.parametrize(
    ("text", "target"), [("50", 0.5), ("nan", None), ("101", None), ("-1", None), ("x", None)]
)
def test_a_target_is_read_from_the_address(text: str, target: float | None) -> None:
    assert compare.read_target(text) == target


def test_bookmarks_of_earlier_versions_keep_their_choice() -> None:
    assert parameters("?dataset=1&colour=round") == {"dataset": "1", "color": "round"}
    assert parameters("?pick=7") == {"image": "7"}
    assert parameters("?pick=7&image=8") == {"image": "8"}
