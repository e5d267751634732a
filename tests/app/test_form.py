"""The form of the Finetune page: its settings, values and messages."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

import pytest

from app.finetune import form as finetune_form
from vecaf.config import RunConfig
from vecaf.errors import InputError


def test_the_form_holds_every_setting_once() -> None:
    shown = [*finetune_form.in_selection(), *finetune_form.in_training()]
    names = [item.name for item in [*shown, *finetune_form.advanced()]]
    assert sorted(names) == sorted(item.name for item in fields(RunConfig))


def test_the_form_reads_what_it_shows() -> None:
    config = RunConfig(dataset="pets", budget="10", rounds=2)
    assert finetune_form.read(list(config.as_dict().values())) == config


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("dataset", None, "Choose a dataset"), ("epochs", None, "Epochs per round is empty"),
        ("budget", "", "empty"), ("rounds", 0, "between"),
        ("lr", "fast", "Learning rate is 'fast', which is not a number"),
        ("head_lr", 50.0, "Classifier learning rate is 50.0. It must be between 0.00000001 and"),
        ("mode", "half", "Training mode is 'half'"),
        ("training_images", "replace", "Choose Goal (track) 'labels-known' or Training images"),
        ("views", "mirror", "Choose Training mode 'head-only' or Views 'plain'"),
    ],
)  # fmt: skip
def test_the_form_says_what_is_wrong(name: str, value: object, words: str) -> None:
    mode = "full" if name == "views" else "head-only"
    values = {**RunConfig(dataset="pets", mode=mode).as_dict(), name: value}
    with pytest.raises(InputError, match=re.escape(words)):
        finetune_form.read(list(values.values()))


def test_the_form_comes_back_as_it_was_left() -> None:
    names = [item.name for item in fields(RunConfig)]

    def restored(stored: object, wanted: str | None = None) -> dict[str, Any]:
        return dict(zip(names, finetune_form.restored(stored, ["b", "a"], wanted), strict=True))

    kept = {"dataset": "a", "budget": "7", "lr": 1, "track": "gone", "rounds": "x", "old": 1}
    values = restored(kept)
    assert (values["dataset"], values["budget"], values["lr"]) == ("a", "7", 1.0)
    assert values["track"] == RunConfig.track
    assert values["rounds"] == RunConfig.rounds
    assert restored(kept, "b")["dataset"] == "b"
    assert restored({"dataset": "deleted"})["dataset"] == "b"
    assert restored("nonsense")["dataset"] == "b"
