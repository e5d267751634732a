"""Real homes, workers, and child processes for the tests of the engine."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import sqlalchemy as sa
from PIL import Image

from vecaf.settings import Settings
from vecaf.store import ENDED, Event, Import, Run, Store
from vecaf.store.sqlite import library

ROOT = Path(__file__).parents[2]
RAY_TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
"""Environment variables of the nodes of a Ray cluster and of its clients."""
STAND_IN = Path(__file__).parent / "stand_in"


def write_images(folder: Path, *, classes: int = 3, each: int = 24, size: int = 32) -> Path:
    """Write `classes` folders of small PNGs: noise around a color per class, which is learnable."""
    rng = np.random.default_rng(0)
    for label in range(classes):
        color = np.eye(3)[label % 3] * 160
        (folder / f"class{label}").mkdir(parents=True)
        for index in range(each):
            pixels = np.clip(color + rng.normal(60, 50, (size, size, 3)), 0, 255)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"class{label}" / f"{index}.png")
    return folder


class WorkerProcess:
    """A worker in its own process."""

    def __init__(
        self,
        settings: Settings,
        *,
        stand_in: str | None = None,
        host: str = "",
        standby: bool = False,
        cluster: str = "",
    ) -> None:
        """Start the worker.

        `stand_in` is a mode of tests/engine/stand_in. With it, the worker reports to run on the
        machine `host`. `standby` lets the worker keep a standby process, which is one of its
        children. `cluster` is the address of a Ray cluster that executes the jobs.
        """
        settings = replace(settings, standby_minutes=int(standby))
        environment = os.environ | settings.as_environment() | {"OMP_NUM_THREADS": "1"}
        path = [str(ROOT)]
        if stand_in is not None:
            path.insert(0, str(STAND_IN if not cluster else _for_cluster(settings, stand_in)))
            environment |= {"VECAF_STAND_IN": stand_in, "VECAF_STAND_IN_HOST": host}
        if cluster:
            environment |= {"VECAF_ENGINE": "ray", "RAY_ADDRESS": cluster, **RAY_TOKEN}
        environment["PYTHONPATH"] = os.pathsep.join(path)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "vecaf", "worker"],
            env=environment,
            cwd=settings.home,
            stderr=subprocess.PIPE,
            text=True,
        )

    def children(self) -> list[int]:
        """Return the process ids of the worker's living children (Linux)."""
        listing = Path(f"/proc/{self.process.pid}/task")
        found: list[int] = []
        for thread in listing.iterdir() if listing.exists() else ():
            found += [int(pid) for pid in (thread / "children").read_text().split()]
        return [pid for pid in found if is_alive(pid)]

    def send(self, signal_number: int) -> None:
        self.process.send_signal(signal_number)

    def wait(self, seconds: float) -> int:
        return self.process.wait(seconds)

    def kill(self) -> None:
        """Kill the worker with SIGKILL, and wait until its children exit."""
        children = self.children()
        self.process.kill()
        self.process.wait()
        wait_for(lambda: not any(map(is_alive, children)), 60, "children outlived their worker")

    def close(self) -> None:
        if self.process.poll() is None:
            self.send(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()


def _for_cluster(settings: Settings, stand_in: str) -> Path:
    """Return a folder for PYTHONPATH that sets the mode, since Ray passes no environment on."""
    folder = settings.home / f"stand-in-{stand_in.replace(' ', '-')}"
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(
        "import os, sys, importlib.util\n"
        f"os.environ['VECAF_STAND_IN'] = {stand_in!r}\n"
        f"spec = importlib.util.spec_from_file_location('stand_in', {str(STAND_IN)!r}\n"
        "    + '/sitecustomize.py')\n"
        "module = sys.modules['stand_in'] = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(module)\n"
    )
    return folder


@contextmanager
def worker(
    settings: Settings,
    *,
    stand_in: str | None = None,
    host: str = "",
    standby: bool = False,
    cluster: str = "",
) -> Iterator[WorkerProcess]:
    """Start a worker, and stop it at the end of the block."""
    started = WorkerProcess(
        settings, stand_in=stand_in, host=host, standby=standby, cluster=cluster
    )
    try:
        yield started
    finally:
        started.close()


def is_alive(pid: int) -> bool:
    """Return whether a process is running (a zombie is not)."""
    return _state_and_group(pid)[0] not in ("Z", "")


def group_members(group: int) -> list[int]:
    """Return the ids of the running processes in a process group."""
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]
    return [pid for pid in pids if _state_and_group(pid)[1] == group and is_alive(pid)]


def _state_and_group(pid: int) -> tuple[str, int]:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return "", -1
    return fields[0], int(fields[2])


def wait_for(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Poll until `condition` holds; fail saying `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"after {seconds} s: {what}"
        time.sleep(0.05)


def run_row(store: Store, run_id: int) -> Run:
    with store.read() as session:
        return session.get_one(Run, run_id)


def import_row(store: Store, import_id: int) -> Import:
    with store.read() as session:
        return session.get_one(Import, import_id)


def wait_until_ended(store: Store, run_id: int, seconds: float) -> Run:
    wait_for(
        lambda: run_row(store, run_id).state in ENDED,
        seconds,
        f"run {run_id} has not ended; its log: {log_lines(store, run_id)}",
    )
    return run_row(store, run_id)


def log_lines(store: Store, run_id: int) -> list[str]:
    with store.read() as session:
        query = sa.select(Event.message).where(Event.run_id == run_id).order_by(Event.id)
        return list(session.scalars(query))


def check_integrity(settings: Settings) -> None:
    """Check the integrity of the database file."""
    connection = library.connect(settings.home / "studio.db")
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()
