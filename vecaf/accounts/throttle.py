"""Slow down wrong passwords without locking out the right one.

The database counts wrong passwords three ways: of a name from one address, of a name from all
addresses, and of an address with all names. Once a name has logged in from an address, only the
first count applies to the two: guesses from elsewhere, or at other names, don't make it wait.

A try counts as wrong before its password is checked, so that many at once gain nothing. If the
password is right, the try no longer counts. A restart does not reset the counts.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from vecaf.errors import TooManyAttemptsError
from vecaf.store import LoginFailure
from vecaf.store.models import now
from vecaf.wording import plural

FAILURES_EXPIRE_AFTER = timedelta(days=1)  # after the last wrong password
LOGIN_KNOWN_FOR = timedelta(days=30)  # after a name's last login from an address


@dataclass(frozen=True)
class RetryLimit:
    """`free` wrong passwords without a wait, then waits of up to `longest` seconds."""

    free: int
    longest: int

    def wait(self, failures: int) -> int:
        """Seconds from one wrong password to the next try: none at first, then 1, 2, 4, 8 …"""
        beyond = failures - self.free
        return 0 if beyond < 0 else min(2 ** min(beyond, 30), self.longest)


OF_NAME_FROM_ADDRESS = RetryLimit(5, 300)  # 288 guesses a day at a name from one address
OF_NAME = RetryLimit(50, 300)  # many addresses that guess at one name
OF_ADDRESS = RetryLimit(20, 30)  # one address that guesses at many names; an office has one address


@dataclass(frozen=True)
class Attempt:
    """A counted try: its time, and the time of the last wrong try before it by count."""

    at: datetime
    before: dict[str, datetime]


def count_attempt(session: Session, name: str, address: str) -> Attempt:
    """Count a try as wrong. Raises TooManyAttemptsError, counting nothing, when it comes too early.

    Call it in a `Store.write()` session of its own, before the password is checked.
    """
    moment = now()
    last_login = session.get(LoginFailure, _key("login", name, address))
    known = last_login is not None and moment - last_login.last_at <= LOGIN_KNOWN_FOR
    rows, before = [], {}
    for key, limit in _counts(name, address):
        row = session.get(LoginFailure, key)
        if row is None or moment - row.last_at > FAILURES_EXPIRE_AFTER:
            row = row or LoginFailure(key=key, last_at=moment)
            row.count = 0
        elif limit is OF_NAME_FROM_ADDRESS or not known:
            left = limit.wait(row.count) - (moment - row.last_at).total_seconds()
            if left > 0:
                seconds = math.ceil(left)
                raise TooManyAttemptsError(
                    f"Too many wrong passwords. Try again in {_words(seconds)}.", seconds
                )
        rows.append(row)
        before[key] = row.last_at
    for row in rows:
        row.count += 1
        row.last_at = moment
        session.add(row)
    return Attempt(moment, before)


def record_success(session: Session, name: str, address: str, tried: Attempt) -> None:
    """The password was right: forget the name's failures from this address, and remember the login.

    The two wide counts lose only this try, and their waits continue as if it had not happened.
    Otherwise somebody with an account could guess at others between their own logins.
    """
    for key, limit in _counts(name, address):
        row = session.get(LoginFailure, key)
        if row is None:
            continue
        row.count = 0 if limit is OF_NAME_FROM_ADDRESS else row.count - 1
        if row.count <= 0:
            session.delete(row)
        elif row.last_at == tried.at:
            row.last_at = tried.before[key]
    session.merge(LoginFailure(key=_key("login", name, address), count=0, last_at=tried.at))


def _counts(name: str, address: str) -> tuple[tuple[str, RetryLimit], ...]:
    return (
        (_key("name and address", name, address), OF_NAME_FROM_ADDRESS),
        (_key("name", name), OF_NAME),
        (_key("address", "", address), OF_ADDRESS),
    )


def _key(kind: str, name: str, address: str = "") -> str:
    """A hash, because people type passwords into the wrong field: what was typed is not kept."""
    network = _network(address) if address else ""
    return hashlib.sha256("\n".join((kind, network, name.casefold())).encode()).hexdigest()


def _network(address: str) -> str:
    """An IPv6 address's /64, because all of it belongs to one user. An IPv4 address stays whole,
    also in IPv6 notation."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


def _words(seconds: int) -> str:
    if seconds < 60:
        return plural(seconds, "second")
    return plural(-(-seconds // 60), "minute")
