"""An upload can be reviewed: its columns are shown, and chosen ones are imported, by its owner."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.shell.studio import Studio
from app.shell.uploads import sweep
from tests.app.calls import forever
from tests.datasets.conftest import samples
from tests.datasets.pictures import jpeg, make_zip
from vecaf.datasets import import_source
from vecaf.datasets.upload_options import options_file, save_upload
from vecaf.engine.paths import discard_import
from vecaf.store import Import


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    """A ZIP file with a table whose columns have unusual names."""
    rows = [f"{i}.jpg;{'cat' if i % 2 else 'dog'};words {i}\n" for i in range(12)]
    table = "location;species;sentence\n" + "".join(rows)
    members = {"list.csv": table.encode()} | {f"{i}.jpg": jpeg(i) for i in range(12)}
    return make_zip(tmp_path / "in.zip", members).read_bytes()


def test_a_reviewed_upload_is_imported_with_the_chosen_columns(
    studio: Studio, client: TestClient, content: bytes
) -> None:
    query = {"name": "reviewed", "review": "yes"}
    answer = client.post("/upload", params=query, content=content).json()
    preview = answer["preview"]
    assert preview["columns"] == ["location", "species", "sentence"]
    assert len(preview["rows"]) == 10
    assert preview["rows"][1] == {"location": "1.jpg", "species": "cat", "sentence": "words 1"}
    with studio.store.read() as session:
        assert not session.query(Import).filter(Import.name == "reviewed").count()
    columns = {"file": "location", "label": "species", "caption": "sentence"}
    path = f"/upload/{answer['upload']}/import"
    started = client.post(path, params={"name": "reviewed", **columns}).json()
    with studio.store.read() as session:
        job = session.get_one(Import, started["import"])
    import_source(studio.store, job.source, job.name, user_id=job.owner_id, import_id=job.id)
    found = samples(studio.store, "reviewed")
    assert [one.caption for one in found if one.file_name == "3.jpg"] == ["words 3"]
    assert {one.label for one in found} == {0, 1}
    discard_import(studio.settings, job.id, job.source, keep_log=False)
    assert not Path(job.source).exists()
    assert not options_file(Path(job.source)).exists()


def test_an_upload_that_takes_too_long_to_review_is_imported_without(
    studio: Studio, client: TestClient, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.shell.uploads.preview_upload", forever)
    monkeypatch.setattr(studio.decoder, "cpu_seconds", 1)
    query = {"name": "slow", "review": "yes"}
    answer = client.post("/upload", params=query, content=content).json()
    assert answer["preview"] is None
    assert not list(studio.settings.uploads.glob("scratch-*"))
    chosen = {"name": "slow", "file": "", "label": "", "caption": ""}
    started = client.post(f"/upload/{answer['upload']}/import", params=chosen).json()
    with studio.store.read() as session:
        job = session.get_one(Import, started["import"])
    import_source(studio.store, job.source, job.name, user_id=job.owner_id, import_id=job.id)
    assert len(samples(studio.store, "slow")) == 12


def test_an_upload_is_discarded(studio: Studio, client: TestClient, content: bytes) -> None:
    query = {"name": "discarded", "review": "yes"}
    token = client.post("/upload", params=query, content=content).json()["upload"]
    archive = studio.settings.uploads / f"{token}.zip"
    assert archive.exists()
    assert client.delete(f"/upload/{token}").status_code == 200
    assert not archive.exists()
    assert not options_file(archive).exists()
    assert client.delete(f"/upload/{token}").status_code == 404


def test_uploads_of_others_can_not_be_imported(studio: Studio, client: TestClient) -> None:
    token = secrets.token_hex(16)
    archive = studio.settings.uploads / f"{token}.zip"
    archive.parent.mkdir(parents=True, exist_ok=True)
    archive.write_bytes(b"PK")
    paths = (("POST", f"/upload/{token}/import?name=x"), ("DELETE", f"/upload/{token}"))
    for method, path in paths:
        assert client.request(method, path).status_code == 404  # nobody uploaded it to review it
    save_upload(archive, studio.store.owner() + 1)
    for method, path in paths:
        assert client.request(method, path).status_code == 404
    assert archive.exists()
    sweep(studio)
    assert archive.exists()  # still young


def test_a_file_that_is_no_archive_is_refused(studio: Studio, client: TestClient) -> None:
    before = set(studio.settings.uploads.glob("*"))
    answer = client.post("/upload", params={"name": "no", "review": "yes"}, content=b"hello" * 9)
    assert answer.status_code == 400
    assert "not a ZIP file" in answer.json()["error"]
    assert set(studio.settings.uploads.glob("*")) == before
