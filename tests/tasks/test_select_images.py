"""Selection tasks with explanations, and the loop select → label → run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from numpy.testing import assert_array_equal
from typer.testing import CliRunner

from tests.finished import CONFIG as ONE
from tests.finished import finish_run, new_studio
from tests.homes import new_home
from tests.shapes import write_shapes
from vecaf.commands.cli import app
from vecaf.config import LABELS_KNOWN, RunConfig
from vecaf.datasets import import_dataset
from vecaf.datasets.pool import load_samples
from vecaf.engine.child import do_run
from vecaf.engine.queue import submit_run
from vecaf.errors import CanceledError, InputError
from vecaf.runs.selection_only import labeled_or_selected
from vecaf.selection import FIRST_ROUND
from vecaf.settings import Settings
from vecaf.store import FINISHED, TEST, TRAIN, Sample, Store, Subset, Task, dataset_named
from vecaf.store.jobs import start_attempt
from vecaf.store.random_subsets import draw_test_sample
from vecaf.store.runs import selected_in_round
from vecaf.store.subsets import delete_subset, labeled_of, subset_samples
from vecaf.tasks import TASKS, TaskContext
from vecaf.tasks.select_images import (
    COVERS,
    SelectionExplanation,
    load_base_run,
    read_explanation,
)

PARAMS: dict[str, Any] = {
    "strategy": "vecaf",
    "budget": "8",
    "seed": 3,
    "caption_weight": 0.25,
    "track": "label-free",
    "revision": 0,
}
N = 90


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    home = new_home(tmp_path_factory.mktemp("home"))
    settings = Settings.from_environment({"VECAF_HOME": str(home), "VECAF_DEVICE": "cpu"})
    store = Store.open(settings)
    write_shapes(home / "shapes", N)
    import_dataset(store, home / "shapes", "labeled")
    flat = home / "flat"
    flat.mkdir()
    for path in sorted((home / "shapes").rglob("*.png")):
        path.rename(flat / f"{path.parent.name}-{path.name}")
    import_dataset(store, flat, "bare")
    yield store
    store.close()


def id_of(store: Store, name: str) -> int:
    with store.read() as session:
        return dataset_named(session, store.owner(), name).id


def select(
    store: Store, name: str, **changes: Any
) -> tuple[int, SelectionExplanation, dict[str, Any]]:
    """Run a selection task in this process."""
    params = {**PARAMS, **changes}
    dataset_id = id_of(store, name)
    with store.write() as session:
        task = Task(
            owner_id=store.owner(),
            dataset_id=dataset_id,
            kind="selection",
            params=params,
            state=FINISHED,
        )
        session.add(task)
        session.flush()
        task_id = task.id
    work = work_of(store, dataset_id, store.settings.tasks / str(task_id))
    result = TASKS["selection"](work, **params)
    explained = read_explanation(work.folder)
    assert explained is not None
    return task_id, explained, result


def work_of(store: Store, dataset_id: int, folder: Path, stop: bool = False) -> TaskContext:
    def show(stage: str, done: int = 0, total: int = 0) -> None:
        assert stage

    return TaskContext(store, store.owner(), dataset_id, folder, show, lambda: stop)


def do(store: Store, config: RunConfig) -> int:
    """Do a complete run in this process."""
    run_id = submit_run(store, config, store.owner())
    with store.write() as session:
        attempt = start_attempt(session, "run", run_id, "a worker")
    assert attempt is not None
    do_run(store, run_id, attempt, lambda: False)
    return run_id


@pytest.mark.parametrize("strategy", ["vecaf", "activeft", "random"])
def test_a_task_a_run_and_the_command_select_the_same_images(
    store: Store, strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, explained, result = select(store, "labeled", strategy=strategy)
    config = RunConfig(dataset="labeled", strategy=strategy, budget="8", seed=3, rounds=1, epochs=1)
    run_id = do(store, config)
    with store.read() as session:
        picked = [sample.id for _, sample in selected_in_round(session, store.owner(), run_id, 1)]
    assert explained.ids == picked
    assert result["selected"] == 8 and result["earlier"] == 0 and result["unlabeled"] == 0

    assert command_line(monkeypatch, store, "labeled", "--strategy", strategy) == picked


def command_line(monkeypatch: pytest.MonkeyPatch, store: Store, name: str, *more: str) -> list[int]:
    """The images that `python -m vecaf select` selects with the settings of PARAMS."""
    monkeypatch.setenv("VECAF_HOME", str(store.settings.home))
    words = ["select", name, "--budget", "8", "--seed", "3", *more, "--json"]
    said = CliRunner().invoke(app, words)
    ids: list[int] = json.loads(said.stdout)["ids"]
    return ids


def test_the_command_names_the_strategy_that_selected(
    monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    monkeypatch.setenv("VECAF_HOME", str(store.settings.home))
    words = ["select", "labeled", "--budget", "8", "--strategy", "margin"]
    said = CliRunner().invoke(app, words)
    assert "margin needs a trained model (--after RUN), so typiclust selected" in said.stdout
    said = CliRunner().invoke(app, [*words[:-1], "vecaf"])
    assert "With this budget, vecaf works like uherding." in said.stdout


def test_each_selected_image_is_explained(store: Store) -> None:
    task_id, explained, result = select(store, "labeled")
    k = len(explained.ids)
    assert k == 8
    for name, values in asdict(explained).items():
        if name not in ("scores", "earlier", "losses"):
            assert len(values) == k, name
    assert set(explained.scores) == {"gain", "uncertainty"}  # few images: uherding selects them
    assert result["strategy"] == "uherding"
    assert explained.losses is None
    assert sum(explained.covers) == result["pool"]
    covers = np.load(store.settings.tasks / str(task_id) / COVERS)
    assert len(covers) == N
    assert_array_equal(np.bincount(covers[covers >= 0], minlength=k), explained.covers)
    assert explained.captions is not None and explained.turned is not None
    assert {source for _, source in explained.captions} == {"look"}  # no label is visible
    assert all(0 < degrees < 90 for degrees in explained.turned)
    for index, (pick, instead) in enumerate(zip(explained.ids, explained.displaced, strict=True)):
        assert instead not in explained.ids, index
        assert pick not in explained.members[index]
    _, plain, _ = select(store, "labeled", caption_weight=0.0)
    gone = set(plain.ids) - set(explained.ids)
    by_plain = {
        i for i, why in zip(explained.displaced, explained.because, strict=True) if why == "plain"
    }
    assert by_plain == gone
    assert plain.turned is None and set(plain.because) == {"runner-up"}


def test_hidden_labels_do_not_change_a_selection(store: Store) -> None:
    """Label-free: with all labels of the pool changed, the selection stays the same."""
    _, before, _ = select(store, "labeled")
    with store.write() as session:
        session.execute(
            sa.update(Sample)
            .where(Sample.dataset_id == id_of(store, "labeled"), Sample.split == TRAIN)
            .values(label=(Sample.label + 1) % 3)
        )
    _, after, _ = select(store, "labeled")
    with store.write() as session:
        session.execute(
            sa.update(Sample)
            .where(Sample.dataset_id == id_of(store, "labeled"), Sample.split == TRAIN)
            .values(label=(Sample.label + 2) % 3)
        )
    assert after == before


def test_an_impossible_selection_is_an_error(store: Store, tmp_path: Path) -> None:
    bare = id_of(store, "bare")
    work = work_of(store, bare, tmp_path)
    with pytest.raises(InputError, match="needs all labels"):
        TASKS["selection"](work, **{**PARAMS, "track": LABELS_KNOWN})
    with pytest.raises(InputError, match=r"only .* can be selected"):
        TASKS["selection"](work, **{**PARAMS, "budget": "5000"})
    with pytest.raises(InputError, match="did you mean vecaf"):
        TASKS["selection"](work, **{**PARAMS, "strategy": "vecav"})
    with pytest.raises(CanceledError):
        TASKS["selection"](work_of(store, bare, tmp_path, stop=True), **PARAMS, image_size=64)
    assert read_explanation(tmp_path) is None


def test_all_images_that_the_base_run_selected_are_excluded(tmp_path: Path) -> None:
    store = new_studio(tmp_path / "home", count=190)
    run_id = finish_run(store, replace(ONE, budget="105", rounds=1, epochs=1))
    with store.read() as session:
        dataset = dataset_named(session, store.owner(), ONE.dataset)
        samples = load_samples(session, dataset, store.settings.images)
        picked = [sample.id for _, sample in selected_in_round(session, store.owner(), run_id, 1)]
    base_run = load_base_run(store, store.owner(), dataset.id, samples, run_id)
    assert list(base_run.selected_ids) == picked and len(set(picked)) == 105
    store.close()


def test_a_strategy_that_needs_a_model_leaves_the_selection_to_another(store: Store) -> None:
    _, explained, result = select(store, "labeled", strategy="margin")
    _, other, _ = select(store, "labeled", strategy=FIRST_ROUND)
    assert result["strategy"] == FIRST_ROUND and explained.ids == other.ids


def test_which_images_count_as_labeled_or_selected(store: Store) -> None:
    with store.read() as session:
        dataset = dataset_named(session, store.owner(), "labeled")
        samples = load_samples(session, dataset, store.settings.images)
    pool = samples.pool
    assert len(labeled_or_selected(samples)) == 0  # all labels came with the upload
    picked = samples.ids[pool[:3]].tolist()
    assert_array_equal(labeled_or_selected(samples, picked), pool[:3])
    samples.labels[pool[5:]] = -1
    assert_array_equal(labeled_or_selected(samples, picked), pool[:5])
    samples.excluded[pool[0]] = True
    assert_array_equal(labeled_or_selected(samples, picked), pool[1:5])


def test_random_test_samples_are_reproducible_and_share_no_image(store: Store) -> None:
    me, bare = store.owner(), id_of(store, "labeled")
    with store.write() as session:

        def drawn(sample: Subset) -> list[Sample]:
            return [row for _, row in subset_samples(session, me, sample.id)]

        one = draw_test_sample(session, me, bare, 6, seed=4)
        first = drawn(one)
        assert {row.split for row in first} == {TEST}
        assert one.kind == "evaluation" and labeled_of(session, one) == 0  # none is in the pool
        other = draw_test_sample(session, me, bare, 6, seed=4)
        assert one.name != other.name
        assert not {row.id for row in first} & {row.id for row in drawn(other)}
        with pytest.raises(InputError, match="Enter a number from 1"):
            draw_test_sample(session, me, bare, 10_000)
        delete_subset(session, me, one.id)
        delete_subset(session, me, other.id)
        again = draw_test_sample(session, me, bare, 6, seed=4)
        assert [row.id for row in drawn(again)] == [row.id for row in first]
