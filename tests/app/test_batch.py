"""Predicting many images: the results, the routes, the command, and the import of the images."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from app.predict import page as predict
from app.server import build
from app.shell.studio import Studio
from tests.app.conftest import BASE, picture
from tests.finished import CONFIG, finish_run, new_studio
from vecaf.commands import app as commands
from vecaf.datasets import import_dataset
from vecaf.engine.child import do_task
from vecaf.errors import InputError
from vecaf.runs.batch_results import most_unlike_first, read_predictions
from vecaf.store import RUNNING, Import, Sample, Store, Task, dataset_named

NEW = {"a/red.png": picture((200, 0, 0), 300), "blue.png": picture((0, 0, 200))}
BAD = {"notes.txt": b"no image", "broken.png": b"\x89PNG\r\n\x1a\n"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = new_studio(tmp_path_factory.mktemp("home"))
    yield store
    store.close()


@pytest.fixture(scope="module")
def run_id(store: Store) -> int:
    return finish_run(store, replace(CONFIG, mode="head-only"))


@pytest.fixture(scope="module")
def client(store: Store) -> Iterator[TestClient]:
    with TestClient(build(Studio(store.settings, store)), base_url=BASE) as client:
        yield client


def packed(store: Store) -> bytes:
    """Return a ZIP file with new images, bad files, and an image of the training data."""
    out = io.BytesIO()
    drawn = next((store.settings.home / "drawn").rglob("*.png"))
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in {**NEW, **BAD, "known.png": drawn.read_bytes()}.items():
            archive.writestr(name, content)
    return out.getvalue()


def work(store: Store, task_id: int) -> None:
    """Do a task in this process, as a worker's child process would."""
    with store.write() as session:
        task = session.get_one(Task, task_id)
        task.state, task.attempt = RUNNING, 1
    do_task(store, task_id, 1, lambda: False)


@pytest.fixture(scope="module")
def batch(store: Store, run_id: int, client: TestClient) -> dict[str, Any]:
    """A finished batch, as the API returns it."""
    address = f"/api/v1/runs/{run_id}/predictions"
    answer = client.post(address, params={"name": "new"}, content=packed(store))
    assert answer.status_code == 202, answer.text
    queued = answer.json()
    assert queued["state"] == "queued" and queued["summary"] is None
    table = f"{address}/{queued['id']}/predictions.csv"
    assert client.get(table).status_code == 409
    work(store, queued["id"])
    found: dict[str, Any] = client.get(f"{address}/{queued['id']}").json()
    return found


def test_every_file_has_a_prediction_or_a_reason(
    store: Store, client: TestClient, batch: dict[str, Any]
) -> None:
    assert batch["state"] == "finished"
    assert (batch["summary"]["images"], batch["summary"]["refused"]) == (3, 2)
    assert batch["summary"]["unlike"] >= 1
    base = f"/api/v1/runs/{batch['run']}/predictions/{batch['id']}"
    rows = {
        row["file"]: row
        for row in csv.DictReader(client.get(f"{base}/predictions.csv").text.splitlines())
    }
    lines = client.get(f"{base}/predictions.jsonl").text.splitlines()
    assert (
        [json.loads(line)["file"] for line in lines]
        == sorted(rows)
        == sorted({*NEW, *BAD, "known.png"})
    )
    for name in BAD:
        assert rows[name]["error"] and not rows[name]["class"]
    for name in NEW:
        assert rows[name]["class"] and 0 < float(rows[name]["confidence"]) <= 1
    assert float(rows["known.png"]["distance"]) < float(rows["a/red.png"]["distance"])
    assert client.get(f"{base}/other.csv").status_code == 404
    assert not list(store.settings.uploads.glob("*.zip"))  # the upload is deleted


def test_the_page_shows_the_most_unlike_images_first(
    store: Store, client: TestClient, batch: dict[str, Any]
) -> None:
    studio = Studio(store.settings, store)
    values = {"run": str(batch["run"]), "batch": str(batch["id"])}
    html = predict.content(studio, store.owner(), values, "http://127.0.0.1:7860")
    assert "Predicted 3 images" in html and "notes.txt" in html and "% · outlier</b>" in html
    assert "Download CSV" in html and "different domain" in html
    found = most_unlike_first(read_predictions(store.settings.tasks / str(batch["id"])))
    places = [html.index(f"image/{one.sha256}") for one in found]
    assert places == sorted(places)
    base = f"/predict/{batch['run']}/batch/{batch['id']}"
    for one in found:
        for kind in ("thumb", "image"):
            answer = client.get(f"{base}/{kind}/{one.sha256}")
            assert answer.headers["content-type"].startswith("image/")
    assert client.get(f"{base}/image/{'0' * 64}").status_code == 404
    assert client.get(f"/predict/{batch['run'] + 1}/batch/{batch['id']}").status_code == 404


def predict_archive(
    store: Store, client: TestClient, run_id: int, content: bytes, name: str
) -> tuple[dict[str, Any], str]:
    """Predict the images of an upload; return the batch as in the API, and the page."""
    address = f"/api/v1/runs/{run_id}/predictions"
    task = client.post(address, params={"name": name}, content=content).json()["id"]
    work(store, task)
    values = {"run": str(run_id), "batch": str(task)}
    html = predict.content(Studio(store.settings, store), store.owner(), values, BASE)
    found: dict[str, Any] = client.get(f"{address}/{task}").json()
    return found, html


def test_an_upload_that_is_no_archive_has_the_name_that_the_user_knows(
    store: Store, client: TestClient, run_id: int
) -> None:
    out = io.BytesIO()
    zipfile.ZipFile(out, "w").close()
    with pytest.raises(InputError, match=r"^“empty” is an empty ZIP file\. Add images to it"):
        predict_archive(store, client, run_id, out.getvalue(), "empty")
    with pytest.raises(InputError, match=r"^The upload is not a ZIP file\. Put the images"):
        predict_archive(store, client, run_id, b"no archive" * 9, "")


def test_without_a_readable_image_the_page_says_that_it_failed(
    store: Store, client: TestClient, run_id: int
) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in BAD.items():
            archive.writestr(name, content)
    _, html = predict_archive(store, client, run_id, out.getvalue(), "bad")
    assert "No image was predicted: 2 files can&#39;t be read. Choose other files." in html
    assert "notice-error" in html and 'data-key="refused" open' in html and "notes.txt" in html
    assert "Download CSV" not in html and "different domain" not in html


def test_the_images_become_a_dataset_without_labels(
    store: Store, client: TestClient, batch: dict[str, Any]
) -> None:
    base = f"/predict/{batch['run']}/batch/{batch['id']}"
    answer = client.post(f"{base}/import", params={"name": "more", "which": "all"})
    with store.read() as session:
        job = session.get_one(Import, answer.json()["import"])
    import_dataset(store, job.source, job.name, import_id=job.id)
    with store.read() as session:
        made = dataset_named(session, store.owner(), "more")
        samples = session.query(Sample).where(Sample.dataset_id == made.id).all()
    assert sorted(one.file_name for one in samples) == ["a__red.png", "blue.png", "known.png"]
    assert {one.label for one in samples} == {None}
    taken = client.post(f"{base}/import", params={"name": "more", "which": "all"})
    assert taken.status_code == 400


def test_the_command_predicts_a_folder(
    store: Store, run_id: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VECAF_HOME", str(store.settings.home))
    folder = tmp_path / "images"
    for name, content in {**NEW, **BAD}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    to = tmp_path / "out.jsonl"
    words = ["predict", str(run_id), str(folder), "--to", str(to), "--json"]
    done = CliRunner().invoke(commands, words, catch_exceptions=False)
    answer = json.loads(done.stdout)
    assert (answer["images"], answer["refused"]) == (2, 2)
    assert [json.loads(line) for line in to.read_text().splitlines()] == answer["predictions"]
