"""What the routes of the API read, and how their schema describes it and its errors."""

from __future__ import annotations

import json
from typing import Any

from fastapi import Request

from vecaf.errors import InputError

from .answers import ApiError

Errors = dict[int | str, dict[str, Any]]
SIGNED_OUT: Errors = {401: {"model": ApiError, "description": "You are not logged in."}}
NO_RUN: Errors = {
    404: {"model": ApiError, "description": "The run does not exist, or you can't see it."}
}
NO_ACCESS: Errors = {
    404: {"model": ApiError, "description": "It does not exist, or you can't see it."}
}
INVALID: Errors = {400: {"model": ApiError, "description": "The request is invalid."}}
NOT_READY: Errors = {409: {"model": ApiError, "description": "The export is not ready."}}
UNAVAILABLE: Errors = {
    503: {
        "model": ApiError,
        "description": "The studio is busy. Try again after the seconds in `Retry-After`.",
    }
}
FILE: Errors = {
    200: {
        "description": "The file.",
        "content": {"application/octet-stream": {"schema": {"type": "string"}}},
    }
}
ZIP: Errors = {
    200: {
        "description": "The ZIP file.",
        "content": {"application/zip": {"schema": {"type": "string"}}},
    }
}


async def json_in(request: Request) -> object:
    """Return the JSON in the body of a request. Raises InputError."""
    try:
        value: object = json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise InputError("The body is not valid JSON.") from error
    return value
