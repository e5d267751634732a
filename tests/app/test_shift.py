"""The Shift page: its HTML, its actions, and its routes."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from app.shell.address import parameters
from app.shell.studio import Studio
from app.shell.templates import macros
from app.shift import page as shift
from app.shift import pairs as shift_pairs
from app.shift import view as shift_view
from tests.app.test_pages import EVIL, assert_harmless, sample
from tests.app.test_routes import samples
from vecaf.config import RunConfig
from vecaf.errors import InputError, NotFoundError
from vecaf.evaluation.corruptions.matching import NAMES
from vecaf.runs.target_outcome import Outcome
from vecaf.store import CANCELED, FAILED, FINISHED, RUNNING, Dataset, Import, Run, Task, User
from vecaf.store.run_pairs import RunPair
from vecaf.tasks.shift_preview import PREVIEW

RESULT = {
    "strength": 0.5, "reach": 0.8, "agreement": 0.4, "reason": EVIL,
    "classes": [{"name": EVIL, "images": 3, "nearest": [5, 6]}],
}  # fmt: skip


def a_task(**values: Any) -> Task:
    given = {"id": 4, "kind": "shift_preview", "state": FINISHED, "stage": "", "done": 0,
             "total": 0, "error": None, "result": RESULT, "params": {}, **values}  # fmt: skip
    return Task(**given)


def a_pair(state: str = FINISHED) -> RunPair:
    runs = [
        Run(id=number, name=EVIL, state=state, stage=EVIL, done=1, total=2, config={})
        for number in (7, 8)
    ]
    return RunPair(EVIL, runs[0], runs[1], EVIL)


def compared(low: float, high: float) -> dict[str, Any]:
    level = {"images": 40, "plain": 0.5, "shifted": 0.55, "difference": 0.05, "low": low,
             "high": high}  # fmt: skip
    return {
        "levels": [{"severity": s, **level} for s in range(6)],
        "overall": [0.05, low, high],
        "other": {"name": EVIL, "severity": 0, **level},
        "same": False,
        "sentences": [EVIL],
    }


def test_user_text_is_escaped() -> None:
    done = a_task(kind="shift_result", result=compared(0.01, 0.09))
    for text in (
        shift_view.missing(EVIL),
        shift_view.top([(1, EVIL)], 1, EVIL, EVIL, a_pair().plain),
        shift_view.preview(EVIL, a_task(), {5: sample()}),
        shift_view.preview(EVIL, a_task(state=RUNNING, stage=EVIL, result=None), {}),
        shift_view.preview(EVIL, a_task(state=FAILED, error=EVIL), {}),
        shift_view.strips([sample()], "fog", None, {"dataset": 1, "words": EVIL}),
        shift_pairs.launch(1, EVIL, None),
        shift_pairs.launch(1, EVIL, a_pair().plain),
        shift_pairs.result(a_pair(), done, "fog", [(2, EVIL)], 2),
        shift_pairs.result(a_pair(RUNNING), None, "fog", [], 0),
        shift_pairs.earlier([a_pair()], {"dataset": 1, "pair": 8, "corruption": EVIL}),
        macros("shift", "images.html").form(1, [(2, EVIL)], [Import(id=3, name=EVIL)], None),
        macros("shift", "images.html").outcome(Outcome(EVIL, 1, True, EVIL)),
    ):
        assert_harmless(text)
        assert "<script>" not in text


def test_every_state_says_what_to_do_next() -> None:
    assert "Data page" in shift_view.no_dataset()
    assert "Enter a target domain" in shift_view.preview("", None, {})
    assert "Preview shift" in shift_view.preview("in fog", None, {})
    partial = a_task()
    partial.result = {**partial.result, "warning": "2 images are left out."}
    assert "2 images are left out." in shift_view.preview("in fog", partial, {5: sample()})
    assert "too bad" in shift_view.preview("in fog", a_task(state=FAILED, error="too bad"), {})
    assert "you can compare them here" in shift_pairs.result(a_pair(RUNNING), None, "fog", [], 0)
    assert "Resume it" in shift_pairs.result(a_pair(FAILED), None, "fog", [], 0)
    canceled = a_task(state=CANCELED, result=None)
    html = shift_view.preview("in fog", canceled, {})
    assert "was canceled" in html and "Waiting" not in html
    html = shift_pairs.result(a_pair(), canceled, "fog", [], 0)
    assert "was canceled" in html and "Waiting" not in html
    assert 'data-act="compare"' in html
    assert shift_pairs.launch(1, "", None) == shift_pairs.earlier([], {}) == ""


def test_a_shift_that_a_run_would_not_apply_is_dashed() -> None:
    useless = shift_view.preview("in fog", a_task(result={**RESULT, "strength": 0.0}), {})
    assert "notice-warn" in useless and "a run would not apply this shift" in useless
    assert "notice-good" in shift_view.preview("in fog", a_task(), {})


@pytest.mark.parametrize(("low", "kind"), [(0.01, "good"), (-0.01, "quiet")])
def test_only_a_difference_beyond_chance_counts_as_help(low: float, kind: str) -> None:
    task = a_task(kind="shift_result", result=compared(low, 0.09))
    text = shift_pairs.result(a_pair(), task, "fog", [], 0)
    assert f"notice-{kind}" in text and "fog 5" in text
    shown = f"{100 * low:+.1f}".replace("-", "−")
    assert f'+5.0 <small class="muted">({shown} to +9.0)' in text


def test_the_strip_offers_every_corruption_and_keeps_the_address() -> None:
    text = shift_view.strips([sample()], "snow", "snow", {"dataset": 1, "words": "in snow"})
    assert all(f"corruption={name}" in text for name in NAMES)
    assert "“snow” is similar to your target domain" in text
    assert text.count("/shift/preview/5?") == 5 and "words=in+snow" in text


def dataset_of(studio: Studio) -> int:
    with studio.store.read() as session:
        return session.scalars(sa.select(Dataset.id).where(Dataset.name == "pets")).one()


def test_buttons_queue_a_preview_and_a_pair(studio: Studio) -> None:
    user, dataset = studio.store.owner(), str(dataset_of(studio))
    point = {"act": "preview", "dataset": dataset, "words": "  in   fog ", "query": ""}
    address = shift._act(studio, user, point)
    assert address == f"/shift?dataset={dataset}&words=in+fog"
    assert shift._act(studio, user, point) == address
    launch = {"act": "launch", "dataset": dataset, "words": "in fog", "budget": "2", "seed": "3",
              "mode": "head-only", "query": ""}  # fmt: skip
    address = shift._act(studio, user, launch)
    with studio.store.read() as session:
        tasks = session.scalars(sa.select(Task).where(Task.kind == "shift_preview")).all()
        runs = session.scalars(sa.select(Run).order_by(Run.id)).all()
    assert [task.params["words"] for task in tasks].count("in fog") == 1
    plain, shifted = (RunConfig.from_dict(run.config) for run in runs[-2:])
    assert (plain.target_words, shifted.target_words, plain.seed) == ("", "in fog", 3)
    assert address.endswith(f"pair={runs[-1].id}")
    top, body, pairs, _ = shift._shown(
        studio, user, {"dataset": dataset, "words": "in fog", "pair": str(runs[-1].id)}
    )
    assert "in fog" in top and "/shift/preview/" in body and f"runs={runs[-1].id}" not in pairs
    assert f"run {runs[-1].id}" in pairs and "Launch both runs" in pairs


def a_run(studio: Studio, **settings: Any) -> Run:
    """Add a finished run on the user's dataset: its row, without files."""
    user, config = studio.store.owner(), RunConfig(dataset="pets", **settings).as_dict()
    with studio.store.write() as session:
        run = Run(owner_id=user, dataset_id=dataset_of(studio), name="mine", seed=5, config=config,
                  state=FINISHED)  # fmt: skip
        session.add(run)
        session.flush()
    return run


def test_a_page_opened_from_a_run_launches_the_same_settings(studio: Studio) -> None:
    user, dataset = studio.store.owner(), str(dataset_of(studio))
    earlier = {"act": "launch", "dataset": dataset, "words": "in fog", "budget": "2", "seed": "3",
               "mode": "head-only", "query": ""}  # fmt: skip
    shift._act(studio, user, earlier)
    run = a_run(studio, budget="3", rounds=1, epochs=7, seed=5)
    query = f"?dataset={dataset}&run={run.id}"
    data = {"act": "preview", "dataset": dataset, "words": "at night", "query": query}
    address = shift._act(studio, user, data)
    assert address == f"/shift?dataset={dataset}&run={run.id}&words=at+night"
    top, body, pairs, _ = shift._shown(studio, user, parameters(address.partition("?")[2]))
    assert f"run {run.id}: mine" in top
    assert f"run={run.id}&amp;words=at+night&amp;corruption=fog" in body
    assert f"has the settings of run {run.id}" in pairs and 'name="budget"' not in pairs

    data = {**data, "act": "launch", "query": address.partition("?")[2]}
    address = shift._act(studio, user, data)
    values = parameters(address.partition("?")[2])
    assert values["run"] == str(run.id)
    with studio.store.read() as session:
        newest = session.scalars(sa.select(Run).order_by(Run.id.desc())).first()
    assert newest is not None and values["pair"] == str(newest.id) == str(run.id + 1)
    assert newest.config == {**run.config, "target_words": "at night"}
    pairs = shift._shown(studio, user, values)[2]
    assert f"runs {run.id} and {newest.id}" in pairs
    assert f"run={run.id}&amp;words=in+fog" in pairs  # so do the links to earlier pairs


def test_a_run_with_a_target_domain_gets_a_baseline(studio: Studio) -> None:
    run = a_run(studio, budget="4", rounds=1, target_words="in the snow")
    dataset = str(dataset_of(studio))
    data = {"act": "launch", "dataset": dataset, "words": "at night",
            "query": f"?dataset={dataset}&run={run.id}"}  # fmt: skip
    shift._act(studio, studio.store.owner(), data)
    with studio.store.read() as session:
        made = session.scalars(sa.select(Run).where(Run.id > run.id).order_by(Run.id)).all()
    assert [one.config["target_words"] for one in made] == ["", "at night"]
    shift._act(studio, studio.store.owner(), {**data, "words": "in thick fog"})
    with studio.store.read() as session:
        newest = session.scalars(sa.select(Run).order_by(Run.id.desc())).first()
    assert newest is not None and newest.id == made[-1].id + 1  # the pair has that baseline


def test_runs_of_other_users_do_not_exist(studio: Studio) -> None:
    with studio.store.write() as session:
        stranger = session.scalars(sa.select(User).where(User.name == "stranger")).one()
        secret = session.scalars(sa.select(Dataset.id).where(Dataset.name == "secret")).one()
        run = Run(owner_id=stranger.id, dataset_id=secret, name="theirs", seed=0, config={},
                  state=FINISHED)  # fmt: skip
        session.add(run)
        session.flush()
        query = f"?run={run.id}"
    user, dataset = studio.store.owner(), str(dataset_of(studio))
    with pytest.raises(NotFoundError):
        shift._shown(studio, user, parameters(query))
    with pytest.raises(NotFoundError):
        shift._act(studio, user, {"act": "launch", "dataset": dataset, "words": "in fog",
                                  "query": query})  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [({"words": " "}, "Enter a target domain"),
     ({"act": "launch", "budget": "900"}, "can be selected"),
     ({"act": "launch", "budget": "few"}, "is neither a count"),
     ({"act": "launch", "seed": "x"}, "seed")],
)  # fmt: skip
def test_invalid_input_is_explained(studio: Studio, change: dict[str, str], words: str) -> None:
    data = {"act": "preview", "dataset": str(dataset_of(studio)), "words": "in fog", "budget": "2",
            "seed": "0", "mode": "head-only", "query": "", **change}  # fmt: skip
    with pytest.raises(InputError, match=words):
        shift._act(studio, studio.store.owner(), data)


def test_a_pair_whose_dataset_is_gone_is_not_compared(studio: Studio) -> None:
    with studio.store.write() as session:
        user = User(name="user without datasets")
        session.add(user)
        session.flush()
        user_id = user.id
    data = {"act": "compare", "pair": "1", "corruption": "fog", "on": "0", "query": ""}
    with pytest.raises(NotFoundError, match="Reload the page"):
        shift._act(studio, user_id, data)


def test_datasets_of_other_users_do_not_exist(studio: Studio, client: TestClient) -> None:
    user = studio.store.owner()
    with studio.store.read() as session:
        secret = session.scalars(sa.select(Dataset.id).where(Dataset.name == "secret")).one()
    for act in ("preview", "launch"):
        with pytest.raises(NotFoundError):
            shift._act(studio, user, {"act": act, "dataset": str(secret), "words": "in fog"})
    with pytest.raises(NotFoundError):
        shift._shown(studio, user, {"dataset": str(secret)})
    foreign = samples(studio, "secret")[0].id
    answer = client.get(f"/shift/preview/{foreign}?corruption=fog&severity=1")
    assert answer.status_code == 404


def test_corrupted_copies_are_made_on_request(studio: Studio, client: TestClient) -> None:
    mine = samples(studio, "pets")[0].id
    first = client.get(f"/shift/preview/{mine}?corruption=gaussian_noise&severity=1")
    worse = client.get(f"/shift/preview/{mine}?corruption=gaussian_noise&severity=5")
    assert first.status_code == worse.status_code == 200
    assert first.headers["content-type"] == "image/webp" and first.content != worse.content
    assert "max-age" in first.headers["cache-control"]
    unknown = client.get(f"/shift/preview/{mine}?corruption=fogg&severity=1")
    assert unknown.status_code == 400 and "did you mean fog" in unknown.json()["error"]
    assert client.get(f"/shift/preview/{mine}?corruption=fog&severity=6").status_code in (400, 404)


def test_only_the_owner_can_load_a_map(studio: Studio, client: TestClient) -> None:
    with studio.store.write() as session:
        stranger = session.scalars(sa.select(User).where(User.name == "stranger")).one()
        made = [
            Task(owner_id=owner, dataset_id=dataset_of(studio), kind="shift_preview", params={})
            for owner in (studio.store.owner(), stranger.id)
        ]
        session.add_all(made)
        session.flush()
        mine, theirs = (task.id for task in made)
    for task_id in (mine, theirs):
        folder = studio.settings.tasks / str(task_id)
        folder.mkdir(parents=True)
        (folder / PREVIEW).write_text("{}")
    assert client.get(f"/shift/map/{mine}").json() == {}
    assert client.get(f"/shift/map/{theirs}").status_code == 404
