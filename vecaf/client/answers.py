"""Errors of the HTTP API as exceptions of `vecaf.errors`."""

from __future__ import annotations

import httpx

from vecaf.errors import (
    RETRY_SECONDS,
    BusyError,
    InputError,
    NotAllowedError,
    NotFoundError,
    NotLoggedInError,
    NotReadyError,
    TooManyRequestsError,
    VecafError,
)

KINDS: dict[int, type[VecafError]] = {
    400: InputError,
    401: NotLoggedInError,
    403: NotAllowedError,
    404: NotFoundError,
    409: NotReadyError,
    413: InputError,
    429: TooManyRequestsError,
    503: BusyError,
}


def error_of(answer: httpx.Response) -> VecafError:
    """Return the exception for an answer that is an error, with the studio's message."""
    message = _message(answer)
    kind = KINDS.get(answer.status_code, VecafError)
    if issubclass(kind, BusyError | TooManyRequestsError):
        seconds = answer.headers.get("Retry-After", "")
        return kind(message, int(seconds) if seconds.isdecimal() else RETRY_SECONDS)
    return kind(message)


def _message(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        return (
            f"The server answered {answer.status_code} {answer.reason_phrase}, but not as VeCAF "
            "Studio does. Check the address."
        )
