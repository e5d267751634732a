"""Exceptions whose messages are shown to users: what happened, why, and what to do."""

from __future__ import annotations

from pathlib import Path

RETRY_SECONDS = 5


class VecafError(Exception):
    """Base class of all errors that the studio raises on purpose.

    Pages show the message. The command line prints it and exits with status 1.
    """


class InputError(VecafError):
    """The input can't be used; the message says how to correct it (exit status 2)."""


class NotLabeledError(InputError):
    """There are too few labels to train on; the message says what to label."""


class LimitExceededError(InputError):
    """Reading a file takes more time or memory than the limits allow."""


class UnreadableImageError(InputError):
    """An image file is missing or damaged.

    `path` is set in the process that read the file, and None in others.
    """

    def __init__(self, message: str, path: Path | None = None) -> None:
        super().__init__(message)
        self.path = path


class NotFoundError(InputError):
    """The object does not exist, or the user can't see it; the message does not say which."""


class NotReadyError(VecafError):
    """The object does not exist yet; the message says how to create it."""


class NotAllowedError(VecafError):
    """The user can see the object but not do this with it; the message says who can."""


class NotLoggedInError(VecafError):
    """The request needs a login, since accounts are on."""


class TooManyAttemptsError(VecafError):
    """There were too many failed logins; wait `seconds` before the next attempt."""

    def __init__(self, message: str, seconds: int) -> None:
        super().__init__(message)
        self.seconds = seconds


class UnavailableError(VecafError):
    """Something outside the studio is not available: a hub, a device, disk space."""


class BusyError(UnavailableError):
    """The studio is overloaded; try again in `seconds`."""

    def __init__(self, message: str, seconds: int = RETRY_SECONDS) -> None:
        super().__init__(message)
        self.seconds = seconds


class TooManyRequestsError(VecafError):
    """A user has too many requests at once; try again in `seconds`."""

    def __init__(self, message: str, seconds: int = RETRY_SECONDS) -> None:
        super().__init__(message)
        self.seconds = seconds


class DamagedFileError(VecafError):
    """A file that the studio wrote is missing, truncated or damaged."""


class CanceledError(VecafError):
    """A user canceled the work; finished parts are kept."""


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, to log an error whose traceback is no help."""
    return str(error).partition("\n")[0]
