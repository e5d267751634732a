"""Back up a data folder to one file while the studio is running, and restore it.

The database is copied first, then the files that the copy references. Stored files never change,
and none is deleted during a backup, so the copy's files exist. The folder of an unfinished run can
be newer than the copy, as after a crash; the restored run resumes.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.errors import InputError, VecafError
from vecaf.files import convert_disk_full_errors, replacing, sync_file_system
from vecaf.housekeeping import referenced_files
from vecaf.housekeeping.backup_file import DATABASE, FORMAT, Reader, Writer
from vecaf.settings import Settings
from vecaf.store import ENDED, FAILED, Dataset, Import, Run, Store, Worker
from vecaf.store.deletion_lock import block_deletion
from vecaf.store.home import read_home_id, write_home_id
from vecaf.store.migrate import known_schemas, schema_of
from vecaf.store.models import now
from vecaf.store.sqlite_copies import copy_database, sqlite_path
from vecaf.wording import plural

MAX_LISTED = 20
UPLOAD_LOST = "The restored backup does not contain the upload. Upload it again."

StageProgress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class BackupResult:
    """The content of a backup. `missing` counts referenced files that do not exist."""

    to: str
    database: str  # sqlite or postgresql
    datasets: int
    runs: int
    files: int
    bytes: int
    missing: int
    listed: tuple[str, ...]  # the first missing files

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as a mapping."""
        return asdict(self)

    def sentences(self) -> list[str]:
        """Return the result as sentences."""
        lines = [
            f"Saved {plural(self.files, 'file')} of {plural(self.datasets, 'dataset')} and "
            f"{plural(self.runs, 'run')} to {self.to} ({self.bytes / 1e6:,.1f} MB)."
        ]
        if self.database != "sqlite":
            lines.append(
                "The backup does not contain the PostgreSQL database. Before each backup, save it "
                'with: pg_dump --format=custom --file=vecaf.dump "$DATABASE_URL"'
            )
        if self.missing:
            more = " …" if self.missing > len(self.listed) else "."
            lines.append(
                f"{plural(self.missing, 'referenced file is', 'referenced files are')} missing: "
                f"{', '.join(self.listed)}{more} Run: python -m vecaf doctor"
            )
        return lines


def write_backup(
    store: Store, to: Path, *, with_embeddings: bool = False, progress: StageProgress | None = None
) -> BackupResult:
    """Write a backup of the data folder to the new file `to`, which appears when it is complete.

    Uploads that are not imported yet are left out.

    Parameters
    ----------
    with_embeddings
        Include cached embeddings. Without them, they are computed again when needed.
    progress
        Called as `progress(stage, done, total)`.

    Raises
    ------
    InputError
        `to` exists.
    UnavailableError
        The disk is full.
    """
    to = to.absolute()
    if to.exists():
        raise InputError(f"{to} already exists. Choose another name.")
    settings, show = store.settings, progress or (lambda stage, done, total: None)
    source = sqlite_path(settings.database_url)
    with block_deletion(settings), replacing(to) as temporary, ExitStack() as stack:
        snapshot = store
        if source is not None:
            show("Copying the database", 0, 0)
            folder = stack.enter_context(tempfile.TemporaryDirectory(dir=to.parent, prefix=".db-"))
            copy = Path(folder) / DATABASE
            copy_database(source, copy)
            snapshot = Store(replace(settings, database_url=f"sqlite:///{copy}"))
            stack.callback(snapshot.close)
        with snapshot.read() as session, temporary.open("wb") as file:
            if source is None:
                session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            counts = {kind: _count(session, kind) for kind in (Dataset, Run)}
            about: dict[str, Any] = {
                "format": FORMAT,
                "created": now().isoformat(),
                "schema": schema_of(session.connection()),
                "database": session.get_bind().dialect.name,
                "home": str(settings.home),
                "home_id": read_home_id(settings),
                "embeddings": with_embeddings,
            }
            writer = Writer(file, about)
            if source is not None:
                writer.add(copy, DATABASE)
            missing = _add_files(session, settings, writer, with_embeddings, show)
            writer.close()
        size = temporary.stat().st_size
    return BackupResult(
        to=str(to),
        database=about["database"],
        datasets=counts[Dataset],
        runs=counts[Run],
        files=writer.files,
        bytes=size,
        missing=len(missing),
        listed=tuple(missing[:MAX_LISTED]),
    )


def _add_files(
    session: Session, settings: Settings, writer: Writer, with_embeddings: bool, show: StageProgress
) -> list[str]:
    """Add all referenced files; return the names of required files that are missing."""
    missing: list[str] = []
    # First, to keep the folders of unfinished runs close to the copy of the database.
    jobs = referenced_files.job_files(session, settings)
    images = referenced_files.images(session, settings)
    others = [
        referenced_files.thumbs(session, settings),
        referenced_files.visible_files(settings.home / "benchmarks"),
    ]
    if with_embeddings:
        others.append(referenced_files.embeddings(session, settings))
    for wanted, paths in ((False, jobs), (True, images), (False, chain(*others))):
        for path in paths:
            name = path.relative_to(settings.home).as_posix()
            try:
                writer.add(path, name)
            except FileNotFoundError:
                missing += [name] if wanted else []
            show("Writing files", writer.files, 0)
    missing += [
        path.relative_to(settings.home).as_posix()
        for path in referenced_files.artifacts(session, settings)
        if not path.exists()
    ]
    return missing


def restore(archive: Path, home: Path) -> dict[str, Any]:
    """Restore a backup to the new or empty folder `home`, and check every file.

    The database is moved into place last, so a data folder with a database is complete. Imports
    whose upload is not in the backup are marked as failed. After an error, `home` is empty again.

    Returns
    -------
    "home", "files" (their number), and "created", "schema" and "database" of the backup.

    Raises
    ------
    InputError
        `home` is not empty, or the archive is not a backup.
    VecafError
        The backup is damaged or was made by a newer version.
    UnavailableError
        The disk is full.
    """
    home = home.absolute()
    if home.exists() and (not home.is_dir() or any(_content(home))):
        raise InputError(f"{home} is not empty. Nothing was restored. Choose a new folder.")
    with closing(Reader(archive)) as reader, convert_disk_full_errors():
        about = reader.about
        if about.get("schema") not in known_schemas():
            raise VecafError(
                f"A newer version of VeCAF Studio made the backup {archive} (schema "
                f"{about.get('schema')}). Nothing was restored. Update VeCAF Studio."
            )
        with _emptied_on_error(home):
            coming = home / f".{DATABASE}"
            count = reader.extract(home, coming.name)
            if about.get("database") == "sqlite":
                if not coming.exists():
                    raise VecafError(
                        f"The backup {archive} is damaged: it has no database. Nothing was "
                        "restored. Use another backup."
                    )
                _settle(home, coming, str(about.get("home")))
            if about.get("home_id") is not None:
                restored = Settings.from_environment({"VECAF_HOME": str(home)})
                write_home_id(restored, str(about["home_id"]))
            sync_file_system(home)
            if coming.exists():
                coming.replace(home / DATABASE)
                sync_file_system(home)
    return {"home": str(home), "files": count} | {
        name: about.get(name) for name in ("created", "schema", "database")
    }


def _settle(home: Path, database: Path, old_home: str) -> None:
    """Remove the workers, and mark imports as failed whose upload is not in the backup."""
    url = f"sqlite:///{database}"
    store = Store(Settings.from_environment({"VECAF_HOME": str(home), "DATABASE_URL": url}))
    uploaded = Import.source.startswith(f"{old_home}/uploads/", autoescape=True)
    with closing(store), store.write() as session:
        session.execute(sa.delete(Worker))
        session.execute(
            sa.update(Import)
            .where(Import.state.not_in(ENDED), uploaded)
            .values(state=FAILED, error=UPLOAD_LOST, finished_at=now())
        )


@contextmanager
def _emptied_on_error(home: Path) -> Iterator[None]:
    """Empty the folder if the block raises; keep an existing folder, which may be a mount point."""
    new = not home.exists()
    home.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for path in _content(home):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if new:
            home.rmdir()
        raise


def _content(home: Path) -> list[Path]:
    return [path for path in home.iterdir() if path.name != "lost+found"]


def _count(session: Session, kind: type[Dataset | Run]) -> int:
    return session.scalar(sa.select(sa.func.count()).select_from(kind)) or 0
