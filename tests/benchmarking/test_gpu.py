"""The GPU benchmark computes everything in a dry run, and says that it needs a GPU."""

from __future__ import annotations

import pytest
import torch

from benchmarks.gpu.__main__ import main
from benchmarks.gpu.sizes import Measured


def test_a_dry_run_measures_every_part(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--dry-run"]) == 0
    rows = capsys.readouterr().out.split("|---|\n")[1].splitlines()
    assert [row.split()[1] for row in rows] == ["embed", "train", "select"]
    assert all(row.count("|") == 8 for row in rows)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_without_a_gpu_it_ends_with_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "needs a CUDA GPU" in capsys.readouterr().err


def test_a_row_compares_with_the_reference_and_the_roofline() -> None:
    row = Measured("embed", 2.0, ("timm", 3.0), 0.5, 2**31).row()
    assert row == "| embed | 2.00 s | timm: 3.00 s | 1.50× | 500.0 ms | 25% | 2.0 GiB |"
