"""The values that the Finetune form opens with, and its warnings."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from app.finetune import page as finetune
from app.runs.run import RunPage
from app.shell.studio import Studio
from vecaf.accounts.sharing import share
from vecaf.accounts.users import add_user
from vecaf.config import RunConfig
from vecaf.store import SELECTION, Dataset, Run, Sample
from vecaf.store.subsets import add_subset, delete_subset

PASSWORD = "a password of many words"


def run_on(studio: Studio, dataset_id: int, **settings: Any) -> int:
    with studio.store.write() as session:
        dataset = session.get_one(Dataset, dataset_id)
        config = RunConfig(dataset=dataset.name, **settings).as_dict()
        run = Run(owner_id=dataset.owner_id, dataset_id=dataset_id, name="r", seed=0,
                  config=config, state="finished")  # fmt: skip
        session.add(run)
        session.flush()
        return run.id


def select_in(studio: Studio, name: str) -> int:
    user = studio.store.owner()
    with studio.store.write() as session:
        samples = session.query(Sample).filter_by(dataset_id=1, split="train").limit(2)
        ids = [sample.id for sample in samples]
        return add_subset(session, user, 1, name, SELECTION, ids).id


def opening(studio: Studio, user: int, stored: object = None, **address: object) -> dict[str, Any]:
    values = {name: str(value) for name, value in address.items()}
    found = finetune._opening(studio, user, values, stored)
    return dict(zip((item.name for item in fields(RunConfig)), found, strict=True))


def test_test_samples_are_no_selections_to_train_on(studio: Studio) -> None:
    user = studio.store.owner()
    with studio.store.write() as session:
        image = session.query(Sample).filter_by(dataset_id=1).first()
        assert image is not None
        for kind in ("evaluation", "selection"):
            add_subset(session, user, 1, f"one {kind}", kind, [image.id])
    names = finetune._names(studio, user, "pets")[1]
    assert "one selection" in names and "one evaluation" not in names


def test_a_selection_is_taken_from_the_address_while_it_is_there(studio: Studio) -> None:
    user = studio.store.owner()
    kept = RunConfig(dataset="pets", rounds=4).as_dict()
    subset_id = select_in(studio, "first two")
    found = opening(studio, user, kept, dataset=1, subset="first two")
    assert (found["subset"], found["rounds"]) == ("first two", 1)
    run_id = run_on(studio, 1, subset="first two", rounds=3)
    cloned = opening(studio, user, kept, clone=run_id)
    assert (cloned["subset"], cloned["rounds"]) == ("first two", 3)
    with studio.store.write() as session:
        delete_subset(session, user, subset_id)
    with pytest.warns(UserWarning, match="no saved selection called 'first two'"):
        found = opening(studio, user, kept, dataset=1, subset="first two")
    assert (found["subset"], found["rounds"]) == ("", 4)
    with pytest.warns(UserWarning, match="no saved selection called 'first two'"):
        assert opening(studio, user, kept, clone=run_id)["subset"] == ""


def test_cloning_a_shared_run_warns_that_the_dataset_is_another(studio: Studio) -> None:
    owner = studio.store.owner()
    run_id = run_on(studio, 1, epochs=7)
    with studio.store.write() as session:
        ben = add_user(session, "ben", PASSWORD).id
        share(session, owner, 1, "ben")
        for name in ("pets", "mine"):  # one is called as the shared one is
            session.add(Dataset(owner_id=ben, name=name, classes=["a"], content_hash="", source="",
                                report={}))  # fmt: skip
    with pytest.warns(UserWarning, match="'pets', which is shared with you"):
        found = opening(studio, ben, None, clone=run_id)
    assert (found["dataset"], found["epochs"]) == ("mine", 7)
    assert "Clone settings" not in RunPage(studio).pieces(ben, run_id, {}).top
    assert "Clone settings" in RunPage(studio).pieces(owner, run_id, {}).top
