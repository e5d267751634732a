"""Pages of other sites reach no route, neither by a forged request nor by DNS rebinding.

The routes are found by walking the application, so a route that is added later is tested too.
"""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.shell.security import SAFE_METHODS
from app.shell.studio import Studio
from tests.app.crawl import Found, routes
from tests.app.test_two_users import everything

OWN = "http://127.0.0.1:7860"
FORGED = {
    "another site": {"Origin": "https://evil.example"},
    "a sandboxed page": {"Origin": "null"},
    "another port": {"Origin": "http://127.0.0.1:8000"},
    "another scheme": {"Origin": "file://"},
    "an unreadable origin": {"Origin": "http://[bad"},
    "a browser that names the site": {"Sec-Fetch-Site": "cross-site"},
    "a forged origin": {"Sec-Fetch-Site": "cross-site", "Origin": OWN},
    "a neighboring name": {"Sec-Fetch-Site": "same-site", "Origin": "http://x.localhost:7860"},
}
REBOUND = ("evil.example", "evil.example:7860", "127.0.0.1.evil.example", "localhost.evil.example")


@pytest.fixture(scope="module")
def every(client: TestClient) -> list[Found]:
    assert isinstance(client.app, FastAPI)
    found = routes(client.app)
    assert {"/upload", "/gradio_api/queue/join"} <= {one.path for one in found}
    return found


def address(found: Found) -> str:
    return found.addresses({"any placeholder": [1]})[0]


@pytest.mark.parametrize("headers", FORGED.values(), ids=FORGED)
def test_no_route_takes_a_change_from_another_site(
    client: TestClient, studio: Studio, every: list[Found], headers: dict[str, str]
) -> None:
    before = everything(studio.store)
    changing = [found for found in every if found.method not in SAFE_METHODS]
    assert len(changing) > 10
    for found in changing:
        answer = client.request(found.method, address(found), headers=headers, json={})
        assert answer.status_code == 403, found
    assert everything(studio.store) == before


@pytest.mark.parametrize("host", REBOUND)
def test_no_route_answers_under_a_rebound_name(
    client: TestClient, every: list[Found], host: str
) -> None:
    for found in every:
        answer = client.request(found.method, address(found), headers={"Host": host})
        assert answer.status_code == 421, found
