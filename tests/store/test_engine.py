"""Opening, migrating and locking the database."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from vecaf.errors import InputError
from vecaf.settings import Settings
from vecaf.store import Dataset, Sample, Store
from vecaf.store.models import Base
from vecaf.store.sqlite import JOURNAL, VERSION, library, wal_is_safe


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_environment({"VECAF_HOME": str(tmp_path / "home")})


def database(settings: Settings) -> Path:
    return settings.home / "studio.db"


def add(store: Store, name: str) -> None:
    with store.write() as session:
        session.add(
            Dataset(owner_id=store.owner(), name=name, classes=[], content_hash="", source="",
                    report={})
        )  # fmt: skip


def test_migrations_create_the_tables_of_the_models(settings: Settings) -> None:
    store = Store.open(settings)
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"render_as_batch": True})
        assert compare_metadata(context, Base.metadata) == []


def test_reopening_keeps_all_rows(settings: Settings) -> None:
    add(Store.open(settings), "kept")
    with Store.open(settings).read() as session:
        assert session.scalars(sa.select(Dataset.name)).all() == ["kept"]


def test_the_version_changes_with_every_commit(settings: Settings) -> None:
    store, other = Store.open(settings), Store.open(settings)
    if JOURNAL != "wal":
        assert store.version() is None
        return
    store.owner()
    before = store.version()
    assert store.version() == before
    with other.read() as session:
        session.scalars(sa.select(Dataset.name)).all()
    assert store.version() == before
    add(other, "by another process")
    after = store.version()
    assert after != before
    add(store, "by this one")
    assert store.version() != after


def test_processes_can_start_at_the_same_time(settings: Settings) -> None:
    settings.home.mkdir()
    owners: list[int] = []
    threads = [
        threading.Thread(target=lambda: owners.append(Store.open(settings).owner()))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert owners == [owners[0]] * 4


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ((3, 44, 5), False), ((3, 44, 6), True), ((3, 45, 0), False), ((3, 46, 1), False),
        ((3, 50, 6), False), ((3, 50, 7), True), ((3, 51, 2), False), ((3, 51, 3), True),
        ((3, 52, 0), True), ((4, 0, 0), True),
    ],
)  # fmt: skip
def test_where_the_write_ahead_log_is_safe(version: tuple[int, ...], safe: bool) -> None:
    assert wal_is_safe(version) is safe


def test_the_journal_and_the_pragmas_are_set(settings: Settings) -> None:
    with Store.open(settings).read() as session:

        def pragma(name: str) -> object:
            return session.scalar(sa.text(f"PRAGMA {name}"))

        assert pragma("journal_mode") == JOURNAL == ("wal" if wal_is_safe(VERSION) else "delete")
        assert pragma("foreign_keys") == 1
        assert pragma("busy_timeout") == 30_000


def test_writers_wait_for_each_other(settings: Settings) -> None:
    """Each thread reads, waits, then writes. Without BEGIN IMMEDIATE, one of them would fail."""
    store = Store.open(settings)
    add(store, "0")

    def count_up() -> None:
        for _ in range(5):
            with store.write() as session:
                dataset = session.scalars(sa.select(Dataset)).one()
                time.sleep(0.01)
                dataset.name = str(int(dataset.name) + 1)

    threads = [threading.Thread(target=count_up) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.read() as session:
        assert session.scalar(sa.select(Dataset.name)) == "15"


@pytest.mark.skipif(JOURNAL != "wal", reason="this machine's SQLite has no sound write-ahead log")
def test_a_reader_does_not_block_writers(settings: Settings) -> None:
    store = Store.open(settings)
    add(store, "old")
    names = sa.select(Dataset.name).order_by(Dataset.id)
    with store.read() as reader:
        assert reader.scalars(names).all() == ["old"]
        for number in range(5):
            add(store, f"new {number}")  # fails if it has to wait for the reader
        assert reader.scalars(names).all() == ["old"]  # the reader's snapshot is unchanged
    with store.read() as reader:
        assert len(reader.scalars(names).all()) == 6


def test_the_journal_mode_of_a_file_is_changed(settings: Settings) -> None:
    add(Store.open(settings), "kept")
    with library.connect(database(settings)) as connection:
        other = "delete" if JOURNAL == "wal" else "wal"
        assert connection.execute(f"PRAGMA journal_mode = {other}").fetchone() == (other,)
    connection.close()
    with Store.open(settings).read() as session:
        assert session.scalar(sa.text("PRAGMA journal_mode")) == JOURNAL
        assert session.scalars(sa.select(Dataset.name)).all() == ["kept"]


def test_a_failed_write_is_rolled_back(settings: Settings) -> None:
    store = Store.open(settings)
    with pytest.raises(ZeroDivisionError), store.write() as session:
        session.add(
            Dataset(owner_id=store.owner(), name="x", classes=[], content_hash="", source="",
                    report={})
        )  # fmt: skip
        session.flush()
        raise ZeroDivisionError
    with store.read() as session:
        assert session.scalar(sa.select(Dataset.id)) is None


def test_deleting_a_dataset_deletes_its_samples(settings: Settings) -> None:
    store = Store.open(settings)
    add(store, "d")
    with store.write() as session:
        dataset = session.scalars(sa.select(Dataset)).one()
        session.add(Sample(dataset_id=dataset.id, file_name="a", sha256="", extension=".png",
                           width=1, height=1, split="train"))  # fmt: skip
        session.flush()
        session.execute(sa.delete(Dataset).where(Dataset.id == dataset.id))
        assert session.scalar(sa.select(Sample.id)) is None


def test_bad_settings_are_refused() -> None:
    with pytest.raises(InputError, match="VECAF_MAX_PIXELS is 'many'"):
        Settings.from_environment({"VECAF_MAX_PIXELS": "many"})
    assert Settings.from_environment({"VECAF_MAX_PIXELS": "10"}).limits.max_pixels == 10
