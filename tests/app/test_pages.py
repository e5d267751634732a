"""The HTML of the pages: text from users is escaped, and every state has a message."""

from __future__ import annotations

import html.parser
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.data import dataset
from app.data import page as data_page
from app.data.dataset import TABS, DatasetPage
from app.data.sources_view import sources
from app.runs import mistakes_view, run_view
from app.runs import view as runs_view
from app.shell.address import link, parameters, whole
from app.shell.templates import macros
from vecaf.config import RunConfig
from vecaf.datasets.folders import Folder
from vecaf.datasets.import_report import ImportReport, Refusal
from vecaf.runs.demo_run import COLOR, LINE
from vecaf.store import ENDED, Event, Import, Sample, SelectedSample, Task
from vecaf.store.datasets import ActiveJob
from vecaf.store.gallery import Change, Filter, ImageChange
from vecaf.store.models import now
from vecaf.store.page_queries import DatasetCard
from vecaf.store.records import RoundResult, RunSummary

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


class Tags(html.parser.HTMLParser):
    """Collects the elements and attributes that a browser would parse from HTML."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def assert_harmless(text: str) -> None:
    for tag, attributes in Tags(text).found:
        assert tag != "script"
        assert not [name for name in attributes if name.startswith("on")]
        assert not (attributes.get("href") or "").lower().startswith("javascript:")
        assert (attributes.get("src") or "/").startswith("/")


def sample(**values: Any) -> Sample:
    given = {
        "id": 5, "dataset_id": 1, "file_name": EVIL, "sha256": "ab" * 32, "extension": ".png",
        "width": 32, "height": 32, "split": "train", "label": 0, "caption": EVIL, **values,
    }  # fmt: skip
    return Sample(**given)


def card(**values: Any) -> DatasetCard:
    report = ImportReport(
        1, EVIL, 3, {"train": 2, "test": 1}, {EVIL: {"train": 2}}, refused_count=1,
        refused=(Refusal(EVIL, EVIL),),
    )  # fmt: skip
    given: dict[str, Any] = {
        "id": 1, "name": EVIL, "classes": [EVIL, "b"], "splits": {"train": 2, "test": 1},
        "class_counts": [2, 1], "pool_counts": [2, 0], "unlabeled": 0, "pictures": [sample()],
        "runs": 0, "source": EVIL,
        "attribution": EVIL, "report": report.as_dict(), "created_at": now(), **values,
    }  # fmt: skip
    return DatasetCard(**given)


def detail(**values: Any) -> DatasetPage:
    change = Change(4, "caption", 2, False, EVIL, now(), EVIL, EVIL, 1)
    given: dict[str, Any] = {
        "card": card(), "revision": 3, "last": change, "values": {"words": EVIL},
        "which": Filter(words=EVIL), "matching": 99, "number": 2, "images": [sample()],
        "jobs": [ActiveJob("run", 3, EVIL, "running", EVIL, EVIL, 0, 0, False, False)],
        "changes": [change, replace(change, kind="class"), replace(change, kind="label")],
        "image": sample(), "history": [ImageChange("label", EVIL, EVIL, EVIL, now())], **values,
    }  # fmt: skip
    return DatasetPage(**given)


def summary(**values: Any) -> RunSummary:
    given: dict[str, Any] = {
        "id": 3, "name": EVIL, "tags": (EVIL,), "dataset": EVIL, "dataset_id": 1,
        "strategy": "vecaf", "seed": 0,
        "state": "running",
        "stage": EVIL, "done": 3, "total": 9, "cancel_requested": False, "error": None,
        "created_at": now(), "started_at": now() - timedelta(seconds=90), "finished_at": None,
        "rounds": 3, "rounds_done": 1, "labeled": 10, "val_accuracy": 0.5, "test_accuracy": 0.5,
        "metrics": {"val": {"accuracy": 0.5}, "test": {"accuracy": 0.5}}, "attempt": 1,
        "node": EVIL,
        "seconds": 5.0, **values,
    }  # fmt: skip
    return RunSummary(**given)


def a_round(number: int = 1, accuracy: float = 0.5) -> RoundResult:
    return RoundResult(
        number=number, labeled=10 * number, batches=5 * number, val_accuracy=accuracy,
        test_accuracy=accuracy, seconds=1.0, confusion=[[3, 1], [0, 4]],
    )  # fmt: skip


def an_import(**values: Any) -> Import:
    given = {
        "id": 2, "name": EVIL, "source": "x", "state": "running", "stage": EVIL, "done": 1,
        "total": 4, "error": None, "cancel_requested": False, **values,
    }  # fmt: skip
    return Import(**given)


def embedding(**values: Any) -> tuple[Task, str]:
    given = {
        "id": 7, "dataset_id": 1, "kind": "embed", "state": "running",
        "stage": "Computing embeddings", "done": 1200, "total": 4900, **values,
    }  # fmt: skip
    return Task(**given), EVIL


def test_the_progress_of_embeddings_is_shown() -> None:
    progress = "Computing embeddings, 1,200 of 4,900"
    listed = data_page.under_way([], [], [embedding()])
    assert progress in listed and 'href="/?dataset=1"' in listed
    task = embedding()[0]
    job = ActiveJob(
        "task", 7, task.kind, task.state, task.stage, None, task.done, task.total, False, True
    )
    page = dataset.page(detail(jobs=[job]), False)
    assert progress in page and 'data-act="cancel-task" data-job="7"' in page
    waiting = data_page.under_way([], [], [embedding(state="queued", stage="", done=0, total=0)])
    assert "Waiting in the queue" in waiting


def test_what_comes_from_people_is_escaped() -> None:
    classes = [EVIL, "b"]
    pick = SelectedSample(run_id=3, round=1, rank=0, sample_id=5, scores={EVIL: 1.0})
    event = Event(id=1, run_id=3, level=EVIL, message=EVIL, created_at=now())
    config = RunConfig(dataset=EVIL).as_dict()
    pieces = [
        data_page.listing([card()], False),
        data_page.listing([card()], False, sources=sources([], None), deleted=EVIL),
        macros("data").deleted(EVIL),
        *(dataset.page(detail(tab=tab), False) for tab in TABS),
        dataset.page(detail(card=card(classes=[EVIL] * 50, class_counts=[1] * 50)), False),
        dataset.page(detail(), True),
        sources([Path(f"/{EVIL}")], None, EVIL),
        sources([Path("/a")], Folder(Path(f"/a/{EVIL}"), Path("/a"), [EVIL], 3, [EVIL], True)),
        macros("data").not_found(EVIL),
        data_page.under_way(
            [an_import(), an_import(state="failed", error=EVIL)], [summary()], [embedding()]
        ),
        runs_view.listing([summary()], {3: [0.1, 0.2]}, idle="No worker."),
        runs_view.missing(EVIL),
        run_view.top(summary(), [a_round()], idle=None),
        run_view.top(summary(state="failed", error=EVIL), [], idle=None),
        run_view.selected(3, 1, {1: 9}, [(pick, sample())], classes, ended=True),
        mistakes_view.confusion(3, [a_round()], classes),
        run_view.settings(config),
        run_view.settings({EVIL: EVIL}),
        run_view.log([event]),
    ]
    for piece in pieces:
        assert_harmless(piece)
        assert "&lt;script&gt;" in piece or piece.count(EVIL) == 0


@pytest.mark.parametrize("state", ["queued", "running", "finished", "failed", "canceled"])
def test_each_state_has_its_actions(state: str) -> None:
    finished = now() if state in ENDED else None
    run = summary(state=state, error="It broke." if state == "failed" else None,
                  finished_at=finished)  # fmt: skip
    page = run_view.top(run, [a_round()], idle=None)
    assert f"</i>{state}</span>" in page
    assert ('data-act="cancel"' in page) == (state not in ENDED)
    assert ('data-act="resume"' in page) == (state in ("failed", "canceled"))
    assert ("/predict?run=3#download" in page) == (state == "finished")
    assert ("It broke." in page) == (state == "failed")
    asked = run_view.top(replace(run, cancel_requested=True), [], idle=None)
    assert ("Canceling" in asked) == (state not in ENDED)


def test_the_time_of_a_resumed_run_is_that_of_its_rounds() -> None:
    """The run ended three days after its start and was idle most of that time."""
    start = now() - timedelta(days=3)
    run = summary(state="finished", started_at=start, finished_at=now())
    assert runs_view.spent(run) == ("72 h 00 min", "")
    again = replace(run, attempt=2, seconds=61.0)
    assert runs_view.spent(again) == ("1 min 01 s", "in finished rounds")
    assert runs_view.spent(replace(again, attempt=1, state="queued"))[0] == "1 min 01 s"
    assert runs_view.spent(summary(started_at=None)) == ("–", "")
    for page in (run_view.top(again, [], idle=None), runs_view.listing([again], {}, idle=None)):
        assert "1 min 01 s" in page and "in finished rounds" in page


def test_a_run_without_selected_images_has_no_link_to_them() -> None:
    for selected in (True, False):
        page = run_view.top(summary(), [], idle=None, dataset_id=1, selected=selected)
        assert ("View selected images" in page) == selected


def test_the_error_of_an_upload_does_not_show_its_random_name() -> None:
    name = f"{7:032x}.zip"
    job = an_import(source=f"/uploads/{name}", state="failed", error=f"{name} is empty.")
    assert "The file is empty." in data_page.under_way([job], [])


def test_a_failed_import_lists_every_refused_file() -> None:
    error = "a.zip contains no usable image.\na/<x>.jpg: it is empty\nb.jpg: it is an SVG file"
    page = data_page.under_way([an_import(state="failed", error=error)], [])
    assert "All refused files" in page
    assert "<li>a/&lt;x&gt;.jpg: it is empty</li><li>b.jpg: it is an SVG file</li>" in page
    one = an_import(state="failed", error="a.zip contains no usable image.")
    assert "All refused files" not in data_page.under_way([one], [])


def test_without_a_worker_the_pages_say_so() -> None:
    assert "No worker" in run_view.top(summary(), [], idle="No worker.")
    assert "No worker" in runs_view.listing([summary()], {}, idle="No worker.")
    ended = summary(state="finished", finished_at=now())
    assert "No worker" not in runs_view.listing([ended], {}, idle="No worker.")


def test_empty_states_say_what_to_do() -> None:
    assert "Drop images, a folder or a ZIP file" in data_page.listing([], False)
    assert "first import is running" in data_page.listing([], True)
    assert "Data page" in runs_view.listing([], {}, idle=None)


def test_the_demo_is_offered_where_it_helps() -> None:
    assert "Load the demo" in data_page.listing([], False)
    assert "demo" not in data_page.listing([card(name="mine")], False)
    assert "line-art" in data_page.listing([card(name=COLOR)], False)
    assert "line-art" not in data_page.listing([card(name=COLOR), card(name=LINE)], False)


def test_the_page_says_how_to_allow_folders_if_none_is_allowed() -> None:
    assert "VECAF_FOLDERS" in sources([], None)


def test_the_random_name_of_an_upload_is_not_shown() -> None:
    upload = detail(tab="report", card=card(source="ab" * 16 + ".zip"))
    assert "Source" not in dataset.page(upload, False)
    assert "Source: pets.zip" in dataset.page(
        detail(tab="report", card=card(source="pets.zip")), False
    )


def test_a_card_shows_counts_and_refusals() -> None:
    page = data_page.listing([card(name="pets")], False)
    assert "3 images" in page
    assert "1 entry was skipped" in page
    many = card(classes=[f"c{i}" for i in range(30)], class_counts=[1] * 30)
    assert "and 18 more classes" in data_page.listing([many], False)


@pytest.mark.parametrize(
    ("query", "name", "value"),
    [
        ("?run=7&round=2", "run", 7), ("run=7", "run", 7), ("?run=7&run=8", "run", 8),
        ("?run=x", "run", None), ("?run=-1", "run", None), ("?run=" + "9" * 30, "run", None),
        ("?run=²", "run", None), ("", "run", None), (None, "run", None),
    ],
)  # fmt: skip
def test_ids_are_read_from_the_address(query: str | None, name: str, value: int | None) -> None:
    assert whole(parameters(query), name) == value


def test_links_are_encoded() -> None:
    address = link("/finetune", dataset="a&b=c d/é", run=None)
    assert parameters(address.split("?")[1]) == {"dataset": "a&b=c d/é"}
