"""A run's honest measure: the same run on images drawn at random, queued beside it."""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.config import RunConfig
from vecaf.engine.queue import submit_run
from vecaf.errors import InputError
from vecaf.store import Dataset, Run, Sample, SelectedSample, Store, dataset_named, visible
from vecaf.store.datasets import in_pool
from vecaf.store.subsets import labeled_of, subset_named

RANDOM = "random"


def baseline_config(
    session: Session, user_id: int, config: RunConfig, trained: int = 0
) -> RunConfig:
    """The configuration of the run's random baseline: all is equal but how images are picked;
    the strategy's own options go with it.

    A run on a saved selection is measured by as many images drawn from the whole pool, which
    needs their labels: as many as it `trained` on where it has begun. Raises InputError where there
    can be no baseline, NotFoundError.
    """
    if config.strategy == RANDOM and not config.subset:
        raise InputError("This run picks at random already: it is the baseline.")
    if not config.subset:
        return replace(config, strategy=RANDOM, strategy_options="")
    dataset = dataset_named(session, user_id, config.dataset)
    subset = subset_named(session, user_id, dataset.id, config.subset)
    given = trained or labeled_of(session, subset)
    if _unlabeled(session, dataset):
        raise InputError(
            "A random baseline needs labels that the pool does not have. Have as many random "
            f"images labelled instead: on the Label page, choose {given} random picks, then "
            "finetune on them and compare the two runs."
        )
    if config.rounds > 1:
        raise InputError(
            "A run that goes on from a saved selection has no random twin, since its first round "
            "is of another size than the others. Launch one of strategy 'random' by hand."
        )
    return replace(config, strategy=RANDOM, strategy_options="", subset="", budget=str(given))


def submit_baseline(store: Store, run_id: int, user_id: int) -> int:
    """Queue the random baseline of a run and return its id. Raises as `baseline_config`."""
    with store.read() as session:
        run = visible(session, user_id, Run, run_id)
        dataset = visible(session, user_id, Dataset, run.dataset_id)
        config = replace(RunConfig.from_dict(run.config), dataset=dataset.name)
        first = sa.select(sa.func.count()).where(
            SelectedSample.run_id == run_id, SelectedSample.round == 1
        )
        config = baseline_config(session, user_id, config, session.scalar(first) or 0)
    return submit_run(store, config, user_id)


def _unlabeled(session: Session, dataset: Dataset) -> bool:
    missing = sa.select(Sample.id).where(*in_pool(dataset.id), Sample.label.is_(None)).limit(1)
    return session.scalar(missing) is not None
