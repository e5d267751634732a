"""Removed files stay in the trash for some days."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.housekeeping import test_garbage
from tests.housekeeping.test_garbage import aged, everything, orphans, write
from vecaf.errors import InputError, VecafError
from vecaf.housekeeping.garbage import find_garbage, remove_garbage
from vecaf.housekeeping.orphaned_files import HOUR
from vecaf.housekeeping.repair import check_files, repair
from vecaf.housekeeping.trash import FOLDER, KEEP_DAYS, empty_trash
from vecaf.store import Dataset, Store
from vecaf.store.models import now

store = test_garbage.store  # fixture


def test_removed_files_can_be_restored_from_the_trash(store: Store) -> None:
    made = orphans(store)
    contents = {path: path.read_bytes() for path in made.values()}
    trash = remove_garbage(store, find_garbage(store))
    home = store.settings.home
    for path, content in contents.items():
        assert not path.exists()
        assert (trash.folder / path.relative_to(home)).read_bytes() == content
    shutil.copytree(trash.folder, home, dirs_exist_ok=True)
    assert all(path.read_bytes() == content for path, content in contents.items())


def test_the_trash_is_emptied_after_some_days(store: Store) -> None:
    home = store.settings.home
    orphans(store)
    young = remove_garbage(store, find_garbage(store)).folder
    old = young.with_name((now() - timedelta(days=KEEP_DAYS + 1)).strftime("%Y%m%dT%H%M%S%fZ"))
    write(old / "images" / "x", b"x" * 10)
    write(home / FOLDER / "notes" / "mine.txt", b"x")
    assert empty_trash(home) == 10
    assert (old.exists(), young.exists()) == (False, True)
    assert empty_trash(home, keep_days=0) > 0
    assert [path.name for path in (home / FOLDER).iterdir()] == ["notes"]


def test_most_images_are_removed_only_with_force(store: Store) -> None:
    """For example, after the rows were lost but not the database."""
    with store.write() as session:
        session.execute(sa.delete(Dataset))
    before = everything(store)
    found = find_garbage(store, grace=-1)
    with pytest.raises(InputError, match=r"12 of 12 images and 1 of 1 runs.*--force"):
        remove_garbage(store, found)
    with pytest.raises(InputError, match="--force"):
        repair(store, -1)
    with pytest.raises(VecafError, match="Check that DATABASE_URL") as said:
        aged_all(store.settings.home)
        check_files(store)
    assert "--repair" not in str(said.value)
    assert everything(store) == before
    remove_garbage(store, found, force=True)
    assert not list(store.settings.images.glob("??/*"))


def aged_all(home: Path) -> None:
    for path in [*home.rglob("*")]:
        aged(path, 2 * HOUR)
