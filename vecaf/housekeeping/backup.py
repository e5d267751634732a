"""Backups: one file, true to one moment, made while the studio works; and the way back.

The database is copied first, then the files that the copy's rows name. Stored files never change
under their names and nothing is deleted meanwhile, so what the copy names is there. A run's folder
may be a little ahead of it, which is what a worker that was killed leaves, too: the run goes on.
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
from vecaf.files import replacing, saying_if_full, sync_file_system
from vecaf.housekeeping import referenced_files
from vecaf.housekeeping.backup_file import DATABASE, FORMAT, Reader, Writer
from vecaf.settings import Settings
from vecaf.store import ENDED, FAILED, Dataset, Import, Run, Store, Worker
from vecaf.store.deletion_lock import block_deletion
from vecaf.store.home import read_home_id, write_home_id
from vecaf.store.migrate import known_schemas, schema_of
from vecaf.store.models import now
from vecaf.store.sqlite_copies import copy_database, sqlite_path

MAX_LISTED = 20
UPLOAD_LOST = "Its upload was not part of the backup that was restored. Upload it again."

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class BackupResult:
    """What went into a backup. `missing`: files that rows name but that were not there."""

    to: str
    database: str  # sqlite or postgresql
    datasets: int
    runs: int
    files: int
    bytes: int
    missing: int
    listed: tuple[str, ...]  # the first of the missing

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def sentences(self) -> list[str]:
        """The outcome for people."""
        lines = [
            f"{self.files:,} files of {self.datasets} datasets and {self.runs} runs are in "
            f"{self.to} ({self.bytes / 1e6:,.1f} MB)."
        ]
        if self.database != "sqlite":
            lines.append(
                "The database is not in it: PostgreSQL has its own tool. Take both, the database "
                'first: pg_dump --format=custom --file=vecaf.dump "$DATABASE_URL"'
            )
        if self.missing:
            lines.append(
                f"{self.missing:,} files that the database names were not there: "
                f"{', '.join(self.listed)} … See python -m vecaf doctor."
            )
        return lines


def write_backup(
    store: Store, to: Path, *, with_embeddings: bool = False, progress: Progress | None = None
) -> BackupResult:
    """Write a backup of the home to the new file `to`. It appears when it is complete.

    Embeddings are computed again when they are needed, so they are left out unless asked for;
    uploads that are not imported yet always are. Raises InputError where `to` is there already,
    UnavailableError when its disk is full.
    """
    to = to.absolute()
    if to.exists():
        raise InputError(f"{to} is there already; give another name.")
    settings, show = store.settings, progress or (lambda stage, done, total: None)
    source = sqlite_path(settings.database_url)
    with block_deletion(settings), replacing(to) as temporary, ExitStack() as stack:
        snapshot = store
        if source is not None:
            show("Copying the database", 0, 0)
            beside = stack.enter_context(tempfile.TemporaryDirectory(dir=to.parent, prefix=".db-"))
            copy = Path(beside) / DATABASE
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
    session: Session, settings: Settings, writer: Writer, with_embeddings: bool, show: Progress
) -> list[str]:
    """Add what the rows name; the names of those that must be there and are not."""
    missing: list[str] = []
    jobs = referenced_files.job_files(
        session, settings
    )  # first: these may go ahead of the database's copy
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
    """Put a backup into the empty or new folder `home`, and check every file of it.

    The database is put in place last, so a home that has one is whole. Imports whose upload was
    left out are ended. After any error `home` is as empty as it was. Raises InputError for a home
    that holds something or an archive that is none, VecafError for one that is damaged or of a
    newer program, UnavailableError when the disk is full.
    """
    home = home.absolute()
    if home.exists() and (not home.is_dir() or any(_content(home))):
        raise InputError(f"{home} is not empty; give a new folder. Nothing was restored.")
    with closing(Reader(archive)) as reader, saying_if_full():
        about = reader.about
        if about.get("schema") not in known_schemas():
            raise VecafError(
                f"{archive} was made by a newer program (schema {about.get('schema')}). "
                "Update VeCAF Studio."
            )
        with _emptied_on_error(home):
            coming = home / f".{DATABASE}"
            count = reader.extract(home, coming.name)
            if about.get("database") == "sqlite":
                if not coming.exists():
                    raise VecafError(f"The backup {archive} is damaged: it has no database.")
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
    """What was under way when the backup was made is not under way here."""
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
    """Keep the folder itself: it may be where a volume is mounted."""
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
