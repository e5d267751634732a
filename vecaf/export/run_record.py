"""What an export needs to know about a run, read from the database and the run's folder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from vecaf.config import RunConfig
from vecaf.datasets.pool import Samples, load_samples
from vecaf.datasets.snapshot import NAME as SNAPSHOT
from vecaf.datasets.snapshot import with_snapshot
from vecaf.export.environment import read_versions
from vecaf.export.receipt import Receipt, data_hash, rows_by_content
from vecaf.store import Dataset, Round, Run, Sample, SelectedSample, Store, visible


@dataclass(frozen=True)
class RunRecord:
    """What the database and the run's folder hold; `samples` as of the start of the run."""

    run: Run
    config: RunConfig
    dataset: Dataset
    samples: Samples
    rounds: Sequence[Round]
    selected: Sequence[dict[str, Any]]
    versions: Sequence[dict[str, str]]


def read_record(store: Store, user_id: int, run_id: int) -> RunRecord:
    """Read everything that an export needs to know about a run.

    Raises
    ------
    NotFoundError
        If the run does not exist or the user may not see it.
    """
    with store.read() as session:
        run = visible(session, user_id, Run, run_id)
        dataset = session.get_one(Dataset, run.dataset_id)
        samples = load_samples(session, dataset, store.settings.images)
        rounds = session.scalars(
            sa.select(Round).where(Round.run_id == run_id).order_by(Round.number)
        ).all()
        rows = session.execute(
            sa.select(SelectedSample, Sample.id, Sample.file_name, Sample.sha256)
            .join(Sample, Sample.id == SelectedSample.sample_id)
            .where(SelectedSample.run_id == run_id)
            .order_by(SelectedSample.round, SelectedSample.rank)
        ).all()
    folder = store.settings.runs / str(run_id)
    if (folder / SNAPSHOT).exists():
        samples = with_snapshot(samples, folder)
    label_of = dict(zip(samples.ids.tolist(), samples.labels.tolist(), strict=True))
    selected = [
        {
            "round": image.round,
            "rank": image.rank,
            "sample_id": sample_id,
            "file_name": file_name,
            "sha256": sha256,
            "label": None if label_of[sample_id] < 0 else samples.classes[label_of[sample_id]],
            "scores": image.scores,
        }
        for image, sample_id, file_name, sha256 in rows
    ]
    config, versions = RunConfig.from_dict(run.config), read_versions(folder)
    return RunRecord(run, config, dataset, samples, rounds, selected, versions)


def make_receipt(record: RunRecord) -> Receipt:
    """Create the receipt of a run's selection."""
    copy_of = {
        record.samples.ids[row]: copy
        for rows in rows_by_content(record.samples).values()
        for copy, row in enumerate(rows)
    }
    selected, copies = defaultdict[int, list[str]](list), defaultdict[int, list[int]](list)
    for image in record.selected:
        selected[image["round"]].append(image["sha256"])
        # Without a snapshot (older runs), a selected image may have lost its label since.
        copies[image["round"]].append(copy_of.get(image["sample_id"], 0))
    return Receipt(
        run=record.run.id,
        name=record.run.name,
        config=record.config,
        dataset=record.dataset.name,
        content_hash=record.dataset.content_hash,
        data_hash=data_hash(record.samples),
        versions=tuple(record.versions),
        selected=tuple(tuple(selected[number]) for number in sorted(selected)),
        copies=tuple(tuple(copies[number]) for number in sorted(copies)),
    )
