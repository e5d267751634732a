"""Queries on datasets: add one, list them with counts, and find what depends on one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from vecaf.errors import InputError
from vecaf.store.authorization import changeable, readable, visible
from vecaf.store.background import BACKGROUND_KINDS
from vecaf.store.models import ENDED, TRAIN, Base, Dataset, Import, Run, Sample, Subset, Task

_INSERT_ROWS = 10_000  # per statement, to bound memory


@dataclass(frozen=True)
class DatasetSummary:
    """A dataset in a list; `splits` maps each split to its number of images."""

    id: int
    name: str
    classes: int
    images: int
    splits: dict[str, int]
    attribution: str | None
    created_at: datetime


def dataset_exists(session: Session, user_id: int, name: str) -> bool:
    """Return whether the user owns a dataset with this name."""
    query = sa.select(Dataset.id).where(Dataset.owner_id == user_id, Dataset.name == name)
    return session.scalar(query) is not None


def add_dataset(session: Session, dataset: Dataset, samples: Sequence[Mapping[str, Any]]) -> None:
    """Insert a dataset and its samples; sample ids follow the given order.

    Parameters
    ----------
    samples
        The columns of `Sample` except `id` and `dataset_id`, one mapping per sample.
    """
    if session.get_bind().dialect.name == "sqlite":
        # Otherwise a large transaction blocks readers long before it commits.
        session.execute(sa.text("PRAGMA cache_spill = OFF"))
    session.add(dataset)
    session.flush()
    for start in range(0, len(samples), _INSERT_ROWS):
        part = samples[start : start + _INSERT_ROWS]
        rows = [{**row, "dataset_id": dataset.id} for row in part]
        session.execute(sa.insert(Base.metadata.tables[Sample.__tablename__]), rows)


def dataset_summaries(session: Session, user_id: int) -> list[DatasetSummary]:
    """Return the datasets that the user can read, newest first, with image counts per split."""
    datasets = session.scalars(
        sa.select(Dataset).where(readable(Dataset, user_id)).order_by(Dataset.id.desc())
    ).all()
    counted = session.execute(
        sa.select(Sample.dataset_id, Sample.split, sa.func.count().label("size"))
        .where(Sample.dataset_id.in_([dataset.id for dataset in datasets]))
        .group_by(Sample.dataset_id, Sample.split)
    ).all()
    splits: dict[int, dict[str, int]] = {dataset.id: {} for dataset in datasets}
    for row in counted:
        splits[row.dataset_id][row.split] = row.size
    return [
        DatasetSummary(
            id=dataset.id,
            name=dataset.name,
            classes=len(dataset.classes),
            images=sum(splits[dataset.id].values()),
            splits=splits[dataset.id],
            attribution=dataset.attribution,
            created_at=dataset.created_at,
        )
        for dataset in datasets
    ]


Version = tuple[object, ...]


def version_of(dataset: Dataset) -> Version:
    """Return a value that changes whenever the dataset's card changes."""
    return _version(dataset.revision, dataset.owner_id, dataset.report.get("warnings"))


def dataset_versions(session: Session, user_id: int) -> list[tuple[int, Version]]:
    """Return (id, version) of the datasets that the user can read, newest first.

    Pages poll this every few seconds, so it reads only the warnings of each import report.
    """
    parts = (Dataset.id, Dataset.revision, Dataset.owner_id, Dataset.report["warnings"])
    query = sa.select(*parts).where(readable(Dataset, user_id)).order_by(Dataset.id.desc())
    return [(id_, _version(*rest)) for id_, *rest in session.execute(query)]


def _version(revision: int, owner_id: int, warnings: list[str] | None) -> Version:
    return revision, owner_id, *(warnings or ())


def in_pool(dataset_id: int) -> tuple[sa.ColumnElement[bool], ...]:
    """Return the WHERE conditions for the samples in a dataset's pool."""
    return (
        Sample.dataset_id == dataset_id,
        Sample.split == TRAIN,
        Sample.excluded.is_(False),
    )


def count_pool_by_class(session: Session, dataset: Dataset) -> list[int]:
    """Count the labeled images of each class in the pool, in the order of `dataset.classes`."""
    counted = session.execute(
        sa.select(Sample.label, sa.func.count().label("size"))
        .where(*in_pool(dataset.id), Sample.label.is_not(None))
        .group_by(Sample.label)
    )
    sizes = {row.label: row.size for row in counted}
    return [sizes.get(index, 0) for index in range(len(dataset.classes))]


@dataclass(frozen=True)
class DatasetContents:
    """Everything that is deleted with a dataset."""

    dataset_id: int
    name: str
    images: int
    shared: int  # images that are also in another dataset
    runs: list[int]
    tasks: list[int]
    subsets: int
    contents: list[tuple[str, str]]  # (sha256, extension) of images in no other dataset
    refused: list[str]  # sha256 of rejected files' thumbnails in no other dataset's report


def dataset_contents(session: Session, user_id: int, dataset_id: int) -> DatasetContents:
    """Find everything that is deleted with a dataset. Raises NotFoundError, NotAllowedError."""
    dataset = changeable(session, user_id, Dataset, dataset_id)
    mine = sa.select(Sample.sha256, Sample.extension).where(Sample.dataset_id == dataset_id)
    other = aliased(Sample)
    elsewhere = sa.exists().where(other.sha256 == Sample.sha256, other.dataset_id != dataset_id)
    contents = session.execute(mine.where(~elsewhere).distinct()).all()
    counted = sa.select(sa.func.count()).select_from(Sample).where(Sample.dataset_id == dataset_id)
    sizes = [
        session.scalar(sa.select(sa.func.count()).where(kind.dataset_id == dataset_id)) or 0
        for kind in (Sample, Subset)
    ]
    reports = sa.select(Dataset.report).where(Dataset.id != dataset_id)
    shown = {thumb for report in session.scalars(reports) for thumb in _refused(report)}
    return DatasetContents(
        dataset_id=dataset_id,
        name=dataset.name,
        images=sizes[0],
        shared=session.scalar(counted.where(elsewhere)) or 0,
        runs=list(session.scalars(sa.select(Run.id).where(Run.dataset_id == dataset_id))),
        tasks=list(session.scalars(sa.select(Task.id).where(Task.dataset_id == dataset_id))),
        subsets=sizes[1],
        contents=[(row.sha256, row.extension) for row in contents],
        refused=sorted(_refused(dataset.report) - shown),
    )


@dataclass(frozen=True)
class ActiveJob:
    """A queued or running job; `kind` is run, task or import.

    The dataset can be deleted during a job that runs in the `background`.
    """

    kind: str
    id: int
    name: str
    state: str
    stage: str
    node: str | None
    done: int
    total: int
    cancel_requested: bool
    background: bool


def active_jobs(session: Session, user_id: int, dataset_id: int) -> list[ActiveJob]:
    """Return the queued and running jobs on a dataset. Raises NotFoundError."""
    dataset = visible(session, user_id, Dataset, dataset_id)
    found: list[Run | Task | Import] = []
    for kind in (Run, Task):
        query = sa.select(kind).where(kind.dataset_id == dataset_id, kind.state.not_in(ENDED))
        found += session.scalars(query.order_by(kind.id))
    importing = sa.select(Import).where(
        Import.owner_id == dataset.owner_id, Import.name == dataset.name
    )
    found += session.scalars(importing.where(Import.state.not_in(ENDED)))
    return [
        ActiveJob(
            job.__tablename__, job.id, _job_name(job), job.state,
            job.stage, job.node, job.done, job.total, job.cancel_requested,
            isinstance(job, Task) and job.kind in BACKGROUND_KINDS,
        )
        for job in found
    ]  # fmt: skip


TASK_NAMES = {
    "batch_predict": "predict images",
    "cost": "measure time and memory",
    "embed": "compute embeddings",
    "findings": "find duplicates, outliers and label errors",
    "map": "compute the map",
    "model_export": "export the model",
    "selection": "select images",
    "shift_preview": "preview a shift",
    "shift_result": "compare models on a shift",
}


def _job_name(job: Run | Task | Import) -> str:
    return TASK_NAMES.get(job.kind, job.kind) if isinstance(job, Task) else job.name


def delete_dataset_rows(session: Session, user_id: int, dataset_id: int) -> None:
    """Delete a dataset and all rows that belong to it.

    Raises
    ------
    InputError
        A job on the dataset is queued or running.
    NotFoundError, NotAllowedError
        The user can't read or can't change the dataset.
    """
    busy = [job for job in active_jobs(session, user_id, dataset_id) if not job.background]
    dataset = changeable(session, user_id, Dataset, dataset_id)
    if busy:
        more = f" and {len(busy) - 1} more have" if len(busy) > 1 else " has"
        them = "them" if len(busy) > 1 else "it"
        raise InputError(
            f"'{dataset.name}' can't be deleted while {busy[0].kind} {busy[0].id} "
            f"({busy[0].name}){more} not ended. Wait for {them} to finish, or cancel {them} first."
        )
    if session.get_bind().dialect.name == "sqlite":
        session.execute(sa.text("PRAGMA cache_spill = OFF"))
    session.execute(sa.delete(Dataset).where(Dataset.id == dataset_id))


def used_hashes(session: Session, keys: Sequence[str]) -> set[str]:
    """Return the hashes among `keys` (sha256) that are the hash of a dataset's image."""
    found: set[str] = set()
    for start in range(0, len(keys), 500):
        part = keys[start : start + 500]
        found.update(session.scalars(sa.select(Sample.sha256).where(Sample.sha256.in_(part))))
    return found


def refused_thumbs(session: Session) -> set[str]:
    """Return the sha256 of the rejected files' thumbnails in all import reports."""
    reports = session.scalars(sa.select(Dataset.report))
    return {thumb for report in reports for thumb in _refused(report)}


def _refused(report: Mapping[str, Any]) -> set[str]:
    return {one["thumb"] for one in report.get("refused", ()) if one.get("thumb")}
