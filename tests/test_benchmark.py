"""The benchmark: real cells, resumed and in parallel; numbers checked by hand on made-up ones."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.shapes import make_samples
from vecaf.benchmarking import code
from vecaf.benchmarking.cells import FULL, Grid
from vecaf.benchmarking.markdown import markdown
from vecaf.benchmarking.report import write_report
from vecaf.benchmarking.results import (
    TEST,
    VALIDATION,
    Point,
    Result,
    Round,
    Shelf,
    content_digest,
    deciding,
)
from vecaf.benchmarking.running import Task, limited, measure_all, plan_tasks
from vecaf.benchmarking.sections import sections
from vecaf.benchmarking.summary import at_batches, by_budget, costs, grouped, not_better, series
from vecaf.config import LABELS_KNOWN, RunConfig
from vecaf.datasets.pool import Samples
from vecaf.errors import InputError
from vecaf.recording import MemoryRecorder
from vecaf.rounds import run_rounds
from vecaf.settings import Settings
from vecaf.store import TRAIN

ROOT = Path(__file__).parents[1]
PATIENCE = 900  # seconds, on a machine that does ten other things: only a hang takes so long
BASE = RunConfig(epochs=3, batch_size=4, rounds=1)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = tmp_path_factory.mktemp("home")
    return Settings.from_environment({"VECAF_HOME": str(home), "VECAF_DEVICE": "cpu"})


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    return make_samples(tmp_path_factory.mktemp("shapes"))


def grid_of(strategies: str = "random,kmeans", budgets: str = "4,6", seeds: int = 2) -> Grid:
    return Grid.of(["shapes"], strategies, budgets, seeds, BASE)


def tasks_of(grid: Grid, samples: Samples, settings: Settings) -> list[Task]:
    return plan_tasks(grid, lambda name: samples, settings)


# --- Running -------------------------------------------------------------------------------------


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
        for cached in (code._tree, code._essence):
            cached.cache_clear()
        after = {name: code.code_digest(name) != digest for name, digest in before.items()}
        monkeypatch.undo()
        for cached in (code._tree, code._essence):
            cached.cache_clear()
        return after

    everything, nothing = dict.fromkeys(before, True), dict.fromkeys(before, False)
    assert digests("vecaf/selection/kmeans.py", "\n# said better\n") == nothing
    assert digests("vecaf/finetuning/loop.py", "\nX = 1\n") == everything
    assert digests("vecaf/selection/pool.py", "\nX = 1\n") == everything
    assert digests("vecaf/selection/random.py", "\nX = 1\n") == nothing | {"random": True}
    first_round = digests("vecaf/selection/typiclust.py", "\nX = 1\n")
    assert first_round["badge"] and not first_round["random"]
    assert digests("vecaf/store/models.py", "\nX = 1\n") == nothing


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
        ({"budgets": "4,60"}, "only 54 can be picked"),
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


# --- The command ---------------------------------------------------------------------------------


def start(home: Path, *words: object, **variables: object) -> subprocess.Popen[str]:
    said = {"VECAF_HOME": home, "VECAF_DEVICE": "cpu"} | variables
    return subprocess.Popen(
        [sys.executable, "-m", "vecaf", *map(str, words)],
        # A suite in the background ignores Ctrl-C, and what it starts would, too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        env=os.environ | {name: str(value) for name, value in said.items()},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(home: Path, *words: object) -> dict[str, object]:
    process = start(home, *words, "--json")
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, (out, err)
    (line,) = out.splitlines()
    answer: dict[str, object] = json.loads(line)
    return answer


def stop(
    process: subprocess.Popen[str], folder: Path, by: signal.Signals, after: int
) -> tuple[str, str]:
    """Send a signal once `after` cells are there; returns what it printed. Its workers end, too."""
    until = time.monotonic() + PATIENCE
    while len(list(folder.glob("cells/[!.]*.json"))) < after:
        assert process.poll() is None and time.monotonic() < until, process.communicate()
        time.sleep(0.05)
    children = _children(process.pid)
    if by == signal.SIGINT:
        os.killpg(process.pid, by)  # as a terminal does it: the workers hear it, too
    else:
        process.send_signal(by)
    printed = process.communicate(timeout=PATIENCE)
    while any(map(_alive, children)):
        assert time.monotonic() < until, "its workers outlive it"
        time.sleep(0.05)
    return printed


def test_stopped_three_times_amid_the_demo_it_goes_on_and_ends_the_same(
    tmp_path: Path, demo_home: Path
) -> None:
    words = (
        "benchmark", "openmoji", "--strategies", "random,typiclust", "--budgets", "12,2%",
        "--seeds", "4", "--epochs", "4",
    )  # fmt: skip
    folder = tmp_path / "broken"
    for after, by in ((1, signal.SIGKILL), (3, signal.SIGTERM), (5, signal.SIGINT)):
        process = start(demo_home, *words, "--to", folder, "--workers", "1", TMPDIR=tmp_path)
        out, err = stop(process, folder, by, after)
        assert not list(tmp_path.glob("vecaf-benchmark-*")), "the shared features are left behind"
        if by != signal.SIGKILL:
            assert process.returncode == 1
            assert (out, err.splitlines()[-1:]) == ("", ["vecaf: Stopped."])

    kept = {path: path.read_bytes() for path in folder.glob("cells/[!.]*.json")}
    assert 5 <= len(kept) < 16
    resumed = finish(demo_home, *words, "--to", folder)
    assert {path: path.read_bytes() for path in kept} == kept  # none was done twice
    whole = finish(demo_home, *words, "--to", tmp_path / "whole")
    same = [
        [{k: v for k, v in cell.items() if k != "seconds"} for cell in answer["cells"]]  # type: ignore[attr-defined]
        for answer in (resumed, whole)
    ]
    assert len(same[0]) == 16 and same[0] == same[1]
    assert resumed["table"] == whole["table"]
    for name in whole["files"]:  # type: ignore[attr-defined]
        if name != "cells.csv":  # holds seconds
            assert (folder / name).stat().st_size


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.fixture(scope="module")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("demo")
    process = start(home, "import", "demo:color", "--name", "openmoji")
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, (out, err)
    return home


def test_a_strategy_that_leaks_is_refused_in_words(demo_home: Path) -> None:
    process = start(demo_home, "benchmark", "openmoji", "--strategies", "ccs", "--json")
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2, (out, err)
    assert "is for the labels-known track" in json.loads(out)["error"]


# --- Comparing -----------------------------------------------------------------------------------


def made(strategy: str, budget: str, seed: int, accuracy: float, labeled: int = 0) -> Result:
    end = Round(labeled or int(budget), 10, 0.5, accuracy, 1.0, "")
    return Result("data", strategy, budget, seed, (end,), (Point(10, 0.5, accuracy),), 1.0)


def with_curve(strategy: str, seed: int, curve: Sequence[tuple[int, float]]) -> Result:
    result = made(strategy, "100", seed, curve[-1][1])
    points = tuple(Point(batches, None, value) for batches, value in curve)
    return replace(result, curve=points, rounds=(replace(result.rounds[0], batches=curve[-1][0]),))


def test_means_intervals_and_paired_differences_by_hand() -> None:
    """Three seeds: t(2) = 4.303. Differences of +2, +3 and +4 points have sd 1: ± 4.303/√3."""
    accuracies = {"random": (0.50, 0.55, 0.60), "vecaf": (0.52, 0.58, 0.64)}
    results = [
        made(strategy, budget, seed, value + (0.1 if budget == "200" else 0))
        for strategy, values in accuracies.items()
        for budget in ("100", "200")
        for seed, value in enumerate(values)
    ]
    rows = {(row.strategy, row.place): row for row in by_budget(grouped(results), ["random"])}
    assert rows["random", "100"].accuracy.mean == pytest.approx(0.55)
    assert rows["random", "100"].accuracy.low == pytest.approx(0.55 - 4.303 * 0.05 / 3**0.5)
    found = rows["vecaf", "200"].differences["random"]
    assert found is not None
    assert (found.mean, found.low) == pytest.approx((0.03, 0.03 - 4.303 * 0.01 / 3**0.5))
    assert rows["vecaf", "mean"].accuracy.mean == pytest.approx(0.63)
    assert rows["random", "100"].differences == {}

    grid = Grid.of(["data"], "vecaf", "100,200", 3, RunConfig())
    text = markdown(grid, sections(grid, results), "command")
    assert "| vecaf | 58.0 (43.1 to 72.9) | 68.0 (53.1 to 82.9) | 63.0 (48.1 to 77.9) |" in text
    assert "| vecaf | **+3.0 (+0.5 to +5.5)** | **+3.0 (+0.5 to +5.5)** |" in text
    assert "does not" not in text


def test_what_does_not_beat_random_is_said() -> None:
    differences = {
        "level": (0.01, -0.01, 0.0),
        "ahead": (0.04, -0.01, 0.03),
        "behind": (-0.03, -0.04, -0.05),
        "better": (0.03, 0.04, 0.05),
    }
    results = [made("random", "100", seed, 0.5) for seed in range(3)]
    for name, gaps in differences.items():
        results += [made(name, "100", seed, 0.5 + gap) for seed, gap in enumerate(gaps)]
    rows = by_budget(grouped(results), ["random"])
    assert not_better(rows, "random", lambda place: f"at {place} labels") == [
        "level does not beat random at 100 labels: +0.0 (−2.5 to +2.5).",
        "ahead does not clearly beat random at 100 labels: +2.0 (−4.6 to +8.6).",
        "behind is worse than random at 100 labels: −4.0 (−6.5 to −1.5).",
    ]
    alone = by_budget(grouped([one for one in results if one.seed == 0]), ["random"])
    assert not_better(alone, "random", str) == [
        "Whether anything beats random can't be said from one seed; take five."
    ]


def test_seeds_pair_where_both_have_them() -> None:
    results = [made("random", "100", seed, 0.5) for seed in (0, 1, 2)]
    results += [made("vecaf", "100", seed, 0.5 + seed / 100) for seed in (1, 2, 5)]
    row = by_budget(grouped(results), ["random"])[-1]
    found = row.differences["random"]
    assert found is not None and (found.n, row.accuracy.n) == (2, 3)
    assert found.mean == pytest.approx(0.015)


def test_batches_to_the_target_by_hand() -> None:
    """Full ends at 0.8, so 0.792 is the target. It crosses it between 300 and 400 batches."""
    full = [with_curve(FULL, seed, [(100, 0.6), (300, 0.79), (400, 0.8)]) for seed in (0, 1)]
    quick = [
        with_curve("quick", 0, [(50, 0.7), (100, 0.792)]),  # at 100 sharp
        with_curve("quick", 1, [(50, 0.692), (100, 0.892)]),  # halfway from 50: at 75
    ]
    slow = [with_curve("slow", seed, [(50, 0.5), (100, 0.792 - 0.01 * seed)]) for seed in (0, 1)]
    found = {one.group.strategy: one for one in costs(grouped([*full, *quick, *slow]))}
    assert found[FULL].split == TEST
    assert found[FULL].costs == pytest.approx((320, 320))
    assert found["quick"].costs == pytest.approx((100, 75))
    saving = found["quick"].saving
    assert saving is not None and saving.mean == pytest.approx((320 / 100 + 320 / 75) / 2)
    assert found["slow"].costs[0] == pytest.approx(100) and found["slow"].costs[1] is None
    assert found["slow"].saving is None

    grid = Grid.of(["data"], "random", "100", 2, replace(BASE, track=LABELS_KNOWN))
    grid = replace(grid, strategies=("quick", "slow", FULL), against=("slow",))
    text = markdown(grid, sections(grid, [*full, *quick, *slow]), "command")
    assert "| quick | 100 | 100 | 100 | 88 | 3.73 (-3.04 to 10.51) |" in text
    assert "| slow | 100 | 100 | 100 | 100 (1 of 2 seeds) | – |" in text


def test_equal_batches_are_read_from_straight_lines() -> None:
    one = with_curve("one", 0, [(40, 0.4), (120, 0.8)])
    two = with_curve("two", 0, [(10, 0.1), (110, 0.6)])
    full = with_curve(FULL, 0, [(90, 0.5), (900, 0.9)])
    rows = at_batches(grouped([one, two, full]), ["one"], "100")
    read = {(row.strategy, row.place): row.accuracy.mean for row in rows}
    assert read == {
        ("one", "50"): pytest.approx(0.45),
        ("one", "100"): pytest.approx(0.7),
        ("two", "50"): pytest.approx(0.3),
        ("two", "100"): pytest.approx(0.55),
        (FULL, "100"): pytest.approx(0.5 + 0.4 * 10 / 810),
    }


def test_where_test_accuracy_was_not_looked_at_validation_is_read() -> None:
    points = (Point(5, 0.3, None), Point(10, 0.5, 0.6))
    blind = replace(made(FULL, "100", 0, 0.6), curve=points)
    (found,) = costs(grouped([blind]))
    assert found.split == VALIDATION
    assert found.costs == pytest.approx((5 + 5 * (0.495 - 0.3) / 0.2,))


def test_lines_go_through_budgets_or_through_rounds() -> None:
    results = [made("vecaf", budget, 0, int(budget) / 1000) for budget in ("200", "100")]
    (line,) = series(grouped(results), "labels")
    assert (line.name, line.spent) == ("vecaf", (100.0, 200.0))
    assert [one.mean for one in line.accuracy] == [0.1, 0.2]
    first, second = Round(10, 5, None, 0.2, 1.0, ""), Round(20, 15, None, 0.4, 1.0, "")
    rounds = [replace(made("vecaf", "10", seed, 0.4), rounds=(first, second)) for seed in (0, 1)]
    (line,) = series(grouped(rounds), "batches")
    assert (line.name, line.spent) == ("vecaf", (5.0, 15.0))


def test_the_files_hold_the_numbers(tmp_path: Path) -> None:
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
