"""A run that is canceled or stopped in any stage ends soon and writes nothing more."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.engine.harness import (
    group_members,
    is_alive,
    log_lines,
    run_row,
    wait_for,
    wait_until_ended,
    worker,
    write_images,
)
from vecaf.config import RunConfig
from vecaf.datasets import import_dataset
from vecaf.engine.queue import cancel_run, submit_run
from vecaf.store import CANCELED, FINISHED, QUEUED, Event, Metric, Run, SelectedSample, Store

pytestmark = pytest.mark.soak  # every child loads the models; ./test uses stand-ins

CONFIG = RunConfig(dataset="pictures", budget="6", rounds=2, epochs=8, batch_size=4)


@pytest.fixture
def pictures(store: Store, tmp_path: Path) -> Store:
    import_dataset(store, write_images(tmp_path / "pictures", each=64), "pictures")
    return store


def traces(store: Store, run_id: int) -> tuple[object, ...]:
    """Return everything that a run could still write: rows, files, and when they changed."""
    with store.read() as session:
        rows = [session.scalar(sa.select(sa.func.count()).where(table.run_id == run_id))
                for table in (Metric, Event, SelectedSample)]  # fmt: skip
        row = session.get_one(Run, run_id)
    folders = (store.settings.runs / str(run_id), store.settings.embeddings)
    files = {path: path.stat().st_mtime_ns for folder in folders for path in folder.rglob("*")}
    return (*rows, row.state, row.stage, row.attempt, files)


@pytest.mark.parametrize("stage", ["Computing embeddings", "selecting images", "finetuning on"])
def test_a_run_canceled_in_a_stage_ends_and_leaves_its_files_alone(
    pictures: Store, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VECAF_STAND_IN_SELECTS", "60" if "selecting" in stage else "0")
    with worker(pictures.settings, stand_in="slow") as process:
        run_id = submit_run(pictures, CONFIG, pictures.owner())
        wait_for(lambda: stage in run_row(pictures, run_id).stage, 240, f"no {stage}")
        (child,) = process.children()
        group = os.getpgid(child)
        cancel_run(pictures, run_id, pictures.owner())
        assert wait_until_ended(pictures, run_id, 60).state == CANCELED
        wait_for(lambda: not group_members(group), 60, "a process of the run lives on")
        before = traces(pictures, run_id)
    assert traces(pictures, run_id) == before


def test_a_run_stopped_during_training_leaves_a_checkpoint_and_resumes(
    pictures: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VECAF_STAND_IN_SELECTS", "0")
    folder = pictures.settings.runs / "1"
    with worker(pictures.settings, stand_in="slow") as process:
        run_id = submit_run(pictures, CONFIG, pictures.owner())
        wait_for(lambda: "finetuning on" in run_row(pictures, run_id).stage, 240, "no training")
        wait_for(lambda: run_row(pictures, run_id).done > 0, 60, "no step")
        children = process.children()
        process.send(signal.SIGTERM)
        assert process.wait(60) == 0
    assert not any(map(is_alive, children))
    assert run_row(pictures, run_id).state == QUEUED
    assert list(folder.glob("round-1/*-checkpoint.safetensors"))
    with worker(pictures.settings):
        assert wait_until_ended(pictures, run_id, 240).state == FINISHED
    assert any(line.startswith("Paused") for line in log_lines(pictures, run_id))
    assert not list(folder.glob("round-*/*-checkpoint.safetensors"))
