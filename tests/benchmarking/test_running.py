"""Cells are real runs: measured once, the same by one worker or several, kept by what decides."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vecaf.benchmarking.cells import FULL, Grid
from vecaf.benchmarking.report import write_report
from vecaf.benchmarking.results import (
    Result,
    Shelf,
    content_digest,
    deciding,
)
from vecaf.benchmarking.running import Task, limited, measure_all, plan_tasks
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


def tasks_of(grid: Grid, samples: Samples, settings: Settings) -> list[Task]:
    return plan_tasks(grid, lambda name: samples, settings)


def test_a_cell_is_a_run_and_workers_change_nothing(
    samples: Samples, settings: Settings, tmp_path: Path
) -> None:
    tasks = tasks_of(grid_of(), samples, settings)
    alone = measure_all(tasks, Shelf(tmp_path / "one"), settings, workers=1)
    together = measure_all(tasks, Shelf(tmp_path / "two"), settings, workers=2)
    assert len(alone) == 2 * 2 * 2
    assert [timeless(one) for one in alone] == [timeless(one) for one in together]

    cell = next(job[0] for job in tasks[0].jobs if job[0].strategy == "kmeans")
    recorder = MemoryRecorder()
    run_rounds(cell.config, samples, recorder, tmp_path / "run", settings)
    (mine,) = [r for r in alone if (r.strategy, r.budget, r.seed) == ("kmeans", "4", 0)]
    assert mine.accuracy == recorder.results[0].test_accuracy
    assert (mine.labeled, mine.batches) == (4, recorder.results[0].batches)


def timeless(result: Result) -> Result:
    """A result without how long it took."""
    rounds = tuple(replace(one, seconds=0) for one in result.rounds)
    return replace(result, seconds=0, rounds=rounds)


def test_only_what_is_missing_is_measured(
    samples: Samples, settings: Settings, tmp_path: Path
) -> None:
    shelf, told = Shelf(tmp_path), list[tuple[int, int]]()

    def progress(stage: str, done: int, total: int) -> None:
        told.extend([(done, total)] if stage == "Measuring" else [])

    first = measure_all(tasks_of(grid_of(seeds=1), samples, settings), shelf, settings, 1, progress)
    assert told == [(n, 4) for n in range(5)]
    times = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}

    told.clear()
    grid = grid_of("random,kmeans,typiclust", seeds=1)
    more = measure_all(tasks_of(grid, samples, settings), shelf, settings, 1, progress)
    assert told == [(4, 6), (5, 6), (6, 6)]
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert [one for one in more if one.strategy != "typiclust"] == first

    broken = sorted(tmp_path.iterdir())[0]
    broken.write_text("{")  # a file that can't be read counts as none
    told.clear()
    again = measure_all(tasks_of(grid, samples, settings), shelf, settings, 1, progress)
    assert told == [(5, 6), (6, 6)]
    assert [timeless(one) for one in again] == [timeless(one) for one in more]


def test_what_decides_a_result_is_in_its_key(samples: Samples, settings: Settings) -> None:
    cell = grid_of().cells("shapes")[0]
    facts = deciding(cell, content_digest(samples), "set", "vlm", "cpu")
    shelf, paths = Shelf(Path("shelf")), set()
    relabeled = replace(samples, labels=samples.labels[::-1].copy())
    for other in (
        facts,
        deciding(
            replace(cell, config=replace(cell.config, epochs=4)),
            facts["content"],
            "set",
            "vlm",
            "cpu",
        ),
        deciding(cell, content_digest(relabeled), "set", "vlm", "cpu"),
        deciding(cell, facts["content"], "another set", "vlm", "cpu"),
        deciding(cell, facts["content"], "set", "another", "cpu"),
        deciding(cell, facts["content"], "set", "vlm", "cuda"),
    ):
        paths.add(shelf.path(cell, other))
    assert len(paths) == 6
    moved = replace(cell, config=replace(cell.config, dataset="renamed", device="cpu"))
    assert deciding(moved, facts["content"], "set", "vlm", "cpu") == facts
    assert content_digest(replace(samples, ids=samples.ids + 9)) == facts["content"]


def test_other_code_is_another_key_and_comments_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {name: code.code_digest(name) for name in ("random", "kmeans", "vecaf", "badge")}
    assert len(set(before.values())) == 4
    read = Path.read_text

    def digests(module: str, change: str) -> dict[str, bool]:
        """Which strategies' digests a change at the end of a module's source changes."""

        def changed(path: Path, *args: str, **kwargs: str) -> str:
            text = read(path, *args, **kwargs)
            return text + change if path == ROOT / module else text

        monkeypatch.setattr(Path, "read_text", changed)
        for cached in (code._tree, code._stripped_source):
            cached.cache_clear()
        after = {name: code.code_digest(name) != digest for name, digest in before.items()}
        monkeypatch.undo()
        for cached in (code._tree, code._stripped_source):
            cached.cache_clear()
        return after

    everything, nothing = dict.fromkeys(before, True), dict.fromkeys(before, False)
    assert digests("vecaf/selection/kmeans.py", "\n# said better\n") == nothing
    assert digests("vecaf/training/trainer.py", "\nX = 1\n") == everything
    assert digests("vecaf/selection/strategy_pool.py", "\nX = 1\n") == everything
    assert digests("vecaf/selection/random.py", "\nX = 1\n") == nothing | {"random": True}
    first_round = digests("vecaf/selection/typiclust.py", "\nX = 1\n")
    assert first_round["badge"] and not first_round["random"]
    assert digests("vecaf/store/models/training.py", "\nX = 1\n") == nothing


def test_a_smaller_pool_is_drawn_once(samples: Samples) -> None:
    less = limited(samples, 20)
    assert len(less.pool) == 20
    held_out = samples.ids[samples.splits != TRAIN]
    np.testing.assert_array_equal(less.ids[less.splits != TRAIN], held_out)
    np.testing.assert_array_equal(less.ids, limited(samples, 20).ids)
    where = np.searchsorted(samples.ids, less.ids)
    np.testing.assert_array_equal(less.labels, samples.labels[where])
    assert less.keys == tuple(samples.keys[row] for row in where)
    with pytest.raises(InputError, match="only 54"):
        limited(samples, 55)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"strategies": "random,ccs"}, "ccs.*labels-known track"),
        ({"strategies": "random,vecav"}, "did you mean vecaf"),
        ({"budgets": "4,60"}, "only 54 can be selected"),
        ({"budgets": "0"}, "at least 1"),
        ({"budgets": ","}, "budgets is empty"),
        ({"seeds": 0}, "at least 1"),
    ],
)
def test_what_can_not_be_is_refused_before_anything_runs(
    change: dict[str, str], words: str, samples: Samples, settings: Settings
) -> None:
    asked = {"strategies": "random", "budgets": "4", "seeds": 1} | change
    with pytest.raises(InputError, match=words):
        tasks_of(Grid.of(["shapes"], base=BASE, **asked), samples, settings)  # type: ignore[arg-type]


def test_nothing_to_test_on_is_said(samples: Samples, settings: Settings) -> None:
    untested = replace(samples, labels=np.where(samples.splits == "test", -1, samples.labels))
    with pytest.raises(InputError, match="no labelled test images"):
        tasks_of(grid_of(), untested, settings)


def test_labels_known_sets_its_target_by_the_whole_pool(
    samples: Samples, settings: Settings, tmp_path: Path
) -> None:
    base = replace(BASE, track=LABELS_KNOWN)
    grid = Grid.of(["shapes"], "ccs", "6", 1, base)
    assert grid.strategies == ("random", "ccs", FULL)
    results = measure_all(tasks_of(grid, samples, settings), Shelf(tmp_path), settings, 2)
    full = next(one for one in results if one.strategy == FULL)
    assert full.labeled == 54 and full.batches == 3 * 14  # 54 images in batches of 4, no captions
    validated = [point.batches for point in full.curve if point.val_accuracy is not None]
    assert validated == [14, 28, 42]
    assert [point.batches for point in full.curve][:22] == [*range(1, 22), 23]  # each 5% more
    assert all(point.test_accuracy is not None for one in results for point in one.curve)
    assert full.curve[-1].test_accuracy == full.accuracy
    text, _ = write_report(tmp_path / "report", grid, results, "command")
    assert "Batches to reach 99% of full finetuning's final accuracy on the test images" in text
