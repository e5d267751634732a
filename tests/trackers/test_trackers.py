"""What the trackers record, read back with their own libraries, and their outages."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from mlflow import MlflowClient
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.finished import CONFIG, finish_run, new_studio
from vecaf.errors import InputError
from vecaf.evaluation.confusion_picture import save_confusion
from vecaf.store import Event, Metric, Store
from vecaf.store.runs import run_details
from vecaf.trackers import TRACKERS, TrackedRun, check_trackers, tracker
from vecaf.trackers.sending import Sender
from vecaf.trackers.tensorboard import FOLDER


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = new_studio(tmp_path_factory.mktemp("home"), count=60)
    yield store
    store.close()


def events(folder: Path) -> EventAccumulator:
    found = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0, "tensors": 0})
    return found.Reload()


def test_a_run_is_in_tensorboard_and_mlflow(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    run_id = finish_run(store, replace(CONFIG, trackers="tensorboard, mlflow"))
    with store.read() as session:
        run = run_details(session, store.owner(), run_id)
        query = sa.select(Metric.step, Metric.value).where(
            Metric.run_id == run_id, Metric.name == "train_loss"
        )
        losses = {row.step: row.value for row in session.execute(query)}
        assert not session.scalars(sa.select(Event).where(Event.level == "warning")).all()
    assert losses and run.state == "finished"
    last = run.results[-1]

    found = events(store.settings.runs / str(run_id) / FOLDER)
    assert {
        one.step: pytest.approx(one.value) for one in found.Scalars("training/train_loss")
    } == losses
    accuracy = {one.step: one.value for one in found.Scalars("test/accuracy")}
    assert accuracy == pytest.approx({one.batches: one.test_accuracy for one in run.results})
    assert len(found.Images("confusion_matrix")) == 2
    texts = {tag: found.Tensors(tag)[0].tensor_proto.string_val[0].decode()
             for tag in found.Tags()["tensors"]}  # fmt: skip
    assert "| strategy | vecaf |" in texts["settings/text_summary"]
    assert ".png | " in texts["selected/round-2/text_summary"]
    assert "model.safetensors" in texts["model/text_summary"]

    client = MlflowClient(f"sqlite:///{store.settings.home / 'mlflow.db'}")
    (experiment,) = client.search_experiments(filter_string="name = 'VeCAF Studio'")
    (tracked,) = client.search_runs([experiment.experiment_id])
    assert (tracked.info.status, tracked.data.tags["vecaf.run"]) == ("FINISHED", str(run_id))
    assert tracked.data.params["strategy"] == "vecaf"
    assert tracked.data.metrics["test/accuracy"] == pytest.approx(last.test_accuracy)
    history = client.get_metric_history(tracked.info.run_id, "training/train_loss")
    assert {one.step: one.value for one in history} == losses
    path = client.download_artifacts(tracked.info.run_id, "selected/round-1.json", str(tmp_path))
    table = json.loads(Path(path).read_text())  # a data frame, split into columns and rows
    assert len(table["data"]) == 6
    assert {"image", "file_name", "label"} <= set(table["columns"])
    files = {one.path for one in client.list_artifacts(tracked.info.run_id, "model")}
    assert "model/model.safetensors" in files
    pictures = client.list_artifacts(tracked.info.run_id, "confusion_matrix")
    assert len(pictures) == 2


def test_a_run_finishes_without_its_tracker(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://anna:secret@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    run_id = finish_run(store, replace(CONFIG, rounds=1, epochs=1, trackers="mlflow"))
    with store.read() as session:
        assert run_details(session, store.owner(), run_id).state == "finished"
        query = sa.select(Event.message).where(Event.run_id == run_id, Event.level == "warning")
        messages = session.scalars(query).all()
    assert len(messages) == 2 and "secret" not in " ".join(messages)
    assert "mlflow could not record everything" in messages[0]
    assert "stops reporting" in messages[1]


class Listed:
    """Lists what it receives. `metrics` fails as often as `failures` says, or blocks."""

    def __init__(self, failures: int = 0, block: threading.Event | None = None) -> None:
        self.failures, self.block = failures, block
        self.steps: list[int] = []
        self.ended: list[bool] = []

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        if self.block is not None:
            self.block.wait(60)
        if self.failures:
            self.failures -= 1
            raise ConnectionError("no network")
        self.steps.append(step)

    def rewind(self, step: int) -> None: ...
    def table(self, name: str, step: int, columns: Mapping[str, Sequence[Any]]) -> None: ...
    def picture(self, name: str, step: int, path: Path) -> None: ...
    def model(self, folder: Path) -> None: ...
    def end(self, finished: bool) -> None:
        self.ended.append(finished)


def test_a_short_outage_costs_only_its_records() -> None:
    tracked = Listed(failures=2)
    sender = Sender("listed", lambda: tracked)
    for step in range(5):
        sender.send("metrics", step, {"loss": 1.0})
    sender.send("end", True)
    assert sender.close() == ["listed could not record everything (no network). The run continues."]
    assert (tracked.steps, tracked.ended) == ([2, 3, 4], [True])


def test_a_tracker_that_hangs_delays_nothing() -> None:
    released = threading.Event()
    tracked = Listed(block=released)
    sender = Sender("listed", lambda: tracked)
    for step in range(100):
        sender.send("metrics", step, {"loss": 1.0})
    assert "did not answer in time" in sender.close(seconds=0.0)[0]
    released.set()


def test_tensorboard_forgets_what_an_attempt_repeats(tmp_path: Path) -> None:
    run = TrackedRun(1, "run", tmp_path, tmp_path, {"dataset": "pets"})
    first = TRACKERS["tensorboard"](run)
    for step in range(6):
        first.metrics(step, {"loss": 1.0})
    first.end(False)
    second = TRACKERS["tensorboard"](run)
    second.rewind(3)
    second.metrics(4, {"loss": 2.0})
    second.end(True)
    losses = [(one.step, one.value) for one in events(tmp_path / FOLDER).Scalars("loss")]
    assert losses == [(0, 1.0), (1, 1.0), (2, 1.0), (3, 1.0), (4, 2.0)]


def test_a_resumed_run_is_one_run_in_mlflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"sqlite:///{tmp_path / 'tracked.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    run = TrackedRun(1, "run", tmp_path, tmp_path, {"dataset": "pets"})
    for step in (1, 2):
        attempt = TRACKERS["mlflow"](run)
        attempt.metrics(step, {"loss": float(step)})
        attempt.end(step == 2)
    client = MlflowClient(uri)
    experiments = [one.experiment_id for one in client.search_experiments()]
    (tracked,) = client.search_runs(experiments)
    history = client.get_metric_history(tracked.info.run_id, "loss")
    assert ([one.step for one in history], tracked.info.status) == ([1, 2], "FINISHED")


def test_unusable_trackers_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    check_trackers("")
    with pytest.raises(InputError, match="did you mean tensorboard"):
        check_trackers("tensorbord")
    monkeypatch.setattr(tracker, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install '\.\[mlflow\]'"):
        check_trackers("mlflow")


@pytest.mark.parametrize("count", [3, 60])
def test_the_confusion_matrix_is_a_picture(tmp_path: Path, count: int) -> None:
    counts = np.eye(count, dtype=int) * 5
    counts[0, 1] = 15
    save_confusion(tmp_path / "c.png", counts.tolist(), [f"class {i}" for i in range(count)])
    with Image.open(tmp_path / "c.png") as picture:
        pixels = np.asarray(picture.convert("L"), dtype=int)
    side = 28 if count == 3 else 16
    margin = pixels.shape[0] - side * count
    corner = pixels[margin + 2 :, margin + 2 :][: side * 2 : side, : side * 3 : side]
    assert corner[0, 1] < corner[0, 0] < corner[0, 2]  # 75%, 25%, 0%
    assert corner[1, 1] < corner[0, 1]
