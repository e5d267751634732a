"""Selections: exports, the map, the form, and authorization of each route."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

import vecaf
from app.runs.run_view import SCORES
from app.select import form as select_form
from app.select import page as select
from app.select.form import form
from app.select.reasons import OWN_ROW
from app.select.routes import BOTH, EARLIER, FIRST, SECOND
from app.select.state import PoolFacts
from app.select.submission import selection_params
from app.shell.address import whole
from app.shell.studio import Studio
from vecaf.config import RunConfig
from vecaf.errors import InputError
from vecaf.selection import STRATEGIES
from vecaf.store import FINISHED, Dataset, Sample, Task
from vecaf.store.samples import count_pool
from vecaf.tasks.select_images import (
    COVERS,
    EXPLANATION,
    OLD_EXPLANATION,
    SelectionExplanation,
    read_explanation,
)

PARAMS = {
    "strategy": "vecaf",
    "budget": "2",
    "seed": 0,
    "caption_weight": 0.25,
    "track": "label-free",
}
FORMS = ("ids.csv", "ids.json", "imagefolder.zip")


def pool(studio: Studio, name: str) -> tuple[int, list[Sample]]:
    with studio.store.read() as session:
        dataset = session.scalars(sa.select(Dataset).where(Dataset.name == name)).one()
        query = sa.select(Sample).where(Sample.dataset_id == dataset.id, Sample.split == "train")
        return dataset.id, list(session.scalars(query.order_by(Sample.id)))


def finished(studio: Studio, name: str, ids: list[int], kind: str = "selection") -> int:
    """Write a finished task that selected these images, as a worker would."""
    dataset_id, samples = pool(studio, name)
    k = len(ids)
    explained = SelectionExplanation(
        ids=ids,
        scores={"coverage": [0.5] * k, "density": [0.1] * (k - 1) + [None]},
        covers=[2] * k,
        members=[[samples[0].id]] * k,
        typical=[0.5] * k,
        turned=[3.0] * k,
        captions=[("<b>a cat</b>", "caption")] * k,
        losses=None,
        displaced=[samples[-1].id] + [None] * (k - 1),
        because=["plain"] * k,
        earlier=[samples[-2].id],
    )
    with studio.store.write() as session:
        owner = session.get_one(Dataset, dataset_id).owner_id
        everything = session.scalar(
            sa.select(sa.func.count()).where(Sample.dataset_id == dataset_id)
        )
        task = Task(
            owner_id=owner,
            dataset_id=dataset_id,
            kind=kind,
            params=PARAMS,
            state=FINISHED,
            result={"selected": k, "pool": len(samples), "unlabeled": 0},
        )
        session.add(task)
        session.flush()
        task_id = task.id
    folder = studio.settings.tasks / str(task_id)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / EXPLANATION).write_text(json.dumps(asdict(explained)))
    np.save(folder / COVERS, np.full(everything, -1, dtype=np.int32))
    return task_id


@pytest.fixture(scope="module")
def task_id(studio: Studio) -> int:
    _, samples = pool(studio, "pets")
    return finished(studio, "pets", [samples[3].id, samples[0].id])


def test_ids_are_exported_in_rank_order(studio: Studio, client: TestClient, task_id: int) -> None:
    _, samples = pool(studio, "pets")
    table = client.get(f"/download/selection/{task_id}/ids.csv")
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [int(row["id"]) for row in rows] == [samples[3].id, samples[0].id]
    assert [row["file_name"] for row in rows] == [samples[3].file_name, samples[0].file_name]
    assert rows[0]["label"] in ("cat", "dog") and rows[1]["density"] == ""
    assert "attachment" in table.headers["content-disposition"]
    content = client.get(f"/download/selection/{task_id}/ids.json").json()
    assert [row["id"] for row in content["selected"]] == [samples[3].id, samples[0].id]
    assert content["classes"] == ["cat", "dog"]


def test_a_selection_of_an_earlier_version_is_read(studio: Studio, task_id: int) -> None:
    folder = studio.settings.tasks / str(task_id)
    now = read_explanation(folder)
    assert now is not None
    content = asdict(now)
    content["taken"] = content.pop("earlier")
    (folder / EXPLANATION).rename(folder / "kept.json")
    (folder / OLD_EXPLANATION).write_text(json.dumps(content))
    assert read_explanation(folder) == now
    (folder / OLD_EXPLANATION).unlink()
    (folder / "kept.json").rename(folder / EXPLANATION)


def test_the_imagefolder_holds_images_beside_their_labels(
    studio: Studio, client: TestClient, task_id: int
) -> None:
    _, samples = pool(studio, "pets")
    response = client.get(f"/download/selection/{task_id}/imagefolder.zip")
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        rows = list(csv.DictReader(io.TextIOWrapper(archive.open("train/metadata.csv"))))
        assert {f"train/{row['file_name']}" for row in rows} < set(archive.namelist())
        stored = next(studio.settings.images.rglob(f"{samples[3].sha256}*")).read_bytes()
        assert archive.read(f"train/{rows[0]['file_name']}") == stored
    assert {row["label"] for row in rows} <= {"cat", "dog"}
    assert not list(studio.settings.home.glob("download-*"))


def test_the_map_marks_images_of_one_selection_or_both(
    studio: Studio, client: TestClient, task_id: int
) -> None:
    assert client.get(f"/select/{task_id}/map").status_code == 404  # there is no map yet
    dataset_id, samples = pool(studio, "pets")
    lay = finished(studio, "pets", [samples[0].id], kind="map")
    with studio.store.read() as session:
        query = sa.select(Sample.id).where(Sample.dataset_id == dataset_id).order_by(Sample.id)
        ids = list(session.scalars(query))
    np.save(studio.settings.tasks / str(lay) / "pca.npy", np.zeros((len(ids), 2), np.float32))
    other = finished(studio, "pets", [samples[3].id, samples[4].id])
    content = client.get(f"/select/{task_id}/map?against={other}").content
    assert client.get(f"/select/{task_id}/map?against={'9' * 30}").status_code == 404
    length = int.from_bytes(content[4:8], "little")
    header = json.loads(content[8 : 8 + length])
    at = {entry["name"]: entry for entry in header["arrays"]}
    start = -(-(8 + length) // 8) * 8 + at["marks"]["at"]
    marks = dict(zip(ids, content[start : start + len(ids)], strict=True))
    found = [marks[samples[i].id] for i in (0, 3, 4, -2)]
    assert found == [FIRST, BOTH, SECOND, EARLIER]
    assert header["meta"]["selected"] == [samples[3].id, samples[0].id]
    assert client.get(f"/select/{lay}/map").status_code == 404


def test_users_see_only_their_own_selections(
    studio: Studio, client: TestClient, task_id: int
) -> None:
    _, samples = pool(studio, "secret")
    theirs = finished(studio, "secret", [samples[0].id, samples[1].id])
    paths = [f"/download/selection/{theirs}/{each}" for each in FORMS]
    paths += [f"/select/{theirs}/map", f"/select/{task_id}/map?against={theirs}"]
    paths += ["/download/selection/99999/ids.csv", f"/download/selection/{task_id}/ids.exe"]
    for path in paths:
        assert client.get(path).status_code == 404, path


def test_the_form_is_validated_before_a_task_is_queued(studio: Studio) -> None:
    dataset_id, _ = pool(studio, "pets")
    user = studio.store.owner()

    def params(**changes: str) -> dict[str, Any]:
        models = {"model": "efficientnet_lite0", "vlm": "embedded", "image_size": "0"}
        fields = {**{k: str(v) for k, v in PARAMS.items()}, **models, **changes}
        config, run = RunConfig.from_dict(select_form.read(fields)), whole(fields, "run")
        return selection_params(studio, user, dataset_id, config, run)

    made = params(budget="50%", run="7")
    assert (made["budget"], made["run"], made["caption_weight"]) == ("50%", 7, 0.25)
    assert isinstance(made["revision"], int)
    for change, words in (
        ({"budget": "999"}, "can be selected"),
        ({"budget": "few"}, "is neither a count"),
        ({"budget": " "}, "Budget is empty. Enter a count"),
        ({"image_size": ""}, "Image size is empty"),
        ({"seed": "x"}, "whole number"),
        ({"caption_weight": "2"}, "must be between"),
        ({"strategy": "vecav"}, "did you mean"),
    ):
        with pytest.raises(InputError, match=words):
            params(**change)


def test_the_page_escapes_user_text(studio: Studio, task_id: int) -> None:
    user = studio.store.owner()
    dataset_id, samples = pool(studio, "pets")
    values = {"dataset": str(dataset_id), "task": str(task_id), "image": str(samples[3].id)}
    html, busy = select._render(studio, user, values)
    assert not busy
    assert "&lt;b&gt;a cat&lt;/b&gt;" in html and "<b>a cat" not in html
    assert "moved the image's features by 3.0°" in html and "no run was chosen" in html
    with studio.store.write() as session:
        task = session.get_one(Task, task_id)
        task.result = {**task.result, "warning": "2 images are left out."}
    assert "2 images are left out." in select._render(studio, user, values)[0]
    missing, _ = select._render(studio, user, {**values, "task": "99999"})
    assert "There is no task 99999" in missing


def test_the_page_says_why_another_strategy_selected(studio: Studio) -> None:
    dataset_id, samples = pool(studio, "pets")
    task_id = finished(studio, "pets", [samples[3].id])

    def page(strategy: str, used: str) -> str:
        with studio.store.write() as session:
            task = session.get_one(Task, task_id)
            task.params = {**PARAMS, "strategy": strategy}
            task.result = {**task.result, "strategy": used}
        values = {"dataset": str(dataset_id), "task": str(task_id)}
        return select._render(studio, studio.store.owner(), values)[0]

    words = "vecaf works like uherding. Without a trained model, uherding works like maxherding."
    assert words in page("vecaf", "uherding")
    assert "badge needs a trained model, so typiclust selected" in page("badge", "typiclust")
    assert "With so many images per class, vecaf" in page("vecaf", "importance")
    assert "With so" not in page("vecaf", "vecaf")


@pytest.mark.parametrize(
    ("used", "words"),
    [
        ("ccs", "The strategy uses it to select images."),
        ("importance", "The strategy uses it to select images."),
        ("activeft", "The strategy does not use it."),
    ],
)
def test_the_panel_says_whether_the_strategy_uses_the_loss(
    studio: Studio, used: str, words: str
) -> None:
    dataset_id, samples = pool(studio, "pets")
    task_id = finished(studio, "pets", [samples[3].id])
    with studio.store.write() as session:
        task = session.get_one(Task, task_id)
        task.params = {**PARAMS, "strategy": used}
        task.result = {**task.result, "strategy": used}
    path = studio.settings.tasks / str(task_id) / EXPLANATION
    content = {**json.loads(path.read_text()), "losses": [0.5], "scores": {"stratum": [37.0]}}
    path.write_text(json.dumps(content))
    values = {"dataset": str(dataset_id), "task": str(task_id)}
    html = select._render(studio, studio.store.owner(), values)[0]
    assert words in html and "loss level (0 = lowest): 37" in html


def test_every_score_of_a_strategy_has_a_label() -> None:
    rng = np.random.default_rng(0)
    given = {
        "labels": np.arange(60) % 3,
        "losses": rng.random(60),
        "probabilities": rng.dirichlet(np.ones(3), 60),
    }
    features = rng.normal(size=(60, 6)).astype(np.float32)
    for name in STRATEGIES:
        needed: dict[str, Any] = {key: given[key] for key in STRATEGIES[name].info.required}
        scores = vecaf.select(features, 6, name, **needed).scores
        assert set(scores) <= {*SCORES, *OWN_ROW}, name


def test_a_comparison_counts_the_overlap(studio: Studio, task_id: int) -> None:
    dataset_id, samples = pool(studio, "pets")
    other = finished(studio, "pets", [samples[3].id, samples[4].id])
    values = {"dataset": str(dataset_id), "task": str(task_id), "against": str(other)}
    html, _ = select._render(studio, studio.store.owner(), values)
    assert "Comparison of two selections" in html and "0.33" in html  # 1 in both, of 3 in all


def test_the_labels_known_goal_requires_a_labeled_pool(studio: Studio) -> None:
    facts = PoolFacts(1, "x", ["a"], 10, 10, 4, 0)
    assert "labels-known" in form(facts, [], [])
    assert ">importance<" in form(facts, [], [])
    partly = form(replace(facts, labeled=9), [], [])
    assert "labels-known" not in partly and ">importance<" not in partly and ">badge<" in partly


def test_pool_counts(studio: Studio) -> None:
    dataset_id, samples = pool(studio, "pets")
    with studio.store.read() as session:
        assert count_pool(session, dataset_id) == (len(samples), len(samples))
