"""Measuring cells: what is prepared once for a dataset, and a run of the rounds on it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vecaf.arrays import Rows
from vecaf.augmentation.text_guidance import TextGuidance
from vecaf.benchmarking.cells import Cell
from vecaf.benchmarking.results import Point, Result, Round, picks_digest
from vecaf.config import LABELS_KNOWN, RunConfig
from vecaf.datasets.pool import Samples
from vecaf.encoders import embed_images, set_facts
from vecaf.encoders.dataset_features import pvm_for
from vecaf.encoders.runtime import choose_device
from vecaf.evaluation import metrics
from vecaf.files import replacing
from vecaf.runs.plan import RunPlan
from vecaf.runs.preparation import guidance_for, with_device
from vecaf.runs.recording import MemoryRecorder
from vecaf.runs.rounds import do_rounds
from vecaf.settings import Settings
from vecaf.training.context import TrainingContext
from vecaf.training.learner import Learner
from vecaf.training.model import CenteredFeatures
from vecaf.training.reporter import Monitor

UNMONITORED = Monitor(progress=lambda done, total: None, should_stop=lambda: False)
SPACING = 1.05  # looks at the test set amid an epoch: after 5% more batches each
REMEMBERED = 2  # pulls: the one that every first round begins with, and the one of the cell at hand


@dataclass(frozen=True)
class Ground:
    """One dataset, embedded: all that its cells share. Light to send to another process, since
    features lie in a file that every process maps into its memory once."""

    config: RunConfig  # of one of its cells: the models are those of all
    samples: Samples
    settings: Settings
    embedding: str  # fingerprint of the embedding set
    rows: Path  # .npy, float32 (n, d): centered unit features
    mean: np.ndarray[Any, np.dtype[np.float32]]  # (d,)

    @property
    def device(self) -> str:
        return choose_device(self.settings.device)


def lay_ground(
    configs: Sequence[RunConfig],
    samples: Samples,
    settings: Settings,
    folder: Path,
    progress: Callable[[int, int], None],
) -> Ground:
    """Embed `samples` (images and captions, from the cache where they are) and put the features
    into `folder`, which must outlive the ground. `configs` are the cells', with the same models.

    Raises InputError or UnavailableError for a model that can't be had.
    """
    config = configs[0]
    settings = with_device(config, settings)
    pvm = pvm_for(config, samples)
    monitor = Monitor(progress, UNMONITORED.should_stop)
    guidances = [
        guidance_for(one, samples, pvm, settings, monitor)
        for one in {_text_key(one): one for one in configs}.values()
    ]
    features = embed_images(
        pvm, samples.keys, samples.path_of, settings=settings, progress=progress
    )
    centered = CenteredFeatures.of(features, samples.pool, "cpu")
    for guidance in guidances:
        guidance.embed_ahead(samples.pool)
    path = folder / "centred.npy"
    with replacing(path, durable=False) as temporary, temporary.open("wb") as file:
        np.save(file, centered.rows.numpy())
    fingerprint = set_facts(pvm, settings)[0]
    return Ground(config, samples, settings, fingerprint, path, centered.mean.numpy())


class Bench:
    """A ground opened in the process that measures on it."""

    def __init__(self, ground: Ground) -> None:
        self.ground, self.samples, self.device = ground, ground.samples, ground.device
        self.folder = ground.rows.parent  # goes with the ground, whatever becomes of this process
        self.pvm = pvm_for(ground.config, ground.samples)
        rows = torch.from_numpy(np.load(ground.rows, mmap_mode="c"))
        mean = torch.from_numpy(ground.mean)
        self.centered = CenteredFeatures(mean.to(self.device), rows.to(self.device))
        self._guidances: dict[tuple[float, str], TextGuidance] = {}

    def measure(self, cell: Cell) -> Result:
        """Do the cell's run, as `run_rounds` would, and keep nothing but what it came to.

        Raises what `do_rounds` raises.
        """
        started = time.monotonic()
        plan = RunPlan.of(cell.config, self.samples)
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            folder = Path(name)
            context = TrainingContext(
                cell.config, self.samples, self.centered, self.pvm, self.device, folder, UNMONITORED
            )
            learner = Learner(context)
            recorder = CurveRecorder(look=_look(cell.config, learner, plan.test))
            do_rounds(plan, learner, self.guidance(cell.config), recorder, folder)
        return Result(
            dataset=cell.dataset,
            strategy=cell.strategy,
            budget=cell.budget,
            seed=cell.seed,
            rounds=tuple(
                Round(
                    labeled=one.labeled,
                    batches=one.batches,
                    val_accuracy=one.val_accuracy,
                    test_accuracy=one.test_accuracy or 0.0,
                    seconds=round(one.seconds, 2),
                    picks=picks_digest(self.samples, recorder.selections[one.number].sample_ids),
                )
                for one in recorder.results
            ),
            curve=recorder.curve(),
            seconds=round(time.monotonic() - started, 2),
        )

    def guidance(self, config: RunConfig) -> TextGuidance:
        """Return the text guidance of cells like this one, which share its cache."""
        key = _text_key(config)
        if key not in self._guidances:
            self._guidances[key] = guidance_for(
                config, self.samples, self.pvm, self.ground.settings, UNMONITORED, REMEMBERED
            )
        return self._guidances[key]


@dataclass
class CurveRecorder(MemoryRecorder):
    """Keeps a run in memory and looks at the test set while it trains: whenever it has validated,
    and in between, for an epoch of the whole pool is long.

    `look()` gives the current weights' test accuracy; nothing that it says reaches the run.
    """

    look: Callable[[], float | None] = field(default=lambda: None)
    _at: tuple[int, int] = (0, 0)  # round, and batches of the run so far
    _due: float = 1.0  # look between batches from so many on

    def metric(self, round: int, step: int, values: Mapping[str, float]) -> None:
        if "val_accuracy" in values:
            seen = self.look()
            values = values if seen is None else {**values, "test_accuracy": seen}
        super().metric(round, step, values)

    def rewind(self, round: int, step: int) -> None:
        super().rewind(round, step)
        self._at = (round, step)

    def should_stop(self) -> bool:
        """No; but it is asked before every batch, which is when one can look."""
        number, step = self._at
        if step >= self._due:
            self._due = step * SPACING
            seen = self.look()
            if seen is not None:
                super().metric(number, step, {"test_accuracy": seen})
        self._at = (number, step + 1)
        return False

    def curve(self) -> tuple[Point, ...]:
        """Accuracies by batches; a round's end counts with the weights that it kept."""
        found: dict[int, Point] = {}
        for (_, step, name), value in self.metrics.items():
            if name in ("val_accuracy", "test_accuracy"):
                point = found.get(step, Point(step, None, None))
                found[step] = (
                    replace(point, val_accuracy=value)
                    if name == "val_accuracy"
                    else replace(point, test_accuracy=value)
                )
        for one in self.results:
            found[one.batches] = Point(one.batches, one.val_accuracy, one.test_accuracy)
        return tuple(found[step] for step in sorted(found))


def _text_key(config: RunConfig) -> tuple[float, str]:
    """Return the settings by which the text guidance of one dataset's cells differs."""
    return config.text_pull, config.target_words


def _look(config: RunConfig, learner: Learner, test: Rows) -> Callable[[], float | None]:
    """How to measure test accuracy amid training: where training is what costs, and features are
    at hand. Asking a whole model about the test set at every epoch can cost more than training.
    """
    if config.track != LABELS_KNOWN or config.mode != "head-only":
        return lambda: None
    labels = learner.context.samples.labels[test]
    return lambda: metrics.accuracy(learner.logits(test), labels)
