from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vecaf.budget import parse_budget
from vecaf.config import LABELS_KNOWN, RunConfig
from vecaf.errors import InputError


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_a_count_is_limited_by_the_pool(count: int, pool: int) -> None:
    if count <= pool:
        assert parse_budget(str(count)).of(pool) == count
    else:
        with pytest.raises(InputError, match=f"only {pool} images can be selected"):
            parse_budget(str(count)).of(pool)


@given(st.floats(0.001, 100), st.integers(1, 10**6))
def test_a_percentage_is_between_one_image_and_the_pool(share: float, pool: int) -> None:
    assert 1 <= parse_budget(f"{share}%").of(pool) <= pool


@given(st.text(max_size=12))
def test_any_text_is_a_budget_or_an_input_error(text: str) -> None:
    try:
        assert parse_budget(text).amount > 0
    except InputError as error:
        assert str(error).startswith("The budget")


@pytest.mark.parametrize("text", ["0", "0%", "-3", "1.5", "nan", "inf%", "101%", "", "%", "ten"])
def test_invalid_budgets(text: str) -> None:
    with pytest.raises(InputError, match="budget"):
        parse_budget(text)


def test_form_command_line_and_store_agree() -> None:
    config = RunConfig(dataset="my data", budget="2%", seed=4, mode="full")
    assert RunConfig.from_dict(config.as_dict()) == config
    assert config.as_command() == ("python -m vecaf run 'my data' --budget 2% --mode full --seed 4")
    assert all(item.metadata["help"] for item in fields(RunConfig))


def test_whole_floats_from_forms_become_integers() -> None:
    assert RunConfig.from_dict({"rounds": 2.0}).rounds == 2


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"rounds": 0}, "rounds is 0. It must be between 1 and 100"),
        ({"seed": -1}, "seed is -1. It must be between 0 and 2,147,483,647."),
        ({"lr": 5.0}, "lr is 5.0. It must be between 0.00000001 and 1."),
        ({"ema": 1.0}, "between 0 and 0.99999."),
        ({"rounds": 1.5}, "rounds is '1.5', which is not a whole number"),
        ({"rounds": None}, "not a whole number"),
        ({"lr": "fast"}, "lr is 'fast', which is not a number"),
        ({"mode": "half"}, "Choose one of: head-only, lora, full"),
        ({"colour": "red"}, "Unknown setting 'colour'"),
        ({"dataset": "a\0b"}, "dataset contains a character that can't be stored"),
        ({"subset": "\ud800"}, "subset contains a character that can't be stored"),
        ({"budget": "0"}, "Select at least 1 image"),
        ({"training_images": "replace"}, "training-images 'replace' needs the labels-known track"),
        ({"schedule": "run"}, "schedule 'run' needs the labels-known track"),
        (
            {"schedule": "run", "track": "labels-known", "patience": 2},
            "does not work with schedule 'run'",
        ),
    ],
)
def test_invalid_values_raise_input_errors(values: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words.replace("(", r"\(")):
        RunConfig.from_dict(values)


def test_a_setting_under_its_former_name_is_read() -> None:
    old = {"picks": "replace", "track": LABELS_KNOWN}
    assert RunConfig.from_dict(old).training_images == "replace"
    with pytest.raises(InputError, match="Unknown setting 'pick'"):
        RunConfig.from_dict({"pick": "replace"})
