"""Modules that start often import heavy packages only when they need them."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "timm", "open_clip", "numba", "transformers", "openvino", "ray")


@pytest.mark.parametrize(
    ("module", "needed"),
    [
        ("vecaf.commands.cli", []),
        ("vecaf.encoders.dataset_features", []),
        ("vecaf.encoders", []),
        ("vecaf.engine.worker", []),
        ("vecaf.engine.engines, vecaf.engine.local", []),
        ("vecaf.engine.child", []),
        (
            "vecaf.runs.preparation",
            ["torch"],
        ),  # cached features require no model
    ],
)
def test_no_heavy_package_is_imported(module: str, needed: list[str]) -> None:
    program = f"import sys, {module}; print(*[m for m in {HEAVY} if m in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert found.stdout.split() == needed


def test_the_command_line_collects_garbage_rarely() -> None:
    """Otherwise every command that imports PyTorch takes two seconds longer."""
    program = (
        "import atexit, gc, runpy, sys\n"
        "atexit.register(lambda: print(gc.get_threshold()[0], gc.get_freeze_count() > 0))\n"
        "sys.argv = ['vecaf', '--help']\n"
        "runpy.run_module('vecaf', run_name='__main__')\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert found.stdout.splitlines()[-1] == "20000 True"
