"""SIGKILL loses no work: one kill in the second round, and 200 at random moments."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.engine.kill_loop import kill_loop

KILLS = int(os.environ.get("VECAF_TEST_KILLS", "1"))


@pytest.mark.soak
def test_a_run_survives_kill_nine_of_its_worker(tmp_path: Path) -> None:
    kills = list(kill_loop(tmp_path, KILLS, "head-only", first=2))
    assert len(kills) == KILLS
    assert any(kill.attempts > 1 for kill in kills), "no kill hit a run"


@pytest.mark.soak
@pytest.mark.parametrize(("mode", "kills"), [("head-only", 150), ("full", 50)])
def test_two_hundred_random_moments(tmp_path: Path, mode: str, kills: int) -> None:
    survived = list(kill_loop(tmp_path, kills, mode, seed=1))
    assert len(survived) == kills
    assert len({kill.stage for kill in survived}) > 3, "the kills hit few stages"
    assert sum(kill.attempts > 1 for kill in survived) > kills / 2
