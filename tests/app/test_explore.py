"""Routes of the Explore page: bundles, facts, neighbors, searches and changes."""

from __future__ import annotations

import numpy as np
import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from numpy.typing import NDArray

from app.shell.studio import Studio
from tests.app.test_array_bundle import unpack
from vecaf.evaluation.predictions import Predictions, save_predictions
from vecaf.store import (
    FINISHED,
    TRAIN,
    Annotation,
    Dataset,
    Round,
    Run,
    Sample,
    SelectedSample,
    Subset,
    Task,
    visible,
)
from vecaf.store.columns import read_columns, read_hash_prefixes


def id_of(studio: Studio, name: str) -> int:
    with studio.store.read() as session:
        return session.scalars(sa.select(Dataset.id).where(Dataset.name == name)).one()


@pytest.fixture
def pets(studio: Studio) -> int:
    return id_of(studio, "pets")


@pytest.fixture
def secret(studio: Studio) -> int:
    return id_of(studio, "secret")


def samples(studio: Studio, dataset: int) -> list[Sample]:
    with studio.store.read() as session:
        query = sa.select(Sample).where(Sample.dataset_id == dataset).order_by(Sample.id)
        return list(session.scalars(query))


@pytest.fixture
def space(studio: Studio, pets: int) -> NDArray[np.float32]:
    """Write a synthetic finished map of the dataset 'pets', and return its space."""
    count = len(samples(studio, pets))
    with studio.store.write() as session:
        task = Task(
            owner_id=studio.store.owner(), dataset_id=pets, kind="map", params={}, state=FINISHED
        )
        session.add(task)
        session.flush()
        folder = studio.settings.tasks / str(task.id)
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    space = rng.normal(size=(count, 8)).astype(np.float32)
    space /= np.linalg.norm(space, axis=1, keepdims=True)
    np.save(folder / "pca.npy", rng.normal(size=(count, 2)).astype(np.float32))
    np.save(folder / "space.npy", space.astype(np.float16))
    return space


def test_columns_are_the_samples_and_are_kept_by_the_browser(
    studio: Studio, client: TestClient, pets: int
) -> None:
    answer = client.get(f"/explore/{pets}/columns.bin")
    found = unpack(answer.content)
    rows = samples(studio, pets)
    assert found["ids"].tolist() == [row.id for row in rows]
    assert found["labels"].tolist() == [row.label for row in rows]
    assert [("train", "val", "test")[at] for at in found["splits"]] == [row.split for row in rows]
    tag = answer.headers["etag"]
    again = client.get(f"/explore/{pets}/columns.bin", headers={"if-none-match": tag})
    assert again.status_code == 304
    client.post(f"/explore/{pets}/excluded", json={"ids": [rows[0].id], "excluded": True})
    changed = client.get(f"/explore/{pets}/columns.bin", headers={"if-none-match": tag})
    assert changed.status_code == 200
    assert unpack(changed.content)["excluded"].tolist()[0] == 1
    client.post(f"/explore/{pets}/excluded", json={"ids": [rows[0].id], "excluded": False})


def test_columns_and_keys_of_one_dataset_hold_nothing_of_another(
    studio: Studio, pets: int, secret: int
) -> None:
    with studio.store.read() as session:
        user = studio.store.owner()
        columns, keys = read_columns(session, user, pets), read_hash_prefixes(session, user, pets)
    rows = samples(studio, pets)
    assert len(columns) == len(keys) == len(rows)
    assert [bytes(key).hex() for key in keys] == [row.sha256[:12] for row in rows]
    strangers = np.array([row.id for row in samples(studio, secret)])
    assert not len(columns.rows_of(strangers))
    assert columns.rows_of(columns.ids[[3, 1]]).tolist() == [3, 1]


def test_nothing_of_somebody_elses_dataset_is_told(
    studio: Studio, client: TestClient, pets: int, secret: int
) -> None:
    sample = samples(studio, secret)[0].id
    for path in (
        f"{secret}/columns.bin", f"{secret}/keys.bin", f"{secret}/points.bin",
        f"{secret}/state.json", f"{secret}/text.bin?text=a", f"{secret}/findings.json",
        f"{secret}/values.bin?run=1", f"{secret}/image/{sample}", f"{secret}/neighbors/{sample}",
        f"{secret}/search?text=a", f"{pets}/image/{sample}", f"start.json?dataset={secret}",
    ):  # fmt: skip
        assert client.get(f"/explore/{path}").status_code == 404, path
    for name, body in (
        ("label", {"ids": [sample], "label": 0}),
        ("excluded", {"ids": [sample], "excluded": True}),
        ("caption", {"ids": [sample], "caption": "mine"}),
        ("subset", {"ids": [sample], "name": "mine"}),
        ("map", {}),
        ("findings", {}),
    ):
        assert client.post(f"/explore/{secret}/{name}", json=body).status_code == 404, name
        if name not in ("map", "findings"):
            assert client.post(f"/explore/{pets}/{name}", json=body).status_code == 404, name
    with studio.store.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Annotation).where(
            Annotation.sample_id == sample)) == 0  # fmt: skip


def test_another_site_can_not_change_anything(
    studio: Studio, client: TestClient, pets: int
) -> None:
    body = {"ids": [samples(studio, pets)[0].id], "label": 1}
    headers = {"sec-fetch-site": "cross-site"}
    assert client.post(f"/explore/{pets}/label", json=body, headers=headers).status_code == 403


def test_the_start_is_the_newest_dataset_and_says_what_there_is(
    client: TestClient, pets: int
) -> None:
    start = client.get("/explore/start.json").json()
    assert start["dataset"]["id"] == pets
    assert start["dataset"]["classes"] == ["cat", "dog"]
    assert [name for _, name in start["datasets"]] == ["pets"]


def test_points_come_as_soon_as_there_are_some(
    client: TestClient, pets: int, space: NDArray[np.float32]
) -> None:
    answer = client.get(f"/explore/{pets}/points.bin")
    found = unpack(answer.content)
    assert found["meta"] == {"method": "pca", "view": "image"}
    assert len(found["xy"]) == 2 * len(space)
    assert client.get(f"/explore/{pets}/points.bin?method=umap").status_code == 404
    assert "pca" in client.get(f"/explore/{pets}/state.json").json()["map"]["ready"]


def test_neighbors_are_the_nearest_rows_without_the_image_itself(
    studio: Studio, client: TestClient, pets: int, space: NDArray[np.float32]
) -> None:
    sample = samples(studio, pets)[4].id
    near = client.get(f"/explore/{pets}/neighbors/{sample}?count=3").json()
    cosine = space @ space[4]
    cosine[4] = -1
    assert near["rows"] == np.argsort(-cosine)[:3].tolist()
    assert near["similarities"] == sorted(near["similarities"], reverse=True)


def test_words_are_found_in_file_names_and_captions_and_are_only_words(
    studio: Studio, client: TestClient, pets: int
) -> None:
    rows = samples(studio, pets)
    client.post(f"/explore/{pets}/caption", json={"ids": [rows[2].id], "caption": "A 50% off Cat"})

    def found(words: str) -> list[int]:
        answer = client.get(f"/explore/{pets}/text.bin", params={"text": words})
        rows: list[int] = unpack(answer.content)["rows"].tolist()
        return rows

    assert found("DOG") == [i for i, row in enumerate(rows) if "dog" in row.file_name]
    assert found("cat 50%") == [2]
    assert found("_") == []  # not a wildcard


def test_a_runs_values_are_told_by_row(studio: Studio, client: TestClient, pets: int) -> None:
    rows = samples(studio, pets)
    user = studio.store.owner()
    with studio.store.write() as session:
        run = Run(owner_id=user, dataset_id=pets, name="r", config={}, seed=0, state=FINISHED)
        session.add(run)
        session.flush()
        session.add(Round(run_id=run.id, number=1, labeled=1, batches=1, confusion={}, seconds=1.0))
        session.add(SelectedSample(run_id=run.id, round=1, rank=0, sample_id=rows[5].id, scores={}))
        run_id = run.id
    ids = np.array([rows[1].id, rows[3].id])
    given = Predictions(
        ids, np.array([1, 0], np.int16), np.array([0.9, 0.6], np.float32),
        np.array([0.1, np.nan], np.float32),
    )  # fmt: skip
    save_predictions(studio.settings.runs / str(run_id), 1, given)
    found = unpack(client.get(f"/explore/{pets}/values.bin?run={run_id}").content)
    assert found["predicted"].tolist()[:4] == [-1, 1, -1, 0]
    assert found["confidence"][1] == pytest.approx(0.9)
    assert np.isnan(found["loss"][[0, 3]]).all()
    assert found["loss"][1] == pytest.approx(0.1)
    assert np.flatnonzero(found["round"]).tolist() == [5]
    assert client.get(f"/explore/{pets}/values.bin?run=99999").status_code == 404


def test_a_label_is_changed_and_taken_back(studio: Studio, client: TestClient, pets: int) -> None:
    rows = samples(studio, pets)
    ids = [rows[0].id, rows[1].id]
    before = [row.label for row in rows]
    answer = client.post(f"/explore/{pets}/label", json={"ids": ids, "name": "bird"}).json()
    assert (answer["images"], answer["classes"], answer["value"]) == (2, ["cat", "dog", "bird"], 2)
    columns = unpack(client.get(f"/explore/{pets}/columns.bin").content)
    assert columns["meta"]["classes"] == ["cat", "dog", "bird"]  # an open page learns of it
    facts = client.get(f"/explore/{pets}/image/{ids[0]}").json()
    assert facts["history"][0]["value"] == "bird"
    undone = client.post(f"/explore/{pets}/undo", json={"edit": answer["edit"]}).json()
    assert (undone["images"], undone["since"]) == (2, 0)
    assert [row.label for row in samples(studio, pets)] == before
    twice = client.post(f"/explore/{pets}/undo", json={"edit": answer["edit"]})
    assert twice.status_code == 400
    assert "already" in twice.json()["error"]
    assert client.post(f"/explore/{pets}/label", json={"ids": ids, "label": 77}).status_code == 400


def test_an_undo_tells_what_was_changed_since(
    studio: Studio, client: TestClient, pets: int
) -> None:
    ids = [row.id for row in samples(studio, pets) if row.split == TRAIN][:3]
    body = {"ids": ids, "excluded": True}
    edit = client.post(f"/explore/{pets}/excluded", json=body).json()["edit"]
    client.post(f"/explore/{pets}/excluded", json={"ids": ids[:1], "excluded": False})
    undone = client.post(f"/explore/{pets}/undo", json={"edit": edit}).json()
    assert (undone["images"], undone["since"]) == (2, 1)


def test_a_subset_is_saved_in_its_order_and_can_be_shown(
    studio: Studio, client: TestClient, pets: int
) -> None:
    rows = samples(studio, pets)
    ids = [rows[3].id, rows[0].id]
    made = client.post(f"/explore/{pets}/subset", json={"ids": ids, "name": "mine"}).json()
    found = unpack(client.get(f"/explore/{pets}/subset.bin?subset={made['subset']}").content)
    assert found["rows"].tolist() == [3, 0]
    again = client.post(f"/explore/{pets}/subset", json={"ids": ids, "name": "mine"})
    assert again.status_code == 400
    assert "already" in again.json()["error"]
    with studio.store.read() as session:
        visible(session, studio.store.owner(), Subset, made["subset"])


def test_searching_by_meaning_without_the_inference_process_says_so(
    client: TestClient, pets: int
) -> None:
    answer = client.get(f"/explore/{pets}/search?text=dog")
    assert answer.status_code == 503
    assert "python -m app" in answer.json()["error"]
    assert client.post(f"/explore/{pets}/search-image", content=b"").status_code == 400
