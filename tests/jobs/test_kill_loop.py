"""Nothing is lost to kill −9: a few moments here, 20 by `python -m tests.jobs.kill_loop`."""

from __future__ import annotations

import os
from pathlib import Path

from tests.jobs.kill_loop import kill_loop

KILLS = int(os.environ.get("VECAF_TEST_KILLS", "3"))


def test_a_run_survives_kill_nine_of_its_worker(tmp_path: Path) -> None:
    kills = list(kill_loop(tmp_path, KILLS, "head-only"))
    assert len(kills) == KILLS
    assert any(kill.attempts > 1 for kill in kills), "no kill hit a run"
