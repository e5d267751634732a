"""After SIGKILL during the write of a checkpoint, the old or the new checkpoint loads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.dying import NO_PTRACE

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ptrace as Linux has it")
@pytest.mark.soak  # traces every system call
def test_a_kill_at_any_call_leaves_the_old_checkpoint_or_the_new_one(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.training.dying", str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    if done.returncode == NO_PTRACE:
        pytest.skip("this system lets no process be traced, so none can be killed at a call")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["old"].keys() == {"old", "new"}
    assert found["none"].keys() == {"none", "new"}
    assert found["cut"] == {"old": 20}
    # A kill before the rename keeps the old checkpoint, and a kill after it gives the new one.
    # The minimum counts are larger than the number of calls around a rename.
    assert found["old"]["old"] > 20
    assert found["old"]["new"] > 2
