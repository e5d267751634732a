"""Passwords: argon2id, with the parameters of RFC 9106 for little memory (argon2-cffi's default).

One check takes 64 MiB for some tens of milliseconds; how many run at once is the caller's business.
"""

from __future__ import annotations

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from vecaf.errors import InputError

SHORTEST, LONGEST = 10, 1000  # characters: NIST SP 800-63B asks for 8 at least

_hasher = PasswordHasher()


def hash_password(password: str, name: str = "") -> str:
    """The hash to keep. Raises InputError for a password that is too short, too long or a name."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise InputError(f"A password has {SHORTEST} to {LONGEST} characters.")
    if name and password.casefold() == name.casefold():
        raise InputError("The password is the name. Choose another one.")
    return _hasher.hash(password)


def verify_password(password_hash: str | None, password: str) -> bool:
    """Whether this is the password. Without a hash it takes as long, and is not."""
    if len(password) > LONGEST:
        return False
    try:
        return _hasher.verify(password_hash or _nobodys(), password) and password_hash is not None
    except VerifyMismatchError:
        return False
    except (VerificationError, InvalidHashError) as error:
        raise InputError("The stored password is damaged: set a new one.") from error


def needs_rehash(password_hash: str) -> bool:
    """Whether the hash was made with weaker parameters than today's."""
    return _hasher.check_needs_rehash(password_hash)


@cache
def _nobodys() -> str:
    """A hash that no password of ours has: what a name that does not exist is checked against."""
    return _hasher.hash("\0" * SHORTEST)
