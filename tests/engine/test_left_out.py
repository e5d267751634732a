"""A run continues without images whose files are missing or damaged, and lists them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from tests.finished import CONFIG, finish_run, new_studio
from vecaf.datasets.pool import image_path
from vecaf.encoders.preprocessing import decode
from vecaf.engine.child import error_message
from vecaf.engine.paths import folder_of
from vecaf.engine.recorder import DatabaseRecorder
from vecaf.errors import InputError, UnreadableImageError
from vecaf.evaluation.predictions import load_predictions
from vecaf.store import FINISHED, TEST, TRAIN, Event, Round, Run, Sample, SelectedSample, Store
from vecaf.store.records import RoundResult

FULL = replace(CONFIG, mode="full", epochs=1, image_size=32)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = new_studio(tmp_path / "home", count=45)
    yield store
    store.close()


def images_of(store: Store, split: str) -> list[Sample]:
    query = sa.select(Sample).where(Sample.split == split).order_by(Sample.id)
    with store.read() as session:
        return list(session.scalars(query))


def path_of(store: Store, sample: Sample) -> Path:
    return image_path(store.settings.images, sample.sha256, sample.extension)


def warnings_of(store: Store, run_id: int) -> list[str]:
    query = sa.select(Event.message).where(Event.run_id == run_id, Event.level == "warning")
    with store.read() as session:
        assert session.get_one(Run, run_id).state == FINISHED
        return list(session.scalars(query.order_by(Event.id)))


def test_unreadable_images_are_left_out_from_the_beginning(store: Store) -> None:
    test, train = images_of(store, TEST), images_of(store, TRAIN)
    lost = [train[0], test[0]]
    for one in lost:
        path_of(store, one).unlink()
    cut = path_of(store, train[1])
    cut.write_bytes(cut.read_bytes()[:-200])
    run_id = finish_run(store)
    first, second = warnings_of(store, run_id)
    names = sorted(lost, key=lambda one: one.id)
    assert first.startswith("2 images are missing or damaged, so they were left out: ")
    assert all(one.file_name in first for one in names)
    assert second.startswith("3 images are missing or damaged, so they were left out: ")
    assert train[1].file_name in second
    with store.read() as session:
        selected = set(session.scalars(sa.select(SelectedSample.sample_id)))
        last = session.scalars(sa.select(Round).order_by(Round.number.desc())).first()
    gone = {one.id for one in (*lost, train[1])}
    assert len(selected) == 12
    assert not selected & gone
    assert last is not None
    assert int(np.sum(last.confusion["test"])) == len(test) - 1
    said = load_predictions(folder_of(store.settings, "run", run_id), 2)
    assert said is not None
    assert len(said.ids) == 45 - 3
    assert not gone & set(said.ids.tolist())


@pytest.mark.soak
def test_an_image_lost_between_rounds_does_not_fail_a_run(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was selected already: the next round trains without it."""
    finish = DatabaseRecorder.finish_round
    lost: list[Sample] = []

    def finish_and_lose(recorder: DatabaseRecorder, result: RoundResult) -> None:
        finish(recorder, result)
        if not lost:
            picks = recorder.selection(1)
            assert picks is not None
            with store.read() as session:
                lost.append(session.get_one(Sample, int(picks.sample_ids[0])))
            path_of(store, lost[0]).unlink()

    monkeypatch.setattr(DatabaseRecorder, "finish_round", finish_and_lose)
    run_id = finish_run(store, FULL)
    (warning,) = warnings_of(store, run_id)
    assert warning.startswith(
        f"1 image is missing or damaged, so it was left out: {lost[0].file_name}. "
    )
    with store.read() as session:
        labeled = list(session.scalars(sa.select(Round.labeled).order_by(Round.number)))
    assert labeled == [6, 11]


@pytest.mark.soak  # two processes that import PyTorch
def test_damaged_images_are_left_out_by_all_processes_of_a_run(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each process reads a part of a batch, so that only one of them finds a damaged image."""
    config = replace(FULL, rounds=1)
    finish_run(store, config)  # embeds all images, so that later only training reads them
    query = sa.select(Sample).join(SelectedSample, SelectedSample.sample_id == Sample.id)
    with store.read() as session:
        picks = session.scalars(query.order_by(SelectedSample.rank)).all()
    for one in picks[:2]:
        file = path_of(store, one)
        file.write_bytes(file.read_bytes()[:-200])
    settings = replace(store.settings, processes=2)
    for name, value in settings.as_environment().items():
        monkeypatch.setenv(name, value)
    together = Store.open(settings)
    run_id = finish_run(together, config)
    together.close()
    *_, warning = warnings_of(store, run_id)
    assert warning.startswith("2 images are missing or damaged, so they were left out: ")
    assert all(one.file_name in warning for one in picks[:2])
    with store.read() as session:
        labeled = session.scalars(sa.select(Round.labeled).where(Round.run_id == run_id)).all()
    assert labeled == [4]  # of six selected images


def test_a_run_without_any_image_says_so(store: Store) -> None:
    shutil.rmtree(store.settings.images)
    with pytest.raises(InputError, match="image files of this dataset are missing"):
        finish_run(store)


def test_errors_name_files_without_the_folders_around_them(store: Store) -> None:
    path = path_of(store, images_of(store, TRAIN)[0])
    path.write_bytes(b"no image")
    with pytest.raises(UnreadableImageError) as broken:
        decode(path)
    path.unlink()
    with pytest.raises(UnreadableImageError) as missing:
        decode(path)
    for error in (broken.value, missing.value):
        assert path.name in str(error)
        assert "/" not in str(error)
    other = UnreadableImageError(f"{store.settings.runs}/1/x can't be read.", path)
    assert error_message(other, store.settings, "run", 1) == "runs/1/x can't be read."
