"""Presets are settings that a run accepts."""

from __future__ import annotations

import pytest

from vecaf.config import RunConfig
from vecaf.runs.presets import PRESETS, Preset, preset
from vecaf.selection import STRATEGIES


@pytest.mark.parametrize("item", PRESETS, ids=lambda item: item.name)
def test_a_preset_is_a_configuration_and_says_why(item: Preset) -> None:
    config = RunConfig.from_dict({**RunConfig(dataset="mine", seed=7).as_dict(), **item.values})
    assert (config.dataset, config.seed) == ("mine", 7)
    assert config.track in STRATEGIES[config.strategy].info.tracks
    assert item.reason.endswith(".")
    assert preset(item.name) is item
    assert preset("none such") is None


def test_presets_differ() -> None:
    assert len({str(sorted(item.values.items())) for item in PRESETS}) == len(PRESETS)
