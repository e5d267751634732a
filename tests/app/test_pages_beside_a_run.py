"""Pages can be read while a run writes: none fails or waits long."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.engine.harness import run_row, wait_for, write_images
from tests.recorded import events_of, metrics_of
from vecaf.config import RunConfig
from vecaf.datasets import import_dataset
from vecaf.engine.queue import submit_run
from vecaf.engine.recorder import DatabaseRecorder
from vecaf.settings import Settings
from vecaf.store import RUNNING, Run, Store
from vecaf.store.datasets import dataset_summaries
from vecaf.store.runs import list_runs, run_summary

ROOT = Path(__file__).parents[2]
PAGES, HERTZ = 10, 5


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    home = tmp_path / "home"
    found = Store.open(Settings.from_environment({"VECAF_HOME": str(home), "VECAF_DEVICE": "cpu"}))
    import_dataset(found, write_images(tmp_path / "pictures", each=40), "pictures")
    yield found
    found.close()


def read_for(seconds: float, look: Callable[[], object]) -> tuple[list[float], list[str]]:
    """Let ten pages query five times per second. Return durations and errors."""
    took: list[float] = []
    errors: list[str] = []
    end = time.monotonic() + seconds

    def page() -> None:
        due = time.monotonic()
        while (due := due + 1 / HERTZ) < end:
            time.sleep(max(0.0, due - time.monotonic()))
            began = time.monotonic()
            try:
                look()
            except Exception as error:
                errors.append(repr(error))
            took.append(time.monotonic() - began)

    threads = [threading.Thread(target=page) for _ in range(PAGES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took, errors


@pytest.mark.soak  # a run and ten pages: a load, not a path
def test_ten_pages_read_what_a_run_writes(store: Store) -> None:
    """Queries of pages run while a recorder commits as fast as it can."""
    run_id = submit_run(store, RunConfig(dataset="pictures", budget="6"), store.owner())
    with store.write() as session:
        run = session.get_one(Run, run_id)
        run.state, run.attempt = RUNNING, 1
    recorder = DatabaseRecorder(store, run_id, 1, stopping=lambda: False)
    done = threading.Event()
    written, writing = 0, list[str]()

    def write() -> None:
        nonlocal written
        for step in itertools.count(1):
            if done.is_set():
                return
            try:
                recorder.metric(1, step, {"train_loss": 1 / step, "val_loss": 2 / step})
                recorder.stage("training", step, 1000)
                recorder.flush()
                recorder.log(f"step {step}")
            except Exception as error:
                writing.append(repr(error))
                return
            written = step

    def look() -> None:
        with store.read() as session:
            owner = 1
            summary = run_summary(session, owner, run_id)
            seen = written
            points = metrics_of(session, run_id)
            assert len(points) >= 2 * min(seen, summary.done) - 2
            assert events_of(session, run_id)
            assert list_runs(session, owner) and dataset_summaries(session, owner)

    writer = threading.Thread(target=write)
    writer.start()
    took, errors = read_for(10, look)
    done.set()
    writer.join()
    assert errors == [] and writing == []
    assert len(took) > 100
    assert written > 20, "the pages kept the run from writing"


@contextmanager
def studio(home: Path, *options: str) -> Iterator[str]:
    """Start the studio with its worker, as users do, and return its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "app", "--port", str(port), "--home", str(home), "--no-demo"]
    command += options
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"DATABASE_URL": ""})
    address = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return bool(httpx.get(f"{address}/healthz").json()["worker"])
        except httpx.TransportError:
            return False

    try:
        wait_for(answers, 120, "the studio does not answer")
        yield address
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.soak
def test_pages_stay_quick_beside_a_run_for_a_minute(store: Store) -> None:
    """A real studio responds during a real run. The goal of 300 ms is for an idle machine."""
    config = RunConfig(
        dataset="pictures", budget="12", rounds=7, epochs=1000, batch_size=1, patience=0
    )
    with studio(store.settings.home) as address:
        run_id = submit_run(store, config, store.owner())
        wait_for(lambda: "finetuning" in run_row(store, run_id).stage, 240, "no finetuning")
        clients = [httpx.Client(base_url=address, timeout=30) for _ in range(PAGES)]
        free = list(clients)
        asked = itertools.cycle(
            [f"/api/v1/runs/{run_id}", "/api/v1/runs", "/api/v1/datasets", "/healthz", "/runs"]
        )

        def look() -> None:
            client = free.pop()
            try:
                client.get(next(asked)).raise_for_status()
            finally:
                free.append(client)

        look()  # the first response also imports modules
        took, errors = read_for(60, look)
        assert run_row(store, run_id).state == RUNNING, "the run was too short for the claim"
        for client in clients:
            client.close()
    assert errors == []
    assert len(took) >= PAGES * HERTZ * 60 * 0.8
    late = float(np.quantile(took, 0.95))
    print(f"{len(took)} answers, median {np.median(took):.3f} s, 95% within {late:.3f} s")
    assert late < 0.3
    log = (store.settings.runs / str(run_id) / "log.txt").read_text()
    assert "database is locked" not in log
