"""The Label page: saved labels, repeated requests, undo, classes, suggestions, random samples."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from app.label import page as label
from app.shell.studio import Studio
from tests.app.test_select import pool
from vecaf.errors import InputError, NotFoundError, UnavailableError
from vecaf.store import Dataset, Edit, Run, Sample, Subset
from vecaf.store.subsets import add_subset


class FakeInference:
    """A stand-in for the inference process that needs no model."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    async def ask(self, name: str, *, user: int, **arguments: Any) -> dict[str, Any]:
        self.asked.append({"name": name, **arguments})
        if len(arguments["classes"]) < 2:
            raise UnavailableError("Not yet.")
        suggestions = [[sample_id, 1, 0.75] for sample_id in arguments["sample_ids"]]
        return {"suggestions": suggestions, "order": [], "learned": 0, "accuracy": None}


@pytest.fixture
def subset_id(studio: Studio, request: pytest.FixtureRequest) -> int:
    """A new selection of four unlabeled images of 'pets'."""
    dataset_id, samples = pool(studio, "pets")
    ids = [sample.id for sample in samples[:4]]
    with studio.store.write() as session:
        session.execute(sa.update(Sample).where(Sample.id.in_(ids)).values(label=None))
        facts = {
            "strategy": "vecaf",
            "seed": 5,
            "caption_weight": 0.5,
            "model": "efficientnet_lite0",
        }
        made = add_subset(
            session, studio.store.owner(), dataset_id, request.node.name, "selection", ids,
            facts=facts,
        )  # fmt: skip
        return made.id


@pytest.fixture
def foreign(studio: Studio) -> int:
    dataset_id, samples = pool(studio, "secret")
    with studio.store.write() as session:
        owner = session.get_one(Dataset, dataset_id).owner_id
        found = session.scalar(sa.select(Subset.id).where(Subset.name == "theirs"))
        if found is not None:
            return found
        ids = [samples[0].id]
        return add_subset(session, owner, dataset_id, "theirs", "selection", ids).id


def labels(client: TestClient, subset_id: int) -> dict[int, int | None]:
    state = client.get(f"/label/{subset_id}/state").json()
    return {image["id"]: image["label"] for image in state["images"]}


def edits(studio: Studio) -> int:
    with studio.store.read() as session:
        return session.scalar(sa.select(sa.func.count(Edit.id))) or 0


def test_a_label_is_an_edit_and_the_same_again_is_none(
    studio: Studio, client: TestClient, subset_id: int
) -> None:
    one, two, *_ = labels(client, subset_id)
    before = edits(studio)
    for _ in range(2):
        response = client.post(f"/label/{subset_id}/labels", json={"values": {one: 1}})
        assert response.status_code == 200
    assert edits(studio) == before + 1
    client.post(f"/label/{subset_id}/labels", json={"values": {two: 0, one: 0}})
    assert labels(client, subset_id) | {one: 0, two: 0} == labels(client, subset_id)

    answer = client.post(f"/label/{subset_id}/undo", json={}).json()["values"]
    assert answer == {str(one): 1, str(two): None}
    assert client.post(f"/label/{subset_id}/undo", json={}).json()["values"] == {str(one): None}
    assert set(labels(client, subset_id).values()) == {None}


def test_undo_reaches_no_other_subset_and_no_other_kind(
    studio: Studio, client: TestClient, subset_id: int
) -> None:
    while client.post(f"/label/{subset_id}/undo", json={}).status_code == 200:
        pass
    dataset_id, samples = pool(studio, "pets")
    with studio.store.write() as session:
        other = add_subset(
            session, studio.store.owner(), dataset_id, "another", "subset", [samples[5].id]
        ).id
    client.post(f"/label/{other}/labels", json={"values": {samples[5].id: 0}})
    client.post(f"/label/{other}/labels", json={"values": {samples[5].id: 1}})
    response = client.post(f"/label/{subset_id}/undo", json={})
    assert response.status_code == 400 and "no label to undo" in response.json()["error"]


def test_invalid_labels_are_refused(
    studio: Studio, client: TestClient, subset_id: int, foreign: int
) -> None:
    one = next(iter(labels(client, subset_id)))
    outside = pool(studio, "pets")[1][5].id
    for values, status in (({one: 99}, 400), ({outside: 0}, 404), ({}, 400)):
        response = client.post(f"/label/{subset_id}/labels", json={"values": values})
        assert response.status_code == status, values
        assert response.json()["error"]
    posts: tuple[tuple[str, dict[str, Any]], ...] = (
        ("labels", {"values": {one: 0}}), ("classes", {"names": ["x"]}), ("undo", {}),
        ("suggestions", {"ids": [one]}),
    )  # fmt: skip
    for path, body in posts:
        assert client.post(f"/label/{foreign}/{path}", json=body).status_code == 404, path
    assert client.get(f"/label/{foreign}/state").status_code == 404
    cross = {"sec-fetch-site": "cross-site"}
    body = {"values": {one: 0}}
    sent = client.post(f"/label/{subset_id}/labels", json=body, headers=cross)
    assert sent.status_code == 403 and labels(client, subset_id)[one] is None


def test_classes_are_added_once(client: TestClient, subset_id: int) -> None:
    response = client.post(f"/label/{subset_id}/classes", json={"names": ["fox", "cat", "fox"]})
    assert response.json()["classes"][:2] == ["cat", "dog"]
    assert response.json()["classes"].count("fox") == 1
    assert client.post(f"/label/{subset_id}/classes", json={"names": [" "]}).status_code == 400


def test_suggestions_come_from_the_inference_process(
    studio: Studio, client: TestClient, subset_id: int
) -> None:
    ids = list(labels(client, subset_id))
    path = f"/label/{subset_id}/suggestions"
    without = client.post(path, json={"ids": ids})
    assert without.status_code == 503 and "not available" in without.json()["error"]
    inference = FakeInference()
    object.__setattr__(studio, "inference", inference)
    try:
        answer = client.post(path, json={"ids": ids}).json()
        client.post(f"/label/{subset_id}/labels", json={"values": {ids[0]: 1}})
        later = client.post(path, json={"ids": ids}).json()
        assert client.post(path, json={"ids": []}).json()["suggestions"] == []
    finally:
        object.__setattr__(studio, "inference", None)
    assert answer["suggestions"] == [[id_, 1, 0.75] for id_ in ids] and answer["labels"] == {}
    assert later["labels"] == {str(ids[0]): 1}  # such as by another person
    assert [one[0] for one in later["suggestions"]] == ids[1:]
    asked = inference.asked[0]
    assert asked["name"] == "suggest_labels" and asked["sample_ids"] == ids
    assert asked["subset_id"] == subset_id


def test_a_run_is_launched_on_a_labeled_selection(
    studio: Studio, client: TestClient, subset_id: int
) -> None:
    user = studio.store.owner()
    ask = {"act": "launch", "subset": str(subset_id)}
    with pytest.raises(InputError, match="has a label yet"):
        label._act(studio, user, ask)
    ids = list(labels(client, subset_id))
    client.post(f"/label/{subset_id}/labels", json={"values": {i: i % 2 for i in ids}})
    html = label._render(studio, user, {"subset": str(subset_id)})
    assert "Launch run" in html
    here, away = label._act(studio, user, ask)
    assert not here
    with studio.store.read() as session:
        run = session.get_one(Run, int(away.rpartition("=")[2]))
        subset = session.get_one(Subset, subset_id)
    config = run.config
    assert (config["subset"], config["rounds"]) == (subset.name, 1)
    assert (config["seed"], config["caption_weight"]) == (5, 0.5)


def test_selections_of_explore_are_listed_while_they_have_unlabeled_images(
    studio: Studio, client: TestClient
) -> None:
    dataset_id, samples = pool(studio, "pets")
    user, ids = studio.store.owner(), [sample.id for sample in samples[6:8]]
    with studio.store.write() as session:
        session.execute(sa.update(Sample).where(Sample.id.in_(ids)).values(label=None))
        made = add_subset(session, user, dataset_id, "by lasso", "subset", ids).id
    listing = {"dataset": str(dataset_id)}
    assert "by lasso" in label._render(studio, user, listing)
    client.post(f"/label/{made}/labels", json={"values": dict.fromkeys(ids, 0)})
    assert "by lasso" not in label._render(studio, user, listing)
    assert "All 2 images labeled" in label._render(studio, user, {"subset": str(made)})


def test_samples_are_drawn_from_the_page(studio: Studio, subset_id: int, foreign: int) -> None:
    user = studio.store.owner()
    dataset_id, _ = pool(studio, "pets")
    here, _ = label._act(
        studio, user, {"act": "test-sample", "dataset": str(dataset_id), "count": "2"}
    )
    assert here.startswith(f"/label?dataset={dataset_id}&subset=")
    label._act(studio, user, {"act": "random-selection", "subset": str(subset_id)})
    html = label._render(studio, user, {"dataset": str(dataset_id)})
    assert "test sample of 2" in html and "· random images" in html
    for count in ("0", "9999", "x"):
        ask = {"act": "test-sample", "dataset": str(dataset_id), "count": count}
        with pytest.raises(InputError):
            label._act(studio, user, ask)
    with pytest.raises(NotFoundError):
        label._act(studio, user, {"act": "random-selection", "subset": str(foreign)})
    assert "There is no" in label._render(studio, user, {"subset": str(foreign)})
