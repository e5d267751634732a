"""Uploads are streamed, limited in size, and removed if interrupted. Other sites can't upload."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from starlette.requests import ClientDisconnect, Request

from app.shell.studio import Studio
from app.shell.uploads import _receive, sweep
from tests.app.conftest import LIMIT, archive
from tests.waiting import result_of
from vecaf.errors import InputError
from vecaf.store import Import


def staged(studio: Studio) -> list[Path]:
    folder = studio.settings.uploads
    return sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    return archive(tmp_path / "upload.zip").read_bytes()


def test_an_upload_becomes_an_import_on_the_queue(
    studio: Studio, client: TestClient, content: bytes
) -> None:
    name = "more pets"
    assert client.get("/upload", params={"name": name, "bytes": len(content)}).status_code == 200
    response = client.post("/upload", params={"name": name}, content=content)
    assert response.status_code == 200
    with studio.store.read() as session:
        job = session.get_one(Import, response.json()["import"])
    assert (job.name, job.state) == (name, "queued")
    source = Path(job.source)
    assert source.read_bytes() == content
    assert source.parent == studio.settings.uploads
    assert name not in source.name
    again = client.post("/upload", params={"name": name}, content=content)
    assert again.status_code == 400
    assert "more pets" in again.json()["error"]
    assert staged(studio) == [source]


def test_a_free_name_is_proposed(studio: Studio, client: TestClient, content: bytes) -> None:
    def proposed(name: str) -> str:
        return str(client.get("/upload/name", params={"name": name}).json()["name"])

    assert (proposed("unheard of"), proposed("pets")) == ("unheard of", "pets 2")
    for name in ("pets 2", "CIFAR 10", "x" * 100):
        client.post("/upload", params={"name": name}, content=content)
    assert (proposed("pets"), proposed("pets 2")) == ("pets 3", "pets 3")
    assert proposed("CIFAR 10") == "CIFAR 10 2"
    assert proposed("x" * 100) == "x" * 98 + " 2"
    assert proposed("secret") == "secret"  # the dataset of this name is another user's
    assert client.get("/upload/name", params={"name": "../x"}).status_code == 400


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "name"), ("../../etc", "name"), ("<b>x</b>", "name"), ("7", "number"),
        ("x" * 101, "name"), ("pets", "Choose another name"),
    ],
)  # fmt: skip
def test_an_invalid_name_is_refused_before_the_upload(
    studio: Studio, client: TestClient, content: bytes, name: str, words: str
) -> None:
    before = staged(studio)
    for response in (
        client.get("/upload", params={"name": name, "bytes": 10}),
        client.post("/upload", params={"name": name}, content=content),
    ):
        assert response.status_code == 400
        assert words in response.json()["error"]
    assert staged(studio) == before


def test_a_size_above_the_limit_is_refused(studio: Studio, client: TestClient) -> None:
    before = staged(studio)
    for response in (
        client.get("/upload", params={"name": "big", "bytes": LIMIT + 1}),
        client.post("/upload", params={"name": "big"}, content=bytes(LIMIT + 1)),
    ):
        assert response.status_code == 400
        assert "limit" in response.json()["error"]
    assert staged(studio) == before


def test_a_body_above_the_limit_is_refused(studio: Studio, client: TestClient) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(LIMIT // 1000 + 5):
            yield bytes(1000)

    before = staged(studio)
    response = client.post("/upload", params={"name": "big"}, content=endless())
    assert response.status_code == 400
    assert "limit" in response.json()["error"]
    assert staged(studio) == before


def test_an_empty_upload_is_refused(studio: Studio, client: TestClient) -> None:
    before = staged(studio)
    response = client.post("/upload", params={"name": "nothing"}, content=b"")
    assert response.status_code == 400
    assert "empty" in response.json()["error"]
    assert staged(studio) == before


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1:7860"}, 400),
        ({"Origin": "http://127.0.0.1:7860"}, 400),
        ({}, 400),
    ],
)
@pytest.mark.parametrize("path", ["/upload?name=fresh", "/gradio_api/queue/join"])
def test_only_our_own_pages_may_send_changes(
    client: TestClient, path: str, headers: dict[str, str], status: int
) -> None:
    response = client.post(path, content=b"", headers=headers)
    assert (response.status_code == 403) == (status == 403)


def request_of(messages: list[dict[str, Any]], length: int) -> Request:
    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    headers = [(b"content-length", str(length).encode())]
    return Request({"type": "http", "method": "POST", "headers": headers}, receive)


def test_an_interrupted_upload_leaves_no_file(tmp_path: Path) -> None:
    part = tmp_path / "x.part"
    begun = {"type": "http.request", "body": b"PK", "more_body": True}
    with pytest.raises(ClientDisconnect):
        result_of(_receive(request_of([begun, {"type": "http.disconnect"}], 9), part, 100))
    assert not part.exists()
    ended = {"type": "http.request", "body": b"PK", "more_body": False}
    with pytest.raises(InputError, match="2 of 9 bytes"):
        result_of(_receive(request_of([ended], 9), part, 100))
    assert not part.exists()


def test_the_start_deletes_files_of_interrupted_uploads(studio: Studio) -> None:
    folder = studio.settings.uploads
    folder.mkdir(parents=True, exist_ok=True)
    orphan, part = folder / f"{'a' * 32}.zip", folder / f"{'b' * 32}.part"
    other, kept = folder / "import-7", folder / f"{'c' * 32}.zip"
    late = folder / f"{'f' * 32}.part"
    fresh = [folder / f"{'d' * 32}.zip", folder / f"{'e' * 32}.part", late]  # another studio's
    for path in (orphan, part, kept, *fresh):
        path.write_bytes(b"x")
    other.mkdir()
    for path in (orphan, kept, other, late):
        os.utime(path, (0, 0))
    minute = time.time() - 60  # the restart interrupted it
    os.utime(part, (minute, minute))
    receiving = late.open("rb")
    fcntl.flock(receiving, fcntl.LOCK_EX)
    with studio.store.write() as session:
        session.add(Import(owner_id=studio.store.owner(), name="waiting", source=str(kept)))
    sweep(studio)
    assert not orphan.exists()
    assert not part.exists()
    assert kept.exists()
    assert other.exists()
    assert all(path.exists() for path in fresh)
    with studio.store.write() as session:
        session.execute(sa.delete(Import).where(Import.name == "waiting"))
    sweep(studio)
    assert not kept.exists()
    assert all(path.exists() for path in fresh)
    receiving.close()
    sweep(studio)
    assert not late.exists()
    for path in fresh:
        path.unlink(missing_ok=True)
