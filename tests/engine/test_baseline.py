"""The random baseline of a run, and the runs that have none."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from vecaf.config import RunConfig
from vecaf.engine.baseline import baseline_config, submit_baseline
from vecaf.engine.queue import submit_run
from vecaf.errors import InputError, NotFoundError
from vecaf.store import Run, Sample, SelectedSample, Store
from vecaf.store.subsets import add_subset


def test_the_baseline_differs_only_in_the_strategy(store: Store, run_id: int) -> None:
    baseline = submit_baseline(store, run_id, store.owner())
    with store.read() as session:
        own, other = (session.get_one(Run, id_) for id_ in (run_id, baseline))
        assert other.config == {**own.config, "strategy": "random"}
        assert other.state == "queued"
    with pytest.raises(InputError, match="already selects at random"):
        submit_baseline(store, baseline, store.owner())
    with pytest.raises(NotFoundError):
        submit_baseline(store, run_id, store.owner() + 1)


def test_the_baseline_of_a_saved_selection_has_its_size(store: Store, rows: str) -> None:
    config = RunConfig(dataset=rows, subset="chosen", rounds=1, strategy_options="gamma=0")
    with store.write() as session:
        add_subset(session, store.owner(), 1, "chosen", "selection", [1, 2, 5, 6, 9])
    with store.read() as session:
        baseline = baseline_config(session, store.owner(), config)
        plain = replace(config, strategy="random", strategy_options="")
        assert baseline == replace(plain, subset="", budget="5")
        open_one = replace(config, subset="")
        assert baseline_config(session, store.owner(), open_one) == replace(plain, subset="")
        with pytest.raises(InputError, match="has several rounds"):
            baseline_config(session, store.owner(), replace(config, rounds=2))


def test_an_unlabeled_pool_has_no_baseline_and_the_error_says_what_to_do(
    store: Store, rows: str
) -> None:
    with store.write() as session:
        add_subset(session, store.owner(), 1, "chosen", "selection", [1, 2])
        session.execute(sa.update(Sample).where(Sample.id > 2).values(label=None))
    config = RunConfig(dataset=rows, subset="chosen", rounds=1)
    with (
        store.read() as session,
        pytest.raises(InputError, match="create a random selection of 2 images"),
    ):
        baseline_config(session, store.owner(), config)


def test_the_baseline_has_the_size_of_the_training_set(store: Store, rows: str) -> None:
    with store.write() as session:
        add_subset(session, store.owner(), 1, "chosen", "selection", [1, 2, 5, 6])
    config = RunConfig(dataset=rows, subset="chosen", rounds=1)
    run_id = submit_run(store, config, store.owner())
    with store.write() as session:  # the fourth image had no label when the run began
        session.add_all(
            SelectedSample(run_id=run_id, round=1, rank=rank, sample_id=sample, scores={})
            for rank, sample in enumerate((1, 2, 5))
        )
    baseline = submit_baseline(store, run_id, store.owner())
    with store.read() as session:
        assert session.get_one(Run, baseline).config["budget"] == "3"
