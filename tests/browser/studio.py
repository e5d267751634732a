"""A studio in its own process, and what tests do with it apart from its pages."""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from PIL import Image, ImageDraw

from vecaf.engine.queue import cancel_run, cancel_task
from vecaf.settings import Settings
from vecaf.store import ENDED, Run, Store, Task
from vecaf.store.sqlite import library

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 180  # on a busy machine
PATIENCE_MS = 180_000
"""How long a page may take on a busy machine. A test that passes waits only until it's there."""


@dataclass
class Server:
    """Runs `python -m app` on a free port."""

    home: Path
    port: int
    options: list[str] = field(default_factory=list)
    folders: str = ""  # that the Data page may import from
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "app", "--port", str(self.port), "--home", str(self.home)]
        environment = {**os.environ, "DATABASE_URL": "", "VECAF_FOLDERS": self.folders}
        self.process = subprocess.Popen([*command, *self.options], cwd=ROOT, env=environment)
        wait_for(lambda: self.health() is not None, START_SECONDS, "the server to answer")

    def health(self) -> dict[str, Any] | None:
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=2) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except OSError:
            return None

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)

    def store(self) -> Store:
        """Open the store of its home in this process."""
        settings = {"VECAF_HOME": str(self.home), "DATABASE_URL": ""}
        return Store.open(Settings.from_environment(settings))

    def value(self, query: str, *parameters: object) -> Any:
        """Return the first column of the first row that a query finds, or None."""
        path = self.home / "studio.db"
        with contextlib.closing(library.connect(path, timeout=30)) as database:
            row = database.execute(query, parameters).fetchone()
        return row[0] if row else None

    def upload(self, name: str, archive: bytes) -> None:
        """Upload a ZIP file without a browser, and wait until its import has finished."""
        address = f"{self.url}/upload?{urllib.parse.urlencode({'name': name})}"
        request = urllib.request.Request(address, archive, method="POST")
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert json.load(answer)["import"]
        wait_for(lambda: imported(self, name), 300, "the import to finish")

    def cancel_jobs(self) -> None:
        """Cancel all runs and tasks, so that the worker is free for the next test."""
        store = self.store()
        for table, cancel in ((Run, cancel_run), (Task, cancel_task)):
            with store.read() as session:
                ids = session.scalars(sa.select(table.id).where(table.state.not_in(ENDED))).all()
            for job_id in ids:
                cancel(store, job_id, store.owner())
        store.close()


def wait_for(check: Callable[[], bool], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, f"Waited {seconds:.0f} s in vain for {what}."
        time.sleep(0.2)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def shapes(path: Path, count: int = 80, seed: int = 0) -> Path:
    """Make a ZIP of drawn circles, squares and triangles: `count` of each, one folder per class."""
    draw_from = random.Random(seed)
    with zipfile.ZipFile(path, "w") as out:
        for name in ("circle", "square", "triangle"):
            for i in range(count):
                out.writestr(f"{name}/{name}-{i:03}.png", _shape(name, draw_from))
    return path


def _shape(name: str, draw_from: random.Random) -> bytes:
    paper = tuple(draw_from.randrange(170, 256) for _ in range(3))
    ink = tuple(draw_from.randrange(0, 140) for _ in range(3))
    image = Image.new("RGB", (64, 64), paper)
    draw = ImageDraw.Draw(image)
    size, x, y = draw_from.randrange(22, 40), draw_from.randrange(4, 20), draw_from.randrange(4, 20)
    if name == "circle":
        draw.ellipse((x, y, x + size, y + size), fill=ink)
    elif name == "square":
        draw.rectangle((x, y, x + size, y + size), fill=ink)
    else:
        draw.polygon([(x, y + size), (x + size / 2, y), (x + size, y + size)], fill=ink)
    buffer = io.BytesIO()
    image.resize((96, 96)).save(buffer, "PNG")  # smaller images would be embedded at 160 pixels
    return buffer.getvalue()


def imported(server: Server, name: str) -> bool:
    """Return whether an import has finished. Fail if it has failed."""
    query = "SELECT state, error FROM import WHERE name = ?"
    with contextlib.closing(library.connect(server.home / "studio.db", timeout=30)) as database:
        state, error = database.execute(query, (name,)).fetchone()
    assert state != "failed", error
    return bool(state == "finished")
