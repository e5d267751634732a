"""Tasks on target domains: the preview, and a pair of runs on clean and corrupted images."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from tests.homes import new_home
from tests.shapes import CLASSES, write_shapes
from vecaf.config import RunConfig
from vecaf.datasets import import_dataset
from vecaf.engine.child import do_run
from vecaf.engine.queue import submit_run
from vecaf.errors import CanceledError, InputError, NotFoundError
from vecaf.runs.evaluate import evaluate_run
from vecaf.settings import Settings
from vecaf.store import TEST, Dataset, Run, Sample, Store, User, dataset_named
from vecaf.store.jobs import start_attempt
from vecaf.store.run_pairs import compatible_datasets, find_run_pairs
from vecaf.tasks import TASKS, TaskContext
from vecaf.tasks.shift_preview import PREVIEW, STRETCHES

CONFIG = RunConfig(dataset="shapes", budget="18", rounds=1, epochs=4)
WORDS = "a white drawing of"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    home = new_home(tmp_path_factory.mktemp("home"))
    store = Store.open(Settings.from_environment({"VECAF_HOME": str(home), "VECAF_DEVICE": "cpu"}))
    for name, seed in (("shapes", 0), ("others", 7)):
        write_shapes(home / name, 90, seed)
        import_dataset(store, home / name, name)
    yield store
    store.close()


@pytest.fixture(scope="module")
def pair(store: Store) -> tuple[int, int]:
    """A run without and a run with a target domain, done in this process."""
    made = []
    for config in (CONFIG, replace(CONFIG, target_words=WORDS)):
        run_id = submit_run(store, config, store.owner())
        with store.write() as session:
            attempt = start_attempt(session, "run", run_id, "a worker")
        assert attempt is not None
        do_run(store, run_id, attempt, lambda: False)
        made.append(run_id)
    return made[0], made[1]


def work(store: Store, folder: Path, name: str = "shapes", stop: bool = False) -> TaskContext:
    with store.read() as session:
        dataset = dataset_named(session, store.owner(), name)
    return TaskContext(
        store, store.owner(), dataset.id, folder, lambda stage, done=0, total=0: None, lambda: stop
    )


def test_the_preview_has_a_strength_and_an_arrow_per_class(store: Store, tmp_path: Path) -> None:
    found = TASKS["shift_preview"](work(store, tmp_path), words="in thick fog", revision=0)
    assert found["strength"] in (0, 0.25, 0.5, 1.0) and "in thick fog" in found["reason"]
    assert 0 <= found["reach"] <= 1
    assert {one["name"] for one in found["classes"]} == set(CLASSES)
    assert all(len(set(one["nearest"])) == 6 for one in found["classes"])
    assert all(one["labeled"] == one["images"] > 0 for one in found["classes"])
    drawn = json.loads((tmp_path / PREVIEW).read_text())
    view = drawn["views"]["PCA"]
    assert len(view["from"]) == len(view["to"]) == len(drawn["names"]) == 3
    assert len(view["points"]) == len(drawn["labels"]) and max(drawn["labels"]) == 2
    assert drawn["strength"] > 0  # arrows are shown even if a run would not use the shift
    arrows = np.linalg.norm(np.subtract(view["to"], view["from"]), axis=1)
    extent = np.ptp(view["points"], axis=0).max()
    assert 0.02 * extent < arrows.max() <= 0.21 * extent and view["stretch"] in STRETCHES
    json.dumps(found)


def test_the_preview_reads_no_test_label(store: Store, tmp_path: Path) -> None:
    class Poisoned(TaskContext):
        def samples(self) -> Any:
            samples = super().samples()
            labels = np.where(samples.splits == TEST, 0, samples.labels)
            return replace(samples, labels=labels)

    honest = work(store, tmp_path)
    poisoned = Poisoned(**{name: getattr(honest, name) for name in vars(honest)})
    one, other = (
        TASKS["shift_preview"](each, words=WORDS, revision=0) for each in (honest, poisoned)
    )
    assert one == other


def test_the_preview_counts_labels_and_not_only_assigned_images(
    store: Store, tmp_path: Path
) -> None:
    class FewLabels(TaskContext):
        def samples(self) -> Any:
            samples = super().samples()
            kept = samples.pool[:5]
            labels = np.where(np.isin(np.arange(len(samples)), kept), samples.labels, -1)
            return replace(samples, labels=labels)

    honest = work(store, tmp_path)
    few = FewLabels(**{name: getattr(honest, name) for name in vars(honest)})
    found = TASKS["shift_preview"](few, words=WORDS, revision=0)["classes"]
    pool = len(honest.samples().pool)
    assert sum(one["images"] for one in found) == pool > sum(one["labeled"] for one in found)
    assert 0 < sum(one["labeled"] for one in found) <= 5


def test_the_preview_has_a_umap_if_the_map_was_computed(store: Store, tmp_path: Path) -> None:
    here = work(store, tmp_path)
    from vecaf.store import FINISHED, Task

    with store.write() as session:
        task = Task(
            owner_id=store.owner(), dataset_id=here.dataset_id, kind="map", params={},
            state=FINISHED,
        )  # fmt: skip
        session.add(task)
        session.flush()
        folder = store.settings.tasks / str(task.id)
    folder.mkdir(parents=True)
    places = np.random.default_rng(0).normal(size=(90, 2)).astype(np.float32)
    np.save(folder / "umap.npy", places)
    TASKS["shift_preview"](here, words=WORDS, revision=0)
    view = json.loads((tmp_path / PREVIEW).read_text())["views"]["UMAP"]
    inside = np.array(view["to"])
    assert (inside >= places.min(axis=0)).all() and (inside <= places.max(axis=0)).all()
    np.save(folder / "umap.npy", places[:10])  # for other images: ignored
    TASKS["shift_preview"](here, words=WORDS, revision=0)
    assert "UMAP" not in json.loads((tmp_path / PREVIEW).read_text())["views"]


def test_a_pair_is_compared_on_the_same_images(
    store: Store, pair: tuple[int, int], tmp_path: Path
) -> None:
    here = work(store, tmp_path)
    with store.read() as session:
        other = dataset_named(session, store.owner(), "others").id
        assert [
            (p.plain.id, p.shifted.id)
            for p in find_run_pairs(session, store.owner(), here.dataset_id)
        ] == [pair]
        assert compatible_datasets(session, store.owner(), here.dataset_id) == [(other, "others")]
    found = TASKS["shift_result"](here, plain=pair[0], shifted=pair[1], corruption="snow", on=other)
    assert [one["severity"] for one in found["levels"]] == [0, 1, 2, 3, 4, 5]
    clean, worst = found["levels"][0], found["levels"][5]
    for side, run_id in zip(("plain", "shifted"), pair, strict=True):
        _, _, alone = evaluate_run(store, store.owner(), run_id)
        assert clean[side] == pytest.approx(alone.metrics["accuracy"])
        _, _, there = evaluate_run(store, store.owner(), run_id, "others")
        assert found["other"][side] == pytest.approx(there.metrics["accuracy"])
    assert clean["plain"] > 0.6 and worst["plain"] < clean["plain"]
    assert found["other"]["images"] == 90
    assert " ".join(found["sentences"]).count("on clean images") == 1
    assert found["overall"][1] <= found["overall"][0] <= found["overall"][2]
    again = TASKS["shift_result"](here, plain=pair[0], shifted=pair[1], corruption="snow")
    assert again["levels"] == found["levels"] and again["other"] is None
    json.dumps(found)


def test_a_run_compared_with_itself_does_not_differ(
    store: Store, pair: tuple[int, int], tmp_path: Path
) -> None:
    found = TASKS["shift_result"](
        work(store, tmp_path), plain=pair[0], shifted=pair[0], corruption="pixelate"
    )
    assert found["same"] and {one["difference"] for one in found["levels"]} == {0.0}
    assert "both models are the same" in found["sentences"][0]


@pytest.mark.soak  # trains two runs with two models each
def test_models_with_two_backbones_predict_as_they_do_alone(store: Store, tmp_path: Path) -> None:
    """With two backbones, both process every image."""
    config = replace(CONFIG, mode="full", epochs=1, budget="9")
    ids = []
    for seed in (0, 1):
        run_id = submit_run(store, replace(config, seed=seed), store.owner())
        with store.write() as session:
            attempt = start_attempt(session, "run", run_id, "a worker")
        assert attempt is not None
        do_run(store, run_id, attempt, lambda: False)
        ids.append(run_id)
    found = TASKS["shift_result"](work(store, tmp_path), plain=ids[0], shifted=ids[1])
    for side, run_id in zip(("plain", "shifted"), ids, strict=True):
        _, _, alone = evaluate_run(store, store.owner(), run_id)
        assert found["levels"][0][side] == pytest.approx(alone.metrics["accuracy"])


def test_an_impossible_comparison_is_an_error(
    store: Store, pair: tuple[int, int], tmp_path: Path
) -> None:
    here = work(store, tmp_path)
    compare = TASKS["shift_result"]
    with pytest.raises(InputError, match="did you mean fog"):
        compare(here, plain=pair[0], shifted=pair[1], corruption="fogg")
    with pytest.raises(NotFoundError):
        compare(here, plain=pair[0], shifted=98765, corruption="fog")
    queued = submit_run(store, replace(CONFIG, seed=9), store.owner())
    with pytest.raises(InputError, match="not a finished run"):
        compare(here, plain=queued, shifted=pair[1], corruption="fog")
    with store.write() as session:
        stranger = User(name="stranger")
        session.add(stranger)
        session.flush()
        session.get_one(Run, queued).owner_id = stranger.id
    with pytest.raises(NotFoundError):
        compare(here, plain=queued, shifted=pair[1], corruption="fog")


def test_a_dataset_without_classes_has_no_preview(store: Store, tmp_path: Path) -> None:
    for path, _ in write_shapes(tmp_path / "made", 6):
        (tmp_path / "flat").mkdir(exist_ok=True)
        path.rename(tmp_path / "flat" / path.name)
    import_dataset(store, tmp_path / "flat", "flat")
    with pytest.raises(InputError, match="no classes yet"):
        TASKS["shift_preview"](work(store, tmp_path, "flat"), words=WORDS, revision=0)


def test_renamed_and_added_classes_are_matched_to_those_of_the_run(
    store: Store, pair: tuple[int, int], tmp_path: Path
) -> None:
    before = evaluate_run(store, store.owner(), pair[0])[2]
    here = work(store, tmp_path)
    of_tests = sa.select(Sample).where(Sample.dataset_id == here.dataset_id, Sample.split == TEST)

    def change(classes: list[str], label: int | None = None) -> int | None:
        """Rename the classes and relabel a test image; return its earlier label."""
        with store.write() as session:
            session.get_one(Dataset, here.dataset_id).classes = classes
            sample = session.scalars(of_tests.order_by(Sample.id).limit(1)).one()
            was, sample.label = sample.label, sample.label if label is None else label
            return was

    names = list(CLASSES)
    was = change(["renamed", *names[1:], "new"])
    assert evaluate_run(store, store.owner(), pair[0])[2] == before
    found = TASKS["shift_result"](here, plain=pair[0], shifted=pair[1])
    assert found["levels"][0]["plain"] == pytest.approx(before.metrics["accuracy"])
    change([*names, "new"], label=3)
    with pytest.raises(InputError, match="does not know the class 'new'"):
        evaluate_run(store, store.owner(), pair[0])
    change(names, label=was)
    assert evaluate_run(store, store.owner(), pair[0])[2] == before


def test_a_canceled_task_ends(store: Store, pair: tuple[int, int], tmp_path: Path) -> None:
    here = work(store, tmp_path, stop=True)
    with pytest.raises(CanceledError):
        TASKS["shift_preview"](here, words=WORDS, revision=0)
    with pytest.raises(CanceledError):
        TASKS["shift_result"](here, plain=pair[0], shifted=pair[1], corruption="fog")


def test_each_shifted_run_finds_the_plain_one_before_it(store: Store) -> None:
    config = replace(CONFIG, seed=4)
    made = [
        submit_run(store, replace(config, target_words=words), store.owner())
        for words in ("", "in fog", "", "in snow", "")
    ]
    with store.read() as session:
        dataset = dataset_named(session, store.owner(), "shapes").id
        found = find_run_pairs(session, store.owner(), dataset)
    mine = [(p.words, p.plain.id, p.shifted.id) for p in found if p.plain.config["seed"] == 4]
    assert mine == [("in snow", made[2], made[3]), ("in fog", made[0], made[1])]
