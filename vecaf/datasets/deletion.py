"""Deleting a dataset: first its rows, in one commit, then the files that nothing needs any more.

What is to be removed is written down before the commit. A process that is killed in between leaves
files that no row names, and that note, by which the next start removes them.
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

_NOTES = "removing"


@dataclass(frozen=True)
class DeletionSummary:
    """What goes, or went, with a dataset; `shared` images stay, another dataset has them too."""

    name: str
    images: int
    shared: int
    runs: int
    subsets: int
    bytes: int  # of files on the disk

    def sentence(self) -> str:
        """What goes, for people."""
        parts = [plural(self.images, "image")]
        if self.runs:
            parts.append(f"{plural(self.runs, 'run')} with models and picks")
        if self.subsets:
            parts.append(plural(self.subsets, "selection"))
        words = f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]
        stays = ""
        if self.shared:
            them = "is" if self.shared == 1 else "are"
            stays = f" {self.shared:,} of the images {them} in another dataset too and stay there."
        return f"{words} ({self.bytes / 1e6:,.1f} MB), with all labels and captions.{stays}"

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def preview_deletion(store: Store, user_id: int, dataset_id: int) -> DeletionSummary:
    """What lock_for_deletion the dataset would remove. Raises NotFoundError."""
    with store.read() as session:
        found = dataset_contents(session, user_id, dataset_id)
    return _removal(found, store.settings)


def delete_dataset(store: Store, user_id: int, dataset_id: int) -> DeletionSummary:
    """Delete a dataset, its runs, tasks, subsets and history, and files that nothing else uses.

    Raises InputError while something on it is under way, NotFoundError, UnavailableError while a
    backup is being made.
    """
    settings = store.settings
    settings.images.mkdir(parents=True, exist_ok=True)
    # No backup reads what goes, and no import meanwhile counts on it.
    with lock_for_deletion(settings), publish_lock(settings):
        with store.write() as session:
            found = dataset_contents(session, user_id, dataset_id)
            delete_dataset_rows(session, user_id, dataset_id)
            write_bytes(_note(settings, dataset_id), _written(found))
        try:
            return _removal(found, settings)  # looks at every file: nobody has to wait for that
        finally:
            _remove(store, dataset_id)


def finish_deletions(store: Store) -> None:
    """Remove what interrupted deletions left; every start of the studio does this."""
    folder = store.settings.home / _NOTES
    notes = sorted(folder.glob("*.json")) if folder.is_dir() else []
    if not notes:
        return
    store.settings.images.mkdir(parents=True, exist_ok=True)
    # While a backup is being made the notes wait for another start.
    with (
        suppress(UnavailableError),
        lock_for_deletion(store.settings),
        publish_lock(store.settings),
    ):
        for note in notes:
            with store.read() as session:
                kept = session.get(Dataset, int(note.stem)) is not None
            if kept:  # killed before the commit: nothing was deleted
                note.unlink(missing_ok=True)
            else:
                _remove(store, int(note.stem))


def _remove(store: Store, dataset_id: int) -> None:
    """Remove the files that the note of a deleted dataset names, and the note at last."""
    settings, note = store.settings, _note(store.settings, dataset_id)
    going = json.loads(note.read_text())
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
        for job_id in going[kind]:  # ids are never given out again
            shutil.rmtree(root / str(job_id), ignore_errors=True)
    note.unlink(missing_ok=True)


def _removal(found: DatasetContents, settings: Settings) -> DeletionSummary:
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


def _note(settings: Settings, dataset_id: int) -> Path:
    return settings.home / _NOTES / f"{dataset_id}.json"


def _written(found: DatasetContents) -> bytes:
    kept = {name: getattr(found, name) for name in ("contents", "refused", "runs", "tasks")}
    return json.dumps(kept).encode()
