"""Log users in and out. The browser keeps a random token; the database stores only its hash."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from vecaf.accounts.passwords import hash_password, needs_rehash, verify_password
from vecaf.accounts.throttle import (
    FAILURES_EXPIRE_AFTER,
    LOGIN_KNOWN_FOR,
    count_attempt,
    record_success,
)
from vecaf.datasets.names import clean
from vecaf.errors import NotLoggedInError
from vecaf.store import Login, LoginFailure, Store, User
from vecaf.store.models import now

SEEN_EVERY = timedelta(minutes=1)  # how often to update `Login.seen_at`, which costs a write


@dataclass(frozen=True)
class LoggedInUser:
    """The user of a valid login."""

    id: int
    name: str


def log_in(store: Store, name: str, password: str, address: str) -> str:
    """Check a password and return the token of a new login.

    Parameters
    ----------
    address
        The client's IP address, for limiting the attempts.

    Raises
    ------
    NotLoggedInError
        The username or password is wrong; the message does not say which.
    TooManyAttemptsError
        The user must wait before the next attempt.
    """
    name = clean(name)
    with store.write() as session:
        tried = count_attempt(session, name, address)
        user = session.scalar(sa.select(User).where(User.name == name, User.removed_at.is_(None)))
        kept = None if user is None else user.password_hash
    if not verify_password(kept, password) or user is None or kept is None:
        raise NotLoggedInError("The username or password is wrong. Try again.")
    token = secrets.token_urlsafe(32)
    with store.write() as session:
        record_success(session, name, address, tried)
        _forget_old(store, session)
        if needs_rehash(kept):
            session.get_one(User, user.id).password_hash = hash_password(password)
        session.add(Login(token_hash=_digest(token), user_id=user.id))
    return token


def find_login(store: Store, token: str) -> LoggedInUser | None:
    """Return the user of a login token; None if the login does not exist or has expired."""
    moment, settings = now(), store.settings
    with store.read() as session:
        row = session.execute(
            sa.select(User.id, User.name, Login.seen_at)
            .join(User, User.id == Login.user_id)
            .where(
                Login.token_hash == _digest(token),
                Login.seen_at > moment - timedelta(hours=settings.login_idle_hours),
                Login.created_at > moment - timedelta(hours=settings.login_hours),
                User.removed_at.is_(None),
            )
        ).one_or_none()
    if row is None:
        return None
    if moment - row.seen_at > SEEN_EVERY:  # if the database is locked, the next request tries again
        login = sa.update(Login).where(Login.token_hash == _digest(token))
        store.try_write(login.values(seen_at=moment))
    return LoggedInUser(row.id, row.name)


def log_out(store: Store, token: str) -> None:
    """End a login; its token becomes invalid."""
    with store.write() as session:
        session.execute(sa.delete(Login).where(Login.token_hash == _digest(token)))


def _forget_old(store: Store, session: sa.orm.Session) -> None:
    moment, settings = now(), store.settings
    idle = Login.seen_at < moment - timedelta(hours=settings.login_idle_hours)
    old = Login.created_at < moment - timedelta(hours=settings.login_hours)
    session.execute(sa.delete(Login).where(sa.or_(idle, old)))
    for kind, kept in (
        (LoginFailure.count > 0, FAILURES_EXPIRE_AFTER),
        (LoginFailure.count == 0, LOGIN_KNOWN_FOR),
    ):
        session.execute(sa.delete(LoginFailure).where(kind, LoginFailure.last_at < moment - kept))


def _digest(token: str) -> str:
    # A random 256-bit token needs no slow hash, since it can't be guessed.
    return hashlib.sha256(token.encode()).hexdigest()
