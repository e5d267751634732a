"""List the files in a data folder that the database references."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.datasets.images import is_small
from vecaf.datasets.pool import image_path, thumb_path
from vecaf.engine.paths import folder_of, lock_of
from vecaf.files import walk_files
from vecaf.settings import Settings
from vecaf.store import ENDED, FINISHED, Artifact, Run, Sample, Task
from vecaf.store.datasets import refused_thumbs

_ROWS_PER_FETCH = 10_000


def stored_images(session: Session) -> Iterator[tuple[str, str, bool]]:
    """Yield (sha256, extension, whether it has a thumbnail) of each distinct image."""
    query = sa.select(Sample.sha256, Sample.extension, Sample.width, Sample.height)
    query = query.order_by(Sample.sha256).execution_options(yield_per=_ROWS_PER_FETCH)
    found = session.execute(query)
    last = ""
    for row in found:
        if row.sha256 != last:
            last = row.sha256
            yield row.sha256, row.extension, not is_small(row.width, row.height)


def images(session: Session, settings: Settings) -> Iterator[Path]:
    """Yield all images; each of them must exist."""
    for sha256, extension, _ in stored_images(session):
        yield image_path(settings.images, sha256, extension)


def thumbs(session: Session, settings: Settings) -> Iterator[Path]:
    """Yield all thumbnails. Missing ones of images are created again when needed."""
    for sha256, _, own in stored_images(session):
        if own:
            yield thumb_path(settings.thumbs, sha256)
    for sha256 in sorted(refused_thumbs(session)):
        yield thumb_path(settings.thumbs, sha256)


def artifacts(session: Session, settings: Settings) -> Iterator[Path]:
    """Yield the models of runs; each of them must exist."""
    for path in session.scalars(sa.select(Artifact.path).order_by(Artifact.id)):
        yield settings.home / path


def job_files(session: Session, settings: Settings) -> Iterator[Path]:
    """Yield the files of runs (unfinished ones first) and of finished tasks.

    Locks and exports are left out; exports are created again when needed.
    """
    for run_id in session.scalars(sa.select(Run.id).order_by(Run.state.in_(ENDED), Run.id)):
        folder, lock = folder_of(settings, "run", run_id), lock_of(settings, "run", run_id)
        yield from (path for path in visible_files(folder)
                    if path != lock and path.relative_to(folder).parts[0] != "export")  # fmt: skip
    finished = sa.select(Task.id).where(Task.state == FINISHED)
    for task_id in session.scalars(finished.order_by(Task.id)):
        lock = lock_of(settings, "task", task_id)
        yield from (
            path for path in visible_files(folder_of(settings, "task", task_id)) if path != lock
        )


def embeddings(session: Session, settings: Settings) -> Iterator[Path]:
    """Yield all cached embeddings."""
    yield from visible_files(settings.embeddings)


def visible_files(folder: Path) -> Iterator[Path]:
    """Yield the regular files below a folder, sorted, without hidden ones, which are unfinished."""
    for path in walk_files(folder):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not path.is_symlink() and not hidden:
            yield path
