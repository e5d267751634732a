"""The Shift page launches a pair of runs, one of which adapts to images of another dataset."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
import sqlalchemy as sa

from app.shell.address import parameters
from app.shell.studio import Studio
from app.shift import page as shift
from tests.app.test_shift import dataset_of
from vecaf.config import RunConfig
from vecaf.errors import InputError, NotFoundError
from vecaf.runs.target_outcome import NAME, Outcome
from vecaf.store import Dataset, Run


def test_a_pair_of_runs_adapts_to_images_of_another_dataset(studio: Studio) -> None:
    user, dataset = studio.store.owner(), str(dataset_of(studio))
    with studio.store.write() as session:
        posters = Dataset(
            owner_id=user, name="posters", classes=["cat"], content_hash="x", source="", report={}
        )
        session.add(posters)
        session.flush()
        images = str(posters.id)
    launch = {"act": "adapt", "dataset": dataset, "images": images, "budget": "2", "seed": "4",
              "query": ""}  # fmt: skip
    address = shift._act(studio, user, launch)
    with studio.store.read() as session:
        runs = session.scalars(sa.select(Run).order_by(Run.id)).all()
    plain, adapted = (RunConfig.from_dict(run.config) for run in runs[-2:])
    assert (plain.adapt_to, adapted.adapt_to, adapted.seed) == ("", "posters", 4)
    assert "to posters" in runs[-1].name
    assert shift._act(studio, user, launch) == address  # in progress already
    values = parameters(address.partition("?")[2])
    top, _, pairs, _ = shift._shown(studio, user, values)
    assert f'<option value="{images}">posters' in top and "Images of posters" in pairs
    folder = studio.settings.runs / str(runs[-1].id)
    folder.mkdir(parents=True)
    found = Outcome("posters", 9, adapted=False, reason="The model was not adapted: too few.")
    (folder / NAME).write_text(json.dumps(asdict(found)))
    assert "The model was not adapted: too few." in shift._shown(studio, user, values)[2]
    for change, error in (
        ({"images": dataset}, InputError), ({"images": "999"}, NotFoundError),
        ({"images": ""}, NotFoundError), ({"images": str(secret_dataset(studio))}, NotFoundError),
    ):  # fmt: skip
        with pytest.raises(error):
            shift._act(studio, user, {**launch, **change})


def secret_dataset(studio: Studio) -> int:
    with studio.store.read() as session:
        return session.scalars(sa.select(Dataset.id).where(Dataset.name == "secret")).one()
