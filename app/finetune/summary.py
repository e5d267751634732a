"""What the form's settings come to: images, batches, minutes and memory, and the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.shell import markup as m
from app.shell.studio import Studio
from vecaf.config import RunConfig
from vecaf.errors import NotLabeledError
from vecaf.runs.plan import check_pool
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
from vecaf.store.datasets import pool_by_class
from vecaf.store.runs import milestones, rounds_of, runs_on
from vecaf.store.subsets import labeled_of, subset_named
from vecaf.store.tasks import find_task, latest_task
from vecaf.training.cost import Cost, Sizes, Speed, by_rounds, by_speed, counted

KIND = "cost"
ALIKE = ("model", "image_size", "mode", "strategy", "text_pull", "device", "batch_size")
"""Settings by which an earlier run tells how fast this one will be."""


@dataclass(frozen=True)
class Preview:
    """A run's cost, and where its minutes come from. `task`: the measurement under way or done."""

    cost: Cost
    source: str
    task: Task | None


def sizes_of(session: Session, user: int, config: RunConfig) -> tuple[Dataset, Sizes]:
    """What the run would work on. Raises InputError where the dataset can't serve it."""
    dataset = dataset_named(session, user, config.dataset)
    by_class = pool_by_class(session, dataset)
    first = None
    if config.subset:
        first = labeled_of(session, subset_named(session, user, dataset.id, config.subset))
        if not first:
            raise NotLabeledError(
                f"No image of the selection '{config.subset}' has a label yet. Label them first."
            )
    budget = check_pool(config, dataset.classes, by_class, first)
    counted_splits = session.execute(
        sa.select(Sample.split, sa.func.count().label("size"))
        .where(Sample.dataset_id == dataset.id)
        .group_by(Sample.split)
    )
    splits = {row.split: row.size for row in counted_splits}
    images = sum(splits.values())
    return dataset, Sizes(
        budget=budget,
        pool=sum(by_class) or splits.get(TRAIN, 0),
        val=splits.get(VAL, 0),
        test=splits.get(TEST, 0),
        images=images,
        fresh=0 if _embedded(session, user, dataset, config) else images,
        first=first,
    )


def probe_params(config: RunConfig) -> dict[str, Any]:
    """What a measurement depends on: the arguments of the task `cost`."""
    names = ("model", "image_size", "mode", "batch_size", "strategy", "device", "lora_rank")
    return {name: getattr(config, name) for name in names}


def preview(
    session: Session, user: int, dataset: Dataset, config: RunConfig, sizes: Sizes
) -> Preview:
    """The cost by a measurement, else at an earlier run's pace, else counted alone."""
    params = probe_params(config)
    task = find_task(session, user, dataset.id, KIND, params)
    if task is None:
        last = latest_task(session, user, dataset.id, KIND)
        task = last if last is not None and last.params == params else None
    if task is not None and task.state == FINISHED:
        cost = by_speed(config, sizes, Speed(**task.result))
        return Preview(cost, "measured on this device with this model", task)
    for run in runs_on(session, user, dataset.id):
        if run.state == FINISHED and _alike(run.config, config):
            cost = by_rounds(config, sizes, _paces(session, user, run))
            return Preview(cost, f"at the pace of run {run.id}", task)
    return Preview(counted(config, sizes), "", task)


def card(config: RunConfig, sizes: Sizes, found: Preview, twin: str) -> str:
    """The summary as HTML; `twin` says what becomes of the random baseline ('' for none)."""
    cost, first = found.cost, sizes.first
    picked = (
        f"{m.number(sizes.budget)} a round"
        if first is None
        else f"{m.number(first)} from '{m.text(config.subset)}'"
        + (f", then {m.number(sizes.budget)} a round" if config.rounds > 1 else "")
    )
    share = f" ({m.percent(cost.labels / sizes.pool)})" if sizes.pool else ""
    pairs = [
        ("Images picked", picked),
        ("Labels", f"{m.number(cost.labels)} of {m.number(sizes.pool)}{share}"),
        ("Training", f"{m.plural(config.epochs, 'epoch')} a round, {m.text(config.mode)}"),
        ("Batches", f"about {m.number(cost.batches)}"),
        ("Time", "not measured yet" if cost.seconds is None else f"about {_time(cost.seconds)}"),
    ]
    if cost.memory_bytes is not None:
        pairs.append(("Memory", f"about {m.size(cost.memory_bytes)}"))
    return (
        f'<section class="card"><h2>This run</h2>{m.facts(pairs)}{_measure(found)}'
        f"{f'<p class=muted>{m.text(twin)}</p>' if twin else ''}<h3>As a command</h3>"
        f"{m.command(config.as_command())}</section>"
    )


def estimate(cost: Cost, beside: bool) -> str:
    """The cost in one line, shown beside Launch; `beside`: a random baseline follows."""
    parts = [m.plural(cost.labels, "label"), f"about {m.plural(cost.batches, 'batch', 'batches')}"]
    if cost.seconds is not None:
        parts.append(f"about {_time(cost.seconds)}")
    return f"<p><b>{' · '.join(parts)}</b>{', plus a random baseline' if beside else ''}</p>"


def _measure(found: Preview) -> str:
    """Where the minutes come from, and the way to measure them."""
    task = found.task
    if task is not None and task.state == FINISHED:
        return f'<p class="muted cost">Time and memory: {found.source}.</p>'
    button = (
        '<button type="button" class="quiet" data-act="measure" '
        'title="A few steps on a few of your images, a quarter of a minute">Measure on this '
        "device</button>"
    )
    if task is not None and task.state not in ENDED:
        words = task.stage or "Waiting for a worker to measure"
        return m.progress(f"cost-{task.id}-{words}", words, task.done, task.total)
    failed = m.notice(task.error or "", "warn") if task and task.state == FAILED else ""
    source = f"Time: {found.source}. " if found.source else ""
    return f'{failed}<div class="offer-row"><p class="muted cost">{source}</p>{button}</div>'


def _time(seconds: float) -> str:
    """Estimates are rounded as coarsely as they are known."""
    if seconds < 90:
        return f"{max(5, 5 * round(seconds / 5))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def _embedded(session: Session, user: int, dataset: Dataset, config: RunConfig) -> bool:
    """Whether some run has put the dataset through the model already."""
    return any(
        rounds_of(session, user, run.id)
        for run in runs_on(session, user, dataset.id)
        if all(
            _value(run.config, name) == getattr(config, name) for name in ("model", "image_size")
        )
    )


def _alike(other: Mapping[str, Any], config: RunConfig) -> bool:
    return all(_value(other, name) == getattr(config, name) for name in ALIKE)


def _value(config: Mapping[str, Any], name: str) -> Any:
    return config.get(name, getattr(RunConfig(), name))


def _paces(session: Session, user: int, run: Run) -> list[tuple[int, float]]:
    """(batches, seconds) of each of a run's rounds."""
    ends = [item.batches for item in milestones(session, user, [run.id])[run.id]]
    starts = [0, *ends]
    seconds = [item.seconds for item in rounds_of(session, user, run.id)]
    return [(end - start, took) for start, end, took in zip(starts, ends, seconds, strict=False)]


def queue_probe(studio: Studio, user: int, config: RunConfig) -> None:
    """Queue the measurement that this configuration lacks."""
    from vecaf.engine.queue import submit_task

    with studio.store.read() as session:
        dataset = dataset_named(session, user, config.dataset)
    submit_task(studio.store, KIND, dataset.id, probe_params(config), user)
