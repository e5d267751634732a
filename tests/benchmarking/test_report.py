"""Statistics, plots and files of the report, checked by hand on synthetic cells."""

from __future__ import annotations

import csv
import io
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from vecaf.benchmarking.cells import FULL, Grid
from vecaf.benchmarking.markdown import markdown
from vecaf.benchmarking.plots import as_svg, file_name
from vecaf.benchmarking.report import write_report
from vecaf.benchmarking.results import (
    TEST,
    VALIDATION,
    CellResult,
    CellRound,
    CurvePoint,
)
from vecaf.benchmarking.sections import sections
from vecaf.benchmarking.series import series
from vecaf.benchmarking.summary import at_batches, by_budget, costs, group_cells, not_better
from vecaf.config import LABELS_KNOWN, RunConfig


def made(strategy: str, budget: str, seed: int, accuracy: float, labeled: int = 0) -> CellResult:
    end = CellRound(labeled or int(budget), 10, 0.5, accuracy, 1.0, "")
    return CellResult("data", strategy, budget, seed, (end,), (CurvePoint(10, 0.5, accuracy),), 1.0)


def with_curve(strategy: str, seed: int, curve: Sequence[tuple[int, float]]) -> CellResult:
    result = made(strategy, "100", seed, curve[-1][1])
    points = tuple(CurvePoint(batches, None, value) for batches, value in curve)
    return replace(result, curve=points, rounds=(replace(result.rounds[0], batches=curve[-1][0]),))


def test_means_intervals_and_paired_differences_by_hand() -> None:
    """With three seeds, t(2) = 4.303; differences of +2, +3 and +4 points have a sd of 1."""
    accuracies = {"random": (0.50, 0.55, 0.60), "vecaf": (0.52, 0.58, 0.64)}
    results = [
        made(strategy, budget, seed, value + (0.1 if budget == "200" else 0))
        for strategy, values in accuracies.items()
        for budget in ("100", "200")
        for seed, value in enumerate(values)
    ]
    rows = {(row.strategy, row.place): row for row in by_budget(group_cells(results), ["random"])}
    assert rows["random", "100"].accuracy.mean == pytest.approx(0.55)
    assert rows["random", "100"].accuracy.low == pytest.approx(0.55 - 4.302653 * 0.05 / 3**0.5)
    found = rows["vecaf", "200"].differences["random"]
    assert found is not None
    assert (found.mean, found.low) == pytest.approx((0.03, 0.03 - 4.302653 * 0.01 / 3**0.5))
    assert rows["vecaf", "mean"].accuracy.mean == pytest.approx(0.63)
    assert rows["random", "100"].differences == {}

    grid = Grid.of(["data"], "vecaf", "100,200", 3, RunConfig())
    text = markdown(grid, sections(grid, results), "command")
    assert "| vecaf | 58.0 (43.1 to 72.9) | 68.0 (53.1 to 82.9) | 63.0 (48.1 to 77.9) |" in text
    assert "| vecaf | **+3.0 (+0.5 to +5.5)** | **+3.0 (+0.5 to +5.5)** |" in text
    assert "not significantly" not in text


def test_strategies_that_are_not_better_than_random_are_reported() -> None:
    differences = {
        "level": (0.01, -0.01, 0.0),
        "ahead": (0.04, -0.01, 0.03),
        "behind": (-0.03, -0.04, -0.05),
        "better": (0.03, 0.04, 0.05),
    }
    results = [made("random", "100", seed, 0.5) for seed in range(3)]
    for name, gaps in differences.items():
        results += [made(name, "100", seed, 0.5 + gap) for seed, gap in enumerate(gaps)]
    rows = by_budget(group_cells(results), ["random"])
    assert not_better(rows, "random", lambda place: f"at {place} labels") == [
        "level is not better than random at 100 labels: +0.0 (−2.5 to +2.5).",
        "ahead is not significantly better than random at 100 labels: +2.0 (−4.6 to +8.6).",
        "behind is worse than random at 100 labels: −4.0 (−6.5 to −1.5).",
    ]
    alone = by_budget(group_cells([one for one in results if one.seed == 0]), ["random"])
    assert not_better(alone, "random", str) == [
        "One seed is not enough to compare strategies with random. Use five seeds."
    ]


def test_common_seeds_are_paired() -> None:
    results = [made("random", "100", seed, 0.5) for seed in (0, 1, 2)]
    results += [made("vecaf", "100", seed, 0.5 + seed / 100) for seed in (1, 2, 5)]
    row = by_budget(group_cells(results), ["random"])[-1]
    found = row.differences["random"]
    assert found is not None and (found.n, row.accuracy.n) == (2, 3)
    assert found.mean == pytest.approx(0.015)


def test_batches_to_the_target_by_hand() -> None:
    """Full ends at 0.8, so the target is 0.792, which it reaches between 300 and 400 batches."""
    full = [with_curve(FULL, seed, [(100, 0.6), (300, 0.79), (400, 0.8)]) for seed in (0, 1)]
    quick = [
        with_curve("quick", 0, [(50, 0.7), (100, 0.792)]),  # exactly at 100
        with_curve("quick", 1, [(50, 0.692), (100, 0.892)]),  # halfway from 50: at 75
    ]
    slow = [with_curve("slow", seed, [(50, 0.5), (100, 0.792 - 0.01 * seed)]) for seed in (0, 1)]
    found = {one.group.strategy: one for one in costs(group_cells([*full, *quick, *slow]))}
    assert found[FULL].split == TEST
    assert found[FULL].costs == pytest.approx((320, 320))
    assert found["quick"].costs == pytest.approx((100, 75))
    saving = found["quick"].saving
    assert saving is not None and saving.mean == pytest.approx((320 / 100 + 320 / 75) / 2)
    assert found["slow"].costs[0] == pytest.approx(100) and found["slow"].costs[1] is None
    assert found["slow"].saving is None

    grid = Grid.of(["data"], "random", "100", 2, RunConfig(track=LABELS_KNOWN))
    grid = replace(grid, strategies=("quick", "slow", FULL), against=("slow",))
    text = markdown(grid, sections(grid, [*full, *quick, *slow]), "command")
    assert "| quick | 100 | 100 | 100 | 88 | 3.73 (-3.04 to 10.51) |" in text
    assert "| slow | 100 | 100 | 100 | 100 (1 of 2 seeds) | – |" in text


def test_accuracy_at_equal_batches_is_interpolated_linearly() -> None:
    one = with_curve("one", 0, [(40, 0.4), (120, 0.8)])
    two = with_curve("two", 0, [(10, 0.1), (110, 0.6)])
    full = with_curve(FULL, 0, [(90, 0.5), (900, 0.9)])
    rows = at_batches(group_cells([one, two, full]), ["one"], "100")
    read = {(row.strategy, row.place): row.accuracy.mean for row in rows}
    assert read == {
        ("one", "50"): pytest.approx(0.45),
        ("one", "100"): pytest.approx(0.7),
        ("two", "50"): pytest.approx(0.3),
        ("two", "100"): pytest.approx(0.55),
        (FULL, "100"): pytest.approx(0.5 + 0.4 * 10 / 810),
    }


def test_validation_accuracy_replaces_missing_test_accuracy() -> None:
    points = (CurvePoint(5, 0.3, None), CurvePoint(10, 0.5, 0.6))
    blind = replace(made(FULL, "100", 0, 0.6), curve=points)
    (found,) = costs(group_cells([blind]))
    assert found.split == VALIDATION
    assert found.costs == pytest.approx((5 + 5 * (0.495 - 0.3) / 0.2,))


def test_lines_connect_budgets_or_rounds() -> None:
    results = [made("vecaf", budget, 0, int(budget) / 1000) for budget in ("200", "100")]
    (line,) = series(group_cells(results), "labels")
    assert (line.name, line.spent) == ("vecaf", (100.0, 200.0))
    assert [one.mean for one in line.accuracy] == [0.1, 0.2]
    first, second = CellRound(10, 5, None, 0.2, 1.0, ""), CellRound(20, 15, None, 0.4, 1.0, "")
    rounds = [replace(made("vecaf", "10", seed, 0.4), rounds=(first, second)) for seed in (0, 1)]
    (line,) = series(group_cells(rounds), "batches")
    assert (line.name, line.spent) == ("vecaf", (5.0, 15.0))


def test_the_files_contain_the_results(tmp_path: Path) -> None:
    grid = Grid.of(["data"], "random,vecaf", "100", 2, RunConfig())
    results = [
        made(name, "100", seed, 0.5 + 0.1 * seed) for name in grid.strategies for seed in (0, 1)
    ]
    results = [replace(one, dataset="<a>/b") for one in results]
    grid = replace(grid, datasets=("<a>/b",))
    text, files = write_report(tmp_path, grid, results, "the command")
    assert {path.name for path in files} == {path.name for path in tmp_path.iterdir()}
    table = list(csv.DictReader(io.StringIO((tmp_path / "table.csv").read_text())))
    assert [line["strategy"] for line in table] == ["random", "vecaf"]
    assert float(table[1]["accuracy"]) == pytest.approx(0.55)
    assert (float(table[1]["minus_random"]), table[0]["minus_random"]) == (0.0, "")
    cells = list(csv.DictReader(io.StringIO((tmp_path / "cells.csv").read_text())))
    assert [line["seed"] for line in cells] == ["0", "1", "0", "1"]
    for path in tmp_path.glob("*.svg"):
        assert f"]({path.name})" in text
        drawing = ET.fromstring(path.read_text())
        assert [e.text for e in drawing.iter() if e.text in ("random", "vecaf")] == [
            "random", "vecaf",
        ]  # fmt: skip
        assert "<a>" not in path.read_text()
    for path in tmp_path.glob("*.html"):
        assert "<a>/b: test" not in path.read_text()


def test_the_mean_ends_with_the_seed_that_stopped_first() -> None:
    results = [
        with_curve(FULL, 0, [(10, 0.3), (20, 0.5)]),
        with_curve(FULL, 1, [(10, 0.5), (20, 0.6), (30, 0.9), (40, 0.9)]),
    ]
    results = [
        replace(one, curve=tuple(replace(point, test_accuracy=point.test_accuracy or 0.0)
                                 for point in one.curve))
        for one in results
    ]  # fmt: skip
    (line,) = series(group_cells(results), "batches")
    assert line.spent == (10.0, 20.0)
    assert [one.mean for one in line.accuracy] == pytest.approx([0.4, 0.55])


def test_two_seeds_with_equal_differences_are_not_significant() -> None:
    results = [
        made(name, "100", seed, 0.5 + ahead)
        for name, ahead in (("random", 0.0), ("up", 0.03), ("down", -0.03))
        for seed in (0, 1)
    ]
    sentences = not_better(
        by_budget(group_cells(results), ["random"]), "random", lambda place: place
    )
    assert [text.partition(" than random")[0] for text in sentences] == [
        "up is not significantly better", "down is not better",
    ]  # fmt: skip


def test_plot_names_are_unique_and_every_line_has_a_legend_entry() -> None:
    names = ("猫", "犬", "Fotos 1", "Fotos/1", "Fotos-1")
    assert len({file_name(name, "labels") for name in names}) == len(names)
    results = [made(f"s{i}", budget, 0, 0.5) for i in range(30) for budget in ("100", "200")]
    drawn = ET.fromstring(as_svg("", "", series(group_cells(results), "labels")))
    height = float(drawn.attrib["viewBox"].split()[3])
    places = [float(one.attrib["y"]) for one in drawn.iter() if (one.text or "").startswith("s")]
    assert len(places) == 30 and max(places) < height
