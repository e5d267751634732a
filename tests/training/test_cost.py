"""The estimated cost of a run, compared with what runs do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.shapes import make_samples
from vecaf.config import LABELS_KNOWN, RunConfig
from vecaf.runs.plan import RunPlan
from vecaf.runs.recording import MemoryRecorder
from vecaf.runs.rounds import run_rounds
from vecaf.settings import Settings
from vecaf.store import TEST, VAL
from vecaf.training.cost import RunSizes, Speed, cost_from_rounds, cost_from_speed, count_cost

CONFIG = RunConfig(budget="6", rounds=2, epochs=3, batch_size=4)
SIZES = RunSizes(budget=100, pool=1000, val=50, test=200, images=1250, not_embedded=1250)
SPEED = Speed(0.001, 0.1, 100.0, 2.0, 500_000_000, 1280)


@pytest.mark.parametrize(
    "changes",
    [{}, {"caption_weight": 0.0}, {"train_on_captions": "yes"},
     {"track": LABELS_KNOWN},
     pytest.param({"mode": "full", "epochs": 1}, marks=pytest.mark.soak),
     pytest.param(
         {"mode": "full", "epochs": 1, "track": LABELS_KNOWN}, marks=pytest.mark.soak
     ),
     {"training_images": "replace", "track": LABELS_KNOWN}],
    ids=["usual", "no text", "captions trained",
         "labels known", "full", "full, labels known", "replaced"],
)  # fmt: skip
def test_the_batches_foretold_are_those_of_the_run(
    changes: dict[str, object], tmp_path: Path
) -> None:
    config = replace(CONFIG, **changes)  # type: ignore[arg-type]
    samples = make_samples(tmp_path / "shapes", n=60)
    recorder = MemoryRecorder()
    settings = Settings.from_environment({"VECAF_HOME": str(tmp_path), "VECAF_DEVICE": "cpu"})
    run_rounds(config, samples, recorder, tmp_path / "run", settings)
    plan = RunPlan.of(config, samples)
    sizes = RunSizes(plan.budget, len(plan.pool), len(samples.rows(VAL)), len(samples.rows(TEST)),
                  len(samples), 0)  # fmt: skip
    found = count_cost(config, sizes)
    assert (found.labels, found.batches) == (12, recorder.results[-1].batches)
    assert (found.seconds, found.memory_bytes) == (None, None)


def test_a_saved_selections_first_round_has_its_own_size() -> None:
    config = replace(CONFIG, caption_weight=0.0, epochs=1)
    found = count_cost(config, replace(SIZES, first_round=7))
    assert (found.labels, found.batches) == (107, 2 + 27)


def test_seconds_add_up_from_what_was_measured() -> None:
    config = RunConfig(rounds=2, epochs=10, batch_size=100, caption_weight=0.0)
    head = cost_from_speed(config, SIZES, SPEED)
    # 1,250 images to embed, two selections of 1,000, 10 + 20 steps on the head
    assert head.seconds == pytest.approx(12.5 + 2 * 2.0 + 30 * 0.001)
    assert head.memory_bytes == 500_000_000 + 12 * 1250 * 1280
    full = cost_from_speed(replace(config, mode="full"), replace(SIZES, not_embedded=0), SPEED)
    passes = 10 * 2 * 50 + 1250 + 1250
    assert full.batches == 30 + 90
    assert full.seconds == pytest.approx(passes / 100 + 4.0 + 30 * 0.1 + 90 * 0.001)


def test_an_earlier_runs_pace_is_split_into_rounds_and_batches() -> None:
    config = RunConfig(rounds=2, epochs=10, batch_size=100, caption_weight=0.0)  # 30 batches
    assert cost_from_rounds(
        config, SIZES, [(10, 3.0), (20, 4.0), (40, 6.0)]
    ).seconds == pytest.approx(7.0)
    assert cost_from_rounds(config, SIZES, [(10, 5.0)]).seconds == pytest.approx(15.0)
    assert cost_from_rounds(config, SIZES, [(10, 3.0), (40, 3.0)]).seconds == pytest.approx(6.0)
    assert cost_from_rounds(config, SIZES, [(10, 0.1), (20, 2.1)]).seconds == pytest.approx(2.2)
    assert cost_from_rounds(config, SIZES, []).seconds is None
