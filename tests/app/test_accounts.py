"""Logins: cookies are safe, other sites can change nothing, and errors reveal no internals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from app.__main__ import main
from app.login import routes as login
from app.shell import media
from app.shell.authentication import COOKIE, AuthenticationMiddleware
from app.shell.security import HEADERS, SecurityMiddleware
from app.shell.sentences import answer_with_sentences
from app.shell.studio import Studio
from vecaf.accounts import passwords, throttle
from vecaf.accounts.users import add_user, remove_user, set_password
from vecaf.settings import Settings
from vecaf.store import Login, Store
from vecaf.store.models import now

BASE = "http://studio.example:7860"
PASSWORD = "a password of many words"
HTML = {"Accept": "text/html,application/xhtml+xml"}
BROWSER = {**HTML, "Origin": BASE, "Sec-Fetch-Site": "same-origin"}


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make password checks take a millisecond; test_users measures the real cost."""
    hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", hasher)
    passwords._dummy_hash.cache_clear()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(Settings.from_environment({"VECAF_HOME": str(tmp_path / "home")}))
    with store.write() as session:
        add_user(session, "anna", PASSWORD)
    yield store
    store.close()


def application(store: Store) -> FastAPI:
    """Build the authentication middleware and its routes without Gradio, which takes seconds."""
    studio = Studio(store.settings, store, accounts=True)
    app = FastAPI(openapi_url=None)
    answer_with_sentences(app, store.settings)
    app.include_router(login.routes(studio))
    app.include_router(media.routes(studio))

    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError(f"a secret in {store.settings.home}")

    @app.get("/me")
    def me(request: Any = None) -> dict[str, bool]:
        return {"in": True}

    app.add_middleware(AuthenticationMiddleware, store=store, threads=studio.authentication)
    app.add_middleware(SecurityMiddleware, local_only=False)
    return app


@pytest.fixture
def client(store: Store) -> Iterator[TestClient]:
    with TestClient(application(store), base_url=BASE, follow_redirects=False) as client:
        yield client


def enter(client: TestClient, password: str = PASSWORD, name: str = "anna", **headers: str) -> Any:
    given = {"username": name, "password": password}
    return client.post("/login", data=given, headers=headers)


def test_an_unknown_name_gets_the_same_answer_as_a_wrong_password(client: TestClient) -> None:
    one, other = enter(client, "wrong wrong"), enter(client, "wrong wrong", "nobody")
    assert (one.status_code, one.json()) == (other.status_code, other.json())


def test_the_login_cookie_is_safe_and_its_token_is_not_stored(
    store: Store, client: TestClient
) -> None:
    cookie = enter(client).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    assert "Secure" not in cookie  # a secure cookie would not be sent over http
    with TestClient(application(store), base_url=BASE.replace("http:", "https:")) as https:
        assert "Secure" in enter(https).headers["set-cookie"]
    token = client.cookies[COOKIE]
    with store.read() as session:
        kept = [str(tuple(row)) for row in session.execute(sa.select(Login))]
    assert not any(token in row for row in kept), "the token itself is in the database"


def test_a_login_ends(store: Store, client: TestClient) -> None:
    def inside() -> bool:
        return client.get("/me").status_code == 200

    assert not inside()
    for column, hours in ((Login.seen_at, store.settings.login_idle_hours),
                          (Login.created_at, store.settings.login_hours)):  # fmt: skip
        assert enter(client).status_code == 200
        assert inside()
        with store.write() as session:
            session.execute(sa.update(Login).values({column: now() - timedelta(hours=hours)}))
        assert not inside(), column
    enter(client)
    token = client.cookies[COOKIE]
    out = client.post("/logout", headers=BROWSER)
    assert (out.status_code, out.headers["location"]) == (303, "/login")
    client.cookies.set(COOKIE, token, domain="studio.example")
    assert not inside(), "the token outlived the logout"
    client.cookies.clear()
    ends: list[Callable[[Session], object]] = [
        lambda session: set_password(session, "anna", "another password"),
        lambda session: remove_user(session, "anna"),
    ]
    for end in ends:
        with store.write() as session:
            set_password(session, "anna", PASSWORD)
        enter(client)
        assert inside()
        with store.write() as session:
            end(session)
        assert not inside()
    assert enter(client).status_code == 401  # removed


@pytest.mark.parametrize("path", ["/login", "/logout"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://studio.example"},  # another port
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://other.studio.example:7860"},
    ],
)
def test_requests_from_other_sites_are_refused(
    client: TestClient, path: str, headers: dict[str, str]
) -> None:
    enter(client)
    answer = client.post(path, data={"username": "anna", "password": PASSWORD}, headers=headers)
    assert answer.status_code == 403
    assert client.get("/me").status_code == 200  # still logged in


def test_every_response_forbids_framing_and_sniffing(client: TestClient) -> None:
    enter(client)
    for path in ("/login", "/me", "/nothing", "/broken", "/thumb/1", "/thumb/x"):
        answer = client.get(path)
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS, path
    assert HEADERS["X-Frame-Options"] == "DENY"
    assert HEADERS["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in HEADERS["Content-Security-Policy"]


def test_an_unexpected_error_reveals_no_internals(store: Store, client: TestClient) -> None:
    enter(client)
    answer = client.get("/broken")
    assert answer.status_code == 500
    assert "Unexpected error" in answer.json()["error"]
    for inside in ("Traceback", "RuntimeError", "secret", str(store.settings.home)):
        assert inside not in answer.text


def test_a_visitor_is_redirected_to_the_login_and_back(client: TestClient) -> None:
    led = client.get("/me?run=3", headers=HTML)
    assert (led.status_code, led.headers["location"]) == (303, "/login?next=/me%3Frun%3D3")
    page = client.get(led.headers["location"])
    assert 'value="/me?run=3"' in page.text
    given = {"username": "anna", "password": "wrong wrong", "next": "/me?run=3"}
    wrong = client.post("/login", data=given, headers=BROWSER)
    assert wrong.status_code == 401
    assert "The username or password is wrong." in wrong.text
    assert 'value="/me?run=3"' in wrong.text
    assert "wrong wrong" not in wrong.text
    right = client.post("/login", data={**given, "password": PASSWORD}, headers=BROWSER)
    assert (right.status_code, right.headers["location"]) == (303, "/me?run=3")


@pytest.mark.parametrize(
    "away",
    ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/a\nb"],
)
def test_a_login_redirects_only_within_the_studio(client: TestClient, away: str) -> None:
    given = {"username": "anna", "password": PASSWORD, "next": away}
    assert client.post("/login", data=given, headers=BROWSER).headers["location"] == "/"


def test_names_are_escaped_on_the_page(client: TestClient) -> None:
    evil = '"><script>alert(1)</script>'
    page = enter(client, "wrong wrong", evil, **BROWSER).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


@pytest.mark.parametrize("body", [b"\xff\xfe", b"[1]", b"{", b"x" * 20_000])
@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded"])
def test_unreadable_login_requests_are_refused(client: TestClient, body: bytes, kind: str) -> None:
    answer = client.post("/login", content=body, headers={"Content-Type": kind})
    assert answer.status_code in (400, 401)
    assert COOKIE not in answer.headers.get("set-cookie", "")


def test_listening_on_other_addresses_requires_accounts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--host", "0.0.0.0"]) == 2
    told = capsys.readouterr().err
    assert "--auth" in told
    assert "user add" in told
    assert main(["--auth", "--key", "/nowhere/key.pem"]) == 2
    assert main(["--auth", "--certificate", __file__]) == 2
    assert "There is no file" in capsys.readouterr().err


def test_an_ipv4_mapped_address_counts_as_its_ipv4_address() -> None:
    written = ("198.51.100.7", "::ffff:198.51.100.7", "::ffff:203.0.113.9")
    assert len({throttle._network(one) for one in written}) == 2
