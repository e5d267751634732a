"""Neither other users nor logged-out clients see anything of a user, on any route.

The routes are found by walking the application (tests.app.crawl), so a route that is added later
is tested too. The owner crawls first; what the owner sees, the others must not see."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from app.server import build
from app.shell.studio import Studio
from tests.app.belongings import MARK, Belongings, give
from tests.app.crawl import Found, acts, ask_gradio, routes
from tests.homes import new_home
from vecaf.accounts.sharing import share, unshare
from vecaf.accounts.users import add_user
from vecaf.settings import Settings
from vecaf.store import Share, Store
from vecaf.store.models import Base

BASE = "http://127.0.0.1:7860"
PASSWORD = "a password of many words"
OPEN = {"/healthz", "/login", "/login/", "/static/app/{folder}/{name}"}  # public
# The inference process answers these and authorizes by itself (tests/inference). None runs here.
IMPORTS = "/api/v1/imports/"  # an import belongs to its user, also if its dataset is shared
INFERENCE = ("/predict/{run_id}", "/explore/{dataset_id}/search")


@dataclass
class Two:
    studio: Studio
    anna: TestClient
    bob: TestClient
    nobody: TestClient
    hers: Belongings
    app: Any

    def bobs_id(self) -> int:
        with self.studio.store.read() as session:
            return int(
                session.execute(sa.text("SELECT id FROM user WHERE name = 'bob'")).scalar_one()
            )


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    home, cache = new_home(tmp_path_factory.mktemp("home")), tmp_path_factory.mktemp("cache")
    patch = pytest.MonkeyPatch()
    patch.setenv("GRADIO_TEMP_DIR", str(cache))
    store = Store.open(Settings(home=home, database_url=f"sqlite:///{home / 'studio.db'}"))
    with store.write() as session:
        anna, _ = (add_user(session, name, PASSWORD).id for name in ("anna", "bob"))
    hers = give(store, anna, tmp_path_factory.mktemp("zip"))
    app = build(Studio(store.settings, store, accounts=True))
    options: dict[str, Any] = {"follow_redirects": False, "raise_server_exceptions": False}
    with TestClient(app, base_url=BASE, **options) as nobody:
        people = []
        for name in ("anna", "bob"):
            person = TestClient(app, base_url=BASE, **options)
            person.portal = nobody.portal  # one event loop: Gradio's queue lives in it
            answer = person.post("/login", data={"username": name, "password": PASSWORD})
            assert answer.status_code == 200
            people.append(person)
        studio = Studio(store.settings, store, accounts=True)
        yield Two(studio, people[0], people[1], nobody, hers, app)
    assert not [path for path in cache.rglob("*") if path.is_file()], "Gradio's cache holds files"
    store.close()
    patch.undo()


def everything(store: Store) -> str:
    """Return all rows except logins. A crawl by the wrong user must not change them."""
    tables = [t for t in Base.metadata.sorted_tables if not t.name.startswith("login")]
    with store.read() as session:
        rows = [sorted(map(str, session.execute(sa.select(table)))) for table in tables]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def body_for(two: Two) -> dict[str, Any]:
    """Return a body with every field that the studio's routes read. All ids in it are Anna's."""
    first = two.hers.first
    sample, dataset = first("sample_id"), first("dataset_id")
    return {
        "ids": [sample], "label": 1, "name": "taken", "caption": "taken", "excluded": True,
        "edit": first("edit"), "values": {sample: 0}, "names": ["taken"],
        "dataset": str(dataset), "dataset_id": dataset, "run": first("run_id"),
    }  # fmt: skip


def shown(content: bytes, hers: Belongings) -> bool:
    return any(secret in content for secret in hers.secrets)


def crawl(two: Two, client: TestClient, found: Found) -> tuple[bool, set[int]]:
    """Return whether the route showed anything of Anna's, and the statuses."""
    first = two.hers.first
    values = {**two.hers.values, "against": two.hers.values["task_id"], "run": [first("run_id")],
              "image": [first("sample_id")], "subset": [first("subset_id")],
              "corruption": ["fog"], "severity": [1], "words": ["thing"], "text": ["thing"],
              "dataset": [first("dataset_id")], "count": [3],
              "path": [str(path) for path in two.hers.files[:3]], "rest": ["runs"],
              "session_hash": ["crawled"], "method": ["pca"]}  # fmt: skip
    saw, statuses = False, set()
    for address in found.addresses(values):
        body = None if found.method in ("GET", "HEAD") else body_for(two)
        answer = client.request(found.method, address, json=body)
        statuses.add(answer.status_code)
        saw = saw or shown(answer.content, two.hers)
        assert str(two.studio.settings.home) not in answer.text, address
        assert "Traceback" not in answer.text, address
    return saw, statuses


def ours(found: Found) -> bool:
    """Return False for endless streams and for routes that log the client out."""
    return "heartbeat" not in found.path and found.path != "/logout"


def test_no_route_shows_or_changes_anothers_things(two: Two) -> None:
    every = [found for found in routes(two.app) if ours(found)]
    paths = {found.path for found in every}
    assert {
        "/thumb/{sample_id}",
        "/explore/{dataset_id}/columns.bin",
        "/gradio_api/queue/join",
    } <= paths
    reading = [found for found in every if found.method == "GET" and "{" in found.path]
    seen = {found.path for found in reading if crawl(two, two.anna, found)[0]}
    assert len(seen) >= 12, f"The crawl proves little: only {sorted(seen)} show the owner anything."
    before = everything(two.studio.store)
    for found in every:
        saw, statuses = crawl(two, two.bob, found)
        assert not saw, f"{found.method} {found.path} shows Bob what is Anna's"
        if not found.query or found.query[0] not in ("page", "deep_link"):  # Gradio's own, 500
            assert not statuses & {500, 501, 502}, (found, statuses)
    assert everything(two.studio.store) == before, "Bob changed something"


def test_without_a_login_nothing_is_shown(two: Two) -> None:
    for found in routes(two.app):
        saw, statuses = crawl(two, two.nobody, found)
        assert not saw, f"{found.method} {found.path} shows nobody what is Anna's"
        if found.path not in OPEN:
            assert statuses == {401}, (found, statuses)
    page = two.nobody.get("/explore?dataset=1", headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["location"]) == (
        303,
        "/login?next=/explore%3Fdataset%3D1",
    )


def gradio_events(two: Two) -> Iterator[tuple[int, list[Any], Any]]:
    """Yield (function, inputs, event) for all functions of the pages: all views and actions."""
    first = two.hers.first
    named = {"dataset": "dataset_id", "run": "run_id", "subset": "subset_id"}
    query = "&".join(f"{name}={first(of)}" for name, of in named.items())
    tasks = two.hers.values["task_id"]
    queries = [
        f"?{query}&task={tasks[1]}&against={tasks[1]}&runs={first('run_id')}&clone={first('run_id')}"
    ]
    queries += [
        f"?dataset={first('dataset_id')}&view={view}" for view in ("classes", "history", "sharing")
    ]
    queries.append(f"?dataset={first('dataset_id')}&image={first('sample_id')}&preview={tasks[2]}")
    ids = {
        "run": str(first("run_id")), "job": str(first("run_id")), "import": str(first("import")),
        "dataset": str(first("dataset_id")), "task": str(tasks[0]), "name": "bob", "count": "2",
        "subset": str(first("subset_id")), "sample": str(first("sample_id")), "value": "taken",
        "edit": str(first("edit")), "pair": str(first("run_id")), "on": str(first("dataset_id")),
        "number": "0", "words": "in fog", "scope": "matching", "do": "exclude",
        "strategy": "random", "budget": "2",
    }  # fmt: skip
    demo = gradio_blocks(two)
    known: set[Any] = set()
    for number, function in demo.fns.items():
        kinds = [type(one).__name__ for one in function.inputs]
        if function.fn is None:
            continue
        event = {target[1] for target in function.targets}
        code = inspect.unwrap(function.fn).__code__
        again = code in known  # the same function under another number: testing it once is enough
        known.add(code)
        if kinds[:1] == ["Api"]:  # the API's functions: a run, or settings
            for value in (first("run_id"), {"dataset": str(first("dataset_id")), "budget": "2"}):
                yield number, [value, "aGVsbG8="][: len(kinds)], None
            continue
        texts = queries if event & {"load", "tick", "go"} and not again else queries[:1]
        chosen = acts() if "act" in event and not again else [""]
        for text in texts:
            inputs = [_input(kind, text, str(first("dataset_id"))) for kind in kinds]
            for act in chosen:
                yield number, inputs, {**ids, "query": text, "act": act}


def _input(kind: str, text: str, dataset: str) -> Any:
    given = {"Textbox": text, "State": {}, "BrowserState": {}, "Dropdown": dataset}
    return given.get(kind, True if kind == "Checkbox" else None)


def gradio_blocks(two: Two) -> Any:
    return two.app.routes[-1]._base_app.get_blocks()


def test_no_function_of_the_pages_shows_or_changes_anothers_things(two: Two) -> None:
    events = list(gradio_events(two))
    seen = 0
    for number, inputs, event in events:
        if isinstance(event, dict) and event["act"]:
            continue  # she only reads
        seen += shown(ask_gradio(two.anna, number, inputs, event, "annas-tab").content, two.hers)
    assert seen >= 15, f"The crawl proves little: {seen} answers show the owner anything."
    before = everything(two.studio.store)
    for number, inputs, event in events:
        if isinstance(event, dict) and event["act"] in ("demo", "public"):
            continue  # would be Bob's own
        answer = ask_gradio(two.bob, number, inputs, event, "bobs-tab")
        assert answer.status_code == 200, (number, event, answer.text)
        assert not shown(answer.content, two.hers), (number, event, answer.text[:2000])
        assert str(two.studio.settings.home) not in answer.text
    assert everything(two.studio.store) == before, "Bob changed something"


def test_a_tab_is_its_users_alone(two: Two) -> None:
    """A user who learns another user's session hash cannot read, use or end that session."""
    body = {"fn_index": 0, "data": ["?"], "session_hash": "annas-own"}
    assert two.anna.post("/gradio_api/queue/join", json=body).status_code == 200
    assert two.bob.get("/gradio_api/queue/data?session_hash=annas-own").status_code == 404
    assert two.bob.get("/gradio_api/heartbeat/annas-own").status_code == 404
    for path in ("queue/join", "cancel", "reset"):
        sent = {**body, "event_id": "x"}
        assert two.bob.post(f"/gradio_api/{path}", json=sent).status_code == 404, path
    assert two.anna.get("/gradio_api/queue/data?session_hash=annas-own").status_code == 200


def test_no_path_is_a_way_to_a_file(two: Two) -> None:
    cached = Path(two.studio.settings.home) / "gradio" / "x.png"
    studio = [*two.hers.files[:: len(two.hers.files) // 5], two.studio.settings.home / "studio.db"]
    for path in [*studio, cached, Path("/etc/passwd")]:
        for form in (f"/gradio_api/file={path}", f"/gradio_api/file/{path}", f"/file={path}",
                     f"/gradio_api/proxy=http://127.0.0.1{path}", f"/static/..%2f..{path}",
                     f"/svelte/../../{path}", f"/assets/..%2f..{path}"):  # fmt: skip
            answer = two.bob.get(form)
            assert answer.status_code in (403, 404), form
            assert not shown(answer.content, two.hers)
            assert b"root:" not in answer.content
    files = {"files": ("x.png", b"\x89PNG", "image/png")}
    assert two.bob.post("/gradio_api/upload", files=files).status_code == 404


def test_what_is_shared_can_be_read_and_not_changed(two: Two) -> None:
    """Bob sees what Anna sees, cannot change it, and sees nothing after the sharing ends."""
    store, dataset = two.studio.store, two.hers.first("dataset_id")
    with store.read() as session:
        anna = session.execute(sa.text("SELECT owner_id FROM dataset")).scalar_one()
    with store.write() as session:
        share(session, anna, dataset, "bob")
    try:
        before = everything(store)
        every = [found for found in routes(two.app) if ours(found)]
        for found in every:
            asks = found.path.startswith((*INFERENCE, IMPORTS))
            asks = asks or found.path.endswith("/deletion")
            if found.method == "GET" and "{" in found.path and not asks:
                hers, his = crawl(two, two.anna, found)[0], crawl(two, two.bob, found)[0]
                assert hers == his, found.path
            elif found.method not in ("GET", "HEAD") and not found.path.startswith("/gradio_api"):
                crawl(two, two.bob, found)
        for number, inputs, event in gradio_events(two):
            if isinstance(event, dict) and event["act"] not in ("", "demo", "public"):
                ask_gradio(two.bob, number, inputs, event, "bobs-tab")
        assert everything(store) == before, "Bob changed what is only shared with him"
        taken = {"ids": [two.hers.first("sample_id")], "excluded": True}
        told = two.bob.post(f"/explore/{dataset}/excluded", json=taken)
        assert told.status_code == 403
        assert "anna shares this with you" in told.json()["error"]
        assert MARK in two.bob.get("/api/v1/runs").text
    finally:
        with store.write() as session:
            unshare(session, anna, dataset, "bob")
    assert MARK not in two.bob.get("/api/v1/runs").text
    assert two.bob.get(f"/thumb/{two.hers.first('sample_id')}").status_code == 404
    with store.read() as session:
        assert session.get(Share, (dataset, two.bobs_id())) is None
