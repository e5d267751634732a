"""Every route requires authentication, and every response has the security headers."""

from __future__ import annotations

import io

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from PIL import Image

from app.shell.media import image_url, thumb_url
from app.shell.security import HEADERS
from app.shell.studio import Studio
from vecaf.config import RunConfig
from vecaf.store import Dataset, Run, Sample, User


def samples(studio: Studio, dataset: str) -> list[Sample]:
    with studio.store.read() as session:
        query = (
            sa.select(Sample)
            .join(Dataset, Dataset.id == Sample.dataset_id)
            .where(Dataset.name == dataset)
            .order_by(Sample.id)
        )
        return list(session.scalars(query))


@pytest.fixture(scope="module")
def foreign_run(studio: Studio) -> int:
    with studio.store.write() as session:
        dataset = session.scalars(sa.select(Dataset).where(Dataset.name == "secret")).one()
        stranger = session.scalars(sa.select(User).where(User.name == "stranger")).one()
        run = Run(
            owner_id=stranger.id,
            dataset_id=dataset.id,
            name="theirs",
            config=RunConfig(dataset="secret").as_dict(),
            seed=0,
        )
        session.add(run)
        session.flush()
        return run.id


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/finetune",
        "/runs",
        "/healthz",
        "/thumb/1",
        "/thumb/999999",
        "/static/app/shell/style.css",
    ],
)
def test_every_response_carries_the_security_headers(client: TestClient, path: str) -> None:
    response = client.get(path)
    assert {name: response.headers.get(name) for name in HEADERS} == HEADERS
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]


def test_health(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"ok": True, "worker": False}


@pytest.mark.parametrize("host", ["evil.example", "evil.example:7860", "127.0.0.1.evil.example"])
def test_another_name_for_this_machine_is_turned_away(client: TestClient, host: str) -> None:
    assert client.get("/healthz", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost:1", "[::1]:7860", "localhost"])
def test_local_names_are_served(client: TestClient, host: str) -> None:
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


def test_images_and_thumbnails_are_served_by_sample_id(studio: Studio, client: TestClient) -> None:
    large, small = samples(studio, "pets")[:2]
    image = client.get(f"/image/{large.id}")
    assert image.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(image.content)).size == (300, 300)
    thumb = client.get(f"/thumb/{large.id}")
    assert thumb.headers["content-type"] == "image/jpeg"
    assert max(Image.open(io.BytesIO(thumb.content)).size) <= 160
    assert client.get(f"/thumb/{small.id}").content == client.get(f"/image/{small.id}").content


def test_a_thumbnail_that_is_gone_is_made_again(studio: Studio, client: TestClient) -> None:
    large = samples(studio, "pets")[0]
    before = client.get(f"/thumb/{large.id}").content
    for path in studio.settings.thumbs.rglob("*.jpg"):
        path.unlink()
    again = client.get(f"/thumb/{large.id}").content
    assert Image.open(io.BytesIO(again)).size == Image.open(io.BytesIO(before)).size


def test_images_are_kept_by_content(studio: Studio, client: TestClient) -> None:
    sample = samples(studio, "pets")[0]
    for address in (thumb_url(sample.id, sample.sha256), image_url(sample.id, sample.sha256)):
        first = client.get(address)
        assert "immutable" in first.headers["cache-control"]
        second = client.get(address, headers={"If-None-Match": first.headers["etag"]})
        assert (second.status_code, second.content) == (304, b"")
    assert "immutable" not in client.get(f"/thumb/{sample.id}").headers["cache-control"]
    assert "immutable" not in client.get(f"/thumb/{sample.id}?v=0123").headers["cache-control"]


def test_ranges_are_served(studio: Studio, client: TestClient) -> None:
    sample = samples(studio, "pets")[0]
    whole = client.get(f"/image/{sample.id}").content
    part = client.get(f"/image/{sample.id}", headers={"Range": "bytes=2-9"})
    assert (part.status_code, part.content) == (206, whole[2:10])


def test_what_belongs_to_others_does_not_exist(
    studio: Studio, client: TestClient, foreign_run: int
) -> None:
    sample = samples(studio, "secret")[0]
    paths = [
        f"/thumb/{sample.id}",
        f"/image/{sample.id}",
        thumb_url(sample.id, sample.sha256),
        f"/download/run/{foreign_run}/model",
    ]
    for path in paths:
        response = client.get(path)
        assert response.status_code == 404
        assert response.headers["content-type"] == "application/json"
    tag = f'"{sample.sha256[:32]}"'
    cached = client.get(f"/image/{sample.id}", headers={"If-None-Match": tag})
    assert cached.status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/thumb/0", "/thumb/-1", "/thumb/99999999999999999999", "/thumb/x", "/image/..%2Fstudio.db",
        "/download/run/99/model", "/static/app/shell/head.py", "/static/..%2F..%2Fpyproject.toml",
        "/gradio_api/file=/etc/passwd", "/gradio_api/file=studio.db",
    ],
)  # fmt: skip
def test_what_is_not_there_is_not_found(client: TestClient, path: str) -> None:
    assert client.get(path).status_code in (403, 404)


def test_nothing_of_the_home_is_readable_through_gradio(studio: Studio, client: TestClient) -> None:
    sample = samples(studio, "secret")[0]
    stored = next(studio.settings.images.rglob(f"{sample.sha256}*"))
    for path in (stored, studio.settings.home / "studio.db"):
        assert client.get(f"/gradio_api/file={path}").status_code in (403, 404)


def test_a_run_without_a_model_says_so(studio: Studio, client: TestClient) -> None:
    with studio.store.write() as session:
        dataset = session.scalars(sa.select(Dataset).where(Dataset.name == "pets")).one()
        run = Run(
            owner_id=dataset.owner_id,
            dataset_id=dataset.id,
            name="mine",
            config=RunConfig(dataset="pets").as_dict(),
            seed=0,
        )
        session.add(run)
        session.flush()
        run_id = run.id
    response = client.get(f"/download/run/{run_id}/model")
    assert response.status_code == 400
    assert "model" in response.json()["error"]
    assert not list(studio.settings.home.glob("download-*"))


CROSS = {"Sec-Fetch-Site": "cross-site"}
SAME_SITE = {"Sec-Fetch-Site": "same-site"}  # another port of this machine is the same site


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "no-cors"}, 200),
        ({"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}, 200),
        ({**CROSS, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 200),  # a link
        ({**CROSS, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, 403),
        ({**CROSS, "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, 403),
        ({**CROSS, "Sec-Fetch-Mode": "cors", "Origin": "http://evil.example"}, 403),
        ({**SAME_SITE, "Sec-Fetch-Mode": "no-cors"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://[bad"}, 403),
    ],
)
def test_no_other_sites_page_loads_anything(
    studio: Studio, client: TestClient, headers: dict[str, str], status: int
) -> None:
    path = f"/thumb/{samples(studio, 'pets')[0].id}"
    answer = client.get(path, headers=headers)
    assert answer.status_code == status
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert client.post("/upload", headers={"Origin": "http://[bad"}).status_code == 403


@pytest.mark.parametrize("path", ["/", "/config", "/gradio_api/info", "/thumb/1"])
def test_no_other_origin_is_allowed_to_read(client: TestClient, path: str) -> None:
    for headers in ({"Origin": "http://localhost:7860"}, {}):
        answer = client.get(path, headers={**headers, "Sec-Fetch-Site": "same-origin"})
        assert answer.status_code == 200
        allowing = [name for name in answer.headers if name.startswith("access-control-")]
        assert allowing == []


def test_half_a_character_is_refused_in_a_sentence(studio: Studio, client: TestClient) -> None:
    sample = samples(studio, "pets")[0]
    address = f"/explore/{sample.dataset_id}/caption"
    body = b'{"ids": [%d], "caption": "a cat \\ud800"}' % sample.id
    answer = client.post(address, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert "lone surrogate" in answer.json()["error"]
    assert samples(studio, "pets")[0].caption == sample.caption


def test_our_scripts_come_before_gradios(client: TestClient) -> None:
    page = client.get("/explore").text
    head = page[: page.index("</head>")]
    places = [
        head.index(part) for part in ("importmap", "/static/app/shell/main.js", "./assets/index-")
    ]
    assert places == sorted(places)
