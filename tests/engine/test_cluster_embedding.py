"""Encoders on a Ray cluster, in a process of their own.

After an interrupted embedding, Ray can end the process that it ran in, and all later tests with it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.soak
def test_encoders_on_a_cluster_fill_the_embedding_cache() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", str(HERE / "cluster_embedding_cases.py")],
        cwd=HERE.parents[1],
        env=os.environ | {"PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout, done.stdout
