"""What starts often starts light: heavy packages wait until something needs them."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "timm", "open_clip", "numba", "transformers", "openvino")


@pytest.mark.parametrize(
    ("module", "needed"),
    [
        ("vecaf.commands.cli", []),
        ("vecaf.encoders.dataset_features", []),
        ("vecaf.encoders", []),
        (
            "vecaf.runs.preparation",
            ["torch"],
        ),  # cached features need no model
    ],
)
def test_nothing_heavy_comes_along(module: str, needed: list[str]) -> None:
    program = f"import sys, {module}; print(*[m for m in {HEAVY} if m in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert found.stdout.split() == needed
