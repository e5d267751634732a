"""Limits on request bodies, file ranges and log lines."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from fastapi import Body, FastAPI, Request
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient

from app.shell.body_limit import DEFAULT, IMAGE, BodyLimitMiddleware
from app.shell.logs import BURST, WINDOW_SECONDS, RateLimit
from app.shell.security import HEADERS, SecurityMiddleware


def pieces(size: int) -> Iterator[bytes]:
    """Yield a body without a declared length."""
    for start in range(0, size, 64 * 1024):
        yield b" " * min(64 * 1024, size - start)


@pytest.fixture(scope="module")
def client() -> TestClient:
    app = FastAPI(openapi_url=None)

    @app.post("/label/1/labels")
    def label(values: Annotated[Any, Body()]) -> dict[str, bool]:
        return {"ok": True}

    @app.post("/upload")
    @app.post("/predict/1")
    async def read(request: Request) -> dict[str, int]:
        return {"bytes": len(await request.body())}

    @app.post("/echo")
    async def echo(request: Request) -> StreamingResponse:
        return StreamingResponse(request.stream())

    app.add_middleware(BodyLimitMiddleware)
    app.add_middleware(SecurityMiddleware)
    return TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False)


@pytest.mark.parametrize(("path", "limit"), [("/label/1/labels", DEFAULT), ("/predict/1", IMAGE)])
@pytest.mark.parametrize("declared", [True, False])
def test_a_body_has_a_limit_at_every_address(
    client: TestClient, path: str, limit: int, declared: bool
) -> None:
    fits = client.post(path, content=b"1" + b" " * (limit - 1) if declared else pieces(limit))
    assert fits.status_code in (200, 404)  # blanks are not JSON, so they cause another error
    long = client.post(path, content=b" " * (limit + 1) if declared else pieces(limit + 1))
    assert long.status_code == 413
    assert f"at most {limit // 1024**2} MB" in long.json()["error"]
    assert {name: long.headers.get(name) for name in HEADERS} == HEADERS


def test_a_part_of_a_file_is_not_taken_for_the_whole(client: TestClient) -> None:
    part = {"Content-Range": "bytes 0-3/100"}
    refused = client.post("/upload", content=b"PK\3\4", headers=part)
    assert refused.status_code == 400
    assert "Partial uploads" in refused.json()["error"]
    assert client.post("/upload", content=b"PK\3\4").status_code == 200


def test_a_flood_of_one_message_is_a_few_lines_and_a_count() -> None:
    now = [0.0]
    limit = RateLimit(lambda: now[0])

    def record(message: str, *values: object) -> logging.LogRecord:
        return logging.LogRecord("asyncio", logging.ERROR, "", 0, message, values, None)

    assert sum(limit.filter(record("out of files: %d", n)) for n in range(1000)) == BURST
    assert limit.filter(record("something else"))
    now[0] += WINDOW_SECONDS
    later = record("out of files: %d", 7)
    assert limit.filter(later)
    assert later.getMessage() == f"out of files: 7 ({1000 - BURST} similar messages were omitted)"
