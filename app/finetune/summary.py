"""The cost of a run with the form's settings: images, batches, time and memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.config import RunConfig
from vecaf.errors import NotLabeledError
from vecaf.evaluation.forecast import Estimate
from vecaf.runs.run_checks import check_pool
from vecaf.store import (
    ENDED,
    FAILED,
    FINISHED,
    TEST,
    TRAIN,
    VAL,
    Dataset,
    Run,
    Sample,
    Task,
    dataset_named,
)
from vecaf.store.datasets import count_pool_by_class
from vecaf.store.runs import learning_curves, rounds_of, runs_on
from vecaf.store.subsets import labeled_of, subset_named
from vecaf.store.tasks import find_task, latest_task
from vecaf.training.cost import Cost, RunSizes, Speed, cost_from_rounds, cost_from_speed, count_cost

from ..shell.studio import Studio

KIND = "cost"
SPEED_SETTINGS = (
    "model", "image_size", "views", "mode", "strategy", "caption_weight", "device", "batch_size",
)  # fmt: skip
"""Settings that an earlier run must share with this one for its speed to be an estimate."""

TARGETS = ("target_words", "adapt_to")


@dataclass(frozen=True)
class ExpectedGain:
    """The newest forecast of a dataset's runs.

    labeled  labels of the run when the forecast was made
    labels   additional labels
    gain     expected change of the test accuracy, with its 80% interval
    """

    run: int
    labeled: int
    labels: int
    gain: Estimate


@dataclass(frozen=True)
class Preview:
    """A run's cost and the source of its time estimate.

    task         the measurement for these settings, None if none was started
    similar_run  the finished run whose speed the time is estimated from, None without an estimate
    gain         what more labels are expected to gain, None without a forecast
    """

    cost: Cost
    task: Task | None
    similar_run: int | None = None
    gain: ExpectedGain | None = None

    @property
    def time(self) -> str | None:
        """The estimated time as text; None if there is no estimate."""
        return None if self.cost.seconds is None else _rounded(self.cost.seconds)

    @property
    def measured(self) -> bool:
        return self.task is not None and self.task.state == FINISHED

    @property
    def measuring(self) -> bool:
        return self.task is not None and self.task.state not in ENDED

    @property
    def problem(self) -> str | None:
        """Why the measurement failed."""
        return self.task.error if self.task is not None and self.task.state == FAILED else None


def sizes_of(session: Session, user: int, config: RunConfig) -> tuple[Dataset, RunSizes]:
    """Return the dataset and how many of its images the run uses.

    Raises InputError if the run can't work on the dataset.
    """
    dataset = dataset_named(session, user, config.dataset)
    by_class = count_pool_by_class(session, dataset)
    first = None
    if config.subset:
        first = labeled_of(session, subset_named(session, user, dataset.id, config.subset))
        if not first:
            raise NotLabeledError(
                f"The selection '{config.subset}' has no labeled images. Label some of them first."
            )
    budget = check_pool(config, dataset.classes, by_class, first)
    counted_splits = session.execute(
        sa.select(Sample.split, sa.func.count().label("size"))
        .where(Sample.dataset_id == dataset.id)
        .group_by(Sample.split)
    )
    splits = {row.split: row.size for row in counted_splits}
    images = sum(splits.values())
    return dataset, RunSizes(
        budget=budget,
        pool=sum(by_class) or splits.get(TRAIN, 0),
        val=splits.get(VAL, 0),
        test=splits.get(TEST, 0),
        images=images,
        not_embedded=0 if _embedded(session, user, dataset, config) else images,
        first_round=first,
    )


def measurement_params(config: RunConfig) -> dict[str, Any]:
    """Return the settings that a measurement depends on: the arguments of the task `cost`."""
    names = (
        "model", "image_size", "views", "mode", "batch_size", "strategy", "device", "lora_rank",
    )  # fmt: skip
    return {name: getattr(config, name) for name in names}


def preview(
    session: Session, user: int, dataset: Dataset, config: RunConfig, sizes: RunSizes
) -> Preview:
    """Return the cost by a measurement, else by a similar run's speed, else without time."""
    params = measurement_params(config)
    task = find_task(session, user, dataset.id, KIND, params)
    if task is None:
        last = latest_task(session, user, dataset.id, KIND)
        task = last if last is not None and last.params == params else None
    if task is not None and task.state == FINISHED:
        return Preview(cost_from_speed(config, sizes, Speed(**task.result)), task)
    for run in runs_on(session, user, dataset.id):
        if run.state == FINISHED and _same_speed(run.config, config):
            cost = cost_from_rounds(config, sizes, _round_times(session, user, run))
            return Preview(cost, task, run.id)
    return Preview(count_cost(config, sizes), task)


def expected_gain(
    session: Session, user: int, dataset: Dataset, config: RunConfig, labels: int
) -> ExpectedGain | None:
    """Return the forecast of the dataset's newest run that is like `config` and has a forecast.

    Of its horizons, take the one nearest to a budget of `labels`.
    """
    for run in runs_on(session, user, dataset.id):
        if not _same_curve(run.config, config):
            continue
        rounds = [one for one in rounds_of(session, user, run.id) if one.forecast]
        if rounds and rounds[-1].forecast["gains"]:
            gains = rounds[-1].forecast["gains"]
            nearest = min(gains, key=lambda more: abs(int(more) - labels))
            gain = Estimate(**gains[nearest])
            return ExpectedGain(run.id, rounds[-1].labeled, int(nearest), gain)
    return None


def _same_curve(other: Mapping[str, Any], config: RunConfig) -> bool:
    """Return whether a run's accuracy says something about that of `config`.

    One with a target domain is measured on other images, or trained for them.
    """
    targets = [_value(of, name) for of in (other, config.as_dict()) for name in TARGETS]
    same = all(_value(other, name) == getattr(config, name) for name in ("model", "mode"))
    return same and not any(targets)


def _rounded(seconds: float) -> str:
    """Return `seconds` as text, rounded to the precision of an estimate."""
    if seconds < 90:
        return f"{max(5, 5 * round(seconds / 5))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def _embedded(session: Session, user: int, dataset: Dataset, config: RunConfig) -> bool:
    """Return whether a run has already embedded the dataset with this model."""
    return any(
        rounds_of(session, user, run.id)
        for run in runs_on(session, user, dataset.id)
        if all(
            _value(run.config, name) == getattr(config, name)
            for name in ("model", "image_size", "views")
        )
    )


def _same_speed(other: Mapping[str, Any], config: RunConfig) -> bool:
    return all(_value(other, name) == getattr(config, name) for name in SPEED_SETTINGS)


def _value(config: Mapping[str, Any], name: str) -> Any:
    return config.get(name, getattr(RunConfig(), name))


def _round_times(session: Session, user: int, run: Run) -> list[tuple[int, float]]:
    """Return (batches, seconds) of each round of a run."""
    ends = [item.batches for item in learning_curves(session, user, [run.id])[run.id]]
    starts = [0, *ends]
    seconds = [item.seconds for item in rounds_of(session, user, run.id)]
    return [(end - start, took) for start, end, took in zip(starts, ends, seconds, strict=False)]


def queue_measurement(studio: Studio, user: int, config: RunConfig) -> None:
    """Queue a measurement for these settings."""
    from vecaf.engine.queue import submit_task

    with studio.store.read() as session:
        dataset = dataset_named(session, user, config.dataset)
    submit_task(studio.store, KIND, dataset.id, measurement_params(config), user)
