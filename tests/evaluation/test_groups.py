"""Runs put side by side, from rows and prediction files alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vecaf.config import RunConfig
from vecaf.errors import InputError, NotFoundError
from vecaf.evaluation.comparison import IMAGES, SEEDS, Difference, Line
from vecaf.evaluation.predictions import Predictions, save_predictions
from vecaf.evaluation.run_groups import (
    Entry,
    Group,
    Verdict,
    baselines,
    differing,
    entries,
    grouped,
    saving,
    verdict,
)
from vecaf.settings import Settings
from vecaf.store import Dataset, Round, Run, Sample, Store, User
from vecaf.store.subsets import add_subset

TESTED = 100


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
        for i in range(3 * TESTED):
            split = "test" if i < TESTED else "train"
            session.add(Sample(dataset_id=dataset.id, file_name=f"{i:03}", sha256=f"{i:064}",
                               extension=".png", width=8, height=8, split=split,
                               label=i % 2))  # fmt: skip
        return dataset.id


def add_run(
    store: Store, dataset: int, accuracy: tuple[float, ...], *, keep: bool = True, **config: Any
) -> int:
    """A run of rounds of 10 images and 5 batches, with predictions that are right so often."""
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
                said = predictions(round(value * TESTED))
                save_predictions(store.settings.runs / str(run.id), number, said)
        return run.id


def predictions(right: int) -> Predictions:
    labels = np.arange(TESTED) % 2
    predicted = np.where(np.arange(TESTED) < right, labels, 1 - labels).astype(np.int16)
    ones = np.ones(TESTED, dtype=np.float32)
    return Predictions(np.arange(1, TESTED + 1), predicted, ones, ones)


def test_runs_that_are_equal_but_for_the_seed_are_one_group(store: Store, dataset: int) -> None:
    ids = [
        add_run(store, dataset, (0.5,), strategy="random"),
        add_run(store, dataset, (0.5, 0.7)),
        add_run(store, dataset, (0.6,), seed=1, device="cpu"),
        add_run(store, dataset, (0.6,), text_pull=0.0),
    ]
    with store.read() as session:
        _, found = entries(session, store.owner(), ids)
        groups = grouped(found)
    assert [[run.id for run in group.runs] for group in groups] == [[2, 3], [4], [1]]
    assert [group.random for group in groups] == [False, False, True]
    assert differing(groups) == ["strategy", "text_pull"]
    assert groups[0].costs(0.6, "labels") == {0: pytest.approx(15), 1: 10.0}
    assert groups[0].costs(0.65, "batches") == {0: pytest.approx(8.75), 1: None}
    assert groups[0].final() == pytest.approx(0.65)


def test_a_strategy_that_picked_no_image_names_no_group(store: Store, dataset: int) -> None:
    """In one round nothing is trained yet that entropy could ask."""
    ids = [
        add_run(store, dataset, (0.5,), strategy="entropy", rounds=1),
        add_run(store, dataset, (0.5, 0.6), strategy="entropy", rounds=2),
        add_run(store, dataset, (0.5,), strategy="entropy", rounds=1, track="labels-known"),
    ]
    with store.read() as session:
        _, found = entries(session, store.owner(), ids)
    assert [entry.strategy for entry in found] == ["typiclust", "entropy", "entropy"]


def test_what_can_not_be_compared_is_said_in_words(store: Store, dataset: int) -> None:
    other = add_dataset(store, "others")
    ids = [add_run(store, dataset, ()), add_run(store, other, ())]
    with store.write() as session:
        session.add(User(name="stranger"))
    with store.read() as session:
        with pytest.raises(InputError, match=r"different datasets \(others, rows\)"):
            entries(session, store.owner(), ids)
        with pytest.raises(InputError, match="at least two"):
            entries(session, store.owner(), [])
        with pytest.raises(NotFoundError, match="no run 9"):
            entries(session, store.owner(), [9])
        with pytest.raises(NotFoundError):
            entries(session, store.owner() + 1, ids)


def test_a_baseline_differs_by_strategy_and_seed_alone(store: Store, dataset: int) -> None:
    own = add_run(store, dataset, (0.5,))
    add_run(store, dataset, (0.5,), strategy="kmeans")
    add_run(store, dataset, (0.5,), strategy="random", epochs=3)
    wanted = [
        add_run(store, dataset, (0.5,), strategy="random"),
        add_run(store, dataset, (), strategy="random", seed=5),
    ]
    tuned = add_run(store, dataset, (0.5,), strategy_options="gamma=0.5")
    with store.read() as session:
        assert [run.id for run in baselines(session, store.owner(), own)] == wanted
        assert [run.id for run in baselines(session, store.owner(), tuned)] == wanted
        assert baselines(session, store.owner(), wanted[0]) == []  # the measure itself has none


def test_a_saved_selections_baseline_has_as_many_images(store: Store, dataset: int) -> None:
    with store.write() as session:
        for name, strategy in (("picked", "vecaf"), ("dice", "random")):
            add_subset(session, store.owner(), dataset, name, "selection", [150, 151],
                       facts={"strategy": strategy})  # fmt: skip
    own = add_run(store, dataset, (0.5,), subset="picked", rounds=1)
    dice = add_run(store, dataset, (0.5,), subset="dice", rounds=1)
    drawn = add_run(store, dataset, (0.5,), strategy="random", budget="10", rounds=1)
    add_run(store, dataset, (0.5, 0.6), strategy="random", budget="10", rounds=2)
    with store.read() as session:
        assert [run.id for run in baselines(session, store.owner(), own)] == [dice, drawn]


def test_one_seed_is_judged_over_test_images(store: Store, dataset: int) -> None:
    ids = [
        add_run(store, dataset, (0.6, 0.8, 0.9)),
        add_run(store, dataset, (0.5, 0.6), strategy="random"),
    ]
    found = judge(store, ids)
    assert found is not None and found.difference is not None
    assert (found.labeled, found.first, found.second) == (20, 0.8, 0.6)
    assert found.difference.over == IMAGES and found.difference.n == TESTED
    assert found.difference.mean == pytest.approx(0.2)
    assert found.difference.beyond_chance


def test_several_seeds_are_judged_in_pairs(store: Store, dataset: int) -> None:
    ids = [add_run(store, dataset, (0.6 + s / 10,), seed=s) for s in range(3)]
    ids += [add_run(store, dataset, (0.5 + s / 10,), seed=s, strategy="random") for s in range(4)]
    found = judge(store, ids)
    assert found is not None and found.difference is not None
    assert (found.difference.over, found.difference.n) == (SEEDS, 3)
    assert (found.first, found.second) == (pytest.approx(0.7), pytest.approx(0.6))
    assert found.difference.mean == pytest.approx(0.1)


def test_runs_without_predictions_or_a_common_point_claim_nothing(
    store: Store, dataset: int
) -> None:
    ids = [
        add_run(store, dataset, (0.6,), keep=False),
        add_run(store, dataset, (0.5,), strategy="random"),
    ]
    found = judge(store, ids)
    assert found is not None and found.difference is None
    assert judge(store, [ids[0], add_run(store, dataset, (), strategy="random", seed=8)]) is None


def judge(store: Store, ids: list[int]) -> Any:
    with store.read() as session:
        groups = grouped(entries(session, store.owner(), ids)[1])
        return verdict(session, store.owner(), store.settings, groups[0], groups[-1])


def a_group(*lines: tuple[float, ...]) -> Group:
    """One run a seed, of these accuracies after 10, 20 … labels."""
    runs = tuple(
        Entry(seed, "run", "finished", seed, "s", {}, Line(labels, labels, accuracy))
        for seed, accuracy in enumerate(lines)
        for labels in [tuple(range(10, 10 * len(accuracy) + 1, 10))]
    )
    return Group({}, "s", runs)


def a_verdict(first: float, second: float, half: float) -> Verdict:
    mean = first - second
    return Verdict(10, first, second, Difference(mean, mean - half, mean + half, 50, IMAGES))


def saved(
    first: Group, second: Group, target: float, found: Verdict | None
) -> tuple[float, bool] | None:
    made = saving(first, second, target, "labels", found)
    return None if made is None else (round(100 * made.share, 1), made.holds)


QUICK, SLOW = a_group((0.9, 0.95)), a_group((0.5, 0.7, 0.9))


@pytest.mark.parametrize(
    ("found", "holds"),
    [(a_verdict(0.9, 0.5, 0.1), True), (a_verdict(0.9, 0.5, 0.5), False),
     (a_verdict(0.5, 0.9, 0.1), False), (Verdict(10, 0.9, 0.5, None), False), (None, False)],
)  # fmt: skip
def test_a_saving_holds_only_with_a_lead_beyond_chance(found: Verdict | None, holds: bool) -> None:
    assert saved(QUICK, SLOW, 0.9, found) == (66.7, holds)
    assert saved(QUICK, SLOW, 0.95, found) is None
    behind = a_verdict(0.5, 0.9, 0.1)
    assert saved(SLOW, QUICK, 0.9, behind) == (-200.0, True)


def test_a_saving_of_several_seeds_holds_only_where_their_costs_differ() -> None:
    found = a_verdict(0.9, 0.5, 0.1)
    slow = a_group((0.5, 0.7, 0.9), (0.5, 0.9), (0.5, 0.7, 0.9))
    clear = a_group((0.9,), (0.9,), (0.9,))
    mixed = a_group((0.9,), (0.5, 0.7, 0.9), (0.9,))
    assert saved(clear, slow, 0.9, found) == (62.5, True)
    assert saved(mixed, slow, 0.9, found) == (37.5, False)


def test_a_seed_run_twice_is_one_seed(store: Store, dataset: int) -> None:
    ids = [add_run(store, dataset, (accuracy,), seed=0) for accuracy in (0.5, 0.6)]
    add_run(store, dataset, (), seed=1)
    with store.read() as session:
        (group,) = grouped(entries(session, store.owner(), ids)[1])
    assert [line.accuracy for line in group.lines()] == [(0.6,)]
    assert group.costs(0.55, "labels") == {0: 10} and group.final() == 0.6
