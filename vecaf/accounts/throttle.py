"""Limit password guessing without locking out legitimate users.

The database counts failed attempts in three ways: per name and address, per name, and per address.
After a successful login with a name from an address, only the first count applies to that pair.
Other people's guesses then don't make the user wait.

An attempt counts as failed before its password is checked, so that parallel attempts gain nothing.
If the password is right, the attempt no longer counts. A restart does not reset the counts.
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

FAILURES_EXPIRE_AFTER = timedelta(days=1)  # since the last failed attempt
LOGIN_KNOWN_FOR = timedelta(days=30)  # since the last login with a name from an address


@dataclass(frozen=True)
class RetryLimit:
    """Allow `free` failed attempts without waiting, then require waits of up to `longest` s."""

    free: int
    longest: int

    def wait(self, failures: int) -> int:
        """Return the seconds to wait before the next attempt: 0 at first, then 1, 2, 4, 8 …"""
        beyond = failures - self.free
        return 0 if beyond < 0 else min(2 ** min(beyond, 30), self.longest)


PER_NAME_AND_ADDRESS = RetryLimit(5, 300)  # 288 guesses a day
PER_NAME = RetryLimit(50, 300)  # many addresses guess the password of one name
PER_ADDRESS = RetryLimit(20, 30)  # lenient, since all users of an office may share an address


@dataclass(frozen=True)
class Attempt:
    """A counted attempt; `before` maps each count's key to the time of its previous failure."""

    at: datetime
    before: dict[str, datetime]


def count_attempt(session: Session, name: str, address: str) -> Attempt:
    """Count an attempt as failed, before its password is checked.

    Call it in a `Store.write()` session of its own. Raises TooManyAttemptsError, and counts
    nothing, if the attempt comes before its wait is over.
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
        elif limit is PER_NAME_AND_ADDRESS or not known:
            left = limit.wait(row.count) - (moment - row.last_at).total_seconds()
            if left > 0:
                seconds = math.ceil(left)
                raise TooManyAttemptsError(
                    f"Too many failed logins. Try again in {_duration(seconds)}.", seconds
                )
        rows.append(row)
        before[key] = row.last_at
    for row in rows:
        row.count += 1
        row.last_at = moment
        session.add(row)
    return Attempt(moment, before)


def record_success(session: Session, name: str, address: str, tried: Attempt) -> None:
    """Record that the password was right, and reset the count of this name and address.

    The two wider counts are only restored to the values before this attempt. Otherwise, a user
    could log in repeatedly to reset the limits and guess the passwords of others.
    """
    for key, limit in _counts(name, address):
        row = session.get(LoginFailure, key)
        if row is None:
            continue
        row.count = 0 if limit is PER_NAME_AND_ADDRESS else row.count - 1
        if row.count <= 0:
            session.delete(row)
        elif row.last_at == tried.at:
            row.last_at = tried.before[key]
    session.merge(LoginFailure(key=_key("login", name, address), count=0, last_at=tried.at))


def _counts(name: str, address: str) -> tuple[tuple[str, RetryLimit], ...]:
    return (
        (_key("name and address", name, address), PER_NAME_AND_ADDRESS),
        (_key("name", name), PER_NAME),
        (_key("address", "", address), PER_ADDRESS),
    )


def _key(kind: str, name: str, address: str = "") -> str:
    """Return a hash as the key, since users sometimes type a password into the name field."""
    network = _network(address) if address else ""
    return hashlib.sha256("\n".join((kind, network, name.casefold())).encode()).hexdigest()


def _network(address: str) -> str:
    """Return the /64 network of an IPv6 address, since one user controls all of it.

    IPv4 addresses are returned unchanged, also those in IPv6 notation.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


def _duration(seconds: int) -> str:
    if seconds < 60:
        return plural(seconds, "second")
    return plural(-(-seconds // 60), "minute")
