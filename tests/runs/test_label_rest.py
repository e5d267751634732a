"""Labels from a run's model: which images it may label, the history, undo, and the command."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from tests.finished import NAME, new_studio
from vecaf.commands.application import app
from vecaf.config import RunConfig
from vecaf.datasets.edits import edit, undo
from vecaf.errors import InputError, NotFoundError
from vecaf.evaluation.predictions import Predictions, load_predictions, save_predictions
from vecaf.runs.label_rest import apply_labels, left_name, plan_labels
from vecaf.store import FINISHED, QUEUED, TEST, TRAIN, Dataset, Round, Run, Sample, Store
from vecaf.store.check_images import check_images
from vecaf.store.gallery import changes_of, history_of_image
from vecaf.store.random_subsets import draw_test_sample
from vecaf.store.subsets import subset_named, subset_samples

LOOSE = {"max_error": 0.25, "confidence": 0.8}
EVERY = 5  # every fifth image is one that the model gets wrong, with low confidence


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return a store with run 1; see `add_predicted_run`."""
    store = new_studio(tmp_path / "home")
    with store.read() as session:
        dataset_id = session.scalars(sa.select(Dataset.id)).one()
    _, truth = add_predicted_run(store, dataset_id, NAME)
    store.truth = truth  # type: ignore[attr-defined]
    return store


def add_predicted_run(store: Store, dataset_id: int, name: str) -> tuple[int, dict[int, int]]:
    """Add a finished run to a labeled dataset, whose model is right except on every fifth image.

    All pool images are unlabeled then, all test images are labeled. Returns the run and the true
    labels.
    """
    owner = store.owner()
    with store.write() as session:
        query = sa.select(Sample).where(Sample.dataset_id == dataset_id).order_by(Sample.id)
        samples = session.scalars(query).all()
        labels = np.array([one.label for one in samples])
        pool = np.array([one.split == TRAIN for one in samples])
        ids = np.array([one.id for one in samples])
        for one in samples:
            one.split = one.split if one.split == TRAIN else TEST
        run = Run(owner_id=owner, dataset_id=dataset_id, name="r", seed=0, state=FINISHED,
                  config=RunConfig(dataset=name).as_dict())  # fmt: skip
        session.add(run)
        session.flush()
        run_id = run.id
        session.add(Round(run_id=run_id, number=1, labeled=6, batches=4, val_accuracy=None,
                          test_accuracy=1.0, confusion={}, seconds=1.0))  # fmt: skip
        edit(session, owner, dataset_id, "label", dict.fromkeys(ids[pool].tolist()))
    hard = np.arange(0, len(ids), EVERY)
    confidence = np.linspace(0.8, 0.99, len(ids), dtype=np.float32)
    confidence[hard] = np.linspace(0.5, 0.4, len(hard))
    predicted = labels.astype(np.int16)
    predicted[hard] = (predicted[hard] + 1) % 3
    predictions = Predictions(ids, predicted, confidence, np.zeros(len(ids), np.float32))
    save_predictions(store.settings.runs / str(run_id), 1, predictions)
    return run_id, dict(zip(ids.tolist(), labels.tolist(), strict=True))


def labels_of(store: Store) -> dict[int, int | None]:
    with store.read() as session:
        rows = session.execute(sa.select(Sample.id, Sample.label).where(Sample.split == TRAIN))
        return {row.id: row.label for row in rows}


def test_images_are_labeled_with_history_and_can_be_undone(store: Store) -> None:
    owner = store.owner()
    plan = plan_labels(store, owner, 1, **LOOSE)
    assert plan.guarantee is not None
    assert len(plan.ids) and len(plan.ids) + len(plan.left) == len(labels_of(store))
    with store.write() as session:
        edit_id, _ = apply_labels(session, owner, plan)
    truth: dict[int, int] = store.truth  # type: ignore[attr-defined]
    after = labels_of(store)
    given = {id_: label for id_, label in after.items() if label is not None}
    assert sorted(given) == plan.ids.tolist()
    wrong = sum(truth[id_] != label for id_, label in given.items())
    assert wrong / len(given) <= LOOSE["max_error"]
    with store.read() as session:
        dataset = session.scalars(sa.select(Dataset)).one()
        assert changes_of(session, owner, dataset.id)[0].by == "model of run 1"
        assert history_of_image(session, owner, int(plan.ids[0]))[0].by == "model of run 1"
    with store.write() as session:
        assert edit_id is not None and undo(session, owner, edit_id) == len(given)
    assert set(labels_of(store).values()) == {None}


def test_images_that_are_left_are_a_selection_with_the_hardest_first(store: Store) -> None:
    owner = store.owner()
    plan = plan_labels(store, owner, 1, max_error=0.1, confidence=0.8)
    assert len(plan.ids) and len(plan.left)
    with store.write() as session:
        _, name = apply_labels(session, owner, plan)
        assert name == left_name(1)
        subset = subset_named(session, owner, plan.dataset_id, name)
        ranked = [sample.id for _, sample in subset_samples(session, owner, subset.id)]
    assert ranked == plan.left.tolist()
    found = load_predictions(store.settings.runs / "1", 1)
    assert found is not None
    confidence = dict(zip(found.ids.tolist(), found.confidence.tolist(), strict=True))
    order = [confidence[id_] for id_ in ranked]
    assert order == sorted(order) and order[-1] < min(confidence[int(id_)] for id_ in plan.ids)


def test_images_labeled_meanwhile_keep_their_labels(store: Store) -> None:
    owner = store.owner()
    plan = plan_labels(store, owner, 1, **LOOSE)
    first, by_hand = int(plan.ids[0]), (int(plan.labels[0]) + 1) % 3
    with store.write() as session:
        edit(session, owner, plan.dataset_id, "label", {first: by_hand})
        apply_labels(session, owner, plan)
    assert labels_of(store)[first] == by_hand


def test_too_few_check_images_are_refused_with_the_number_that_is_missing(store: Store) -> None:
    plan = plan_labels(store, store.owner(), 1, max_error=0.01, confidence=0.95)
    assert plan.guarantee is None and not len(plan.ids)
    assert plan.needed is not None
    assert f"about {plan.needed} more" in plan.sentence()


def test_test_images_to_label_are_asked_for_only_if_the_dataset_has_them(store: Store) -> None:
    plan = plan_labels(store, store.owner(), 1, max_error=0.01, confidence=0.95)
    assert plan.needed is not None and plan.needed > 1
    assert plan.spare == 0 and not plan.tests_suffice  # all test images are check images
    assert "all test images of the dataset are labeled. Import the dataset again" in plan.sentence()
    few = replace(plan, spare=1)
    assert not few.tests_suffice and "but only 1 test image is unlabeled. Import" in few.sentence()
    enough = replace(plan, spare=plan.needed)
    assert enough.tests_suffice
    assert f"Label about {plan.needed} more random test images." in enough.sentence()


def test_unlabeled_test_images_can_become_check_images(store: Store) -> None:
    owner = store.owner()
    with store.write() as session:
        test = list(session.scalars(sa.select(Sample.id).where(Sample.split == TEST)))
        edit(session, owner, 1, "label", dict.fromkeys(test))
    assert plan_labels(store, owner, 1).spare == len(test)


def test_check_images_are_random_test_images_with_labels_from_people(store: Store) -> None:
    owner = store.owner()
    with store.read() as session:
        dataset = session.scalars(sa.select(Dataset)).one()
        test = set(session.scalars(sa.select(Sample.id).where(Sample.split == TEST)))
        assert set(check_images(session, dataset.id)) == test
    some = sorted(test)[:3]
    with store.write() as session:
        edit(session, owner, dataset.id, "label", {some[0]: None})
        assert check_images(session, dataset.id) == {}  # the others may not be random
        sample = draw_test_sample(session, owner, dataset.id, 6)
        drawn = {one.id for _, one in subset_samples(session, owner, sample.id)}
        assert set(check_images(session, dataset.id)) == drawn - {some[0]}
        edit(session, owner, dataset.id, "label", dict.fromkeys(drawn))
        edit(session, owner, dataset.id, "label", dict.fromkeys(drawn, 1), run_id=1)
        assert check_images(session, dataset.id) == {}


def test_wrong_check_images_count_against_the_model(store: Store) -> None:
    owner = store.owner()
    with store.write() as session:
        dataset = session.scalars(sa.select(Dataset)).one()
        checked = check_images(session, dataset.id)
        flipped = {id_: (label + 1) % 3 for id_, label in checked.items()}
        edit(session, owner, dataset.id, "label", flipped)
    plan = plan_labels(store, owner, 1, **LOOSE)
    assert plan.guarantee is None and plan.needed is None
    assert "Accept a higher error rate" in plan.sentence()


def test_other_users_and_unfinished_runs_are_refused(store: Store) -> None:
    with pytest.raises(NotFoundError):
        plan_labels(store, store.owner() + 1, 1)
    with store.write() as session:
        session.get_one(Run, 1).state = QUEUED
    with pytest.raises(InputError, match="not finished"):
        plan_labels(store, store.owner(), 1)


@pytest.fixture
def vecaf(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., dict[str, Any]]:
    """Return a function that runs a command in this process and returns its JSON."""
    monkeypatch.setenv("VECAF_HOME", str(store.settings.home))

    def call(*words: str) -> dict[str, Any]:
        capsys.readouterr()
        app([*words, "--json"], standalone_mode=False)
        printed: dict[str, Any] = json.loads(capsys.readouterr().out)
        return printed

    return call


def test_command_labels_only_with_apply(store: Store, vecaf: Callable[..., dict[str, Any]]) -> None:
    words = ["label-rest", "1", "--max-error", "25%", "--confidence", "80%"]
    shown = vecaf(*words)
    assert not shown["applied"] and set(labels_of(store).values()) == {None}
    done = vecaf(*words, "--apply")
    assert done["applied"] and done["can_label"] == shown["can_label"] > 0
    given = [label for label in labels_of(store).values() if label is not None]
    assert len(given) == done["can_label"]


def test_command_explains_a_share_that_is_no_percentage(vecaf: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match="2%"):
        vecaf("label-rest", "1", "--max-error", "few")
    with pytest.raises(InputError, match="above 0%"):
        vecaf("label-rest", "1", "--confidence", "100%")
