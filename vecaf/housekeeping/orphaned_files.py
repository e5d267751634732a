"""Find files that the database does not reference, left by killed imports, deletions and exports.

Files newer than a grace period are never orphaned, since a running process may still use them. A
row is created before its folder, so folders are listed first and rows are read afterward. An image
is created before its row, so its row is looked up again when it is deleted, while no import can
publish.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from vecaf.datasets.staging import STAGING, abandoned_folders, publish_lock
from vecaf.engine.paths import folder_of
from vecaf.errors import InputError
from vecaf.files import age, size_of
from vecaf.housekeeping.trash import Trash
from vecaf.settings import Settings
from vecaf.store import ENDED, FAILED, Import, Run, Store, Task
from vecaf.store.datasets import refused_thumbs, used_hashes
from vecaf.store.deletion_lock import lock_for_deletion

HOUR, DAY = 3600.0, 24 * 3600.0
IMAGE, THUMB, RUN, TASK = "image", "thumbnail", "run", "task"
UPLOAD, HALF, REMOVAL = "upload", "half-written file", "unfinished deletion"

_CONTENT = re.compile(r"([0-9a-f]{64})\.[a-z]{3,4}")
_HALF = re.compile(r"\..+\.tmp|\.building-.*|download-.*")


@dataclass(frozen=True)
class OrphanedFile:
    """A file or folder that the database does not reference; `bytes` is its size."""

    kind: str
    path: Path
    bytes: int


def find_orphaned_files(store: Store, grace: float = HOUR) -> list[OrphanedFile]:
    """Return all orphaned files in the data folder that are older than `grace` seconds."""
    settings = store.settings
    found = list(_contents(store, settings.images, IMAGE, grace))
    found += _contents(store, settings.thumbs, THUMB, grace)
    found += _folders(store, settings.runs, RUN, grace)
    found += _folders(store, settings.tasks, TASK, grace)
    found += _uploads(store, max(grace, DAY))  # a slow upload may pause
    found += _half_written(settings, max(grace, DAY))
    notes = settings.home / "removing"
    found += [
        OrphanedFile(REMOVAL, path, 0) for path in _old(notes, grace) if path.suffix == ".json"
    ]
    return found


def majority_warning(settings: Settings, found: Sequence[OrphanedFile]) -> str | None:
    """Return a warning if more than half of all images or runs are orphaned; None otherwise.

    In that case, the database may belong to another data folder.
    """
    images = (path for path in settings.images.glob("[0-9a-f][0-9a-f]/*") if _is_content(path))
    runs = (path for path in settings.runs.glob("*") if path.name.isdecimal())
    parts = []
    for kind, paths in ((IMAGE, images), (RUN, runs)):
        going, total = sum(one.kind == kind for one in found), sum(1 for _ in paths)
        if 2 * going > total:
            parts.append(f"{going:,} of {total:,} {kind}s")
    if not parts:
        return None
    return (
        f"The database does not reference {' and '.join(parts)} in this data folder. Check that "
        "DATABASE_URL and VECAF_HOME are correct."
    )


def move_to_trash(
    store: Store, found: Sequence[OrphanedFile], trash: Trash, *, force: bool = False
) -> list[OrphanedFile]:
    """Move orphaned files to the trash, except any that are now in use; return those moved.

    Raises
    ------
    InputError
        Most images or runs would be moved, and `force` is False.
    UnavailableError
        A backup is being made.
    """
    from vecaf.datasets.deletion import finish_deletions

    if not found:
        return []
    doubt = majority_warning(store.settings, found)
    if doubt is not None and not force:
        raise InputError(f"{doubt} Nothing was moved. If they are correct, pass --force.")
    if any(one.kind == REMOVAL for one in found):
        finish_deletions(store)
    settings = store.settings
    settings.images.mkdir(parents=True, exist_ok=True)
    with lock_for_deletion(settings), publish_lock(settings):
        keys = [one.path.name[:64] for one in found if one.kind in (IMAGE, THUMB)]
        with store.read() as session:
            needed = {IMAGE: used_hashes(session, keys), THUMB: set[str]()}
            needed[THUMB] = needed[IMAGE] | refused_thumbs(session)
        # With the publish lock held, no import is just creating its staging folder.
        dead = set(abandoned_folders(settings.images))
        gone = []
        for one in found:
            staging = one.path.name.startswith(STAGING) and one.path not in dead
            if not staging and one.path.name[:64] not in needed.get(one.kind, ()):
                trash.put(one.path)
                gone.append(one)
    return gone


def _contents(store: Store, root: Path, kind: str, grace: float) -> Iterator[OrphanedFile]:
    """Yield stored files that no row references, folder by folder to save memory."""
    with store.read() as session:
        shown = refused_thumbs(session) if kind == THUMB else set()
    for folder in sorted(root.glob("[0-9a-f][0-9a-f]")):
        files = {path: path.name[:64] for path in _old(folder, grace)
                 if _is_content(path)}  # fmt: skip
        with store.read() as session:
            used = used_hashes(session, list(files.values())) | shown
        for path, key in files.items():
            if key not in used:
                yield OrphanedFile(kind, path, size_of(path))


def _folders(store: Store, root: Path, kind: str, grace: float) -> Iterator[OrphanedFile]:
    folders = [path for path in _old(root, grace) if path.name.isdecimal() and path.is_dir()]
    model: type[Run | Task] = Run if kind == RUN else Task
    with store.read() as session:
        known = set(session.scalars(sa.select(model.id)))
    for path in folders:
        if int(path.name) not in known:
            yield OrphanedFile(kind, path, size_of(path))


def _uploads(store: Store, grace: float) -> Iterator[OrphanedFile]:
    """Yield uploads that no import needs, and the folders of ended imports.

    The folder of a failed import is kept for 30 days, since it contains the log.
    """
    settings = store.settings
    old = _old(settings.uploads, grace)
    with store.read() as session:
        rows = session.execute(sa.select(Import.id, Import.source, Import.state)).all()
        waiting = {row.source for row in rows if row.state not in ENDED}
    active = {folder_of(settings, "import", row.id) for row in rows if row.state not in ENDED}
    month_old = set(_old(settings.uploads, 30 * DAY))
    failed = {folder_of(settings, "import", row.id) for row in rows if row.state == FAILED}
    for path in old:
        if str(path) in waiting or path in active or (path in failed and path not in month_old):
            continue
        yield OrphanedFile(UPLOAD, path, size_of(path))


def _half_written(settings: Settings, grace: float) -> Iterator[OrphanedFile]:
    home = settings.home
    folders = [home, settings.images, *home.glob("images/??"), *home.glob("thumbs/??")]
    folders += [path for path in home.glob("runs/**/") if not path.name.startswith(".")]
    folders += [*home.glob("tasks/*"), *home.glob("embeddings/*"), *home.glob("benchmarks/**/")]
    for folder in folders:
        for path in _old(folder, grace):
            if _HALF.fullmatch(path.name):
                yield OrphanedFile(HALF, path, size_of(path))
    for path in abandoned_folders(settings.images):
        yield OrphanedFile(HALF, path, size_of(path))
    for path in home.glob("embeddings/*/*.npy"):  # shards whose keys were never written
        is_keys = path.name.endswith(".keys.npy")
        if not is_keys and not path.with_suffix(".keys.npy").exists() and age(path) > grace:
            yield OrphanedFile(HALF, path, size_of(path))


def _old(folder: Path, grace: float) -> list[Path]:
    """Return the sorted content of a folder that was changed more than `grace` seconds ago."""
    if not folder.is_dir():
        return []
    return [path for path in sorted(folder.iterdir()) if age(path) > grace]


def _is_content(path: Path) -> bool:
    return _CONTENT.fullmatch(path.name) is not None
