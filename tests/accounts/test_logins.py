"""The time of a login's last use is recorded without blocking pages."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
import sqlalchemy as sa

from tests.databases import postgresql_in_soak
from vecaf.accounts.logins import find_login, log_in
from vecaf.accounts.users import add_user
from vecaf.errors import NotLoggedInError
from vecaf.store import Login, Store
from vecaf.store.models import now

pytestmark = postgresql_in_soak
PASSWORD = "a password of many words"


@pytest.fixture
def store(empty: Store) -> Store:
    with empty.write() as session:
        add_user(session, "Ada", PASSWORD)
    return empty


def test_a_writer_does_not_block_pages(store: Store) -> None:
    token = log_in(store, "Ada", PASSWORD, "192.0.2.1")
    before = now() - timedelta(minutes=2)

    def seen() -> object:
        with store.read() as session:
            return session.scalars(sa.select(Login.seen_at)).one()

    with store.write() as session:
        session.execute(sa.update(Login).values(seen_at=before))
    with store.write() as session:
        session.execute(sa.update(Login).values(seen_at=before))
        begun = time.monotonic()
        person = find_login(store, token)
        assert time.monotonic() - begun < 20  # waiting for the writer would take 30 s
    assert person is not None and person.name == "Ada"
    assert seen() == before
    assert find_login(store, token) == person  # recorded once the database is not locked
    assert seen() != before


def test_a_name_with_unstorable_characters_is_wrong(store: Store) -> None:
    for name in ("Ada\0x", "Ada\ud800x"):
        with pytest.raises(NotLoggedInError):
            log_in(store, name, PASSWORD, "192.0.2.1")
