"""Labels made in Label Studio come back to the images that were exported for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.datasets.conftest import samples
from tests.datasets.formats.facts import expected, stored
from tests.datasets.formats.test_exports import dataset
from vecaf.datasets.exporting import export_dataset
from vecaf.datasets.returned_labels import apply_label_studio
from vecaf.errors import InputError, NotFoundError
from vecaf.store import Store, User

__all__ = ["dataset"]


def exported(store: Store, dataset_id: int, folder: Path) -> list[dict[str, object]]:
    export_dataset(store, store.owner(), dataset_id, folder, "label-studio")
    tasks: list[dict[str, object]] = json.loads((folder / "tasks.json").read_text())
    return tasks


def choice(*labels: str) -> list[dict[str, object]]:
    result = [{"type": "choices", "from_name": "choice", "value": {"choices": list(labels)}}]
    return [{"was_cancelled": False, "result": result}]


def test_labels_come_back(store: Store, tmp_path: Path, dataset: int) -> None:
    tasks = exported(store, dataset, tmp_path / "out")
    before = expected(stored(store, "first"))
    (unlabeled,) = [one for one in samples(store, "first") if one.label is None]
    for task in tasks:
        data = task["data"]
        assert isinstance(data, dict)
        if data["sample_id"] == unlabeled.id:
            task["annotations"] = choice("dog")
    tasks[0]["annotations"] = [{"was_cancelled": True, "result": []}]
    path = tmp_path / "project.json"
    path.write_text(json.dumps(tasks))
    done = apply_label_studio(store, store.owner(), dataset, path.read_bytes(), path.name)
    assert done == (len(tasks) - 1, 1)
    after = expected(stored(store, "first"))
    assert [one.label for one in after if one not in before] == ["dog"]
    assert len(after) == len(before)


def test_bad_exports_change_nothing(store: Store, tmp_path: Path, dataset: int) -> None:
    tasks = exported(store, dataset, tmp_path / "out")
    before = stored(store, "first")
    path = tmp_path / "project.json"
    for content, words in (
        ("[", "not valid JSON"),
        ('{"images": []}', "not a Label Studio export"),
        ('[{"data": {"image": "a.jpg"}}]', "no 'sample_id'"),
        (json.dumps([tasks[0] | {"annotations": choice("horse")}]), "'horse'"),
        (json.dumps([tasks[0] | {"annotations": choice("cat", "dog")}]), "several labels"),
    ):
        path.write_text(content)
        with pytest.raises(InputError, match=words):
            apply_label_studio(store, store.owner(), dataset, path.read_bytes(), path.name)
    path.write_text(json.dumps(tasks))
    with store.write() as session:
        session.add(User(id=99, name="stranger"))
    with pytest.raises(NotFoundError):
        apply_label_studio(store, 99, dataset, path.read_bytes(), path.name)
    assert stored(store, "first") == before
