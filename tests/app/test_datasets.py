"""Routes and changes of the Data page: authorized, undoable, with clear errors."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.data.cards import Cards
from app.data.dataset import detail
from app.data.dataset_changes import edit_dataset, filled, filter_of
from app.shell.studio import Studio
from tests.app.conftest import archive
from vecaf.accounts.sharing import share
from vecaf.accounts.users import add_user, transfer_all
from vecaf.datasets import import_dataset
from vecaf.errors import InputError, NotFoundError
from vecaf.housekeeping.lost_files import (
    DATASET,
    WARNING_PREFIX,
    LostFiles,
    clear_reports,
    report_lost_files,
)
from vecaf.store import TRAIN, Dataset, Sample, User
from vecaf.store.gallery import UNLABELED, Filter, changes_of, count_images, page_of_images

PASSWORD = "a password of many words"
OWN, SECRET = 1, 2  # conftest's datasets


def rows(studio: Studio, which: Filter | None = None) -> list[Sample]:
    with studio.store.read() as session:
        user = studio.store.owner()
        return page_of_images(session, user, OWN, which or Filter(), 0, 100)


def act(studio: Studio, act: str, query: str = f"?dataset={OWN}", **data: str) -> None:
    edit_dataset(studio, studio.store.owner(), {"act": act, "query": query, **data})


def test_an_export_is_a_zip_of_the_user_s_images(client: TestClient) -> None:
    for kind, name in (("csv", "metadata.csv"), ("jsonl", "metadata.jsonl")):
        answer = client.get(f"/dataset/{OWN}/export.zip?format={kind}")
        assert answer.status_code == 200
        assert 'filename="pets.zip"' in answer.headers["content-disposition"]
        names = zipfile.ZipFile(io.BytesIO(answer.content)).namelist()
        assert name in names
        assert len(names) == 13
    assert client.get(f"/dataset/{OWN}/export.zip?format=xml").status_code == 400


@pytest.mark.parametrize("path", ["export.zip", "deletion", f"refused/{'a' * 64}.jpg"])
def test_another_user_s_dataset_does_not_exist(client: TestClient, path: str) -> None:
    for dataset_id in (SECRET, 999):
        assert client.get(f"/dataset/{dataset_id}/{path}").status_code == 404
    assert client.get(f"/dataset/{OWN}/refused/{'a' * 64}.jpg").status_code == 404
    assert client.get(f"/dataset/{OWN}/refused/..%2f..%2fstudio.db").status_code == 404


def test_the_deletion_dialog_lists_what_is_deleted(client: TestClient) -> None:
    question = client.get(f"/dataset/{OWN}/deletion").json()
    assert question["title"] == "Delete 'pets'?"
    assert "12 images" in question["text"]


def test_the_address_holds_the_filter(studio: Studio) -> None:
    assert filter_of({"split": "x", "label": "²", "pool": "?", "words": ""}) == Filter()
    assert filter_of({"label": "none", "pool": "out"}) == Filter(None, UNLABELED, True)
    user = studio.store.owner()
    with studio.store.read() as session:
        assert count_images(session, user, OWN, filter_of({"label": "0"})) == 6
        assert count_images(session, user, OWN, filter_of({"words": "DOG 3"})) == 1
        assert count_images(session, user, OWN, filter_of({"words": "100%_"})) == 0


def test_changes_of_one_and_many_images_are_undone(studio: Studio) -> None:
    first, second = rows(studio)[:2]
    act(studio, "label", sample=str(first.id), value="dog")
    assert rows(studio)[0].label == 1
    checked = {f"selected-{one.id}": "on" for one in (first, second)} | {"selected-x": "on"}
    act(studio, "bulk", do="caption", **{"bulk-caption": "a {class}, {file} {class}"}, **checked)
    assert [one.caption for one in rows(studio)[:3]] == ["a dog, 0 dog", "a cat, 1 cat", None]
    act(studio, "bulk", f"?dataset={OWN}&label=1", do="exclude", scope="matching")
    dogs = [one for one in rows(studio) if one.label == 1]
    excluded = [one for one in dogs if one.split == TRAIN]  # the others are not in the pool
    assert len(dogs) == 7 > len(excluded) > 0
    assert [one.id for one in rows(studio) if one.excluded] == [one.id for one in excluded]
    with studio.store.read() as session:
        changes = changes_of(session, studio.store.owner(), OWN)
    assert [one.images for one in changes] == [len(excluded), 2, 1]
    assert [one.values for one in changes] == [1, 2, 1]
    for one in changes:
        act(studio, "undo", edit=str(one.id))
    assert {(one.caption, one.excluded) for one in rows(studio)} == {(None, False)}
    assert rows(studio)[0].label == 0


def test_a_renamed_class_keeps_its_images_and_undo_still_works(studio: Studio) -> None:
    first = rows(studio)[0]
    act(studio, "label", sample=str(first.id), value="dog")
    act(studio, "rename-class", number="0", value="kitten")
    act(studio, "add-class", name="emu")
    with studio.store.read() as session:
        added, renamed, labeled = changes_of(session, studio.store.owner(), OWN, limit=3)
        assert session.get_one(Dataset, OWN).classes == ["kitten", "dog", "emu"]
    act(studio, "undo", edit=str(labeled.id))
    assert rows(studio)[0].label == 0
    for one in (added, renamed):
        act(studio, "undo", edit=str(one.id))
    with studio.store.read() as session:
        assert session.get_one(Dataset, OWN).classes == ["cat", "dog"]
    with pytest.raises(InputError, match="merge the two"):
        act(studio, "rename-class", number="0", value="dog")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"act": "bulk", "do": "label"}, "at least one image"),
        ({"act": "label", "sample": "1", "value": "<b>"}, "no class '<b>'"),
        ({"act": "label", "sample": "99999", "value": "dog"}, "no image 99999"),
        ({"act": "undo", "edit": "99999"}, "no change"),
        ({"act": "rename-class", "number": "9", "value": "x"}, "no class number 9"),
        ({"act": "add-class", "name": "  "}, "must have 1 to"),
        ({"act": "delete", "query": f"?dataset={SECRET}"}, f"no dataset {SECRET}"),
        ({"act": "label", "query": ""}, "does not name a dataset"),
    ],
)
def test_an_impossible_change_raises_an_error_with_a_message(
    studio: Studio, data: dict[str, str], words: str
) -> None:
    with pytest.raises((InputError, NotFoundError), match=words):
        edit_dataset(studio, studio.store.owner(), {"query": f"?dataset={OWN}", **data})


def test_placeholders_are_replaced_once() -> None:
    sample = Sample(file_name="a/{class}.png", label=0, caption="{file}")
    assert filled("{file} {caption} {other}", sample, ["cat"]) == "{class} {file} {other}"


def test_a_card_follows_changes_made_on_the_command_line(studio: Studio, tmp_path: Path) -> None:
    """The owner changes and files are lost while the studio runs."""
    with studio.store.write() as session:
        anna = add_user(session, "anna", PASSWORD)
        ben = add_user(session, "ben", PASSWORD)
    theirs = import_dataset(studio.store, archive(tmp_path / "a.zip"), "theirs", user_id=anna.id)
    with studio.store.write() as session:
        share(session, anna.id, theirs.dataset_id, "ben")
    cards = Cards(studio)

    def shown(view: str) -> str:
        return detail(studio, cards, ben.id, theirs.dataset_id, {"view": view})[0]

    assert [card.owner for card in cards.all(ben.id)] == ["anna"]
    assert "Finetune model" not in shown("images")
    with studio.store.write() as session:
        transfer_all(session, session.get_one(User, anna.id), session.get_one(User, ben.id))
    assert [card.owner for card in cards.all(ben.id)] == [""]
    assert "Finetune model" in shown("images")

    lost = LostFiles(DATASET, theirs.dataset_id, f"{WARNING_PREFIX}1 image of 'theirs'.", 1, False)
    assert WARNING_PREFIX not in shown("report")
    report_lost_files(studio.store, lost)
    assert WARNING_PREFIX in shown("report")
    clear_reports(studio.store, set())
    assert WARNING_PREFIX not in shown("report")
