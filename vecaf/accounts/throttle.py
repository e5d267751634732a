"""Wrong passwords are slowed, for a name and for an address, whatever the other one is.

The counts are in the database: a restart does not reset them. A try counts before its password is
looked at, so that many at once gain nothing; a right one is taken back.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
from datetime import timedelta

from sqlalchemy.orm import Session

from vecaf.errors import TooManyTriesError
from vecaf.store import LoginFailure
from vecaf.store.models import now
from vecaf.wording import plural

FREE_OF_NAME, FREE_OF_ADDRESS = 5, 20  # wrong passwords without a wait; an office has one address
LONGEST_WAIT = 300  # seconds; 288 guesses a day at a name, and its owner is not locked out for long
FORGOTTEN = timedelta(days=1)  # after the last wrong password


def wait_after(failures: int, free: int) -> int:
    """Seconds from one wrong password to the next try: none at first, then 1, 2, 4, 8 …"""
    beyond = failures - free
    return 0 if beyond < 0 else min(2 ** min(beyond, 30), LONGEST_WAIT)


def count_try(session: Session, name: str, address: str) -> None:
    """Count a try as a failure. Raises TooManyTriesError, counting nothing, when it is too early.

    Call it in a `Store.write()` session of its own, before the password is checked.
    """
    moment = now()
    found = []
    for key, free in _keys(name, address):
        row = session.get(LoginFailure, key)
        if row is None or moment - row.last_at > FORGOTTEN:
            row = row or LoginFailure(key=key)
            row.count = 0
        else:
            left = wait_after(row.count, free) - (moment - row.last_at).total_seconds()
            if left > 0:
                seconds = math.ceil(left)
                raise TooManyTriesError(
                    f"Too many wrong passwords. Try again in {_words(seconds)}.", seconds
                )
        found.append(row)
    for row in found:
        row.count += 1
        row.last_at = moment
        session.add(row)


def take_back(session: Session, name: str, address: str) -> None:
    """The password was right: forget the name's failures, and this try of the address.

    Only this try: else somebody with an account could guess at others between their own logins.
    """
    (of_name, _), (of_address, _) = _keys(name, address)
    for key, all_of_it in ((of_name, True), (of_address, False)):
        row = session.get(LoginFailure, key)
        if row is None:
            continue
        row.count = 0 if all_of_it else row.count - 1
        if row.count <= 0:
            session.delete(row)


def _keys(name: str, address: str) -> tuple[tuple[str, int], tuple[str, int]]:
    return (
        (_digest("name", name.casefold()), FREE_OF_NAME),
        (_digest("address", _network(address)), FREE_OF_ADDRESS),
    )


def _network(address: str) -> str:
    """An IPv6 address's /64: whoever has one address there has all of them. But an IPv4 address is
    one, also as IPv6 writes it."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


def _digest(kind: str, text: str) -> str:
    """People type passwords into the wrong field: what was typed is not kept."""
    return hashlib.sha256(f"{kind}:{text}".encode()).hexdigest()


def _words(seconds: int) -> str:
    if seconds < 60:
        return plural(seconds, "second")
    return plural(-(-seconds // 60), "minute")
