"""The HTTP API: the examples of its documentation run, and bad requests get a sentence."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from mcp import Client as Agent
from mcp import StdioServerParameters

from app.api import BASE
from app.shell.body_limit import DEFAULT
from tests.app.crawl import routes
from tests.documentation import WITH_STUDIO, read
from tests.finished import new_studio
from tests.homes import new_home
from tests.waiting import result_of
from vecaf.config import RunConfig

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs" / "http-api.md"
CLIENT_DOCS = ROOT / "docs" / "python.md"
START_SECONDS = 180


@dataclass(frozen=True)
class Live:
    port: int
    folder: Path  # the folder in which examples run; it contains image.jpg

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as answer:
            return json.load(answer)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Start `python -m app` with its worker on a home with one dataset."""
    home, folder = new_home(tmp_path_factory.mktemp("home")), tmp_path_factory.mktemp("program")
    store = new_studio(home)
    shutil.copyfile(next((home / "drawn" / "disc").glob("*.png")), folder / "image.jpg")
    store.close()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "app", "--port", str(port), "--home", str(home), "--no-demo"]
    environment = os.environ | {"DATABASE_URL": "", "VECAF_DEVICE": "cpu"}
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    found = Live(port, folder)
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            found.get("/healthz")
            break
        except OSError:
            assert time.monotonic() < end and process.poll() is None, "The server did not start."
            time.sleep(0.3)
    yield found
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0


@pytest.mark.soak  # tests/client and the tests below call the same routes
def test_the_documented_examples_run(live: Live) -> None:
    """Run the examples one after the other, each in a separate process, as a reader would."""
    found = [block for block in read(DOCS).blocks if block.note == WITH_STUDIO]
    assert [block.language for block in found] == ["python", "bash", "python"]
    printed = []
    for block in found:
        language, code = block.language, block.code
        assert "http://127.0.0.1:7860" in code or language == "bash"
        code = code.replace("127.0.0.1:7860", f"127.0.0.1:{live.port}")
        command = [sys.executable, "-"] if language == "python" else ["bash", "-e"]
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            command, input=code, cwd=live.folder, env=os.environ | {"PATH": path},
            capture_output=True, text=True, timeout=400,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        printed.append(done.stdout)

    assert "finished" in printed[0] and "'labeled': 8" in printed[0]
    run = live.get("/api/v1/runs")["runs"][0]
    assert (run["state"], run["dataset"], run["rounds_done"]) == ("finished", "shapes", 1)
    answers = [printed[0].splitlines()[-1], printed[2].splitlines()[0]]
    assert answers[0] == answers[1]  # two ways to predict with the same model
    best = re.search(r"'name': '(\w+)'", answers[0])
    alone = json.loads(printed[1])["classes"]
    assert best is not None and best[1] == next(iter(alone))
    assert printed[2].splitlines()[1] == f"finished /api/v1/runs/{run['run']}/model"

    receipt = live.get(f"/api/v1/runs/{run['run']}/files/receipt.json")
    assert len(receipt["selections"][0]["sha256"]) == 8


@pytest.mark.soak  # tests/client runs the same calls
def test_the_documented_client_runs(live: Live) -> None:
    (block,) = [block for block in read(CLIENT_DOCS).blocks if block.note == WITH_STUDIO]
    code = block.code.replace("127.0.0.1:7860", f"127.0.0.1:{live.port}")
    done = subprocess.run(
        [sys.executable, "-"], input=code, cwd=live.folder, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=400,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "finished" in done.stdout.splitlines()[-2] and "'share'" in done.stdout.splitlines()[-1]
    assert zipfile.is_zipfile(live.folder / "exported.zip")


@pytest.mark.soak  # tests/client asks the same server
def test_an_agent_starts_its_server(live: Live) -> None:
    command = ["-m", "vecaf", "mcp", "--studio", f"http://127.0.0.1:{live.port}"]

    async def names() -> list[str]:
        async with Agent(StdioServerParameters(command=sys.executable, args=command)) as agent:
            answer = await agent.call_tool("list_datasets", {})
            assert answer.structured_content is not None
            return [one["name"] for one in answer.structured_content["datasets"]]

    assert result_of(names()) == ["shapes"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("GET", "/runs/99", None, 404, "no run 99"),
        ("GET", "/runs/x", None, 404, "Not found"),
        ("GET", "/nothing", None, 404, "No such endpoint"),
        ("DELETE", "/runs", None, 404, "No such endpoint"),
        ("GET", "/runs/99/model", None, 404, "no run 99"),
        ("GET", "/runs/99/files/..%2F..%2Fstudio.db", None, 404, "No such endpoint"),
        ("GET", "/runs/99/predict?image=1", None, 503, "inference process is not running"),
        ("POST", "/runs", b"{", 400, "not valid JSON"),
        ("POST", "/runs", b"[" * 50_000, 400, "not valid JSON"),
        ("POST", "/runs", b"[]", 400, '"dataset"'),
        ("POST", "/runs", b" " * (DEFAULT + 1), 413, "too long"),
        ("POST", "/runs", b'{"dataset": "secret"}', 404, "no dataset called 'secret'"),
        ("POST", "/runs", b'{"dataset": "9%s"}' % (b"9" * 22), 404, "no dataset called"),
        ("POST", "/runs", b'{"dataset": "pets", "\\ud800": 1}', 400, "Unknown setting '?'"),
        ("POST", "/runs", b'{"dataset": "pets\\u0000"}', 400, "can't be stored"),
        ("GET", "/runs?before=9999999999999999999999", None, 404, "Not found"),
        ("GET", "/runs/1/predict?image=9999999999999999999999", None, 404, "Not found"),
        ("POST", "/runs", b'{"dataset": "pets", "evil": 1}', 400, "Unknown setting 'evil'"),
        ("POST", "/runs", b'{"dataset": "pets", "budget": "999"}', 400, "can be selected"),
        ("POST", "/runs/99/cancel", None, 404, "no run 99"),
        ("GET", "/imports/99", None, 404, "no import 99"),
        ("GET", "/selections/99", None, 404, "no selection 99"),
        ("GET", "/label-requests/99", None, 404, "no label request 99"),
        ("GET", "/datasets/99/export", None, 404, "no dataset 99"),
        ("GET", "/datasets/1/export?format=pickle", None, 400, "pickle"),
        ("POST", "/datasets?name=new", b"no archive", 400, "not a ZIP file"),
        ("POST", "/datasets?name=pets", b"no archive", 400, "already have a dataset"),
        ("POST", "/selections", b"[]", 400, '"dataset"'),
        ("POST", "/selections", b'{"dataset": "pets", "rounds": 2}', 400, "'rounds'"),
        ("POST", "/selections", b'{"dataset": "pets", "run": "x"}', 400, "'run'"),
        ("POST", "/selections", b'{"dataset": "secret"}', 404, "no dataset called 'secret'"),
        ("POST", "/selections/99/label-request", b'{"name": 1}', 400, '"name"'),
        ("POST", "/runs/1/predict", b"", 400, "has no image"),
        ("POST", "/runs/1/predict", b"<svg>", 400, "an SVG or XML file"),
    ],
)
def test_what_cannot_be_is_a_sentence(
    client: TestClient, method: str, path: str, body: bytes | None, status: int, words: str
) -> None:
    answer = client.request(method, f"/api/v1{path}", content=body)
    assert answer.status_code == status
    assert words in answer.json()["error"]
    assert "Traceback" not in answer.text and str(ROOT) not in answer.text


def test_only_own_things_are_listed(client: TestClient) -> None:
    names = [d["name"] for d in client.get("/api/v1/datasets").json()["datasets"]]
    assert names == ["pets"]
    assert set(client.get("/api/v1").json()) == {"endpoints"}


def test_a_page_elsewhere_may_not_launch(client: TestClient) -> None:
    settings = json.dumps({"dataset": "pets", "budget": "2", "rounds": 1})
    foreign = {"Sec-Fetch-Site": "cross-site", "Content-Type": "text/plain"}
    assert client.post("/api/v1/runs", content=settings, headers=foreign).status_code == 403
    assert client.get("/api/v1/runs").json() == {"runs": []}
    launched = client.post("/api/v1/runs", content=settings)  # programs do not send this header
    assert launched.status_code == 201
    run = launched.json()["run"]
    assert client.post(f"/api/v1/runs/{run}/cancel").json()["state"] == "canceled"


def test_the_documentation_lists_every_endpoint(client: TestClient) -> None:
    listed = {row[0] for table in read(DOCS).tables for row in table.rows}
    asked = {re.sub(r"\b(RUN|NAME|ID)\b", "…", row) for row in listed if f" {BASE}/" in row}
    assert isinstance(client.app, FastAPI)
    there = {
        f"{route.method} {re.sub(r'{[^}]+}', '…', route.path)}"
        for route in routes(client.app)
        if route.path.startswith(f"{BASE}/") and not route.path.endswith(":path}")
    }
    assert asked == there


def test_the_schema_describes_every_endpoint(client: TestClient) -> None:
    schema = client.get(f"{BASE}/openapi.json").json()
    described = {
        f"{method.upper()} {path}": operation
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    }
    assert isinstance(client.app, FastAPI)
    own = {f"{BASE}/docs", f"{BASE}/openapi.json"}
    there = {
        f"{route.method} {route.path}"
        for route in routes(client.app)
        if route.path.startswith(f"{BASE}/") and not route.path.endswith(":path}")
    } - {f"GET {path}" for path in own}
    assert set(described) == there
    assert all(operation["summary"] for operation in described.values())
    assert client.get(BASE).json()["endpoints"] == {
        name: operation["summary"] for name, operation in described.items()
    }
    settings = described[f"POST {BASE}/runs"]["requestBody"]["content"]["application/json"]
    assert set(settings["schema"]["properties"]) == set(RunConfig().as_dict())
    select = schema["paths"][f"{BASE}/selections"]["post"]["requestBody"]["content"]
    budgets = [
        kind["schema"]["properties"]["budget"] for kind in (settings, select["application/json"])
    ]
    assert "it selects among the labeled images" in budgets[0]["description"]
    assert "of all images in the pool" in budgets[1]["description"]
    assert budgets[0]["default"] == budgets[1]["default"]


def test_the_documentation_page_names_every_endpoint_setting_and_field(client: TestClient) -> None:
    schema = client.get(f"{BASE}/openapi.json").json()
    page = client.get(f"{BASE}/docs")
    assert page.headers["content-type"].startswith("text/html")
    names = {*schema["paths"], *RunConfig().as_dict()}
    for kind in schema["components"]["schemas"].values():
        names |= set(kind["properties"])
    assert [name for name in names if f"<code>{name}</code>" not in page.text] == []
    assert "://" not in page.text.replace("http://www.w3.org", "")  # nothing from elsewhere


def test_answers_have_the_fields_of_the_schema(client: TestClient) -> None:
    schemas = client.get(f"{BASE}/openapi.json").json()["components"]["schemas"]
    settings = {"dataset": "pets", "budget": "2", "rounds": 1}
    run = client.post(f"{BASE}/runs", json=settings).json()
    client.post(f"{BASE}/runs/{run['run']}/cancel")
    assert set(run) == set(schemas["RunDetails"]["properties"])
    listed = client.get(f"{BASE}/runs").json()["runs"][0]
    assert set(listed) == set(schemas["RunSummary"]["properties"])


def test_only_the_documented_names_are_open_to_clients(client: TestClient) -> None:
    listed = {row[0] for table in read(DOCS).tables for row in table.rows if row[0].startswith("/")}
    assert set(client.get("/gradio_api/info").json()["named_endpoints"]) == listed
