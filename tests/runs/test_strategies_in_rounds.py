"""Every strategy in complete rounds: what selects without a model, and what it may see."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from vecaf.config import LABEL_FREE, LABELS_KNOWN, RunConfig
from vecaf.datasets.pool import Samples
from vecaf.errors import InputError
from vecaf.runs.recording import MemoryRecorder
from vecaf.runs.rounds import run_rounds
from vecaf.runs.selection_only import select_images
from vecaf.selection import FIRST_ROUND, STRATEGIES
from vecaf.settings import Settings
from vecaf.store import TEST, TRAIN

CONFIG = RunConfig(budget="6", rounds=2, epochs=2, batch_size=4, caption_weight=0.0)
NEEDY = sorted(name for name in STRATEGIES if STRATEGIES[name].info.needs_model)
LABEL_FREE_ONES = sorted(name for name in STRATEGIES if LABEL_FREE in STRATEGIES[name].info.tracks)


def config_for(name: str) -> RunConfig:
    return replace(CONFIG, strategy=name, track=STRATEGIES[name].info.tracks[0])


@pytest.mark.parametrize("name", NEEDY)
def test_a_strategy_that_needs_a_model_leaves_the_first_round_to_another(
    name: str, samples: Samples, settings: Settings, tmp_path: Path
) -> None:
    config = config_for(name)
    recorder = MemoryRecorder()
    run_rounds(config, samples, recorder, tmp_path, settings)
    stand_in = replace(config, strategy=FIRST_ROUND)
    expected = select_images(stand_in, samples, MemoryRecorder(), settings).selected
    assert_array_equal(recorder.selections[1].sample_ids, expected.sample_ids)
    assert set(recorder.selections[2].scores) != set(expected.scores)
    said = "\n".join(recorder.messages)
    assert f"Round 1: {FIRST_ROUND} selected 6 images." in said
    assert f"{name} needs a trained model, so {FIRST_ROUND} selected the images" in said
    assert f"Round 2: {name} selected 6 images." in said


@pytest.mark.soak  # test_label_leaks.py checks every strategy
@pytest.mark.parametrize("name", LABEL_FREE_ONES)
def test_hidden_labels_do_not_change_the_selection(
    name: str, samples: Samples, settings: Settings, tmp_path: Path
) -> None:
    honest, other = MemoryRecorder(), MemoryRecorder()
    run_rounds(config_for(name), samples, honest, tmp_path / "honest", settings)
    selected = np.concatenate([each.sample_ids for each in honest.selections.values()])
    hidden = (samples.splits == TEST) | (
        (samples.splits == TRAIN) & ~np.isin(samples.ids, selected)
    )
    poisoned = samples.labels.copy()
    poisoned[hidden] = (poisoned[hidden] + 1) % len(samples.classes)
    changed = replace(samples, labels=poisoned)
    run_rounds(config_for(name), changed, other, tmp_path / "poisoned", settings)
    for number in (1, 2):
        assert_array_equal(
            other.selections[number].sample_ids, honest.selections[number].sample_ids
        )


def test_with_known_labels_the_first_round_has_losses(
    samples: Samples, settings: Settings, tmp_path: Path
) -> None:
    recorder = MemoryRecorder()
    config = replace(config_for("importance"), head_init="zeros")
    run_rounds(config, samples, recorder, tmp_path, settings)
    message = "Round 1: importance selected 6 images"
    assert any(said.startswith(message) for said in recorder.messages)
    untrained, trained = (recorder.selections[number].scores["loss"] for number in (1, 2))
    np.testing.assert_allclose(untrained, np.log(len(samples.classes)), rtol=1e-6)
    assert np.ptp(trained) > 0


def test_a_strategy_that_reads_labels_is_refused_in_the_label_free_track(
    samples: Samples, settings: Settings, tmp_path: Path
) -> None:
    assert STRATEGIES["ccs"].info.tracks == (LABELS_KNOWN,)
    config = replace(CONFIG, strategy="ccs", track=LABEL_FREE)
    with pytest.raises(InputError, match="'ccs' needs the labels-known track"):
        run_rounds(config, samples, MemoryRecorder(), tmp_path, settings)
