"""Exports of runs: any user who can see a run can start its export. Reading starts none."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from app.predict import page as predict
from app.shell.downloads import archive_of, prepare
from app.shell.studio import Studio
from vecaf.accounts.sharing import share
from vecaf.accounts.users import add_user
from vecaf.config import RunConfig
from vecaf.engine.exports import KIND
from vecaf.errors import NotFoundError, NotReadyError
from vecaf.export.bundle import archive_path
from vecaf.export.model_files import CONFIG, LABELS, WEIGHTS
from vecaf.store import FAILED, FINISHED, QUEUED, Run, Task, dataset_named
from vecaf.store.models import now


@pytest.fixture(scope="module")
def run_id(studio: Studio) -> int:
    """A finished run of the owner, with the files of a model."""
    owner = studio.store.owner()
    with studio.store.write() as session:
        dataset = dataset_named(session, owner, "pets")
        run = Run(
            owner_id=owner, dataset_id=dataset.id, name="a run", state=FINISHED, seed=0,
            config=RunConfig(dataset="pets").as_dict(), finished_at=now(),
        )  # fmt: skip
        session.add(run)
        session.flush()
        folder = studio.settings.runs / str(run.id) / "model"
        folder.mkdir(parents=True)
        for name in (WEIGHTS, CONFIG, LABELS):
            (folder / name).touch()
        return run.id


@pytest.fixture(autouse=True)
def nothing_made(studio: Studio, run_id: int) -> Iterator[Path]:
    """Return the path of the export. Each test begins and ends without one."""
    archive = archive_path(studio.store, studio.store.owner(), run_id)
    archive.parent.mkdir(exist_ok=True)
    yield archive
    archive.unlink(missing_ok=True)
    with studio.store.write() as session:
        session.execute(sa.delete(Task))


def make(archive: Path) -> None:
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("receipt.json", "{}")


def tasks(studio: Studio) -> list[Task]:
    with studio.store.read() as session:
        return list(session.scalars(sa.select(Task).order_by(Task.id)))


def settle(studio: Studio, state: str, error: str | None = None) -> None:
    with studio.store.write() as session:
        session.execute(sa.update(Task).values(state=state, error=error))


@pytest.mark.parametrize("base", ["/download/run", "/api/v1/runs"])
def test_reading_an_export_does_not_make_it(
    studio: Studio, client: TestClient, run_id: int, base: str
) -> None:
    for path in ("model", "files", "files/receipt.json"):
        answer = client.get(f"{base}/{run_id}/{path}")
        assert answer.status_code == 409
        assert f"POST /api/v1/runs/{run_id}/export" in answer.json()["error"]
    assert client.get(f"{base}/{run_id}/export").json()["state"] == "none"
    assert tasks(studio) == []


@pytest.mark.parametrize("base", ["/download/run", "/api/v1/runs"])
def test_an_export_is_started_once_and_then_read(
    studio: Studio, client: TestClient, run_id: int, base: str, nothing_made: Path
) -> None:
    first = client.post(f"{base}/{run_id}/export")
    assert (first.status_code, first.json()["state"]) == (202, QUEUED)
    assert "No worker is running" in first.json()["stage"]
    assert client.post(f"{base}/{run_id}/export").json()["state"] == QUEUED
    assert [task.kind for task in tasks(studio)] == [KIND]
    waiting = client.get(f"{base}/{run_id}/model")
    assert waiting.status_code == 409 and "being prepared" in waiting.json()["error"]

    make(nothing_made)
    settle(studio, FINISHED)
    assert client.get(f"{base}/{run_id}/export").json()["state"] == FINISHED
    assert client.post(f"{base}/{run_id}/export").json()["state"] == FINISHED
    assert client.get(f"{base}/{run_id}/files").json()["files"][0]["name"] == "receipt.json"
    assert client.get(f"{base}/{run_id}/model").content == nothing_made.read_bytes()
    assert len(tasks(studio)) == 1


@pytest.mark.parametrize("state", [FAILED, FINISHED])
def test_an_export_that_failed_or_was_deleted_is_made_again(
    studio: Studio, client: TestClient, run_id: int, state: str
) -> None:
    client.post(f"/download/run/{run_id}/export")
    settle(studio, state, "The disk is full." if state == FAILED else None)
    said = client.get(f"/download/run/{run_id}/export").json()
    expected = (FAILED, "The disk is full.") if state == FAILED else ("none", None)
    assert (said["state"], said["error"]) == expected
    assert client.post(f"/download/run/{run_id}/export").json()["state"] == QUEUED
    assert len(tasks(studio)) == 2


def test_a_user_who_can_see_a_run_can_prepare_its_export(studio: Studio, run_id: int) -> None:
    owner = studio.store.owner()
    with studio.store.write() as session:
        reader, other = (add_user(session, name, "a long password").id for name in ("r", "o"))
        share(session, owner, dataset_named(session, owner, "pets").id, "r")
    assert prepare(studio, reader, run_id)["state"] == QUEUED
    assert [task.owner_id for task in tasks(studio)] == [owner]
    with pytest.raises(NotReadyError):
        archive_of(studio, reader, run_id)
    for ask in (prepare, archive_of):
        asking: Any = ask
        with pytest.raises(NotFoundError):
            asking(studio, other, run_id)


def test_the_page_offers_to_prepare_it_and_then_the_files(
    studio: Studio, run_id: int, nothing_made: Path
) -> None:
    def page() -> str:
        return predict.content(
            studio, studio.store.owner(), {"run": str(run_id)}, "http://127.0.0.1"
        )

    assert f'data-prepare="{run_id}">Prepare download' in page()
    prepare(studio, studio.store.owner(), run_id)
    assert "data-under-way" in page()
    make(nothing_made)
    shown = page()
    assert "data-prepare" not in shown
    assert f'href="/download/run/{run_id}/model" download>Download model (ZIP)' in shown
    assert f'href="/download/run/{run_id}/files/receipt.json"' in shown
