"""The Predict page: its states, what it refuses, and that it deletes uploaded images."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.predict import page as predict
from app.predict import routes as predicting
from app.predict.routes import predict_file
from app.shell.received import image_of
from app.shell.studio import Studio
from app.shell.templates import macros
from tests.app.conftest import BASE, picture
from tests.waiting import result_of
from vecaf.config import RunConfig
from vecaf.datasets.snapshot import classes_of_run
from vecaf.errors import InputError, UnavailableError
from vecaf.store import FINISHED, Dataset, Run, Sample, dataset_named

ANSWER: dict[str, Any] = {
    "classes": [{"name": "<i>cat</i>", "share": 0.9}, {"name": "dog", "share": 0.1}],
    "nearest": [{"id": 1, "similarity": 0.5}],
    "toward": [{"id": 1, "share": 0.7}, {"id": 10**9, "share": 0.3}],
    "against": [],
    "training": 12,
    "trained_on_it": False,
}


class InferenceProcess:
    """Fake inference process that records its questions."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked: list[dict[str, Any]] = []
        self.seen: list[bytes] = []
        self.error = error

    async def ask(self, name: str, **question: Any) -> dict[str, Any]:
        self.asked.append({"name": name, **question})
        if "path" in question:
            self.seen.append(Path(question["path"]).read_bytes())
        if self.error is not None:
            raise self.error
        return ANSWER

    def prepare(self, name: str, **question: Any) -> None:
        self.asked.append({"name": name, **question})


@pytest.fixture(scope="module")
def run_id(studio: Studio) -> int:
    """A finished run on the owner's dataset, without its files."""
    owner = studio.store.owner()
    with studio.store.write() as session:
        dataset = dataset_named(session, owner, "pets")
        run = Run(
            owner_id=owner, dataset_id=dataset.id, name="a <b>run</b>", state=FINISHED, seed=0,
            config=RunConfig(dataset="pets").as_dict(),
        )  # fmt: skip
        session.add(run)
        session.flush()
        return run.id


def page(studio: Studio, **values: object) -> str:
    given = {name: str(value) for name, value in values.items()}
    return predict.content(studio, studio.store.owner(), given, "http://127.0.0.1:7860")


def asking(studio: Studio, inference: InferenceProcess) -> Studio:
    return replace(studio, inference=inference)  # type: ignore[arg-type]


async def predict_bytes(studio: Studio, user: int, run_id: int, content: bytes) -> dict[str, Any]:
    async with image_of(studio, content) as path:
        return await predict_file(studio, user, run_id, path)


def test_the_command_logs_in_if_the_studio_has_accounts(studio: Studio, run_id: int) -> None:
    commands = page(replace(studio, accounts=True)).split("<h3>HTTP API</h3>")[1]
    assert "curl -c cookies.txt -d" in commands and "http://127.0.0.1:7860/login" in commands
    assert "curl -b cookies.txt --data-binary @image.jpg" in commands
    assert "cookies.txt" not in page(studio)


def test_the_newest_finished_run_is_offered(studio: Studio, run_id: int) -> None:
    shown = page(studio)
    assert f'data-predict="{run_id}"' in shown
    assert "a &lt;b&gt;run&lt;/b&gt;" in shown and "<b>run</b>" not in shown
    assert f"http://127.0.0.1:7860/api/v1/runs/{run_id}/predict" in shown
    assert shown.count('data-key="test-') > 0
    assert "data-image" not in shown


def test_opening_the_page_loads_the_model_that_it_shows(studio: Studio, run_id: int) -> None:
    inference, owner = InferenceProcess(), studio.store.owner()
    page(asking(studio, inference), run=999)
    assert not inference.asked
    page(asking(studio, inference), run=run_id)
    assert inference.asked == [{"name": "open_model", "user": owner, "run_id": run_id}]


def test_an_image_in_the_address_is_shown(studio: Studio, run_id: int) -> None:
    assert 'data-image="1" data-src="/image/1?v=' in page(studio, run=run_id, image=1)


def test_missing_and_hidden_things_get_a_message(studio: Studio, run_id: int) -> None:
    assert "There is no run 999" in page(studio, run=999)
    assert "Choose another run" in page(studio, run=999)
    image = page(studio, run=run_id, image=13)  # another user's
    batch = page(studio, run=run_id, batch=99)
    assert "There is no image 13" in image
    assert f"Run {run_id} has no predictions with the number 99." in batch
    for text in (image, batch):
        assert f"Predict other images with run {run_id}</a>" in text
        assert "Choose another run" not in text
    with studio.store.write() as session:
        run = session.get_one(Run, run_id)
        run.state = "running"
    assert "has not finished" in page(studio, run=run_id)
    assert "No finished run yet" in page(studio)
    with studio.store.write() as session:
        session.get_one(Run, run_id).state = FINISHED


def test_an_answer_escapes_names_and_skips_deleted_images(studio: Studio) -> None:
    with studio.store.read() as session:
        sample = session.get_one(Sample, 1)
    html = macros("predict").result(ANSWER, {1: sample}, ["<i>cat</i>", "dog"])
    assert "<i>cat" not in html
    assert html.count('data-key="1"') == 2 and str(10**9) not in html
    assert "Training images that oppose" not in html
    own = macros("predict").result({**ANSWER, "trained_on_it": True}, {}, [])
    assert "trained on this image" in own


def test_opposing_images_have_positive_percentages_which_the_page_explains(
    studio: Studio,
) -> None:
    with studio.store.read() as session:
        sample = session.get_one(Sample, 1)
    against = {**ANSWER, "against": [{"id": 1, "share": 0.2}]}
    html = macros("predict").result(against, {1: sample}, ["cat", "dog"])
    opposing = html.split('data-key="against"')[1]
    assert "20.0%" in opposing and "An image of the same class can oppose it" in opposing
    assert "the absolute value of a contribution divided by" in html


def test_the_form_offers_every_format_that_is_accepted(studio: Studio, run_id: int) -> None:
    form = page(studio, run=run_id).split("data-drop>")[1].split("</label>")[0]
    for name in ("JPEG", "PNG", "WebP", "GIF", "BMP", "TIFF", "AVIF", "HEIC"):
        assert name in form and f"image/{name.lower()}" in form


def test_evidence_has_the_class_names_of_the_run(studio: Studio, run_id: int) -> None:
    """The dataset has renamed a class since, and added one."""
    app = FastAPI()
    app.include_router(predicting.routes(asking(studio, InferenceProcess())))
    with studio.store.read() as session:
        sample = session.get_one(Sample, 1)
        now = list(session.get_one(Dataset, sample.dataset_id).classes)
    assert sample.label == 0
    folder = studio.settings.runs / str(run_id)
    folder.mkdir(parents=True)
    (folder / "data.json").write_text(json.dumps({"classes": ["earlier name"]}))
    assert classes_of_run(folder, now) == ["earlier name", *now[1:]]
    html = TestClient(app).get(f"/predict/{run_id}?image=1").json()["html"]
    assert "earlier name<b" in html and f"{now[0]}<b" not in html


def test_an_uploaded_image_is_deleted_after_the_answer(studio: Studio, run_id: int) -> None:
    inference = InferenceProcess()
    content = picture((200, 10, 10))
    answer = predict_bytes(asking(studio, inference), studio.store.owner(), run_id, content)
    assert result_of(answer) == ANSWER
    assert inference.seen[0].startswith(b"\x89PNG")
    assert not Path(inference.asked[0]["path"]).exists()
    failing = InferenceProcess(InputError("no"))
    with pytest.raises(InputError):
        result_of(predict_bytes(asking(studio, failing), studio.store.owner(), run_id, content))
    assert not list(studio.settings.uploads.iterdir())


def test_a_prediction_is_authorized_as_the_user_who_asks(studio: Studio, run_id: int) -> None:
    inference = InferenceProcess()
    result_of(predict_bytes(asking(studio, inference), 2, run_id, picture((0, 0, 0))))
    assert (inference.asked[0]["user"], inference.asked[0]["run_id"]) == (2, run_id)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"%PDF-1.7", "a PDF file"),
        (picture((9, 9, 9))[:-30], "truncated"),
        (b"\xff\xd8\xff\xe0", "truncated"),
    ],
)
def test_a_file_that_is_no_image_never_reaches_the_inference_process(
    studio: Studio, run_id: int, content: bytes, words: str
) -> None:
    inference = InferenceProcess()
    with pytest.raises(InputError, match=words):
        result_of(predict_bytes(asking(studio, inference), studio.store.owner(), run_id, content))
    assert not inference.asked


def test_without_an_inference_process_there_is_an_error(studio: Studio, run_id: int) -> None:
    with pytest.raises(UnavailableError, match="inference process is not running"):
        result_of(predicting.predict_sample(studio, studio.store.owner(), run_id, 1))


def test_a_run_without_its_files_has_no_download(client: TestClient, run_id: int) -> None:
    for path in ("model", "files", "files/receipt.json", "files/..%2Fstudio.db"):
        answer = client.get(f"{BASE}/download/run/{run_id}/{path}")
        assert answer.status_code in (400, 404)
