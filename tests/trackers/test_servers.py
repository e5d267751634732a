"""Trackers that need packages of their own: Trackio, and a server of MLflow."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from mlflow import MlflowClient

from tests.datasets.formats.test_interop import PYTHON, environment, until_it_answers
from tests.finished import CONFIG, finish_run, new_studio
from vecaf.engine.tracked_recorder import TrackedRecorder
from vecaf.store import Event
from vecaf.store.records import RoundResult
from vecaf.store.runs import run_details

__all__ = ["environment"]

pytestmark = pytest.mark.soak
ROOT = Path(__file__).parents[2]


def test_trackio_stores_a_run(tmp_path: Path) -> None:
    done = subprocess.run(
        [PYTHON, Path(__file__).parent / "programs" / "with_trackio.py", tmp_path],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TRACKIO_DIR": str(tmp_path / "trackio")},
    )
    assert done.returncode == 0, done.stderr
    stored = json.loads(done.stdout.splitlines()[-1])
    assert (stored["name"], stored["config"]["strategy"]) == ("run-7", "vecaf")
    rows = {name: (row["step"], row[name]) for row in stored["rows"] for name in row}
    assert rows["training/train_loss"] == (2, 0.5) and rows["test/accuracy"] == (2, 0.75)
    losses = [row["step"] for row in stored["rows"] if "training/train_loss" in row]
    assert losses == [1, 2]  # one run of two attempts
    assert rows["selected/round-1"][1]["_value"][0]["file_name"] == "a.png"
    assert rows["confusion_matrix"][1]["_type"] == "trackio.image"
    assert [one["name"] for one in stored["artifacts"]] == ["run-7-model"]


@contextmanager
def mlflow_server(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        str(PYTHON), "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port),
        "--backend-store-uri", f"sqlite:///{folder / 'server.db'}", "--workers", "1",
        "--artifacts-destination", str(folder / "artifacts"),
    ]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True) as server:
        try:
            until_it_answers(port)
            yield f"http://127.0.0.1:{port}", server
        finally:
            stop(server)


def stop(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is None:
        os.killpg(server.pid, 9)
        server.wait()


def test_a_run_is_on_the_server_of_mlflow_until_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first run records everything. During the second one, the server is killed."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    store = new_studio(tmp_path / "home", count=60)
    with mlflow_server(tmp_path) as (address, server):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        run_id = finish_run(store, replace(CONFIG, trackers="mlflow"))
        client = MlflowClient(address)
        (experiment,) = client.search_experiments(filter_string="name = 'VeCAF Studio'")
        (tracked,) = client.search_runs([experiment.experiment_id])
        with store.read() as session:
            last = run_details(session, store.owner(), run_id).results[-1]
        assert tracked.info.status == "FINISHED"
        assert tracked.data.metrics["test/accuracy"] == pytest.approx(last.test_accuracy)
        files = {one.path for one in client.list_artifacts(tracked.info.run_id, "model")}
        assert "model/model.safetensors" in files

        finish_round = TrackedRecorder.finish_round

        def kill_after(self: TrackedRecorder, result: RoundResult) -> None:
            finish_round(self, result)
            stop(server)

        monkeypatch.setattr(TrackedRecorder, "finish_round", kill_after)
        second = finish_run(store, replace(CONFIG, trackers="mlflow", seed=1))
    with store.read() as session:
        assert run_details(session, store.owner(), second).state == "finished"
        query = sa.select(Event.message).where(Event.run_id == second, Event.level == "warning")
        assert "mlflow could not record everything" in session.scalars(query).all()[0]
    store.close()
