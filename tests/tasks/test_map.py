"""The map and the findings of a small real dataset, directly and through a worker."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from numpy.testing import assert_allclose, assert_array_equal

from tests.engine.harness import wait_for, worker
from tests.finished import finish_run
from tests.homes import new_home
from tests.shapes import write_shapes
from vecaf.arrays import unit_rows
from vecaf.arrays.principal_components import Basis
from vecaf.datasets import import_dataset
from vecaf.datasets.edits import edit
from vecaf.engine.queue import submit_task
from vecaf.errors import CanceledError, InputError
from vecaf.settings import Settings
from vecaf.store import ENDED, FINISHED, Dataset, SelectedSample, Store, Task, dataset_named
from vecaf.tasks import TASKS, TaskContext
from vecaf.tasks.review import predictions_of_newest_run

N = 60
ARRAYS = ("space", "pca", "pca-text", "umap", "umap-text", "caption-match")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A home with one dataset of drawn shapes, some of them captioned, one label wrong."""
    home = new_home(tmp_path_factory.mktemp("home"))
    store = Store.open(Settings.from_environment({"VECAF_HOME": str(home)}))
    write_shapes(home / "upload", N)
    import_dataset(store, home / "upload", "shapes", user_id=store.owner())
    return store


@pytest.fixture(scope="module")
def dataset(store: Store) -> Dataset:
    with store.read() as session:
        return dataset_named(session, store.owner(), "shapes")


class Stages:
    """Records the stages of a task and the files that exist in each."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.files = folder, dict[str, set[str]]()

    def __call__(self, stage: str, done: int = 0, total: int = 0) -> None:
        self.files.setdefault(stage, {path.name for path in self.folder.glob("*.n*")})


def work_on(
    store: Store, dataset: Dataset, folder: Path, stop: Callable[[], bool] = lambda: False
) -> TaskContext:
    return TaskContext(store, store.owner(), dataset.id, folder, Stages(folder), stop)


@pytest.fixture(scope="module")
def made(
    store: Store, dataset: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> tuple[TaskContext, dict[str, Any]]:
    """Run the task after a few images got captions, and return its files and result."""
    work = work_on(store, dataset, tmp_path_factory.mktemp("map"))
    ids = work.samples().ids.tolist()
    with store.write() as session:
        captions = dict.fromkeys(ids[:5], "a round disc on a plain ground")
        edit(session, store.owner(), dataset.id, "caption", captions)
    return work, TASKS["map"](work)


def test_the_map_is_complete_and_of_these_samples(made: tuple[TaskContext, dict[str, Any]]) -> None:
    work, result = made
    ids = work.samples().ids
    assert result["n"] == N
    assert result["ids_sha"] == hashlib.sha256(ids.astype("<i8").tobytes()).hexdigest()
    assert all((work.folder / name).is_file() for name in result["ready"])
    assert {f"{name}.npy" for name in ARRAYS} | {"basis.npz", "findings.json"} == set(
        result["ready"]
    )
    arrays = {name: np.load(work.folder / f"{name}.npy") for name in ARRAYS}
    assert {len(array) for array in arrays.values()} == {N}
    for name in ("pca", "pca-text", "umap", "umap-text"):
        assert arrays[name].shape == (N, 2) and arrays[name].dtype == np.float32
        assert np.isfinite(arrays[name]).all() and arrays[name].std() > 0
    assert arrays["space"].dtype == np.float16
    length = np.linalg.norm(arrays["space"].astype(np.float32), axis=1)
    assert_allclose(length, 1, atol=2e-3)
    match = arrays["caption-match"]
    assert np.isfinite(match[:5]).all() and np.isnan(match[5:]).all()
    assert (np.abs(match[:5]) <= 1.001).all()


def test_captions_move_the_text_view_only(made: tuple[TaskContext, dict[str, Any]]) -> None:
    folder = made[0].folder
    for method in ("pca", "umap"):
        image, text = (np.load(folder / f"{method}{part}.npy") for part in ("", "-text"))
        moved = np.linalg.norm(image - text, axis=1)
        assert 0 < moved.mean() < image.std(axis=0).max()  # a small move, not another map


def test_the_files_place_later_rows_on_the_map(
    made: tuple[TaskContext, dict[str, Any]],
) -> None:
    from vecaf.config import RunConfig
    from vecaf.encoders.dataset_features import embed_samples, pvm_for

    work, _ = made
    with np.load(work.folder / "basis.npz") as kept:
        basis = Basis(kept["mean"], kept["components"])
    samples = work.samples()
    pvm = pvm_for(RunConfig(), samples)
    features, computed = embed_samples(pvm, samples, work.store.settings, lambda done, total: None)
    assert computed == 0  # the task filled the cache
    coordinates = basis.project(features)
    assert_allclose(coordinates[:, :2], np.load(work.folder / "pca.npy"), atol=1e-5)
    space = np.load(work.folder / "space.npy").astype(np.float32)
    assert_allclose(unit_rows(coordinates), space, atol=2e-3)


def test_files_appear_one_by_one(made: tuple[TaskContext, dict[str, Any]]) -> None:
    stages = made[0].stage
    assert isinstance(stages, Stages)
    order = list(stages.files)
    assert order.index("Embedding captions") < order.index("Computing the map")
    assert {"pca.npy", "space.npy"} <= stages.files["Embedding captions"]
    assert "umap.npy" not in stages.files["Computing the map"]
    assert "pca-text.npy" in stages.files["Computing the map"]


def test_findings_use_the_current_labels(
    store: Store, dataset: Dataset, made: tuple[TaskContext, dict[str, Any]], tmp_path: Path
) -> None:
    before = json.loads((made[0].folder / "findings.json").read_text())
    assert before["found"]["labels"] == len(before["labels"])
    samples = made[0].samples()
    victim = next(
        row
        for row in range(N)
        if samples.ids[row] not in {item["id"] for item in before["labels"]}
        and samples.classes[samples.labels[row]] == "stripes"
    )
    with store.write() as session:
        wrong = {int(samples.ids[victim]): list(samples.classes).index("disc")}
        made_edit = edit(session, store.owner(), dataset.id, "label", wrong)
        assert made_edit is not None
    work = work_on(store, dataset, tmp_path)
    result = TASKS["findings"](work, revision=before["revision"] + 1)
    after = json.loads((tmp_path / "findings.json").read_text())
    assert result == {"found": after["found"], "revision": before["revision"] + 1}
    found = {item["id"]: item for item in after["labels"]}
    item = found[int(samples.ids[victim])]
    assert samples.classes[item["suggested"]] == "stripes"
    assert set(item["neighbors"]) <= set(samples.ids.tolist())


def test_findings_use_predictions_of_the_newest_run_for_unseen_images(
    store: Store, dataset: Dataset, tmp_path: Path
) -> None:
    work = work_on(store, dataset, tmp_path)
    samples = work.samples()
    assert predictions_of_newest_run(work, samples)[0] is None
    run_id = finish_run(store)
    asked, said = predictions_of_newest_run(work, samples)
    with store.read() as session:
        picks = session.scalars(
            sa.select(SelectedSample.sample_id).where(SelectedSample.run_id == run_id)
        )
        trained = np.isin(samples.ids, list(picks))
    assert asked == run_id and trained.sum() == 12
    assert_array_equal(said < 0, trained)
    assert (said == samples.labels)[~trained].mean() > 0.6  # three classes: chance is a third
    TASKS["findings"](work, revision=9)
    assert json.loads((tmp_path / "findings.json").read_text())["run"] == run_id


def test_a_canceled_map_ends_and_an_unknown_model_is_an_error(
    store: Store, dataset: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(CanceledError):
        TASKS["map"](work_on(store, dataset, tmp_path, stop=lambda: True))
    assert not (tmp_path / "umap.npy").exists()
    with pytest.raises(InputError, match="vision model"):
        TASKS["map"](work_on(store, dataset, tmp_path), model="no-such-model")
    with pytest.raises(InputError, match="Can't start the task"):
        submit_task(store, "map", dataset.id, {"colour": 1}, store.owner())


@pytest.mark.soak  # every browser test of a map uses one that a worker computed
def test_a_worker_computes_the_map(store: Store, dataset: Dataset) -> None:
    task_id = submit_task(store, "map", dataset.id, {}, store.owner())

    def row() -> Task:
        with store.read() as session:
            return session.get_one(Task, task_id)

    with worker(store.settings):
        wait_for(lambda: row().state in ENDED, 180, "the map has not ended")
    assert (row().state, row().error) == (FINISHED, None)
    folder = store.settings.tasks / str(task_id)
    assert set(row().result["ready"]) <= {path.name for path in folder.iterdir()}
    assert_array_equal(np.load(folder / "umap.npy").shape, (N, 2))
