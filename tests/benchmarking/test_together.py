"""One table from the folders of several benchmarks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import together

HEAD = "strategy,budget,seed,labels,test_accuracy"


def folder(path: Path, *cells: str) -> str:
    path.mkdir()
    (path / "cells.csv").write_text("\n".join([HEAD, *cells]) + "\n", encoding="utf-8")
    return str(path)


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    once = folder(
        tmp_path / "once",
        "kmeans,100,0,100,0.50", "kmeans,250,0,250,0.60",
        "kmeans,100,1,100,0.52", "kmeans,250,1,250,0.62",
    )  # fmt: skip
    often = folder(
        tmp_path / "often",
        "vecaf,25,0,100,0.60", "vecaf,63,0,252,0.70",
        "vecaf,25,1,100,0.64", "vecaf,63,1,252,0.70",
        "random,25,0,100,0.60", "random,63,0,252,0.68",
        "random,25,1,100,0.60", "random,63,1,252,0.68",
    )  # fmt: skip
    return [once, often]


def test_differences_are_paired_by_seed_across_folders(
    folders: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["together", *folders])
    together.main()
    head, _, *rows = capsys.readouterr().out.splitlines()
    assert head == "| labels | 100 | 250 or 252 | mean | vecaf, often − it |"
    # Either seed of vecaf is 10 points above the same seed of kmeans.
    assert rows[0] == "| kmeans, once | 51.0 | 61.0 | 56.0 | +10.0 (+10.0 to +10.0) |"
    assert rows[1] == "| vecaf, often | 62.0 | 70.0 | 66.0 | – |"
    assert rows[2].startswith("| random, often | 60.0 | 68.0 | 64.0 | +2.0 (")


def test_of_the_last_folder_some_rows_alone(
    folders: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["together", *folders, "--only", "vecaf"])
    together.main()
    assert "random" not in capsys.readouterr().out


@pytest.mark.parametrize("folder_count, best", [(2, "margin"), (1, "vecaf")])
def test_what_is_not_there_is_said(
    folders: list[str], folder_count: int, best: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["together", *folders[:folder_count], "--best", best])
    with pytest.raises(SystemExit):
        together.main()
    assert f"no result of {best}" in capsys.readouterr().err
