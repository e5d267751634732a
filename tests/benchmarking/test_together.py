"""One table from the result folders of several benchmarks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import together

HEAD = "dataset,strategy,budget,seed,labels,test_accuracy"


def folder(path: Path, *cells: str) -> str:
    """Write the results of a benchmark; the default dataset of a cell is "shapes"."""
    path.mkdir(parents=True)
    rows = [cell if cell.count(",") == 5 else f"shapes,{cell}" for cell in cells]
    (path / "cells.csv").write_text("\n".join([HEAD, *rows]) + "\n", encoding="utf-8")
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
        "margin,25,0,100,0.60", "margin,63,0,252,0.68",
        "margin,25,1,100,0.60", "margin,63,1,252,0.68",
    )  # fmt: skip
    return [once, often]


def test_differences_are_paired_by_seed_across_folders(
    folders: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["together", *folders])
    together.main()
    head, _, *rows = capsys.readouterr().out.splitlines()
    assert head == "| labels | 100 | 250 or 252 | mean | vecaf, often − row |"
    # Both seeds of vecaf are 10 points above the same seed of kmeans.
    assert rows[0] == "| kmeans, once | 51.0 | 61.0 | 56.0 | +10.0 (+10.0 to +10.0) |"
    assert rows[1] == "| vecaf, often | 62.0 | 70.0 | 66.0 | – |"
    assert rows[2].startswith("| random, often | 60.0 | 68.0 | 64.0 | +2.0 (")


def test_rows_of_the_last_folder_can_be_chosen(
    folders: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["together", *folders, "--only", "random"])
    together.main()
    names = [row.split("|")[1].strip() for row in capsys.readouterr().out.splitlines()[2:]]
    assert names == ["kmeans, once", "vecaf, often", "random, often"]  # --best is always shown


def test_results_that_do_not_fit_one_table_are_rejected(
    folders: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    one = "vecaf,25,0,100,0.60"
    mixed = folder(tmp_path / "mixed", f"shapes,{one}", f"emoji,{one}")
    full = folder(tmp_path / "full", one, "full,100%,0,400,0.90")
    short = folder(tmp_path / "short", one)
    same_name = folder(tmp_path / "other" / "often", one, "vecaf,63,0,252,0.70")
    rejected = {
        (folders[0], "--best", "margin"): "no results for margin",
        (*folders, "--only", "randon"): "no results for randon",
        (str(tmp_path),): "contains no cells.csv",
        (mixed,): "several datasets: emoji, shapes",
        (full,): "has vecaf at different budgets",
        (*folders, short): "different numbers of budgets",
        (*folders, same_name): "Two folders are named often",
    }
    for arguments, reason in rejected.items():
        monkeypatch.setattr(sys, "argv", ["together", *arguments])
        with pytest.raises(SystemExit):
            together.main()
        assert reason in capsys.readouterr().err
