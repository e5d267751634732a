"""Comparison of runs, from database rows and prediction files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vecaf.config import RunConfig
from vecaf.errors import InputError, NotFoundError
from vecaf.evaluation.compared_runs import compare_groups, random_baselines, runs_to_compare
from vecaf.evaluation.comparison import IMAGES, SEEDS, Difference, LearningCurve
from vecaf.evaluation.predictions import Predictions, save_predictions
from vecaf.evaluation.run_groups import (
    ComparedRun,
    RunGroup,
    Verdict,
    differing_settings,
    group_runs,
    saving,
)
from vecaf.settings import Settings
from vecaf.store import Dataset, Round, Run, Sample, Store, User
from vecaf.store.subsets import add_subset

TEST_IMAGES = 100


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(Settings.from_environment({"VECAF_HOME": str(tmp_path)}))


@pytest.fixture
def dataset(store: Store) -> int:
    return add_dataset(store, "rows")


def add_dataset(store: Store, name: str) -> int:
    with store.write() as session:
        dataset = Dataset(owner_id=store.owner(), name=name, classes=["a", "b"], report={},
                          content_hash="", source="", attribution=None)  # fmt: skip
        session.add(dataset)
        session.flush()
        for i in range(3 * TEST_IMAGES):
            split = "test" if i < TEST_IMAGES else "train"
            session.add(Sample(dataset_id=dataset.id, file_name=f"{i:03}", sha256=f"{i:064}",
                               extension=".png", width=8, height=8, split=split,
                               label=i % 2))  # fmt: skip
        return dataset.id


def add_run(
    store: Store, dataset: int, accuracy: tuple[float, ...], *, keep: bool = True, **config: Any
) -> int:
    """Add a run whose rounds take 10 images and 5 batches, with predictions of this accuracy."""
    settings = RunConfig(dataset="rows", **config)
    with store.write() as session:
        run = Run(owner_id=store.owner(), dataset_id=dataset, name="r", seed=settings.seed,
                  config=settings.as_dict())  # fmt: skip
        session.add(run)
        session.flush()
        for number, value in enumerate(accuracy, 1):
            session.add(Round(run_id=run.id, number=number, labeled=10 * number,
                              batches=5 * number, val_accuracy=value, test_accuracy=value,
                              confusion={"test": []}, seconds=1.0))  # fmt: skip
            if keep:
                said = predictions(round(value * TEST_IMAGES))
                save_predictions(store.settings.runs / str(run.id), number, said)
        return run.id


def predictions(correct: int) -> Predictions:
    labels = np.arange(TEST_IMAGES) % 2
    predicted = np.where(np.arange(TEST_IMAGES) < correct, labels, 1 - labels).astype(np.int16)
    ones = np.ones(TEST_IMAGES, dtype=np.float32)
    return Predictions(np.arange(1, TEST_IMAGES + 1), predicted, ones, ones)


def test_runs_that_differ_only_by_seed_form_a_group(store: Store, dataset: int) -> None:
    ids = [
        add_run(store, dataset, (0.5,), strategy="random"),
        add_run(store, dataset, (0.5, 0.7)),
        add_run(store, dataset, (0.6,), seed=1, device="cpu"),
        add_run(store, dataset, (0.6,), caption_weight=0.0),
    ]
    with store.read() as session:
        _, found = runs_to_compare(session, store.owner(), ids)
        groups = group_runs(found)
    assert [[run.id for run in group.runs] for group in groups] == [[2, 3], [4], [1]]
    assert [group.random for group in groups] == [False, False, True]
    assert differing_settings(groups) == ["strategy", "caption_weight"]
    assert groups[0].costs(0.6, "labels") == {0: pytest.approx(15), 1: 10.0}
    assert groups[0].costs(0.65, "batches") == {0: pytest.approx(8.75), 1: None}
    assert groups[0].final_accuracy() == pytest.approx(0.65)


def test_a_run_is_named_after_the_strategy_that_selected(store: Store, dataset: int) -> None:
    """In a single round, entropy has no trained model to use."""
    ids = [
        add_run(store, dataset, (0.5,), strategy="entropy", rounds=1),
        add_run(store, dataset, (0.5, 0.6), strategy="entropy", rounds=2),
        add_run(store, dataset, (0.5,), strategy="entropy", rounds=1, track="labels-known"),
    ]
    with store.read() as session:
        _, found = runs_to_compare(session, store.owner(), ids)
    assert [entry.strategy for entry in found] == ["typiclust", "entropy", "entropy"]


def test_runs_that_are_not_comparable_are_explained(store: Store, dataset: int) -> None:
    other = add_dataset(store, "others")
    ids = [add_run(store, dataset, ()), add_run(store, other, ())]
    with store.write() as session:
        session.add(User(name="stranger"))
    with store.read() as session:
        with pytest.raises(InputError, match=r"different datasets \(others, rows\)"):
            runs_to_compare(session, store.owner(), ids)
        with pytest.raises(InputError, match="at least two"):
            runs_to_compare(session, store.owner(), [])
        with pytest.raises(NotFoundError, match="no run 9"):
            runs_to_compare(session, store.owner(), [9])
        with pytest.raises(NotFoundError):
            runs_to_compare(session, store.owner() + 1, ids)


def test_a_baseline_differs_only_by_strategy_and_seed(store: Store, dataset: int) -> None:
    own = add_run(store, dataset, (0.5,))
    add_run(store, dataset, (0.5,), strategy="kmeans")
    add_run(store, dataset, (0.5,), strategy="random", epochs=3)
    wanted = [
        add_run(store, dataset, (0.5,), strategy="random"),
        add_run(store, dataset, (), strategy="random", seed=5),
    ]
    tuned = add_run(store, dataset, (0.5,), strategy_options="gamma=0.5")
    with store.read() as session:
        assert [run.id for run in random_baselines(session, store.owner(), own)] == wanted
        assert [run.id for run in random_baselines(session, store.owner(), tuned)] == wanted
        assert random_baselines(session, store.owner(), wanted[0]) == []


def test_the_baseline_of_a_saved_selection_has_its_size(store: Store, dataset: int) -> None:
    with store.write() as session:
        for name, strategy in (("selected", "vecaf"), ("randomly", "random")):
            add_subset(session, store.owner(), dataset, name, "selection", [150, 151],
                       facts={"strategy": strategy})  # fmt: skip
    own = add_run(store, dataset, (0.5,), subset="selected", rounds=1)
    random_subset = add_run(store, dataset, (0.5,), subset="randomly", rounds=1)
    random_run = add_run(store, dataset, (0.5,), strategy="random", budget="10", rounds=1)
    add_run(store, dataset, (0.5, 0.6), strategy="random", budget="10", rounds=2)
    with store.read() as session:
        assert [run.id for run in random_baselines(session, store.owner(), own)] == [
            random_subset,
            random_run,
        ]


def test_one_seed_is_compared_over_test_images(store: Store, dataset: int) -> None:
    ids = [
        add_run(store, dataset, (0.6, 0.8, 0.9)),
        add_run(store, dataset, (0.5, 0.6), strategy="random"),
    ]
    found = compare(store, ids)
    assert found is not None and found.difference is not None
    assert (found.labeled, found.first, found.second) == (20, 0.8, 0.6)
    assert found.difference.over == IMAGES and found.difference.n == TEST_IMAGES
    assert found.difference.mean == pytest.approx(0.2)
    assert found.difference.significant


def test_several_seeds_are_compared_in_pairs(store: Store, dataset: int) -> None:
    ids = [add_run(store, dataset, (0.6 + s / 10,), seed=s) for s in range(3)]
    ids += [add_run(store, dataset, (0.5 + s / 10,), seed=s, strategy="random") for s in range(4)]
    found = compare(store, ids)
    assert found is not None and found.difference is not None
    assert (found.difference.over, found.difference.n) == (SEEDS, 3)
    assert (found.first, found.second) == (pytest.approx(0.7), pytest.approx(0.6))
    assert found.difference.mean == pytest.approx(0.1)


def test_runs_without_predictions_or_a_common_size_give_no_difference(
    store: Store, dataset: int
) -> None:
    ids = [
        add_run(store, dataset, (0.6,), keep=False),
        add_run(store, dataset, (0.5,), strategy="random"),
    ]
    found = compare(store, ids)
    assert found is not None and found.difference is None
    assert compare(store, [ids[0], add_run(store, dataset, (), strategy="random", seed=8)]) is None


def compare(store: Store, ids: list[int]) -> Any:
    with store.read() as session:
        groups = group_runs(runs_to_compare(session, store.owner(), ids)[1])
        return compare_groups(session, store.owner(), store.settings, groups[0], groups[-1])


def a_group(*curves: tuple[float, ...]) -> RunGroup:
    """Create a group with one run per seed and these accuracies after 10, 20, … labels."""
    runs = tuple(
        ComparedRun(seed, "run", "finished", seed, "s", {}, LearningCurve(labels, labels, accuracy))
        for seed, accuracy in enumerate(curves)
        for labels in [tuple(range(10, 10 * len(accuracy) + 1, 10))]
    )
    return RunGroup({}, "s", runs)


def a_verdict(first: float, second: float, half: float) -> Verdict:
    mean = first - second
    return Verdict(10, first, second, Difference(mean, mean - half, mean + half, 50, IMAGES))


def saved(
    first: RunGroup, second: RunGroup, target: float, found: Verdict | None
) -> tuple[float, bool] | None:
    made = saving(first, second, target, "labels", found)
    return None if made is None else (round(100 * made.share, 1), made.holds)


QUICK, SLOW = a_group((0.9, 0.95)), a_group((0.5, 0.7, 0.9))


@pytest.mark.parametrize(
    ("found", "holds"),
    [(a_verdict(0.9, 0.5, 0.1), True), (a_verdict(0.9, 0.5, 0.5), False),
     (a_verdict(0.5, 0.9, 0.1), False), (Verdict(10, 0.9, 0.5, None), False), (None, False)],
)  # fmt: skip
def test_a_saving_needs_a_significant_difference(found: Verdict | None, holds: bool) -> None:
    assert saved(QUICK, SLOW, 0.9, found) == (66.7, holds)
    assert saved(QUICK, SLOW, 0.95, found) is None
    behind = a_verdict(0.5, 0.9, 0.1)
    assert saved(SLOW, QUICK, 0.9, behind) == (-200.0, True)


def test_a_saving_over_several_seeds_holds_only_if_their_costs_differ() -> None:
    found = a_verdict(0.9, 0.5, 0.1)
    slow = a_group((0.5, 0.7, 0.9), (0.5, 0.9), (0.5, 0.7, 0.9))
    clear = a_group((0.9,), (0.9,), (0.9,))
    mixed = a_group((0.9,), (0.5, 0.7, 0.9), (0.9,))
    assert saved(clear, slow, 0.9, found) == (62.5, True)
    assert saved(mixed, slow, 0.9, found) == (37.5, False)


def test_a_repeated_seed_counts_once(store: Store, dataset: int) -> None:
    ids = [add_run(store, dataset, (accuracy,), seed=0) for accuracy in (0.5, 0.6)]
    add_run(store, dataset, (), seed=1)
    with store.read() as session:
        (group,) = group_runs(runs_to_compare(session, store.owner(), ids)[1])
    assert [curve.accuracy for curve in group.curves()] == [(0.6,)]
    assert group.costs(0.55, "labels") == {0: 10} and group.final_accuracy() == 0.6
