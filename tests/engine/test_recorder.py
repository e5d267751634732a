"""What a run records, and that only its current attempt can write."""

from __future__ import annotations

import math
import time
from types import SimpleNamespace

import numpy as np
import pytest
import sqlalchemy as sa

from tests.databases import both_databases
from tests.recorded import events_of, metrics_of
from vecaf.engine.recorder import DatabaseRecorder
from vecaf.errors import NotFoundError
from vecaf.files import write_bytes
from vecaf.runs.recording import RoundSelection
from vecaf.store import RUNNING, Artifact, Metric, Round, Run, Sample, Store
from vecaf.store import runs as queries
from vecaf.store.jobs import StaleAttemptError, request_cancel, start_attempt
from vecaf.store.records import RoundResult

pytestmark = both_databases


def attempt_at(store: Store, run_id: int) -> DatabaseRecorder:
    with store.write() as session:
        number = start_attempt(session, "run", run_id, "a worker")
    assert number is not None
    return DatabaseRecorder(store, run_id, number, stopping=lambda: False)


def some_picks(store: Store, count: int = 5) -> RoundSelection:
    with store.read() as session:
        ids = session.scalars(sa.select(Sample.id).order_by(Sample.id).limit(count)).all()
    density = np.linspace(0, 1, count, dtype=np.float32)
    density[1] = math.nan
    return RoundSelection(np.array(ids[::-1], dtype=np.int64), {"density": density})


def test_a_selection_is_read_back_as_recorded(store: Store, run_id: int) -> None:
    recorder = attempt_at(store, run_id)
    assert recorder.selection(1) is None
    given = some_picks(store)
    recorder.record_selection(1, given)
    found = recorder.selection(1)
    assert found is not None
    np.testing.assert_array_equal(found.sample_ids, given.sample_ids)
    np.testing.assert_array_equal(found.scores["density"], given.scores["density"])
    assert found.scores["density"].dtype == np.float32
    with store.read() as session:
        shown = queries.selected_in_round(session, store.owner(), run_id, 1, offset=1, limit=2)
        assert [(pick.rank, sample.id) for pick, sample in shown] == [
            (1, given.sample_ids[1]),
            (2, given.sample_ids[2]),
        ]
        assert queries.count_selected_per_round(session, store.owner(), run_id) == {1: 5}


def test_an_image_cannot_be_selected_twice(store: Store, run_id: int) -> None:
    recorder = attempt_at(store, run_id)
    recorder.record_selection(1, some_picks(store))
    with pytest.raises(sa.exc.IntegrityError):
        recorder.record_selection(2, some_picks(store))
    assert recorder.selection(2) is None


def test_finishing_a_round_writes_buffered_metrics(store: Store, run_id: int) -> None:
    recorder = attempt_at(store, run_id)
    recorder.flush()
    recorder.metric(1, 10, {"train_loss": 0.25})
    result = RoundResult(1, 5, 20, 0.75, 0.5, 1.5, [[3, 1], [0, 4]])
    recorder.finish_round(result)
    assert recorder.finished_rounds() == [result]
    with store.read() as session:
        (metric,) = metrics_of(session, run_id)
        assert (metric.name, metric.value) == ("train_loss", 0.25)
        summary = queries.run_summary(session, store.owner(), run_id)
    assert (summary.rounds_done, summary.rounds, summary.test_accuracy) == (1, 2, 0.5)


def test_metrics_of_a_round_are_stored_and_old_rounds_have_their_accuracies(
    store: Store, run_id: int
) -> None:
    recorder = attempt_at(store, run_id)
    measured = {"val": {}, "test": {"accuracy": 0.5, "calibration_error": 0.25}}
    result = RoundResult(1, 5, 20, None, 0.5, 1.5, [[3, 1], [0, 4]], measured)
    recorder.finish_round(result)
    assert recorder.finished_rounds() == [result]
    with store.read() as session:
        assert queries.run_summary(session, store.owner(), run_id).metrics == measured
    with store.write() as session:
        session.execute(sa.update(Round).values(metrics={}))  # stored by an earlier version
    (old,) = recorder.finished_rounds()
    assert old.metrics == {"val": {}, "test": {"accuracy": 0.5}}
    with store.read() as session:
        (listed,) = queries.list_runs(session, store.owner())
        assert listed.metrics == old.metrics
        (curve,) = queries.learning_curves(session, store.owner(), [run_id])[run_id]
        assert curve.metrics == old.metrics


def test_reopened_rounds_lose_their_results_and_keep_their_selections(
    store: Store, run_id: int
) -> None:
    recorder = attempt_at(store, run_id)
    recorder.record_selection(2, some_picks(store))
    for number in (1, 2):
        recorder.metric(number, 10 * number, {"train_loss": 0.25})
        recorder.finish_round(RoundResult(number, 5, 20, 0.75, 0.5, 1.5, [[1]]))
    recorder.reopen(1)
    assert [result.number for result in recorder.finished_rounds()] == [1]
    assert recorder.selection(2) is not None
    with store.read() as session:
        (metric,) = metrics_of(session, run_id)
    assert metric.round == 1


def test_metrics_are_committed_at_most_twice_a_second(
    store: Store, run_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = attempt_at(store, run_id)
    commits = 0

    def count(_connection: sa.Connection) -> None:
        nonlocal commits
        commits += 1

    recorder.flush()
    sa.event.listen(store.engine, "commit", count)
    moment, steps = time.monotonic(), 240
    clock = SimpleNamespace(monotonic=lambda: moment)
    monkeypatch.setattr("vecaf.engine.recorder.time", clock)
    for step in range(1, steps + 1):
        recorder.metric(1, step, {"train_loss": 1 / step})
        recorder.stage("training", step, 1000)
        moment += 0.005
    recorder.flush()
    assert commits <= 2 * 0.005 * steps + 3  # and the stage's first appearance and the last flush
    with store.read() as session:
        points = metrics_of(session, run_id)
    assert [point.step for point in points] == list(range(1, steps + 1))


def test_rewound_metrics_are_written_again_under_new_ids(store: Store, run_id: int) -> None:
    recorder = attempt_at(store, run_id)
    for number, step in [(1, 1), (1, 2), (2, 3), (2, 4)]:
        recorder.metric(number, step, {"train_loss": step})
    recorder.flush()
    with store.read() as session:
        seen = metrics_of(session, run_id)[-1].id
    recorder.metric(2, 5, {"train_loss": 5})  # still held back
    recorder.rewind(1, 1)
    with store.read() as session:
        left = metrics_of(session, run_id)
    assert [(point.round, point.step) for point in left] == [(1, 1)]
    recorder.metric(1, 2, {"train_loss": 20})
    recorder.flush()
    with store.read() as session:
        new = [one for one in metrics_of(session, run_id) if one.id > seen]
    assert [(point.step, point.value) for point in new] == [(2, 20.0)]


def test_the_same_point_twice_keeps_the_last(store: Store, run_id: int) -> None:
    recorder = attempt_at(store, run_id)
    for value in (1.0, 2.0):
        recorder.metric(1, 1, {"train_loss": value})
        recorder.flush()
    with store.read() as session:
        assert session.scalars(sa.select(Metric.value)).all() == [2.0]


def test_a_non_finite_loss_is_logged_once(store: Store, run_id: int) -> None:
    recorder = attempt_at(store, run_id)
    for step in (1, 2):
        recorder.metric(1, step, {"train_loss": math.nan, "lr": 0.1})
    recorder.flush()
    with store.read() as session:
        names = {m.name for m in metrics_of(session, run_id)}
        log = [e.message for e in events_of(session, run_id)]
    assert names == {"lr"}
    assert sum("train_loss is nan" in line for line in log) == 1


def test_a_stale_attempt_cannot_write(store: Store, run_id: int) -> None:
    stale = attempt_at(store, run_id)
    stale.stage("training")
    stale.metric(1, 1, {"train_loss": 1.0})  # held back: the stage was written just now
    fresh = attempt_at(store, run_id)
    path = store.settings.home / "model.safetensors"
    path.write_bytes(b"model")
    for write in (
        stale.flush,
        lambda: stale.log("I am still here"),
        lambda: stale.rewind(1, 0),
        lambda: stale.stage("evaluating"),
        lambda: stale.record_selection(1, some_picks(store)),
        lambda: stale.finish_round(RoundResult(1, 1, 1, 1, 1, 1, [[1]])),
        lambda: stale.artifact("model", path),
        lambda: write_bytes(path, b"stale", publishing=stale.publishing),
    ):
        with pytest.raises(StaleAttemptError):
            write()
    assert path.read_bytes() == b"model"
    write_bytes(path, b"fresh", publishing=fresh.publishing)
    assert path.read_bytes() == b"fresh"
    assert stale.should_stop()
    assert not fresh.should_stop()
    with store.read() as session:
        user = store.owner()
        assert metrics_of(session, run_id) == []
        assert queries.rounds_of(session, user, run_id) == []
        assert session.scalars(sa.select(Artifact)).all() == []
        assert "I am still here" not in [event.message for event in events_of(session, run_id)]


def test_a_cancel_without_a_worker_makes_the_attempt_stale(store: Store, run_id: int) -> None:
    recorder = attempt_at(store, run_id)
    with store.write() as session:
        run = session.get_one(Run, run_id)
        assert run.state == RUNNING
        request_cancel(session, run)
    with pytest.raises(StaleAttemptError):
        recorder.log("late")


def test_an_artifact_is_recorded_by_its_content(store: Store, run_id: int) -> None:
    recorder = attempt_at(store, run_id)
    path = store.settings.runs / str(run_id) / "model.safetensors"
    path.parent.mkdir(parents=True)
    for content in (b"one", b"two two"):
        path.write_bytes(content)
        recorder.artifact("model", path)
    with store.read() as session:
        (artifact,) = session.scalars(sa.select(Artifact)).all()
    assert artifact.path == f"runs/{run_id}/model.safetensors"
    assert artifact.bytes == 7


def test_a_strangers_run_does_not_exist(store: Store, run_id: int) -> None:
    stranger = store.owner() + 1
    with store.read() as session:
        assert queries.list_runs(session, stranger) == []
        for query in (
            queries.run_summary,
            queries.rounds_of,
            queries.count_selected_per_round,
        ):
            with pytest.raises(NotFoundError):
                query(session, stranger, run_id)
        with pytest.raises(NotFoundError):
            queries.selected_in_round(session, stranger, run_id, 1)
