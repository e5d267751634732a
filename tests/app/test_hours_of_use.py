"""Hours of imports, runs and deletions by three people: no row is lost, nothing grows.

`./test --soak` takes two hours and does 200 runs. VECAF_SOAK_MINUTES makes the test shorter, with
the same number of runs per minute.
"""

from __future__ import annotations

import io
import os
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.app.test_pages_beside_a_run import studio
from tests.engine.harness import wait_for, write_images
from vecaf.accounts.users import add_user
from vecaf.datasets.deletion import delete_dataset
from vecaf.settings import Settings
from vecaf.store import FINISHED, Dataset, Run, Store
from vecaf.store.datasets import dataset_summaries
from vecaf.store.runs import list_runs

pytestmark = pytest.mark.soak

PEOPLE = ("anna", "ben", "carla")
PASSWORD = "three people on one machine"
MINUTES = float(os.environ.get("VECAF_SOAK_MINUTES", "120"))
RUNS = 200 * MINUTES / 120
GROWTH = 1.1, 16 * 1024**2  # allowed growth of memory in the second half: factor, bytes
FILES = 8  # allowed additional open files


class User(threading.Thread):
    """A user who repeatedly uploads a dataset, finetunes on it, and deletes every other one."""

    def __init__(self, name: str, id: int, address: str, store: Store, archive: bytes) -> None:
        super().__init__(name=name)
        self.id, self.store, self.archive = id, store, archive
        self.client = httpx.Client(base_url=address, timeout=60)
        login = self.client.post("/login", json={"username": name, "password": PASSWORD})
        fine(login)
        self.kept: dict[int, list[int]] = {}  # dataset → its runs
        self.runs = 0
        self.error: Exception | None = None
        self.end = time.monotonic() + 60 * MINUTES

    def run(self) -> None:
        every = 60 * MINUTES / (RUNS / len(PEOPLE))
        due = time.monotonic()
        try:
            while due < self.end:
                time.sleep(max(0.0, due - time.monotonic()))
                self.once(self.runs)
                due += every
        except (Exception, AssertionError) as error:
            self.error = error

    def once(self, number: int) -> None:
        name = f"{self.name} {number}"
        fine(self.client.post("/upload", params={"name": name}, content=self.archive))
        wait_for(lambda: name in self.names(), 300, f"{name} is not imported")
        dataset = self.names()[name]
        settings = {"dataset": name, "budget": "6", "rounds": 2, "epochs": 2, "seed": number}
        run = fine(self.client.post("/api/v1/runs", json=settings))["run"]
        self.runs += 1
        wait_for(lambda: self.state(run) not in ("queued", "running"), 600, f"run {run} goes on")
        assert self.state(run) == FINISHED, f"run {run} is {self.state(run)}"
        if number % 2:
            delete_dataset(self.store, self.id, dataset)
        else:
            self.kept[dataset] = [run]

    def names(self) -> dict[str, int]:
        found = fine(self.client.get("/api/v1/datasets"))["datasets"]
        return {one["name"]: one["id"] for one in found}

    def state(self, run: int) -> str:
        time.sleep(0.5)
        return str(fine(self.client.get(f"/api/v1/runs/{run}"))["state"])


def fine(answer: httpx.Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json()


def test_hours_of_use_lose_no_row_and_nothing_grows(tmp_path: Path) -> None:
    settings = Settings.from_environment({"VECAF_HOME": str(tmp_path / "home")})
    store = Store.open(settings)
    with store.write() as session:
        ids = [add_user(session, name, PASSWORD).id for name in PEOPLE]
    archive = zipped(write_images(tmp_path / "pictures", each=16))
    with studio(settings.home, "--auth") as address:
        people = [
            User(name, id, address, store, archive)
            for name, id in zip(PEOPLE, ids, strict=True)
        ]  # fmt: skip
        for one in people:
            one.start()
        time.sleep(60 * MINUTES / 2)
        half = standing(settings.home)
        for one in people:
            one.join()
        for one in people:
            one.client.close()
        time.sleep(5)
        whole = standing(settings.home)

    assert [one.error for one in people] == [None] * len(people)
    done = sum(one.runs for one in people)
    print(f"{done} runs; at half time and at the end (bytes, open files): {half} {whole}")
    assert done >= 0.9 * RUNS, "the machine was too slow for the claim"
    for one in people:
        with store.read() as session:
            assert {d.id for d in dataset_summaries(session, one.id)} == set(one.kept)
            runs = [run for of_one in one.kept.values() for run in of_one]
            assert {run.id for run in list_runs(session, one.id, limit=1000)} == set(runs)
            assert {session.get_one(Run, run).state for run in runs} <= {FINISHED}
            assert all(session.get_one(Dataset, id).owner_id == one.id for id in one.kept)
    assert set(half) & set(whole), "no process lived through the second half"
    for process in set(half) & set(whole):
        (memory, files), (memory_after, files_after) = half[process], whole[process]
        assert memory_after <= GROWTH[0] * memory + GROWTH[1], f"process {process} grows"
        assert files_after <= files + FILES, f"process {process} keeps files open"


def standing(home: Path) -> dict[int, tuple[int, int]]:
    """Return resident bytes and open files of every process that works on `home`."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        if folder.name == str(os.getpid()):
            continue
        facts = _quietly(lambda folder=folder: _facts(folder, home))  # type: ignore[misc]
        if facts is not None:
            found[int(folder.name)] = facts
    return found


def _facts(folder: Path, home: Path) -> tuple[int, int] | None:
    if (
        str(home).encode()
        not in (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes()
    ):
        return None
    pages = int((folder / "statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE"), len(list((folder / "fd").iterdir()))


def _quietly(read: Callable[[], Any]) -> Any:
    """Return None for a process that has just exited."""
    try:
        return read()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None


def zipped(folder: Path) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as out:
        for path in sorted(folder.rglob("*.png")):
            out.write(path, path.relative_to(folder))
    return content.getvalue()
