"""/healthz reports whether the studio can serve users, not only whether the process is alive."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.shell import health
from app.shell.sentences import answer_with_sentences
from app.shell.studio import AUTHENTICATION_THREADS, Studio
from vecaf.settings import Settings
from vecaf.store import Store


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    store = Store.open(Settings.from_environment({"VECAF_HOME": str(tmp_path / "home")}))
    yield Studio(store.settings, store)
    store.close()


def client_of(studio: Studio) -> TestClient:
    app = FastAPI(openapi_url=None)
    answer_with_sentences(app, studio.settings)
    app.include_router(health.routes(studio))
    return TestClient(app)


def test_the_server_is_unhealthy_if_a_page_would_wait(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, free = client_of(studio), threading.Event()
    assert client.get("/healthz").json() == {"ok": True, "worker": False}
    monkeypatch.setattr(health, "TIMEOUT_SECONDS", 0.1)
    for _ in range(AUTHENTICATION_THREADS):
        studio.authentication.submit(free.wait)
    answer = client.get("/healthz")
    free.set()
    assert answer.status_code == 503
    assert "takes longer" in answer.json()["error"]
    monkeypatch.undo()
    assert client.get("/healthz").status_code == 200


def test_the_server_is_unhealthy_if_the_database_cannot_be_read(studio: Studio) -> None:
    (studio.settings.home / "studio.db").write_bytes(b"no database" * 1000)
    answer = client_of(studio).get("/healthz")
    assert (answer.status_code, answer.json()["ok"]) == (503, False)
