"""The values that the Finetune form opens with, and its warnings."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from app.finetune import form
from app.finetune import page as finetune
from app.finetune.opening import choices
from app.finetune.opening import opening as opened
from app.runs.run import RunPage
from app.shell.studio import Studio
from vecaf.accounts.sharing import share
from vecaf.accounts.users import add_user
from vecaf.config import RunConfig
from vecaf.store import SELECTION, Dataset, Round, Run, Sample
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
    found, problem = opened(studio, user, values, stored)
    assert not problem
    return dict(zip((item.name for item in fields(RunConfig)), found, strict=True))


def test_test_samples_are_no_selections_to_train_on(studio: Studio) -> None:
    user = studio.store.owner()
    with studio.store.write() as session:
        image = session.query(Sample).filter_by(dataset_id=1).first()
        assert image is not None
        for kind in ("evaluation", "selection"):
            add_subset(session, user, 1, f"one {kind}", kind, [image.id])
    names = choices(studio, user, "pets")[1]
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


def test_rounds_come_back_when_the_saved_selection_goes(studio: Studio) -> None:
    user = studio.store.owner()
    select_in(studio, "two of them")
    with studio.store.write() as session:
        session.add(Dataset(owner_id=user, name="plain", classes=["a"], content_hash="", source="",
                            report={}))  # fmt: skip
    before = form.to_keep([*RunConfig(dataset="plain", rounds=4).as_dict().values(), True], None)
    found = opening(studio, user, before, dataset=1, subset="two of them")
    kept = form.to_keep([*found.values(), True], before)
    assert kept["rounds"] == 1
    reloaded = opening(studio, user, kept, dataset=1)
    assert (reloaded["subset"], reloaded["rounds"]) == ("two of them", 1)
    elsewhere = opening(studio, user, kept, dataset="plain")
    assert (elsewhere["subset"], elsewhere["rounds"]) == ("", 4)
    del kept[form.ROUNDS]  # kept by an earlier version
    assert opening(studio, user, kept, dataset="plain")["rounds"] == RunConfig.rounds


def test_without_its_saved_selection_the_form_has_the_rounds_of_before() -> None:
    def rounds(subset: str, stored: object, subsets: tuple[str, ...] = ()) -> int:
        values = RunConfig(dataset="pets", subset=subset, rounds=1).as_dict().values()
        found: int = form.with_subset_of(subsets, [*values, True], stored)[form.PLACES["rounds"]]
        return found

    stored = {"subset": "two", "rounds": 1, form.ROUNDS: 4}
    assert rounds("", stored, ("two",)) == 4  # the user chooses none
    assert rounds("two", stored) == 4  # the user chooses another dataset
    assert rounds("two", stored, ("two",)) == 1
    assert rounds("", {"subset": "", "rounds": 1}) == 1


def card_of(studio: Studio, **settings: Any) -> str:
    """Return the summary of a run on 'pets' with these settings."""
    values = RunConfig(dataset="pets", **settings).as_dict().values()
    card, *_ = finetune._summary(studio, studio.store.owner(), [*values, False])
    assert isinstance(card, str) and "Run summary" in card
    return card


def test_the_summary_says_when_the_budget_has_no_effect(studio: Studio) -> None:
    select_in(studio, "a pair")
    words = "the budget per round has no effect"
    assert words in card_of(studio, subset="a pair", rounds=1, budget="1")
    assert words not in card_of(studio, subset="a pair", rounds=2, budget="1")
    assert words not in card_of(studio, rounds=1)


def test_a_forecast_is_that_of_a_run_with_the_same_model_and_mode(studio: Studio) -> None:
    def forecast_of(**settings: Any) -> int:
        run_id = run_on(studio, 1, **settings)
        gains = {"50": {"low": 0.0, "middle": 0.024, "high": 0.05}}
        with studio.store.write() as session:
            session.add(Round(run_id=run_id, number=1, labeled=7, batches=4, val_accuracy=None,
                              test_accuracy=0.5, confusion={}, seconds=1.0,
                              forecast={"gains": gains}))  # fmt: skip
        return run_id

    like = forecast_of()
    other = forecast_of(mode="full")
    for target in ({"target_words": "a cartoon of"}, {"adapt_to": "others"}, {"model": "resnet50"}):
        forecast_of(**target)
    card = card_of(studio)
    assert f">run {like}</a>, which has the same vision model and training mode: with" in card
    assert "with 50 labels more than its 7, test accuracy changes by +2.4 points" in card
    assert f">run {other}</a>, which" in card_of(studio, mode="full")
    assert "Forecast" not in card_of(studio, mode="lora")
    assert "Forecast" not in card_of(studio, target_words="a cartoon of")


def test_an_address_with_a_dataset_that_is_not_yours_says_so(studio: Studio) -> None:
    owner = studio.store.owner()
    kept = RunConfig(dataset="pets", subset="two of them").as_dict()
    for wanted, words in (("999", "There is no dataset 999."), ("gone", "called 'gone'")):
        found, problem = opened(studio, owner, {"dataset": wanted}, kept)
        assert found[0] is None and found[form.PLACES["subset"]] == ""
        assert words in problem and "Choose another dataset." in problem
    with studio.store.write() as session:
        ann = add_user(session, "ann", PASSWORD).id
    assert opened(studio, ann, {"dataset": "1"}, None)[1] == ""  # she has none to choose from
    with studio.store.write() as session:
        share(session, owner, 1, "ann")
        session.add(Dataset(owner_id=ann, name="mine", classes=["a"], content_hash="", source="",
                            report={}))  # fmt: skip
    assert "'pets' is shared with you" in opened(studio, ann, {"dataset": "1"}, None)[1]


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
