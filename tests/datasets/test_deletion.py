"""Deletion removes everything of a dataset, nothing of other datasets, and survives crashes."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.datasets.conftest import samples, stored_files
from tests.datasets.pictures import jpeg, make_zip, photos
from vecaf.config import RunConfig
from vecaf.datasets import deletion, import_dataset
from vecaf.datasets.deletion import delete_dataset, finish_deletions, preview_deletion
from vecaf.datasets.edits import edit
from vecaf.errors import InputError, NotFoundError
from vecaf.files import write_bytes
from vecaf.store import (
    FINISHED,
    QUEUED,
    RUNNING,
    Annotation,
    Dataset,
    Edit,
    Import,
    Run,
    Sample,
    SelectedSample,
    Store,
    Subset,
    Task,
    User,
)
from vecaf.store.models import Base
from vecaf.store.subsets import add_subset


@pytest.fixture
def two(store: Store, tmp_path: Path) -> tuple[int, int]:
    """Two datasets that share three images; the first has a run, a task, a subset and an edit."""
    shared = photos("cat", each=3)
    broken = {"cat/cut.jpg": jpeg(50, 300)[:-900]}
    first = import_dataset(
        store,
        make_zip(tmp_path / "a.zip", shared | broken | {"dog/big.jpg": jpeg(60, 300)}),
        "first",
    )
    second = import_dataset(
        store, make_zip(tmp_path / "b.zip", shared | photos("emu", start=20)), "second"
    )
    user, dataset_id = store.owner(), first.dataset_id
    ids = [one.id for one in samples(store, "first")]
    with store.write() as session:
        run = Run(owner_id=user, dataset_id=dataset_id, name="r", seed=0, state=FINISHED,
                  config=RunConfig(dataset="first").as_dict())  # fmt: skip
        task = Task(owner_id=user, dataset_id=dataset_id, kind="map", params={}, state=FINISHED)
        session.add_all([run, task])
        session.flush()
        session.add(SelectedSample(run_id=run.id, round=1, rank=0, sample_id=ids[0], scores={}))
        add_subset(session, user, dataset_id, "mine", "subset", ids[:2])
        edit(session, user, dataset_id, "caption", {ids[0]: "words"})
        for folder in (store.settings.runs / str(run.id), store.settings.tasks / str(task.id)):
            folder.mkdir(parents=True)
            (folder / "file.bin").write_bytes(bytes(1000))
    return dataset_id, second.dataset_id


def files(store: Store) -> set[str]:
    return {Path(name).name for name in stored_files(store)}


def rows_left(store: Store, dataset_id: int) -> int:
    """Count the rows of all tables that could belong to the dataset."""
    with store.read() as session:
        return sum(
            session.scalar(sa.select(sa.func.count()).where(kind.dataset_id == dataset_id)) or 0
            for kind in (Sample, Edit, Run, Task, Subset)
        ) + sum(
            session.scalar(sa.select(sa.func.count()).select_from(kind)) or 0
            for kind in (Annotation, SelectedSample)
        )


def test_everything_is_deleted_except_shared_files(store: Store, two: tuple[int, int]) -> None:
    user, (first, second) = store.owner(), two
    before = files(store)
    told = preview_deletion(store, user, first)
    assert (told.images, told.shared, told.runs, told.subsets) == (4, 3, 1, 1)
    assert told.bytes > 2000
    assert "3 of the images are also in another dataset" in told.sentence()
    assert delete_dataset(store, user, first) == told
    assert rows_left(store, first) == 0
    kept = {f"{one.sha256}{one.extension}" for one in samples(store, "second")}
    assert files(store) == kept
    assert len(before - kept) == 2  # an image and a refused file's thumbnail
    assert not list(store.settings.runs.iterdir())
    assert not list(store.settings.tasks.iterdir())
    delete_dataset(store, user, second)
    assert files(store) == set()
    with store.read() as session:
        for table in Base.metadata.sorted_tables:
            if table.name not in ("user", "home", "alembic_version"):
                assert session.scalar(sa.select(sa.func.count()).select_from(table)) == 0, table


def test_others_can_write_while_files_are_counted(
    store: Store, two: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    free = []

    def size(path: Path) -> int:
        free.append(store.try_write(sa.update(Dataset).values(revision=Dataset.revision)))
        return 1

    monkeypatch.setattr(deletion, "size_of", size)
    assert delete_dataset(store, store.owner(), two[0]).bytes == len(free) > 0
    assert all(free)


def test_a_dataset_with_unfinished_jobs_is_not_deleted(store: Store, two: tuple[int, int]) -> None:
    user, (first, _) = store.owner(), two
    before = files(store)
    for state in (QUEUED, RUNNING):
        for kind in (Run, Task):
            with store.write() as session:
                session.execute(sa.update(kind).values(state=state))
            with pytest.raises(InputError, match=f"{kind.__tablename__} 1 .* cancel it first"):
                delete_dataset(store, user, first)
            with store.write() as session:
                session.execute(sa.update(kind).values(state=FINISHED))
    with store.write() as session:
        session.add(Import(owner_id=user, name="first", source="x", state=RUNNING))
    with pytest.raises(InputError, match="import 1"):
        delete_dataset(store, user, first)
    assert files(store) == before
    assert rows_left(store, first) > 0


def test_another_user_can_not_delete_it(store: Store, two: tuple[int, int]) -> None:
    with store.write() as session:
        session.add(User(id=77, name="stranger"))
    with pytest.raises(NotFoundError):
        delete_dataset(store, 77, two[0])
    with pytest.raises(NotFoundError):
        preview_deletion(store, 77, two[0])


class Killed(BaseException):
    pass


def killed(*_: object) -> None:
    raise Killed


def test_the_next_start_finishes_a_deletion_killed_after_the_commit(
    store: Store, two: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    user, (first, _) = store.owner(), two
    before = files(store)
    monkeypatch.setattr(deletion, "_delete_files", killed)
    with pytest.raises(Killed):
        delete_dataset(store, user, first)
    monkeypatch.undo()
    assert rows_left(store, first) == 0
    assert files(store) == before
    samples(store, "second")  # checks that its files exist
    finish_deletions(store)
    assert files(store) == {f"{one.sha256}{one.extension}" for one in samples(store, "second")}
    assert not list((store.settings.home / "removing").iterdir())
    finish_deletions(store)


def test_a_deletion_killed_before_the_commit_deletes_nothing(
    store: Store, two: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    user, (first, _) = store.owner(), two
    before = files(store)

    def write_and_die(path: Path, content: bytes) -> None:
        write_bytes(path, content)
        raise Killed

    monkeypatch.setattr(deletion, "write_bytes", write_and_die)
    with pytest.raises(Killed):
        delete_dataset(store, user, first)
    monkeypatch.undo()
    finish_deletions(store)
    assert files(store) == before
    assert not list((store.settings.home / "removing").iterdir())
    with store.read() as session:
        assert session.get(Dataset, first) is not None


def test_an_image_that_was_imported_again_is_kept(
    store: Store, two: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletion, "_delete_files", killed)
    with pytest.raises(Killed):
        delete_dataset(store, store.owner(), two[0])
    monkeypatch.undo()
    import_dataset(store, tmp_path / "a.zip", "again")
    finish_deletions(store)
    assert len(samples(store, "again")) == 4


def test_files_are_deleted_even_if_counting_them_fails(
    store: Store, two: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(deletion, "_summary", stopped)
    with pytest.raises(KeyboardInterrupt):
        delete_dataset(store, store.owner(), two[0])
    assert files(store) == {f"{one.sha256}{one.extension}" for one in samples(store, "second")}
