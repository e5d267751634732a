"""The state of a dataset's map: outdated captions, failures, and another spread."""

from __future__ import annotations

from typing import Any

from fastapi.testclient import TestClient

from app.shell.studio import Studio
from tests.app.test_explore import id_of, samples
from vecaf.store import FAILED, FINISHED, Task
from vecaf.store.models.base import now


def test_a_map_of_older_captions_says_so_and_is_drawn_again(
    studio: Studio, client: TestClient
) -> None:
    pets = id_of(studio, "pets")

    def state() -> dict[str, Any]:
        found: dict[str, Any] = client.get(f"/explore/{pets}/state.json").json()["map"]
        return found

    def finish(task: int, how: str = FINISHED) -> None:
        with studio.store.write() as session:
            made = session.get_one(Task, task)
            made.state, made.started_at = how, now()

    first = client.post(f"/explore/{pets}/map").json()["task"]
    finish(first)
    rows = samples(studio, pets)
    client.post(f"/explore/{pets}/label", json={"ids": [rows[1].id], "label": None})
    assert not state()["outdated"]
    assert client.post(f"/explore/{pets}/map").json()["task"] == first
    client.post(f"/explore/{pets}/caption", json={"ids": [rows[0].id], "caption": "A new one"})
    assert state()["outdated"]
    second = client.post(f"/explore/{pets}/map").json()["task"]
    assert second != first and not state()["outdated"]  # it is under way
    assert client.post(f"/explore/{pets}/map").json()["task"] == second
    finish(second, FAILED)
    assert state()["outdated"] and state()["state"] == FAILED
    third = client.post(f"/explore/{pets}/map").json()["task"]
    assert third > second
    finish(third)
    assert not state()["outdated"]

    def post(min_dist: float) -> Any:
        return client.post(f"/explore/{pets}/map", json={"min_dist": min_dist})

    loose = post(0.8).json()["task"]
    assert loose > third and state()["min_dist"] == 0.8
    finish(loose)
    assert post(0.8).json()["task"] == loose
    assert post(0.3).json()["task"] > loose  # the map is computed again, as before
    assert post(2).status_code == 404  # as other invalid requests
