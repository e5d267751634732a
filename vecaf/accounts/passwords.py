"""Hash and verify passwords with argon2id (the low-memory parameters of RFC 9106).

One verification takes 64 MiB of memory for some tens of milliseconds. The caller limits how many
run at once.
"""

from __future__ import annotations

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from vecaf.errors import InputError

SHORTEST, LONGEST = 10, 1000  # characters; NIST SP 800-63B requires at least 8

_hasher = PasswordHasher()


def hash_password(password: str, name: str = "") -> str:
    """Return the hash of a new password.

    Raises InputError if the password is too short, too long or equal to the user's name.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise InputError(
            f"The password has a length of {len(password)}. Use {SHORTEST} to {LONGEST} characters."
        )
    if name and password.casefold() == name.casefold():
        raise InputError("The password is the same as the username. Choose another password.")
    return _hasher.hash(password)


def verify_password(password_hash: str | None, password: str) -> bool:
    """Return whether the password matches the hash.

    Without a hash, this takes equally long and returns False, so that the time does not show
    whether a user exists. Raises InputError if the stored hash is damaged.
    """
    if len(password) > LONGEST:
        return False
    try:
        return (
            _hasher.verify(password_hash or _dummy_hash(), password) and password_hash is not None
        )
    except VerifyMismatchError:
        return False
    except (VerificationError, InvalidHashError) as error:
        raise InputError("The stored password is damaged. Set a new password.") from error


def needs_rehash(password_hash: str) -> bool:
    """Return whether the hash was made with weaker parameters than the current ones."""
    return _hasher.check_needs_rehash(password_hash)


@cache
def _dummy_hash() -> str:
    """Return a hash that matches no valid password, to verify against if the user is unknown."""
    return _hasher.hash("\0" * SHORTEST)
