"""Configurations of small runs, and what the tests of runs compare."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from vecaf.config import LABELS_KNOWN, RunConfig
from vecaf.datasets.pool import Samples
from vecaf.runs.recording import MemoryRecorder
from vecaf.runs.rounds import run_rounds
from vecaf.settings import Settings

CONFIG = RunConfig(budget="6", rounds=2, epochs=4, batch_size=4)
FULL = replace(CONFIG, mode="full", epochs=2)
LORA = replace(FULL, mode="lora", lr=0.003, lora_rank=4)
KNOWN = replace(
    CONFIG, track=LABELS_KNOWN, strategy="importance", training_images="replace", schedule="run",
    head_init="means", epochs=6,
)  # fmt: skip
TOLD = replace(CONFIG, head_init="text")


def finish(
    config: RunConfig, samples: Samples, settings: Settings, folder: Path
) -> tuple[MemoryRecorder, dict[str, np.ndarray]]:
    recorder = MemoryRecorder()
    run_rounds(config, samples, recorder, folder, settings)
    return recorder, load_file(folder / "model" / "model.safetensors")


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)


def epochs_of(recorder: MemoryRecorder) -> dict[tuple[int, int, str], float]:
    """The metrics after each epoch; those in between depend on the clock."""
    return {key: value for key, value in recorder.metrics.items() if key[2] == "val_accuracy"}
