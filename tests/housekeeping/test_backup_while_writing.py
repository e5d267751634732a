"""Backups while runs, imports and edits write are complete."""

from __future__ import annotations

import hashlib
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.engine.stand_in.sitecustomize import work
from tests.finished import CONFIG, finish_run, new_studio
from tests.housekeeping.test_backup import check_whole, opened
from tests.shapes import write_shapes
from vecaf.datasets import import_dataset
from vecaf.datasets.deletion import delete_dataset
from vecaf.datasets.edits import edit
from vecaf.engine.child import do_run
from vecaf.errors import UnavailableError
from vecaf.housekeeping.backup import restore, write_backup
from vecaf.store import (
    FINISHED,
    RUNNING,
    Dataset,
    Edit,
    Metric,
    Run,
    Sample,
    SelectedSample,
    Store,
)  # fmt: skip


def outcome(store: Store, run_id: int) -> list[object]:
    """Return a run's state, selected images, curves and model."""
    picks = sa.select(SelectedSample.round, SelectedSample.rank, SelectedSample.sample_id)
    curves = sa.select(Metric.round, Metric.step, Metric.name, Metric.value)
    last = Metric.name != "train_loss"  # within an epoch, losses are reported at intervals of time
    with store.read() as session:
        rows = [
            sorted(tuple(row) for row in session.execute(query.where(table.run_id == run_id)))
            for query, table in ((picks, SelectedSample), (curves.where(last), Metric))
        ]
        state = session.get_one(Run, run_id).state
    folder = store.settings.runs / str(run_id)
    models = [hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("model/*.s*")]
    return [state, *rows, models]


@pytest.mark.soak
@pytest.mark.parametrize("real", [False, True])
def test_backups_while_a_run_and_imports_write(
    tmp_path: Path, real: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in writes what a run writes, without training; --soak uses a real run."""
    if not real:
        monkeypatch.setenv("VECAF_STAND_IN", "work")
        monkeypatch.setattr("vecaf.runs.rounds.run_rounds", lambda *given: work(*given[:4]))
    store = new_studio(tmp_path / "home", count=30)
    write_shapes(tmp_path / "more", 9, seed=5)
    config = replace(CONFIG, budget="5")
    finished: list[int] = []
    run = threading.Thread(target=lambda: finished.append(finish_run(store, config)))

    def keep_importing() -> None:
        number = 0
        while run.is_alive():
            import_dataset(store, tmp_path / "more", f"more {number}")
            number += 1
            time.sleep(0.2)

    run.start()
    imports = threading.Thread(target=keep_importing)
    imports.start()
    made: list[Path] = []
    while run.is_alive():
        made.append(tmp_path / f"{len(made)}.tar")
        assert write_backup(store, made[-1]).missing == 0
        time.sleep(0.3)
    run.join()
    imports.join()
    expected = outcome(store, finished[0])
    assert expected[0] == FINISHED

    unfinished = 0
    for number, archive in enumerate(made):
        restore(archive, tmp_path / f"restored {number}")
        with closing(opened(tmp_path / f"restored {number}")) as again:
            check_whole(again)
            with again.write() as session:
                row = session.scalar(sa.select(Run))
                if row is None or row.state == FINISHED or unfinished == 3:
                    continue
                row.state, row.attempt = RUNNING, row.attempt + 1  # as the next worker would
                attempt = row.attempt
            unfinished += 1
            do_run(again, finished[0], attempt, lambda: False)
            assert outcome(again, finished[0]) == expected
    assert unfinished, "no backup met the run under way"


def test_backups_during_edits_contain_complete_edits(tmp_path: Path) -> None:
    store = new_studio(tmp_path / "home", count=30)
    with store.read() as session:
        ids = session.scalars(sa.select(Sample.id)).all()
        dataset_id = session.scalars(sa.select(Dataset.id)).one()
    edited, done = threading.Event(), threading.Event()

    def keep_editing() -> None:
        number = 0
        while not done.is_set():
            number += 1
            with store.write() as session:
                captions = dict.fromkeys(ids, f"edit {number}")
                edit(session, store.owner(), dataset_id, "caption", captions)
            edited.set()

    edits = threading.Thread(target=keep_editing)
    edits.start()
    archives = [tmp_path / f"{number}.tar" for number in range(3)]
    try:
        for archive in archives:
            edited.clear()
            assert edited.wait(60)
            write_backup(store, archive)
    finally:
        done.set()
        edits.join()
    for archive in archives:
        restore(archive, tmp_path / archive.stem)
        with closing(opened(tmp_path / archive.stem)) as again:
            check_whole(again)
            with again.read() as session:
                made = session.scalar(sa.select(sa.func.count()).select_from(Edit))
                captions = set(session.scalars(sa.select(Sample.caption)))
            assert captions == {f"edit {made}"}


def test_nothing_is_deleted_while_a_backup_reads(tmp_path: Path) -> None:
    store = new_studio(tmp_path / "home", count=6)

    def delete(stage: str, done: int, total: int) -> None:
        with pytest.raises(UnavailableError, match="backup is being made"):
            delete_dataset(store, store.owner(), 1)

    assert write_backup(store, tmp_path / "b.tar", progress=delete).missing == 0
    check_whole(store)
    assert delete_dataset(store, store.owner(), 1).images == 6
