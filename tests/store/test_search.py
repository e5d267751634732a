"""Search finds words in captions and file names, ignoring case."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.databases import postgresql_in_soak
from vecaf.settings import Settings
from vecaf.store import Dataset, Sample, Store
from vecaf.store.columns import search_text
from vecaf.store.gallery import Filter, ids_of_images

NAMES = ("Ärger/Öl.png", "plain.png", "50%_off.png")
CAPTIONS = ("ein ÜBER großer Hund", None, "a Dog")


@pytest.fixture
def store(tmp_path: Path, database: str) -> Store:
    where = {"VECAF_HOME": str(tmp_path), "DATABASE_URL": database}
    store = Store.open(Settings.from_environment(where))
    with store.write() as session:
        session.add(Dataset(id=1, owner_id=store.owner(), name="d", classes=[], content_hash="",
                            source="", report={}))  # fmt: skip
        session.flush()
        session.add_all(
            Sample(id=i, dataset_id=1, file_name=name, caption=caption, sha256="",
                   extension=".png", width=1, height=1, split="train")
            for i, (name, caption) in enumerate(zip(NAMES, CAPTIONS, strict=True), start=1)
        )  # fmt: skip
    return store


def found(store: Store, words: str) -> list[int]:
    """Return the ids that both searches find; they must agree."""
    with store.read() as session:
        ids = search_text(session, store.owner(), 1, words).tolist()
        assert ids_of_images(session, store.owner(), 1, Filter(words=words)) == ids
    return [int(id_) for id_ in ids]


@postgresql_in_soak
@pytest.mark.parametrize(
    ("words", "ids"),
    [
        ("dOG", [3]), ("PNG", [1, 2, 3]), ("Öl ÜBER", [1]), ("O\u0308l", [1]), ("50%_", [3]),
        ("5%f", []), ("\x00", [1, 2, 3]), ("\x00dog\ud800", [3]), ("dog plain", []),
    ],
)  # fmt: skip
def test_words_are_found(store: Store, words: str, ids: list[int]) -> None:
    assert found(store, words) == ids


@pytest.mark.parametrize(
    "database", ["sqlite"], indirect=True
)  # PostgreSQL's result depends on its locale
@pytest.mark.parametrize("words", ["ärger", "ÄRGER", "öl", "über", "Über", "GROßER"])
def test_case_is_ignored_for_non_ascii_letters(store: Store, words: str) -> None:
    assert found(store, words) == [1]
