"""Imports that are refused, canceled, or crash leave nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.datasets.conftest import samples, stored_files
from tests.datasets.pictures import make_zip, photos
from tests.datasets.test_bad_archives import NothingImported, refused
from vecaf.datasets import import_dataset
from vecaf.errors import CanceledError, InputError, UnavailableError
from vecaf.store import Store


@pytest.mark.parametrize("name", ["", "  ", "../x", "a/b", "-x", "12", "<b>", "a" * 101])
def test_bad_names(
    store: Store, tmp_path: Path, nothing_imported: NothingImported, name: str
) -> None:
    refused(store, make_zip(tmp_path / "a.zip", photos("a")), "is not a valid dataset name", name)
    nothing_imported()


def test_a_taken_name(store: Store, tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", photos("cat", "dog"))
    import_dataset(store, path, "pets")
    before = stored_files(store)
    refused(store, path, "You already have a dataset called 'pets'", "pets")
    assert stored_files(store) == before


def test_a_name_taken_during_an_import_does_not_affect_the_other_dataset(
    store: Store, tmp_path: Path
) -> None:
    path = make_zip(tmp_path / "a.zip", photos("cat", "dog"))
    more = make_zip(tmp_path / "b.zip", photos("cat", "dog", "emu"))

    def overtake(stage: str, done: int, total: int) -> None:
        if stage == "Saving":
            import_dataset(store, path, "pets")

    with pytest.raises(InputError, match="already"):
        import_dataset(store, more, "pets", progress=overtake)
    assert len(samples(store, "pets")) == 6  # checks that their files exist
    assert len(stored_files(store)) == 6


def test_cancel_leaves_nothing(
    store: Store, tmp_path: Path, nothing_imported: NothingImported
) -> None:
    path = make_zip(tmp_path / "a.zip", photos(*"abcdefgh", each=100))
    with pytest.raises(CanceledError, match="Nothing was imported"):
        import_dataset(store, path, "a", should_stop=lambda: True)
    nothing_imported()


def test_a_crash_leaves_nothing(
    store: Store, tmp_path: Path, nothing_imported: NothingImported, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise sa.exc.OperationalError("INSERT", {}, Exception("database or disk is full"))

    monkeypatch.setattr("vecaf.datasets.importing.add_dataset", fail)
    with pytest.raises(UnavailableError, match="is full"):
        import_dataset(store, make_zip(tmp_path / "a.zip", photos("cat", "dog")), "a")
    nothing_imported()


def test_the_next_import_deletes_the_files_of_a_killed_one(store: Store, tmp_path: Path) -> None:
    dead = store.settings.images / ".staging-dead"
    (dead / "images").mkdir(parents=True)
    (dead / "images" / "x.jpg").write_bytes(b"x")
    (dead / "lock").touch()
    import_dataset(store, make_zip(tmp_path / "a.zip", photos("cat", "dog")), "a")
    assert not dead.exists()
