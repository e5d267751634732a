"""A studio in a separate process, used over HTTP and through its queue, and timed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from vecaf.datasets.pool import image_path
from vecaf.engine.queue import submit_import, submit_task
from vecaf.errors import VecafError
from vecaf.settings import Settings
from vecaf.store import ENDED, FINISHED, Dataset, Import, Run, Sample, Store, Task
from vecaf.store.background import EMBED

Waited = tuple[float, float]
"""Elapsed seconds, and CPU seconds of the studio and all its processes."""

TIMEOUT_SECONDS = 600.0
POLL_SECONDS = 0.03
# A studio is idle if it uses less than IDLE_CPU_SECONDS in SETTLE_SECONDS.
# On a virtual machine, polling alone took up to 0.4 s of these 2; preparations take a whole core.
SETTLE_SECONDS, IDLE_CPU_SECONDS = 2.0, 0.8
NOT_READY = 409  # HTTP status while the model has not been exported
MIN_WAIT_SECONDS = 10.0  # a user takes this long before the first request


class RunningStudio:
    """Context manager: `python -m app` on a data folder, with a worker and without the demo."""

    def __init__(self, home: Path) -> None:
        self.home = home
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    def __enter__(self) -> RunningStudio:
        command = [sys.executable, "-m", "app", "--port", str(self.port)]
        self.process = subprocess.Popen(
            [*command, "--home", str(self.home), "--no-demo"],
            env={**os.environ, "DATABASE_URL": "", "VECAF_EMBED_ON_IMPORT": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait_for(self._worker_is_there)
        self.store = Store(Settings.from_environment({"VECAF_HOME": str(self.home)}))
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)

    def settle(self) -> None:
        """Wait until the studio is idle."""
        started = time.perf_counter()
        while True:
            before = processor_seconds(self.process.pid)
            time.sleep(SETTLE_SECONDS)
            used = processor_seconds(self.process.pid) - before
            if used < IDLE_CPU_SECONDS and time.perf_counter() - started > MIN_WAIT_SECONDS:
                return

    def timed(self, ask: Callable[[], object]) -> Waited:
        started, before = time.perf_counter(), processor_seconds(self.process.pid)
        ask()
        seconds = time.perf_counter() - started
        return seconds, processor_seconds(self.process.pid) - before

    def get(self, path: str) -> bytes:
        return self._asked(urllib.request.Request(self._address(path)))

    def post(self, path: str, body: bytes) -> bytes:
        headers = {"Content-Type": "application/octet-stream", "Sec-Fetch-Site": "same-origin"}
        return self._asked(urllib.request.Request(self._address(path), body, headers))

    def task(self, kind: str, dataset: int, params: dict[str, Any]) -> Waited:
        """Have the worker do a task and wait for its end."""
        with self.store.read() as session:
            owner = session.get_one(Dataset, dataset).owner_id

        def ask() -> None:
            self._ended(Task, submit_task(self.store, kind, dataset, params, owner))

        return self.timed(ask)

    def imported(self, archive: Path, name: str) -> Waited:
        def ask() -> None:
            self._ended(Import, submit_import(self.store, archive, name, self.store.owner()))

        return self.timed(ask)

    def embedded(self, dataset: int) -> Waited:
        """Wait until a new dataset is embedded."""
        query = sa.select(Task.id).where(Task.dataset_id == dataset, Task.kind == EMBED)

        def ask() -> None:
            with self.store.read() as session:
                task = session.scalars(query).one()
            self._ended(Task, task)

        return self.timed(ask)

    def run(self, settings: dict[str, Any]) -> tuple[Waited, int]:
        """Launch a run and wait for its end; its id."""
        runs: list[int] = []

        def ask() -> None:
            answer = json.loads(self.post("/api/v1/runs", json.dumps(settings).encode()))
            runs.append(answer["run"])
            self._ended(Run, runs[0])

        return self.timed(ask), runs[0]

    def export(self, run: int) -> bytes:
        """Return the export of a run as a ZIP file; start the export if it does not exist yet."""
        run_path = f"/api/v1/runs/{run}"
        path = f"{run_path}/model"
        try:
            return self.get(path)
        except urllib.error.HTTPError as error:
            if error.code != NOT_READY:
                raise
        self.post(f"{run_path}/export", b"")
        found: list[bytes] = []

        def there() -> bool:
            try:
                found.append(self.get(path))
            except urllib.error.HTTPError as error:
                if error.code != NOT_READY:
                    raise
            return bool(found)

        self._wait_for(there)
        return found[0]

    def dataset(self, name: str) -> int:
        with self.store.read() as session:
            return session.scalars(sa.select(Dataset.id).where(Dataset.name == name)).one()

    def an_image(self, dataset: int) -> bytes:
        """Return the content of one of the dataset's images."""
        query = sa.select(Sample).where(Sample.dataset_id == dataset).limit(1)
        with self.store.read() as session:
            sample = session.scalars(query).one()
        images = self.store.settings.images
        return image_path(images, sample.sha256, sample.extension).read_bytes()

    def _ended(self, model: type[Task] | type[Import] | type[Run], row: int) -> None:
        """Wait until a job ends. Raises VecafError unless it has finished successfully."""
        query = sa.select(model.state, model.error).where(model.id == row)
        states: list[tuple[str, str | None]] = []

        def ended() -> bool:
            with self.store.read() as session:
                state, error = session.execute(query).one()
            states.append((state, error))
            return state in ENDED

        self._wait_for(ended)
        state, error = states[-1]
        if state != FINISHED:
            raise VecafError(f"The {model.__tablename__} {row} is {state}: {error}")

    def _wait_for(self, there: Callable[[], bool]) -> None:
        deadline = time.perf_counter() + TIMEOUT_SECONDS
        while not there():
            if time.perf_counter() > deadline or self.process.poll() is not None:
                raise VecafError(
                    f"The studio exited or did not respond within {TIMEOUT_SECONDS:g} s."
                )
            time.sleep(POLL_SECONDS)

    def _worker_is_there(self) -> bool:
        try:
            return bool(json.loads(self.get("/healthz"))["worker"])
        except (urllib.error.URLError, ConnectionError):
            return False

    def _asked(self, request: urllib.request.Request) -> bytes:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
            body: bytes = answer.read()
            return body

    def _address(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


def processor_seconds(pid: int) -> float:
    """Return the CPU time of a process and its descendants, including finished children."""
    return sum(map(_used, [pid, *_below(pid)]))


def _below(pid: int) -> Iterator[int]:
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(child) for child in thread.read_text().split()]
        except OSError:  # the thread has ended
            continue
        for child in children:
            yield child
            yield from _below(child)


def _used(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0.0
    fields = text.rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
