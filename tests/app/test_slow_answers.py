"""Pages of other users respond while one user waits for the inference process."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.requests import ClientDisconnect

from app.data import routes as datasets
from app.login import routes as login
from app.predict import routes as predicting
from app.shell import static
from app.shell.authentication import AuthenticationMiddleware
from app.shell.inference import USER_LIMIT, InferenceProcess
from app.shell.security import SecurityMiddleware
from app.shell.sentences import answer_with_sentences
from app.shell.studio import Studio
from app.shell.waiting import while_connected
from tests.app.conftest import archive, picture
from tests.waiting import result_of
from vecaf.accounts.users import add_user
from vecaf.datasets import import_dataset
from vecaf.settings import Settings
from vecaf.store import Store

BASE = "http://127.0.0.1:7860"
PASSWORD = "a password of many words"
SILENT = [sys.executable, "-c", "import sys; sys.stdin.read()"]  # never answers
GUARD_SECONDS = 60  # a failing test must not wait forever
ASKED = 40  # more than the threads in all of the server's pools


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    store = Store.open(Settings.from_environment({"VECAF_HOME": str(tmp_path / "home")}))
    with store.write() as session:
        anna, _ = (add_user(session, name, PASSWORD).id for name in ("anna", "bob"))
    import_dataset(store, archive(tmp_path / "own.zip"), "pets", user_id=anna)
    inference = InferenceProcess({}, SILENT)
    yield Studio(store.settings, store, inference=inference, accounts=True)
    inference.stop()
    store.close()


def application(studio: Studio) -> FastAPI:
    app = FastAPI(openapi_url=None)
    answer_with_sentences(app, studio.settings)
    for routes in (login.routes, datasets.routes, predicting.routes):
        app.include_router(routes(studio))
    app.include_router(static.routes())
    app.add_middleware(AuthenticationMiddleware, store=studio.store, threads=studio.authentication)
    app.add_middleware(SecurityMiddleware, local_only=False)
    return app


@asynccontextmanager
async def person(app: FastAPI, name: str) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=BASE, timeout=None) as client:
        given = {"username": name, "password": PASSWORD}
        assert (await client.post("/login", json=given)).status_code == 200
        yield client


def test_pages_of_another_user_answer_while_the_inference_process_does_not(studio: Studio) -> None:
    async def check() -> None:
        app = application(studio)
        async with person(app, "anna") as anna, person(app, "bob") as bob:
            asked = [
                asyncio.create_task(anna.post("/predict/1", content=picture((9, 9, 9))))
                for _ in range(ASKED)
            ]
            refused, waiting = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            while len(waiting) > USER_LIMIT:  # the others are told to wait
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                refused |= done
            for task in refused:
                answer = task.result()
                assert answer.status_code == 429
                assert int(answer.headers["retry-after"]) > 0
                assert re.search("of your (requests|images) are waiting", answer.json()["error"])
            assert (await bob.get("/static/app/shell/style.css")).status_code == 200
            assert (await bob.get("/dataset/1/deletion")).status_code == 404
            assert (await anna.get("/dataset/1/deletion")).status_code == 200
            for task in waiting:
                task.cancel()
            await asyncio.wait(waiting)

    async def guarded() -> None:
        async with asyncio.timeout(GUARD_SECONDS):
            await check()

    result_of(guarded())


def test_a_client_that_leaves_makes_room_for_the_next_question(studio: Studio) -> None:
    gone = asyncio.Event()

    async def check() -> None:
        app = application(studio)
        async with person(app, "anna") as anna:
            cookie = "; ".join(f"{name}={value}" for name, value in anna.cookies.items())
            scope = {
                "type": "http", "method": "POST", "path": "/predict/1", "query_string": b"",
                "headers": [(b"host", b"127.0.0.1"), (b"cookie", cookie.encode())],
                "http_version": "1.1", "scheme": "http", "root_path": "", "client": None,
            }  # fmt: skip
            bodies = [picture((9, 9, 9))]

            async def receive() -> dict[str, object]:
                if bodies:
                    return {"type": "http.request", "body": bodies.pop(), "more_body": False}
                await gone.wait()
                return {"type": "http.disconnect"}

            async def send(message: object) -> None: ...

            leaving = asyncio.create_task(app(scope, receive, send))
            gone.set()
            await leaving  # the handler has ended without an answer

    async def guarded() -> None:
        async with asyncio.timeout(GUARD_SECONDS):
            await check()

    result_of(guarded())


def test_an_answer_that_its_client_left_ends_before_its_files_are_removed() -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def answer() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def receive() -> dict[str, object]:
        await started.wait()
        return {"type": "http.disconnect"}

    async def check() -> None:
        with pytest.raises(ClientDisconnect):
            await while_connected(Request({"type": "http"}, receive), answer())
        assert ended.is_set()

    result_of(check())
