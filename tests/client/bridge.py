"""A studio in this process for `vecaf.Client`: no server, no worker, no waiting."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
import sqlalchemy as sa
from fastapi.testclient import TestClient

from vecaf.engine.child import do_import, do_run, do_task
from vecaf.engine.paths import folder_of
from vecaf.store import QUEUED, RUNNING, Import, Run, Store, Task
from vecaf.store.jobs import Kind


class Bridge(httpx.BaseTransport):
    """Passes the requests of httpx to a TestClient.

    `before` is called before each request that asks for the state of a job.
    """

    JOB = re.compile(r"/api/v1/(runs|imports|selections)/\d+(/export)?")

    def __init__(self, client: TestClient, before: Callable[[], None] = lambda: None) -> None:
        self.client, self.before = client, before

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET" and self.JOB.fullmatch(request.url.path):
            self.before()
        address = urlsplit(str(request.url))
        path = f"{address.path}?{address.query}" if address.query else address.path
        headers = {k: v for k, v in request.headers.items() if k not in ("host", "cookie")}
        answer = self.client.request(
            request.method, path, content=request.read(), headers=headers, follow_redirects=False
        )
        return httpx.Response(
            answer.status_code, headers=answer.headers.multi_items(), content=answer.content
        )


def work(store: Store) -> None:
    """Do the queued imports, selections, and exports, as a worker's child processes would."""
    kinds: list[tuple[Kind, type[Import] | type[Task] | type[Run], Callable[..., None]]] = [
        ("import", Import, do_import),
        ("task", Task, do_task),
        ("run", Run, do_run),
    ]
    for kind, table, do in kinds:
        with store.write() as session:
            query: Any = sa.select(table).where(table.state == QUEUED)
            jobs = session.scalars(query).all()
            for job in jobs:
                job.state, job.attempt = RUNNING, 1
            found = [job.id for job in jobs]
        for number in found:
            folder_of(store.settings, kind, number).mkdir(parents=True, exist_ok=True)
            do(store, number, 1, lambda: False)
