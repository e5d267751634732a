"""Every run can be found, however many there are."""

from __future__ import annotations

import re

import sqlalchemy as sa
from fastapi.testclient import TestClient

from app.runs.page import LISTED, _list
from app.select import page as select
from app.shell.address import parameters
from app.shell.studio import Studio
from vecaf.config import RunConfig
from vecaf.store import Dataset, Round, Run, dataset_named


def test_every_run_is_found_however_many_there_are(studio: Studio, client: TestClient) -> None:
    """This includes runs of another dataset, which the list on Select omits."""
    user = studio.store.owner()
    config = RunConfig(dataset="many").as_dict()
    with studio.store.write() as session:
        pets = dataset_named(session, user, "pets").id
        session.add(Run(owner_id=user, dataset_id=pets, name="r", seed=0, config=config,
                        state="finished"))  # fmt: skip
        many = Dataset(owner_id=user, name="many", classes=["a"], content_hash="", source="",
                       report={})  # fmt: skip
        session.add(many)
        session.flush()
        runs = [Run(owner_id=user, dataset_id=many.id, name="r", seed=0, config=config,
                    state="finished") for _ in range(2 * LISTED)]  # fmt: skip
        session.add_all(runs)
        session.flush()
        every = sorted(session.scalars(sa.select(Run.id).where(Run.owner_id == user)))[::-1]
        for run in (runs[0].id, every[-1]):
            session.add(Round(run_id=run, number=1, labeled=2, batches=4, val_accuracy=None,
                              test_accuracy=None, confusion={}, seconds=1.0))  # fmt: skip
        old, dataset_id = runs[0].id, many.id
    shown: list[int] = []
    address: dict[str, str] = {}
    while True:
        page = _list(studio, user, address).top
        shown += [int(id_) for id_ in re.findall(r'data-key="run-(\d+)"', page)]
        assert ("Newest runs" in page) == bool(address)
        older = re.search(r'href="/runs(\?before=\d+)"', page)
        if older is None:
            break
        address = parameters(older[1])
    assert shown == every
    assert "No older runs" in _list(studio, user, {"before": "1"}).top

    listed: list[int] = []
    while True:
        query = {"before": listed[-1]} if listed else {}
        found = client.get("/api/v1/runs", params=query).json()["runs"]
        if not found:
            break
        listed += [run["run"] for run in found]
    assert listed == every

    html, _ = select._render(studio, user, {"dataset": str(dataset_id)})
    assert f'<option value="{old}">Run {old}: r</option>' in html
    html, _ = select._render(studio, user, {"dataset": str(pets)})
    assert f'<option value="{every[-1]}">Run {every[-1]}: r</option>' in html
    assert f">Run {old}: r<" not in html
