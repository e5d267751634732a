"""Every page shows names with markup, formulas or confusing characters as plain text.

An export returns them unchanged.
"""

from __future__ import annotations

import csv
import io
import json
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from PIL import Image

from tests.browser.studio import Server
from vecaf.config import RunConfig
from vecaf.datasets import import_dataset
from vecaf.settings import Settings
from vecaf.store import (
    FINISHED,
    SELECTION,
    Dataset,
    Event,
    Round,
    Run,
    Sample,
    SelectedSample,
    Store,
)
from vecaf.store.models import now
from vecaf.store.subsets import add_subset

SCRIPT = "<script>window.ran=1</script>"
HANDLER = '"\'><img src=x onerror="window.ran=1">'
FORMULA = "=cmd|'/c calc'!A1"
CLASSES = (SCRIPT, HANDLER, FORMULA, "\u202egnp\u2069\0.exe", "👩\u200d🔬 café", "x" * 300)
NAME = "hostile names"


@dataclass(frozen=True)
class Hostile:
    dataset: int
    sample: int
    subset: int
    run: int


def archive() -> bytes:
    """Make a ZIP of three images per class, with hostile labels, captions and file names."""
    rows, buffer = io.StringIO(newline=""), io.BytesIO()
    writer = csv.writer(rows)
    writer.writerow(["file_name", "label", "text"])
    with zipfile.ZipFile(buffer, "w") as out:
        for number, name in enumerate(CLASSES * 3):
            image = io.BytesIO()
            Image.new("RGB", (40, 40), (12 * number, 60, 250 - 9 * number)).save(image, "PNG")
            file = f"@{number} <b onclick='window.ran=1'>'.png"
            out.writestr(file, image.getvalue())
            writer.writerow([file, name, f"{name} number {number}"])
        out.writestr("metadata.csv", rows.getvalue())
    return buffer.getvalue()


@pytest.fixture(scope="module")
def hostile(server: Server) -> Iterator[Hostile]:
    server.upload(NAME, archive())
    store = Store.open(Settings.from_environment({"VECAF_HOME": str(server.home)}))
    user = store.owner()
    with store.write() as session:
        dataset = session.scalars(sa.select(Dataset).where(Dataset.name == NAME)).one()
        of_it = sa.select(Sample.id).where(Sample.dataset_id == dataset.id)
        ids = session.scalars(of_it.order_by(Sample.id)).all()
        config = RunConfig(dataset=NAME, target_words=HANDLER).as_dict()
        run = Run(owner_id=user, dataset_id=dataset.id, name=SCRIPT + HANDLER, config=config,
                  seed=0, state=FINISHED, started_at=now(), finished_at=now())  # fmt: skip
        session.add(run)
        session.flush()
        counts = [[3 if i == j else 1 for j in range(6)] for i in range(6)]
        session.add(Round(run_id=run.id, number=1, labeled=6, batches=9, val_accuracy=0.5,
                          test_accuracy=0.5, confusion={"test": counts}, seconds=1.0))  # fmt: skip
        session.add(Event(run_id=run.id, message=SCRIPT + HANDLER))
        session.add_all(
            SelectedSample(run_id=run.id, round=1, rank=rank, sample_id=id_, scores={"score": 1.0})
            for rank, id_ in enumerate(ids[:6])
        )
        subset = add_subset(session, user, dataset.id, SCRIPT + HANDLER, SELECTION, ids)
        found = Hostile(dataset.id, ids[0], subset.id, run.id)
    store.close()
    yield found


@pytest.mark.soak  # tests/app/test_stored_scripts.py asks the same views
def test_every_page_shows_them_as_text(open_page: Callable[..., Any], hostile: Hostile) -> None:
    """A script error or a request to another host fails the test, too (open_page)."""
    at = f"dataset={hostile.dataset}"
    shows = {  # text that must be readable there
        "/": [SCRIPT, FORMULA],
        f"/?{at}": [HANDLER],
        f"/?{at}&view=classes": [],
        f"/?{at}&view=report": [],
        f"/?{at}&image={hostile.sample}": ["<b onclick"],
        f"/explore?{at}": [SCRIPT],
        f"/label?{at}": [SCRIPT + HANDLER],
        f"/label?{at}&subset={hostile.subset}": [SCRIPT],
        f"/select?{at}": [SCRIPT + HANDLER],
        "/runs": [SCRIPT + HANDLER],
        f"/runs?run={hostile.run}": [SCRIPT + HANDLER],
        f"/compare?runs={hostile.run}": [],
    }
    wrong = []
    for address, texts in shows.items():
        page = open_page(address)
        for text in texts:
            try:
                page.get_by_text(text, exact=False).first.wait_for(state="attached")
            except Exception:
                wrong.append(f"{address} does not show {text}")
        page.wait_for_timeout(500)
        if page.evaluate(
            "window.ran !== undefined || !!document.querySelector('[onerror], b[onclick]')"
        ):
            wrong.append(f"{address} takes a name for markup")
        if "\u202e" in page.content():
            wrong.append(f"{address} holds a character that turns the text around")
        page.close()
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_they_come_back_from_an_export(
    server: Server, hostile: Hostile, tmp_path: Path, kind: str
) -> None:
    address = f"{server.url}/dataset/{hostile.dataset}/export.zip?format={kind}"
    with urllib.request.urlopen(address, timeout=60) as answer:
        content = answer.read()
    (tmp_path / "again.zip").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "again.zip") as exported:
        told = exported.read(f"metadata.{kind}").decode()
    if kind == "csv":
        cells = [cell for row in csv.reader(io.StringIO(told, newline="")) for cell in row]
    else:
        cells = [str(value) for line in told.splitlines() for value in json.loads(line).values()]
        cells = [cell for cell in cells if cell[:1] != "="]  # JSON is no spreadsheet
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    again = Store.open(Settings.from_environment({"VECAF_HOME": str(tmp_path / "home")}))
    report = import_dataset(again, tmp_path / "again.zip", "again")
    first = Store.open(Settings.from_environment({"VECAF_HOME": str(server.home)}))
    stories = []
    for store, dataset_id in ((first, hostile.dataset), (again, report.dataset_id)):
        with store.read() as session:
            classes = session.get_one(Dataset, dataset_id).classes
            samples = session.scalars(sa.select(Sample).where(Sample.dataset_id == dataset_id))
            stories.append(
                sorted((s.sha256, classes[s.label or 0], s.caption or "", s.split) for s in samples)
            )
        store.close()
    assert stories[0] == stories[1]
    assert {name for _, name, _, _ in stories[0]} >= {SCRIPT, HANDLER, FORMULA, "x" * 300}
    assert "gnp.exe" in {name for _, name, _, _ in stories[0]}  # confusing characters are removed


def test_picks_as_csv_hold_no_formula(server: Server, hostile: Hostile) -> None:
    address = f"{server.url}/download/subset/{hostile.subset}/ids.csv"
    with urllib.request.urlopen(address, timeout=60) as answer:
        rows = list(csv.DictReader(io.TextIOWrapper(answer, "utf-8", newline="")))
    assert any(row["label"] == f"'{FORMULA}" for row in rows)
    assert all(row["file_name"].startswith("'@") for row in rows)
