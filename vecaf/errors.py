"""The exceptions that reach people: each message says what is wrong and what to do."""

from __future__ import annotations

from pathlib import Path

RETRY_SECONDS = 5


class VecafError(Exception):
    """Root of every error that the studio raises on purpose.

    Pages show its message as a sentence, the command line prints it and exits 1.
    """


class InputError(VecafError):
    """What the caller gave cannot be used; the message says how to mend it (exit status 2)."""


class NotLabeledError(InputError):
    """The images have too few labels to train on; the message says what to label."""


class UnreadableImageError(InputError):
    """An image file is missing or damaged; `path` says which, in the process that read it."""

    def __init__(self, message: str, path: Path | None = None) -> None:
        super().__init__(message)
        self.path = path


class NotFoundError(InputError):
    """The thing does not exist, or the asker may not see it; the two are not told apart."""


class NotReadyError(VecafError):
    """The thing does not exist yet; the message says how to make it."""


class NotAllowedError(VecafError):
    """The asker may see the thing but not do this with it; the message says who may."""


class NotLoggedInError(VecafError):
    """Accounts are on, and nobody who has one is asking."""


class TooManyAttemptsError(VecafError):
    """Passwords were wrong too often; `seconds` is how long to wait before the next try."""

    def __init__(self, message: str, seconds: int) -> None:
        super().__init__(message)
        self.seconds = seconds


class UnavailableError(VecafError):
    """Something outside the studio is missing: a hub, a device, disk space."""


class BusyError(UnavailableError):
    """The studio has too much to do right now; try again in `seconds`."""

    def __init__(self, message: str, seconds: int = RETRY_SECONDS) -> None:
        super().__init__(message)
        self.seconds = seconds


class TooManyRequestsError(VecafError):
    """One user asks for too much at once; try again in `seconds`."""

    def __init__(self, message: str, seconds: int = RETRY_SECONDS) -> None:
        super().__init__(message)
        self.seconds = seconds


class DamagedFileError(VecafError):
    """A file that the studio wrote is missing, cut short or otherwise damaged."""


class CanceledError(VecafError):
    """Work stopped because a person asked for it; what is finished is kept."""


def first_line(error: BaseException) -> str:
    """What a database's trouble is: it comes again and again, and its traceback tells nothing."""
    return str(error).partition("\n")[0]
