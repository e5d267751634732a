"""Errors as HTTP answers: a status and a sentence."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.requests import ClientDisconnect

from vecaf.errors import (
    BusyError,
    InputError,
    NotAllowedError,
    NotFoundError,
    NotLoggedInError,
    NotReadyError,
    TooManyRequestsError,
    UnavailableError,
    VecafError,
)
from vecaf.settings import Settings

STATUSES: dict[type[VecafError], int] = {
    NotFoundError: 404,
    InputError: 400,
    UnavailableError: 503,
    NotAllowedError: 403,
    NotLoggedInError: 401,
    TooManyRequestsError: 429,
    NotReadyError: 409,
}


def answer_with_sentences(app: FastAPI, settings: Settings) -> None:
    """Register the handlers. Answers hide the path of the data folder."""

    @app.exception_handler(VecafError)
    def say(_: Request, error: VecafError) -> JSONResponse:
        status = next((code for kind, code in STATUSES.items() if isinstance(error, kind)), 500)
        sentence = str(error).replace(str(settings.home), "the data folder")
        sentence = sentence.encode(errors="replace").decode()  # it may quote a lone surrogate
        answer = JSONResponse({"error": sentence}, status)
        if isinstance(error, BusyError | TooManyRequestsError):
            answer.headers["Retry-After"] = str(error.seconds)
        return answer

    @app.exception_handler(UnicodeEncodeError)
    def say_unwritable(_: Request, __: UnicodeEncodeError) -> JSONResponse:
        sentence = "The text has an invalid character (a lone surrogate). Remove it and try again."
        return JSONResponse({"error": sentence}, 400)

    @app.exception_handler(ClientDisconnect)
    def end(_: Request, __: ClientDisconnect) -> Response:
        return Response(status_code=499)  # the client is gone

    @app.exception_handler(RequestValidationError)
    def say_not_found(_: Request, __: RequestValidationError) -> JSONResponse:
        return JSONResponse({"error": "Not found."}, 404)
