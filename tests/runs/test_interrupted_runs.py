"""Runs that are interrupted, crash, or lose files, and have the same result as others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from numpy.testing import assert_array_equal
from safetensors.numpy import load_file

from tests.runs.small_runs import CONFIG, FULL, KNOWN, LORA, TOLD, epochs_of, finish, same
from vecaf.config import LABEL_FREE, LABELS_KNOWN, RunConfig
from vecaf.datasets.pool import Samples
from vecaf.errors import CanceledError
from vecaf.runs.recording import MemoryRecorder
from vecaf.runs.rounds import run_rounds
from vecaf.settings import Settings
from vecaf.training import checkpoints, trainer


class StoppingRecorder(MemoryRecorder):
    """Asks to stop at the given calls of `should_stop`, and counts all calls."""

    def __init__(self, stops: set[int]) -> None:
        super().__init__()
        self.stops, self.asked = stops, 0

    def should_stop(self) -> bool:
        self.asked += 1
        return self.asked in self.stops


@pytest.mark.parametrize(
    "config",
    [
        pytest.param(CONFIG, id="head-only"),
        pytest.param(FULL, id="full", marks=pytest.mark.soak),
        pytest.param(LORA, id="lora", marks=pytest.mark.soak),
        pytest.param(KNOWN, id="one-training"),
        pytest.param(
            replace(KNOWN, mode="lora", epochs=1), id="one-training-lora", marks=pytest.mark.soak
        ),
        pytest.param(
            replace(KNOWN, mode="full", epochs=1), id="one-training-full", marks=pytest.mark.soak
        ),
        pytest.param(TOLD, id="words"),
    ],
)
def test_an_interrupted_run_has_the_same_result(
    config: RunConfig, samples: Samples, settings: Settings, tmp_path: Path
) -> None:
    whole = StoppingRecorder(set())
    run_rounds(config, samples, whole, tmp_path / "whole", settings)
    weights = load_file(tmp_path / "whole" / "model" / "model.safetensors")

    broken = StoppingRecorder(set(range(3, whole.asked, max(4, whole.asked // 9))))
    folder, interruptions = tmp_path / "broken", 0
    while True:
        try:
            run_rounds(config, samples, broken, folder, settings)
            break
        except CanceledError:
            interruptions += 1
    assert interruptions >= 5
    assert same(load_file(folder / "model" / "model.safetensors"), weights)
    for number in (1, 2):
        assert_array_equal(
            broken.selections[number].sample_ids, whole.selections[number].sample_ids
        )
    assert [r.batches for r in broken.results] == [r.batches for r in whole.results]
    epochs = {key for key in whole.metrics if key[2] == "val_accuracy"}
    assert {key: broken.metrics.get(key) for key in epochs} == {
        key: whole.metrics[key] for key in epochs
    }


@pytest.mark.soak
@pytest.mark.parametrize(
    ("stage", "track"),
    [
        ("full", LABELS_KNOWN),
        ("head", LABEL_FREE),
        ("head", LABELS_KNOWN),
        ("full", LABEL_FREE),
    ],
)
def test_a_crash_right_after_any_checkpoint_loses_nothing(
    stage: str,
    track: str,
    samples: Samples,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As after a power cut: the process ends, the files stay."""
    config = replace(FULL, track=track)
    whole, weights = finish(config, samples, settings, tmp_path / "whole")
    monkeypatch.setattr(trainer, "CHECKPOINT_SECONDS", 0.0)
    original = checkpoints.save_state

    class Crash(BaseException):
        pass

    due, writes, crashed = [2, 3, 5], 0, 0

    def save_then_crash(path: Path, *arguments: object) -> None:
        nonlocal writes
        original(path, *arguments)  # type: ignore[arg-type]
        writes += path.name.startswith(stage)
        if due and writes == due[0]:
            due.pop(0)
            raise Crash

    monkeypatch.setattr(trainer, "save_state", save_then_crash)
    recorder, folder = MemoryRecorder(), tmp_path / "crashed"
    while True:
        try:
            run_rounds(config, samples, recorder, folder, settings)
            break
        except Crash:
            crashed += 1
    assert crashed == 3
    assert same(load_file(folder / "model" / "model.safetensors"), weights)
    epochs = {key: value for key, value in whole.metrics.items() if key[2] == "val_accuracy"}
    assert epochs == {k: v for k, v in recorder.metrics.items() if k[2] == "val_accuracy"}


@pytest.mark.parametrize(
    ("config", "file", "repeated"),
    [
        pytest.param(CONFIG, "round-2/head.safetensors", 2, id="the last round"),
        pytest.param(CONFIG, "round-?/head.safetensors", 1, id="all rounds"),
        pytest.param(replace(FULL, epochs=1), "round-2/model.safetensors", 2, id="full"),
        pytest.param(KNOWN, "round-2/head.safetensors", 1, id="one-training"),
    ],
)
def test_a_run_with_damaged_files_repeats_what_it_must_and_ends_the_same(
    config: RunConfig,
    file: str,
    repeated: int,
    samples: Samples,
    settings: Settings,
    tmp_path: Path,
) -> None:
    """The optimizer state of round 1 is deleted by then, so the training starts again."""
    recorder, weights = finish(config, samples, settings, tmp_path)
    results, measured = list(recorder.results), epochs_of(recorder)
    for path in tmp_path.glob(file):
        path.write_bytes(path.read_bytes()[:-100])
    run_rounds(config, samples, recorder, tmp_path, settings)
    assert same(load_file(tmp_path / "model" / "model.safetensors"), weights)
    assert [(one.number, one.batches, one.test_accuracy) for one in recorder.results] == [
        (one.number, one.batches, one.test_accuracy) for one in results
    ]
    assert epochs_of(recorder) == measured
    assert [line for line in recorder.messages if "damaged" in line] == [
        f"Files of round {repeated} are damaged or missing. The run repeats this round."
    ]


@pytest.mark.parametrize("file", ["head-checkpoint.safetensors", "head.safetensors"])
def test_a_damaged_checkpoint_repeats_its_round_alone(
    file: str, samples: Samples, settings: Settings, tmp_path: Path
) -> None:
    whole = StoppingRecorder(set())
    run_rounds(CONFIG, samples, whole, tmp_path / "whole", settings)
    broken = StoppingRecorder({whole.asked - 3})  # during the last round
    with pytest.raises(CanceledError):
        run_rounds(CONFIG, samples, broken, tmp_path / "broken", settings)
    path = tmp_path / "broken" / "round-2" / file
    path.write_bytes(path.read_bytes()[:-100])
    run_rounds(CONFIG, samples, broken, tmp_path / "broken", settings)
    models = [load_file(tmp_path / name / "model" / "model.safetensors")
              for name in ("whole", "broken")]  # fmt: skip
    assert same(*models)
    assert sum("Files of round 2 are damaged" in line for line in broken.messages) == 1
    assert epochs_of(broken) == epochs_of(whole)
