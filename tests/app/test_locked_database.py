"""While another program locks the database, changes get a clear error and pages are still shown."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.explore import routes as explore
from app.login import routes as login
from app.shell.sentences import answer_with_sentences
from app.shell.studio import Studio
from tests.app.conftest import archive
from tests.engine.harness import wait_for
from vecaf.datasets import import_dataset
from vecaf.errors import BusyError
from vecaf.settings import Settings
from vecaf.store import Dataset
from vecaf.store.server_store import ServerStore
from vecaf.store.sqlite import JOURNAL, library

pytestmark = pytest.mark.skipif(JOURNAL != "wal", reason="this SQLite stops readers, too")
WRITERS = 3


def store_of(home: Path, wait_seconds: float) -> ServerStore:
    settings = Settings.from_environment({"VECAF_HOME": str(home)})
    ServerStore.open(settings).close()
    store = ServerStore(settings, wait_seconds=wait_seconds, writers=WRITERS)
    store.shorten_waits()
    return store


@contextmanager
def locked(store: ServerStore) -> Iterator[None]:
    """Lock the database from a separate connection, as another program would."""
    other = library.connect(store.settings.home / "studio.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def test_a_change_is_refused_in_a_sentence(tmp_path: Path) -> None:
    store = store_of(tmp_path / "home", wait_seconds=0.1)
    import_dataset(store, archive(tmp_path / "own.zip"), "pets", user_id=store.owner())
    app = FastAPI(openapi_url=None)
    answer_with_sentences(app, store.settings)
    studio = Studio(store.settings, store)
    app.include_router(explore.routes(studio))
    app.include_router(login.routes(studio))
    change = {"ids": [1], "excluded": True}
    with TestClient(app) as client:
        with locked(store):
            refused = client.post("/explore/1/excluded", json=change)
            assert refused.status_code == 503
            assert int(refused.headers["retry-after"]) > 0
            assert "has locked the database" in refused.json()["error"]
            page = client.post("/login", data={"username": "a"}, headers={"Accept": "text/html"})
            assert page.status_code == 503 and int(page.headers["retry-after"]) > 0
            assert "has locked the database" in page.text and "<form" in page.text
            assert client.get("/explore/1/columns.bin").status_code == 200
        assert client.post("/explore/1/excluded", json=change).status_code == 200
    store.close()


def test_changes_that_wait_leave_threads_for_readers(tmp_path: Path) -> None:
    store = store_of(tmp_path / "home", wait_seconds=60)
    saved: list[int] = []

    def change() -> None:
        with store.write() as session:
            saved.append(session.scalar(sa.select(sa.func.count()).select_from(Dataset)) or 0)

    def full() -> bool:
        taken = store._writers.acquire(blocking=False)
        if taken:
            store._writers.release()
        return not taken

    with locked(store):
        waiting = [threading.Thread(target=change) for _ in range(WRITERS)]
        for thread in waiting:
            thread.start()
        wait_for(full, 30, "the changes don't wait")
        with pytest.raises(BusyError, match="too many changes are waiting"), store.write():
            pass
        with store.read() as session:
            assert session.scalar(sa.select(sa.func.count()).select_from(Dataset)) == 0
        assert saved == []
    for thread in waiting:
        thread.join()
    assert saved == [0] * WRITERS
    with store.write():  # there is room again
        pass
    store.close()
