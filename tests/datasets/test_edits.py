"""Edits of labels, captions and exclusions are recorded and can be undone."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.databases import DATABASES, address
from vecaf.datasets.edits import Value, add_class, edit, history, last_edits, undo
from vecaf.datasets.pool import load_samples
from vecaf.errors import InputError, NotFoundError
from vecaf.settings import Settings
from vecaf.store import TEST, TRAIN, Dataset, Edit, Sample, Store, User


@pytest.fixture(scope="module", params=DATABASES)
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Store:
    home = tmp_path_factory.mktemp("home")
    where = {"VECAF_HOME": str(home), "DATABASE_URL": address(request)}
    store = Store.open(Settings.from_environment(where))
    with store.write() as session:
        session.add_all([User(id=7, name="Ada"), User(id=8, name="Bob")])
    return store


@pytest.fixture
def dataset_id(store: Store, request: pytest.FixtureRequest) -> int:
    with store.write() as session:
        dataset = Dataset(
            owner_id=7, name=request.node.name, classes=["cat", "dog"], content_hash="", source="",
            report={},
        )  # fmt: skip
        session.add(dataset)
        session.flush()
        session.add_all(
            Sample(
                dataset_id=dataset.id, file_name=f"{i}.png", sha256=f"{i:064}", extension=".png",
                width=8, height=8, split=TRAIN, label=0 if i else None,
            )
            for i in range(4)
        )  # fmt: skip
        return dataset.id


def ids(store: Store, dataset_id: int) -> list[int]:
    with store.read() as session:
        samples = load_samples(session, session.get_one(Dataset, dataset_id), Path())
    return [int(sample_id) for sample_id in samples.ids]


def values(store: Store, dataset_id: int, kind: str) -> list[object]:
    with store.read() as session:
        rows = session.query(Sample).where(Sample.dataset_id == dataset_id).order_by(Sample.id)
        return [getattr(row, kind) for row in rows]


def revision(store: Store, dataset_id: int) -> int:
    with store.read() as session:
        return session.get_one(Dataset, dataset_id).revision


def test_a_label_is_set_recorded_and_undone(store: Store, dataset_id: int) -> None:
    first, second, *_ = ids(store, dataset_id)
    with store.write() as session:
        made = edit(session, 7, dataset_id, "label", {first: 1, second: 1})
    assert made is not None and made.images == 2 and revision(store, dataset_id) == 1
    assert values(store, dataset_id, "label") == [1, 1, 0, 0]
    with store.read() as session:
        (entry,) = history(session, 7, second)
    assert (entry.user_id, entry.kind, entry.previous, entry.value) == (7, "label", "cat", "dog")

    with store.write() as session:
        undo(session, 7, made.id)
    assert values(store, dataset_id, "label") == [None, 0, 0, 0]
    with store.read() as session:
        assert [one.value for one in history(session, 7, second)] == ["cat", "dog"]
        assert [one.undone for one in last_edits(session, 7, dataset_id)] == [True]
    with store.write() as session, pytest.raises(InputError, match="already undone"):
        undo(session, 7, made.id)


def test_undo_keeps_later_changes(store: Store, dataset_id: int) -> None:
    first, second, *_ = ids(store, dataset_id)
    with store.write() as session:
        made = edit(session, 7, dataset_id, "caption", {first: "one", second: "two"})
    assert made is not None
    with store.write() as session:
        edit(session, 7, dataset_id, "caption", {second: "better"})
        undo(session, 7, made.id)
    assert values(store, dataset_id, "caption") == [None, "better", None, None]


def test_excluded_images_leave_the_pool(store: Store, dataset_id: int) -> None:
    everyone = ids(store, dataset_id)
    with store.write() as session:
        edit(session, 7, dataset_id, "excluded", {everyone[2]: True})
    with store.read() as session:
        samples = load_samples(session, session.get_one(Dataset, dataset_id), Path())
    assert samples.ids[samples.pool].tolist() == [*everyone[:2], everyone[3]]


def test_only_images_of_the_train_split_are_excluded(store: Store, dataset_id: int) -> None:
    first, second, *others = ids(store, dataset_id)
    with store.write() as session:
        session.get_one(Sample, second).split = TEST
        made = edit(session, 7, dataset_id, "excluded", {first: True, second: True})
        assert made is not None and made.images == 1
        with pytest.raises(InputError, match="remove its label"):
            edit(session, 7, dataset_id, "excluded", {second: True})
        session.get_one(Sample, others[0]).split = TEST
        session.get_one(Sample, others[0]).excluded = True  # by an earlier version
    assert values(store, dataset_id, "excluded") == [True, False, True, False]
    with store.write() as session:
        edit(session, 7, dataset_id, "excluded", dict.fromkeys(others, False))
    assert values(store, dataset_id, "excluded") == [True, False, False, False]


def test_a_label_of_a_deleted_class_is_not_restored(store: Store, dataset_id: int) -> None:
    first, second, *_ = ids(store, dataset_id)
    with store.write() as session:
        emu = add_class(session, 7, dataset_id, "emu")
        added = session.query(Edit).where(Edit.dataset_id == dataset_id).one().id
        edit(session, 7, dataset_id, "label", {second: emu})
        made = edit(session, 7, dataset_id, "label", {first: 1, second: 1})
        undo(session, 7, added)
    assert made is not None
    with (
        store.write() as session,
        pytest.raises(InputError, match=r"'emu' no longer exists\. Add it again"),
    ):
        undo(session, 7, made.id)
    assert values(store, dataset_id, "label") == [1, 1, 0, 0]  # although this was committed
    with store.write() as session:
        add_class(session, 7, dataset_id, "emu")
        undo(session, 7, made.id)
    assert values(store, dataset_id, "label") == [None, 2, 0, 0]


def test_no_edit_is_recorded_without_a_change(store: Store, dataset_id: int) -> None:
    first, second, *_ = ids(store, dataset_id)
    with store.write() as session:
        assert edit(session, 7, dataset_id, "label", {second: 0}) is None
        assert edit(session, 7, dataset_id, "caption", {first: "  \u202e "}) is None
    assert revision(store, dataset_id) == 0


def test_a_new_class_is_appended_once(store: Store, dataset_id: int) -> None:
    with store.write() as session:
        assert add_class(session, 7, dataset_id, " emu ") == 2
        assert add_class(session, 7, dataset_id, "emu") == 2
        assert add_class(session, 7, dataset_id, "cat") == 0
    first = ids(store, dataset_id)[0]
    with store.write() as session:
        assert edit(session, 7, dataset_id, "label", {first: 2}) is not None
    with store.read() as session:
        assert session.get_one(Dataset, dataset_id).classes == ["cat", "dog", "emu"]


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        ("label", 2, "no class number 2"),
        ("label", -1, "no class number -1"),
        ("caption", "x" * 10_001, "10001 characters"),
    ],
)
def test_an_invalid_value_changes_nothing(
    store: Store, dataset_id: int, kind: str, value: Value, words: str
) -> None:
    first, *rest = ids(store, dataset_id)
    with pytest.raises(InputError, match=words), store.write() as session:
        edit(session, 7, dataset_id, kind, {rest[0]: None, first: value})  # type: ignore[arg-type]
    assert revision(store, dataset_id) == 0
    assert values(store, dataset_id, "label") == [None, 0, 0, 0]


def test_images_of_other_users_are_not_found(store: Store, dataset_id: int) -> None:
    first = ids(store, dataset_id)[0]
    with store.write() as session:
        made = edit(session, 7, dataset_id, "label", {first: 1})
        other = Dataset(
            owner_id=8, name="other", classes=["a"], content_hash="", source="", report={}
        )
        session.add(other)
        session.flush()
        assert made is not None
        with pytest.raises(NotFoundError):
            edit(session, 8, dataset_id, "label", {first: 0})
        with pytest.raises(NotFoundError):
            undo(session, 8, made.id)
        with pytest.raises(NotFoundError):
            edit(session, 8, other.id, "label", {first: 0})
        with pytest.raises(NotFoundError):
            history(session, 8, first)
        session.delete(other)


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([None, 0, 1])), max_size=8))
def test_undoing_all_edits_in_reverse_restores_the_dataset(
    store: Store, changes: list[tuple[int, int | None]]
) -> None:
    with store.write() as session:
        dataset = Dataset(
            owner_id=7, name=f"{id(changes)}", classes=["a", "b"], content_hash="", source="",
            report={},
        )  # fmt: skip
        session.add(dataset)
        session.flush()
        samples = [
            Sample(dataset_id=dataset.id, file_name=f"{i}", sha256="", extension=".png", width=1,
                   height=1, split=TRAIN, label=None)
            for i in range(4)
        ]  # fmt: skip
        session.add_all(samples)
        session.flush()
        made = [
            edit(session, 7, dataset.id, "label", {samples[place].id: label})
            for place, label in changes
        ]
        for one in reversed(made):
            if one is not None:
                undo(session, 7, one.id)
        assert [sample.label for sample in samples] == [None] * 4
        session.delete(dataset)
