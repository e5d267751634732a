"""Delete a dataset: first its rows, in one transaction, then the files that nothing else uses.

A record of the files to delete is written before the commit. If the process is killed afterward,
the next start reads the record and deletes the files.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vecaf.datasets.pool import image_path, thumb_path
from vecaf.datasets.staging import publish_lock
from vecaf.errors import UnavailableError
from vecaf.files import size_of, write_bytes
from vecaf.settings import Settings
from vecaf.store import Dataset, Store
from vecaf.store.datasets import (
    DatasetContents,
    dataset_contents,
    delete_dataset_rows,
    refused_thumbs,
    used_hashes,
)
from vecaf.store.deletion_lock import lock_for_deletion
from vecaf.wording import plural

_RECORDS = "removing"  # folder in the data folder


@dataclass(frozen=True)
class DeletionSummary:
    """What is deleted with a dataset. `shared` counts the images that another dataset keeps."""

    name: str
    images: int
    shared: int
    runs: int
    subsets: int
    bytes: int  # size of the deleted files

    def sentence(self) -> str:
        """Return a description of what is deleted."""
        parts = [f"{plural(self.images, 'image')} with all labels and captions"]
        if self.runs:
            models = "its model" if self.runs == 1 else "their models"
            parts.append(f"{plural(self.runs, 'run')} with {models}")
        if self.subsets:
            parts.append(plural(self.subsets, "saved selection"))
        comma = "," if len(parts) > 2 else ""
        words = f"{', '.join(parts[:-1])}{comma} and {parts[-1]}" if len(parts) > 1 else parts[0]
        stays = ""
        if self.shared:
            verb = "is" if self.shared == 1 else "are"
            stays = f" {self.shared:,} of the images {verb} also in another dataset, which keeps "
            stays += "it." if self.shared == 1 else "them."
        return f"{words} ({self.bytes / 1e6:,.1f} MB).{stays}"

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as a mapping."""
        return asdict(self)


def preview_deletion(store: Store, user_id: int, dataset_id: int) -> DeletionSummary:
    """Return what deleting the dataset would delete. Raises NotFoundError, NotAllowedError."""
    with store.read() as session:
        found = dataset_contents(session, user_id, dataset_id)
    return _summary(found, store.settings)


def delete_dataset(store: Store, user_id: int, dataset_id: int) -> DeletionSummary:
    """Delete a dataset with its runs, tasks, subsets and history, and files nothing else uses.

    Raises
    ------
    InputError
        A job on the dataset has not ended.
    NotFoundError, NotAllowedError
        The user can't read or can't change the dataset.
    UnavailableError
        A backup is being made.
    """
    settings = store.settings
    settings.images.mkdir(parents=True, exist_ok=True)
    # Keep backups from reading, and imports from reusing, the files to delete.
    with lock_for_deletion(settings), publish_lock(settings):
        with store.write() as session:
            found = dataset_contents(session, user_id, dataset_id)
            delete_dataset_rows(session, user_id, dataset_id)
            write_bytes(_record(settings, dataset_id), _as_json(found))
        try:
            return _summary(found, settings)  # slow for many files, so outside of the transaction
        finally:
            _delete_files(store, dataset_id)


def finish_deletions(store: Store) -> None:
    """Delete the files that interrupted deletions left. The studio calls this when it starts."""
    folder = store.settings.home / _RECORDS
    records = sorted(folder.glob("*.json")) if folder.is_dir() else []
    if not records:
        return
    store.settings.images.mkdir(parents=True, exist_ok=True)
    # During a backup, the records stay until the next start.
    with (
        suppress(UnavailableError),
        lock_for_deletion(store.settings),
        publish_lock(store.settings),
    ):
        for record in records:
            with store.read() as session:
                exists = session.get(Dataset, int(record.stem)) is not None
            if exists:  # killed before the commit, so nothing was deleted
                record.unlink(missing_ok=True)
            else:
                _delete_files(store, int(record.stem))


def _delete_files(store: Store, dataset_id: int) -> None:
    """Delete the files in a deleted dataset's record, then the record."""
    settings, record = store.settings, _record(store.settings, dataset_id)
    going = json.loads(record.read_text())
    with store.read() as session:
        used = used_hashes(session, [key for key, _ in going["contents"]])
        shown = refused_thumbs(session) | used_hashes(session, going["refused"])
    for key, extension in going["contents"]:
        if key not in used:
            image_path(settings.images, key, extension).unlink(missing_ok=True)
            if key not in shown:
                thumb_path(settings.thumbs, key).unlink(missing_ok=True)
    for key in going["refused"]:
        if key not in shown:
            thumb_path(settings.thumbs, key).unlink(missing_ok=True)
    for kind, root in (("runs", settings.runs), ("tasks", settings.tasks)):
        for job_id in going[kind]:  # ids are never reused
            shutil.rmtree(root / str(job_id), ignore_errors=True)
    record.unlink(missing_ok=True)


def _summary(found: DatasetContents, settings: Settings) -> DeletionSummary:
    return DeletionSummary(
        name=found.name,
        images=found.images,
        shared=found.shared,
        runs=len(found.runs),
        subsets=found.subsets,
        bytes=sum(map(size_of, _paths(found, settings))),
    )


def _paths(found: DatasetContents, settings: Settings) -> Iterator[Path]:
    for key, extension in found.contents:
        yield image_path(settings.images, key, extension)
        yield thumb_path(settings.thumbs, key)
    for key in found.refused:
        yield thumb_path(settings.thumbs, key)
    for root, ids in ((settings.runs, found.runs), (settings.tasks, found.tasks)):
        for job_id in ids:
            yield root / str(job_id)


def _record(settings: Settings, dataset_id: int) -> Path:
    return settings.home / _RECORDS / f"{dataset_id}.json"


def _as_json(found: DatasetContents) -> bytes:
    kept = {name: getattr(found, name) for name in ("contents", "refused", "runs", "tasks")}
    return json.dumps(kept).encode()
