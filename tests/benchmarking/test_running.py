"""Cells are real runs: measured once, cached, and independent of the number of workers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vecaf.benchmarking.cells import FULL, Grid
from vecaf.benchmarking.report import write_report
from vecaf.benchmarking.results import (
    CellResult,
    ResultCache,
    cache_facts,
    content_digest,
)
from vecaf.benchmarking.running import DatasetJobs, limit_pool, measure_all, plan_jobs
from vecaf.config import LABELS_KNOWN, RunConfig
from vecaf.datasets.pool import Samples
from vecaf.errors import InputError
from vecaf.export import code_digest as code
from vecaf.runs.recording import MemoryRecorder
from vecaf.runs.rounds import run_rounds
from vecaf.settings import Settings
from vecaf.store import TRAIN

ROOT = Path(__file__).parents[2]
BASE = RunConfig(epochs=3, batch_size=4, rounds=1)


def grid_of(strategies: str = "random,kmeans", budgets: str = "4,6", seeds: int = 2) -> Grid:
    return Grid.of(["shapes"], strategies, budgets, seeds, BASE)


def tasks_of(grid: Grid, samples: Samples, settings: Settings) -> list[DatasetJobs]:
    return plan_jobs(grid, lambda name: samples, settings)


@pytest.mark.soak
def test_a_cell_equals_a_run_for_any_number_of_workers(
    samples: Samples, settings: Settings, tmp_path: Path
) -> None:
    tasks = tasks_of(grid_of(budgets="4"), samples, settings)
    alone = measure_all(tasks, ResultCache(tmp_path / "one"), settings, workers=1)
    together = measure_all(tasks, ResultCache(tmp_path / "two"), settings, workers=2)
    assert len(alone) == 2 * 2
    assert [timeless(one) for one in alone] == [timeless(one) for one in together]

    cell = next(job[0] for job in tasks[0].jobs if job[0].strategy == "kmeans")
    recorder = MemoryRecorder()
    run_rounds(cell.config, samples, recorder, tmp_path / "run", settings)
    (mine,) = [r for r in alone if (r.strategy, r.budget, r.seed) == ("kmeans", "4", 0)]
    assert mine.accuracy == recorder.results[0].test_accuracy
    assert (mine.labeled, mine.batches) == (4, recorder.results[0].batches)


def timeless(result: CellResult) -> CellResult:
    """Return a result with its durations set to zero."""
    rounds = tuple(replace(one, seconds=0) for one in result.rounds)
    return replace(result, seconds=0, rounds=rounds)


@pytest.mark.soak
def test_only_missing_cells_are_measured(
    samples: Samples, settings: Settings, tmp_path: Path
) -> None:
    cache, told = ResultCache(tmp_path), list[tuple[int, int]]()

    def progress(stage: str, done: int, total: int) -> None:
        told.extend([(done, total)] if stage == "Measuring" else [])

    grid = grid_of(budgets="4", seeds=1)
    first = measure_all(tasks_of(grid, samples, settings), cache, settings, 1, progress)
    assert told == [(n, 2) for n in range(3)]
    times = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}

    told.clear()
    grid = grid_of("random,kmeans,typiclust", "4", seeds=1)
    more = measure_all(tasks_of(grid, samples, settings), cache, settings, 1, progress)
    assert told == [(2, 3), (3, 3)]
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert [one for one in more if one.strategy != "typiclust"] == first

    broken = sorted(tmp_path.iterdir())[0]
    broken.write_text("{")  # an unreadable file counts as missing
    told.clear()
    again = measure_all(tasks_of(grid, samples, settings), cache, settings, 1, progress)
    assert told == [(2, 3), (3, 3)]
    assert [timeless(one) for one in again] == [timeless(one) for one in more]


def test_the_key_covers_everything_that_affects_a_result(
    samples: Samples, settings: Settings
) -> None:
    cell = grid_of().cells("shapes")[0]
    facts = cache_facts(cell, content_digest(samples), "set", "vlm", "cpu")
    cache, paths = ResultCache(Path("cache")), set()
    relabeled = replace(samples, labels=samples.labels[::-1].copy())
    for other in (
        facts,
        cache_facts(
            replace(cell, config=replace(cell.config, epochs=4)),
            facts["content"],
            "set",
            "vlm",
            "cpu",
        ),
        cache_facts(cell, content_digest(relabeled), "set", "vlm", "cpu"),
        cache_facts(cell, facts["content"], "another set", "vlm", "cpu"),
        cache_facts(cell, facts["content"], "set", "another", "cpu"),
        cache_facts(cell, facts["content"], "set", "vlm", "cuda"),
    ):
        paths.add(cache.path(cell, other))
    assert len(paths) == 6
    moved = replace(cell, config=replace(cell.config, dataset="renamed", device="cpu"))
    assert cache_facts(moved, facts["content"], "set", "vlm", "cpu") == facts
    assert content_digest(replace(samples, ids=samples.ids + 9)) == facts["content"]


def test_code_changes_change_the_key_but_comments_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {name: code.code_digest(name) for name in ("random", "kmeans", "vecaf", "badge")}
    assert len(set(before.values())) == 4
    read = Path.read_text

    def digests(module: str, change: str) -> dict[str, bool]:
        """Return whether appending to a module's source changes each strategy's digest."""

        def changed(path: Path, *args: str, **kwargs: str) -> str:
            text = read(path, *args, **kwargs)
            return text + change if path == ROOT / module else text

        monkeypatch.setattr(Path, "read_text", changed)
        for cached in (code._tree, code._imports, code._stripped_source):
            cached.cache_clear()
        after = {name: code.code_digest(name) != digest for name, digest in before.items()}
        monkeypatch.undo()
        for cached in (code._tree, code._imports, code._stripped_source):
            cached.cache_clear()
        return after

    everything, nothing = dict.fromkeys(before, True), dict.fromkeys(before, False)
    assert digests("vecaf/selection/kmeans.py", "\n# comment\n") == nothing
    assert digests("vecaf/training/trainer.py", "\nX = 1\n") == everything
    assert digests("vecaf/selection/strategy_pool.py", "\nX = 1\n") == everything
    assert digests("vecaf/selection/random.py", "\nX = 1\n") == nothing | {"random": True}
    first_round = digests("vecaf/selection/typiclust.py", "\nX = 1\n")
    assert first_round["badge"] and not first_round["random"]
    assert digests("vecaf/store/models/training.py", "\nX = 1\n") == nothing


def test_a_smaller_pool_is_the_same_sample_every_time(samples: Samples) -> None:
    less = limit_pool(samples, 20)
    assert len(less.pool) == 20
    held_out = samples.ids[samples.splits != TRAIN]
    np.testing.assert_array_equal(less.ids[less.splits != TRAIN], held_out)
    np.testing.assert_array_equal(less.ids, limit_pool(samples, 20).ids)
    where = np.searchsorted(samples.ids, less.ids)
    np.testing.assert_array_equal(less.labels, samples.labels[where])
    assert less.keys == tuple(samples.keys[row] for row in where)
    with pytest.raises(InputError, match="only 54"):
        limit_pool(samples, 55)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"strategies": "random,ccs"}, "ccs.*labels-known track"),
        ({"strategies": "random,vecav"}, "did you mean vecaf"),
        ({"budgets": "4,60"}, "only 54 labeled images can be selected"),
        ({"budgets": "0"}, "at least 1"),
        ({"budgets": ","}, "budgets is empty"),
        ({"seeds": 0}, "at least 1"),
    ],
)
def test_invalid_grids_are_rejected_before_anything_runs(
    change: dict[str, str], words: str, samples: Samples, settings: Settings
) -> None:
    asked = {"strategies": "random", "budgets": "4", "seeds": 1} | change
    with pytest.raises(InputError, match=words):
        tasks_of(Grid.of(["shapes"], base=BASE, **asked), samples, settings)  # type: ignore[arg-type]


def test_missing_test_images_are_explained(samples: Samples, settings: Settings) -> None:
    untested = replace(samples, labels=np.where(samples.splits == "test", -1, samples.labels))
    with pytest.raises(InputError, match="no labeled test images"):
        tasks_of(grid_of(), untested, settings)


def test_the_target_of_labels_known_comes_from_the_whole_pool(
    samples: Samples, settings: Settings, tmp_path: Path
) -> None:
    base = replace(BASE, track=LABELS_KNOWN)
    grid = Grid.of(["shapes"], "ccs", "6", 1, base)
    assert grid.strategies == ("random", "ccs", FULL)
    results = measure_all(tasks_of(grid, samples, settings), ResultCache(tmp_path), settings, 2)
    full = next(one for one in results if one.strategy == FULL)
    assert full.labeled == 54 and full.batches == 3 * 14  # 54 images in batches of 4, no captions
    validated = [point.batches for point in full.curve if point.val_accuracy is not None]
    assert validated == [14, 28, 42]
    assert [point.batches for point in full.curve][:22] == [*range(1, 22), 23]  # after 5% more each
    assert all(point.test_accuracy is not None for one in results for point in one.curve)
    assert full.curve[-1].test_accuracy == full.accuracy
    text, _ = write_report(tmp_path / "report", grid, results, "command")
    assert "The target is 99% of the final test accuracy of a run on the whole pool." in text
