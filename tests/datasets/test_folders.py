"""Importing server folders is off by default and limited to the allowed roots."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.datasets.pictures import make_zip, photos
from vecaf.datasets.folders import allowed_roots, list_folder, resolve_allowed
from vecaf.datasets.sources import checked_source, import_source
from vecaf.errors import InputError, UnavailableError
from vecaf.settings import Settings
from vecaf.store import Store


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """An allowed root with images, next to a folder that is not allowed."""
    root, secret = tmp_path / "allowed", tmp_path / "secret"
    for folder in (root / "pets", secret):
        for name, content in photos("cat", "dog").items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    make_zip(root / "more.zip", photos("emu"))
    (root / ".hidden").mkdir()
    (root / "way-out").symlink_to(secret)
    (root / "inner").symlink_to(root / "pets")
    (root / "loop").symlink_to(root / "loop")
    return root


@pytest.fixture
def settings(tree: Path, store: Store) -> Settings:
    return replace(store.settings, folders=(tree, tree.parent / "not-there"))


def test_importing_server_folders_is_off_by_default(tree: Path, store: Store) -> None:
    for ask in (resolve_allowed, list_folder):
        with pytest.raises(UnavailableError, match="VECAF_FOLDERS"):
            ask(store.settings, tree)
    with pytest.raises(UnavailableError, match="VECAF_FOLDERS"):
        checked_source(f"folder:{tree}", store.settings)


def test_the_environment_variable_is_read_and_written(tree: Path, tmp_path: Path) -> None:
    text = os.pathsep.join([str(tree), "", "/somewhere/else"])
    settings = Settings.from_environment({"VECAF_HOME": str(tmp_path), "VECAF_FOLDERS": text})
    assert settings.folders == (tree, Path("/somewhere/else"))
    assert Settings.from_environment(settings.as_environment()) == settings
    assert allowed_roots(settings) == [tree]


def test_a_listing_shows_what_can_be_imported(tree: Path, settings: Settings) -> None:
    top = list_folder(settings, tree)
    assert (top.folders, top.archives, top.parent, top.more) == (
        ["pets"],
        ["more.zip"],
        None,
        False,
    )
    pets = list_folder(settings, tree / "pets")
    assert (pets.folders, pets.parent) == (["cat", "dog"], tree)
    assert list_folder(settings, tree / "pets" / "cat").images == 3
    assert list_folder(settings, tree / "inner").path == tree / "pets"


@pytest.mark.parametrize(
    "path",
    ["way-out", "way-out/cat", "..", "../secret", "pets/../../secret", "loop", "nowhere",
     "a\0b", "x" * 5000],
)  # fmt: skip
def test_paths_outside_of_the_roots_are_refused(tree: Path, settings: Settings, path: str) -> None:
    for ask in (resolve_allowed, list_folder):
        with pytest.raises(InputError, match="no such folder"):
            ask(settings, f"{tree}/{path}")
    with pytest.raises(InputError, match="no such folder"):
        checked_source(f"folder:{tree}/{path}", settings)


def test_relative_paths_and_lookalikes_are_refused(tree: Path, settings: Settings) -> None:
    lookalike = tree.with_name("allowed-not")
    lookalike.mkdir()
    for path in ("", ".", "pets", str(lookalike), "/", "/etc"):
        with pytest.raises(InputError, match="no such folder"):
            resolve_allowed(settings, path)


def test_an_allowed_folder_is_imported_and_checked_again(
    tree: Path, settings: Settings, tmp_path: Path
) -> None:
    store = Store.open(settings)
    source = checked_source(f"folder:{tree}/inner", settings)
    assert source == f"folder:{tree}/pets"
    assert import_source(store, source, "pets").images == 6
    assert import_source(store, f"folder:{tree}/more.zip", "more").images == 3
    (tree / "pets").rename(tmp_path / "moved")
    (tree / "pets").symlink_to(tree.parent / "secret")
    with pytest.raises(InputError, match="no such folder"):
        import_source(store, source, "again")
