"""`vecaf.Client` with a studio in this process."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

import vecaf
from app.server import build
from app.shell.inference import InferenceProcess
from app.shell.studio import Studio
from tests.client.bridge import Bridge, work
from tests.homes import new_home
from tests.shapes import write_shapes
from vecaf.accounts.users import add_user
from vecaf.errors import BusyError, NotFoundError, NotLoggedInError, UnavailableError, VecafError
from vecaf.settings import Settings
from vecaf.store import Store

BASE = "http://127.0.0.1:7860"


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    home = new_home(tmp_path_factory.mktemp("home"))
    environment = {"VECAF_HOME": str(home), "VECAF_DEVICE": "cpu", "VECAF_EMBED_ON_IMPORT": "0"}
    store = Store.open(Settings.from_environment(environment))
    inference = InferenceProcess(store.settings.as_environment())
    yield Studio(store.settings, store, inference=inference)
    inference.stop()
    store.close()


@pytest.fixture(scope="module")
def client(studio: Studio) -> Iterator[vecaf.Client]:
    with TestClient(build(studio), base_url=BASE) as inner:
        bridge = Bridge(inner, lambda: work(studio.store))
        with vecaf.Client(transport=bridge, poll=0.01) as client:
            yield client


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ZIP of drawn shapes, one folder per class."""
    folder = tmp_path_factory.mktemp("drawn")
    write_shapes(folder / "shapes", 60)
    with zipfile.ZipFile(folder / "shapes.zip", "w") as out:
        for path in sorted((folder / "shapes").rglob("*.png")):
            out.write(path, path.relative_to(folder / "shapes"))
    return folder


def test_from_images_to_a_model(client: vecaf.Client, drawn: Path, tmp_path: Path) -> None:
    done = client.import_dataset(drawn / "shapes.zip", "shapes")
    dataset = client.dataset("shapes")
    assert (done["state"], done["dataset_id"], dataset["images"]) == ("finished", dataset["id"], 60)

    selection = client.select("shapes", 6, strategy="typiclust")
    assert selection["state"] == "finished" and len(selection["images"]) == 6
    assert {one["label"] for one in selection["images"]} <= {"disc", "square", "stripes"}
    request = client.request_labels(selection["selection"], "first six")
    assert client.label_request(request["request"])["labeled"] == 6
    assert request["page"] == f"/label?dataset={dataset['id']}&subset={request['request']}"

    run = client.run("shapes", subset="first six", rounds=1, epochs=3)
    states = list(client.follow(run["run"]))
    assert states[-1]["state"] == "finished" == client.wait(run["run"])["state"]
    assert states[-1]["results"][0]["labeled"] == 6
    assert [one["run"] for one in client.runs()] == [run["run"]]

    image = next((drawn / "shapes").rglob("*.png"))
    answer = client.predict(run["run"], image)
    assert answer == client.predict(run["run"], image.read_bytes())
    assert client.predict(run["run"], selection["images"][0]["id"])["trained_on_it"]

    with zipfile.ZipFile(client.export(run["run"], tmp_path / "model.zip")) as model:
        assert {"model.onnx", "predict.py"} <= set(model.namelist())
    with zipfile.ZipFile(client.export_dataset("shapes", tmp_path / "data.zip")) as data:
        assert "metadata.csv" in data.namelist()


def test_errors_have_the_message_of_the_studio(client: vecaf.Client, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no dataset called 'nothing'"):
        client.run("nothing")
    with pytest.raises(vecaf.InputError, match="no dataset called 'nothing'"):
        client.dataset("nothing")
    with pytest.raises(NotFoundError, match="no run 99"):
        client.export(99, tmp_path / "model.zip")
    with pytest.raises(vecaf.InputError, match="Unknown setting 'evil'"):
        client.select("shapes", 2, evil=1)
    (tmp_path / "images.zip").write_bytes(b"no archive")
    with pytest.raises(vecaf.InputError, match="not a ZIP file"):
        client.import_dataset(tmp_path / "images.zip", "broken")
    assert list(tmp_path.glob("model*")) == []


def test_a_failed_job_raises_its_reason(client: vecaf.Client, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as out:
        out.writestr("readme.txt", "nothing")
    with pytest.raises(VecafError):
        client.import_dataset(tmp_path / "empty.zip", "empty")


def test_a_studio_that_restarts_is_waited_for() -> None:
    answers: Iterator[httpx.Response | Exception] = iter(
        [
            httpx.Response(503, json={"error": "Busy."}, headers={"Retry-After": "0"}),
            httpx.Response(200, json={"state": "running"}),
            httpx.ConnectError("refused"),
            httpx.Response(200, json={"state": "running"}),
            httpx.Response(200, json={"state": "finished"}),
        ]
    )

    def answer(request: httpx.Request) -> httpx.Response:
        found = next(answers)
        if isinstance(found, httpx.Response):
            return found
        raise found

    client = vecaf.Client(transport=httpx.MockTransport(answer), poll=0.0)
    assert [one["state"] for one in client.follow(1)] == ["running", "finished"]


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (httpx.ConnectError("refused"), UnavailableError, "vecaf studio"),
        (httpx.Response(503, json={"error": "Busy."}), BusyError, "Busy"),
        (httpx.Response(502, text="<html>"), VecafError, "Check the address"),
    ],
)
def test_other_servers(answer: object, kind: type[VecafError], words: str) -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, httpx.Response)
        return answer

    with pytest.raises(kind, match=words):
        vecaf.Client(transport=httpx.MockTransport(handle)).datasets()


def test_a_client_logs_in(tmp_path: Path) -> None:
    store = Store.open(Settings.from_environment({"VECAF_HOME": str(tmp_path)}))
    with store.write() as session:
        add_user(session, "anna", "a password of many words")
    with TestClient(build(Studio(store.settings, store, accounts=True)), base_url=BASE) as inner:
        bridge = Bridge(inner)
        with pytest.raises(NotLoggedInError, match="Log in first"):
            vecaf.Client(transport=bridge).datasets()
        with pytest.raises(NotLoggedInError):
            vecaf.Client(username="anna", password="wrong", transport=bridge)
        assert (
            vecaf.Client(BASE, "anna", "a password of many words", transport=bridge).datasets()
            == []
        )
    store.close()
