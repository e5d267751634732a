"""Wrong passwords are throttled by name and address, without blocking other users."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from tests.app import test_accounts
from tests.app.test_accounts import BASE, PASSWORD, application, enter
from vecaf.accounts import throttle
from vecaf.accounts.throttle import PER_ADDRESS, PER_NAME, PER_NAME_AND_ADDRESS
from vecaf.accounts.users import add_user
from vecaf.store import Store
from vecaf.store.models import now

cheap, store, client = test_accounts.cheap, test_accounts.store, test_accounts.client  # fixtures


class Clock:
    """The throttle's clock, which moves only when a test moves it."""

    def __init__(self) -> None:
        self.moment = now()

    def __call__(self) -> datetime:
        return self.moment

    def wait(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(throttle, "now", clock)
    return clock


def at(client: TestClient, address: str, password: str = PASSWORD, name: str = "anna") -> int:
    """Return the status of a login from another address, through a trusted proxy."""
    return int(enter(client, password, name, **{"X-Forwarded-For": address}).status_code)


@pytest.fixture
def behind_a_proxy(store: Store) -> Iterator[TestClient]:
    proxied: Any = ProxyHeadersMiddleware(application(store), trusted_hosts="testclient")  # type: ignore[arg-type]
    with TestClient(proxied, base_url=BASE, follow_redirects=False) as client:
        yield client


def test_wrong_passwords_are_throttled_across_restarts(
    store: Store, client: TestClient, clock: Clock
) -> None:
    for _ in range(PER_NAME_AND_ADDRESS.free):
        assert enter(client, "wrong wrong").status_code == 401
    waits = []
    for _ in range(12):
        refused = enter(client, PASSWORD)  # the right password has to wait, too
        assert refused.status_code == 429
        waits.append(int(refused.headers["retry-after"]))
        clock.wait(waits[-1] - 0.5)
        assert enter(client, PASSWORD).status_code == 429
        clock.wait(0.5)
        assert enter(client, "wrong wrong").status_code == 401  # in time
    assert waits[:5] == [1, 2, 4, 8, 16]
    assert waits[-1] == PER_NAME_AND_ADDRESS.longest
    assert "Try again in" in refused.json()["error"]
    again = Store.open(store.settings)
    with TestClient(application(again), base_url=BASE) as restarted:
        assert enter(restarted, PASSWORD).status_code == 429
        clock.wait(PER_NAME_AND_ADDRESS.longest)
        assert enter(restarted, PASSWORD).status_code == 200
        assert enter(restarted, "wrong wrong").status_code == 401  # the count starts again
    again.close()


def test_wrong_passwords_do_not_block_right_ones_from_the_same_address(
    client: TestClient, store: Store, clock: Clock
) -> None:
    with store.write() as session:
        add_user(session, "bob", PASSWORD)
    assert enter(client).status_code == 200  # anna logged in from here before
    for _ in range(3 * PER_ADDRESS.free):
        enter(client, "wrong wrong", "bob")
        clock.wait(PER_NAME_AND_ADDRESS.longest)
    for i in range(PER_ADDRESS.free):
        enter(client, "wrong wrong", f"user{i}")
    assert enter(client, PASSWORD, "bob").status_code == 429  # bob never logged in from here
    for _ in range(3):
        assert enter(client).status_code == 200
    clock.wait(PER_ADDRESS.longest)
    assert enter(client, PASSWORD, "bob").status_code == 200


def test_wrong_passwords_from_elsewhere_do_not_block_a_name(
    behind_a_proxy: TestClient, clock: Clock
) -> None:
    client = behind_a_proxy
    assert at(client, "198.51.100.7") == 200
    for _ in range(PER_NAME_AND_ADDRESS.free):
        assert at(client, "203.0.113.9", "wrong wrong") == 401
    assert at(client, "203.0.113.9", "wrong wrong") == 429
    assert at(client, "192.0.2.1") == 200  # no wrong password came from there
    tried = PER_NAME_AND_ADDRESS.free
    while tried < PER_NAME.free:  # many addresses guess the password of one name
        assert at(client, f"203.0.{tried}.1", "wrong wrong") == 401
        tried += 1
    assert at(client, "203.0.200.1", "wrong wrong") == 429
    assert at(client, "198.51.100.7") == 200


def test_an_address_that_tries_many_names_is_throttled(client: TestClient, clock: Clock) -> None:
    free = PER_ADDRESS.free
    statuses = [enter(client, "x" * 12, f"user{i}").status_code for i in range(free + 1)]
    assert statuses == [401] * free + [429]


def test_a_login_neither_clears_nor_renews_the_wait_of_its_address(
    store: Store, client: TestClient, clock: Clock
) -> None:
    assert enter(client).status_code == 200
    for i in range(PER_ADDRESS.free + 2):
        clock.wait(PER_ADDRESS.longest)
        assert enter(client, "x" * 12, f"user{i}").status_code == 401

    def wait() -> int:
        return int(enter(client, "x" * 12, "another").headers["retry-after"])

    before = wait()
    clock.wait(1)
    assert enter(client).status_code == 200
    assert wait() == before - 1


def test_an_unnamed_proxy_is_not_trusted(
    client: TestClient, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for i in range(PER_NAME_AND_ADDRESS.free):
        assert at(client, f"203.0.113.{i}", "wrong wrong") == 401
    assert at(client, "203.0.113.99", "wrong wrong") == 429
    (warning,) = [one.getMessage() for one in caplog.records if one.name == "app.login.routes"]
    assert "set FORWARDED_ALLOW_IPS=testclient" in warning


def test_a_named_proxy_is_trusted(
    behind_a_proxy: TestClient, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for i in range(PER_NAME_AND_ADDRESS.free + 1):
        assert at(behind_a_proxy, f"203.0.113.{i}", "wrong wrong") == 401
    assert not [one for one in caplog.records if one.name == "app.login.routes"]
