"""Launch the random baseline of a run: the same run on randomly selected images."""

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
    """Return the configuration of the random baseline of a run.

    It differs only in the strategy and its options. The baseline of a run on a saved selection uses
    as many random images from the whole pool, so the whole pool must be labeled.

    Parameters
    ----------
    trained
        How many images the first round of the run trained on; 0 = it has not started.

    Raises
    ------
    InputError
        The run can't have a random baseline.
    NotFoundError
        The dataset or the saved selection does not exist.
    """
    if config.strategy == RANDOM and not config.subset:
        raise InputError("This run already selects at random, so it is a random baseline.")
    if not config.subset:
        return replace(config, strategy=RANDOM, strategy_options="")
    dataset = dataset_named(session, user_id, config.dataset)
    subset = subset_named(session, user_id, dataset.id, config.subset)
    size = trained or labeled_of(session, subset)
    if _unlabeled(session, dataset):
        raise InputError(
            "This run can't have a random baseline, because the pool is only partly labeled. "
            f"Instead, create a random selection of {size} images on the Label page, label it, "
            "finetune on it, and compare the two runs."
        )
    if config.rounds > 1:
        raise InputError(
            "This run starts from a saved selection and has several rounds, so it has no random "
            "baseline. Launch a run with the strategy 'random' instead."
        )
    return replace(config, strategy=RANDOM, strategy_options="", subset="", budget=str(size))


def submit_baseline(store: Store, run_id: int, user_id: int) -> int:
    """Queue the random baseline of a run and return its id. Raises as `baseline_config`."""
    with store.read() as session:
        run = visible(session, user_id, Run, run_id)
        dataset = visible(session, user_id, Dataset, run.dataset_id)
        config = replace(RunConfig.from_dict(run.config), dataset=dataset.name)
        first_round = sa.select(sa.func.count()).where(
            SelectedSample.run_id == run_id, SelectedSample.round == 1
        )
        config = baseline_config(session, user_id, config, session.scalar(first_round) or 0)
    return submit_run(store, config, user_id)


def _unlabeled(session: Session, dataset: Dataset) -> bool:
    missing = sa.select(Sample.id).where(*in_pool(dataset.id), Sample.label.is_(None)).limit(1)
    return session.scalar(missing) is not None
