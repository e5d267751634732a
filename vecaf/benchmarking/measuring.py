"""Measurement of cells: a dataset is prepared once, then each cell runs on it."""

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
from vecaf.benchmarking.results import CellResult, CellRound, CurvePoint, selection_digest
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
TEST_INTERVAL = 1.05  # within an epoch, test accuracy is measured after 5% more batches
# Cached results of text guidance: that of every first round, and that of the current cell.
CACHED_GUIDANCE = 2


@dataclass(frozen=True)
class PreparedDataset:
    """A dataset with its embeddings, which all cells of the dataset share.

    It is small enough to send to another process, because every process maps the features from a
    file.

    Attributes
    ----------
    config
        The settings of one of the cells; all cells use the same models.
    samples
    settings
    embedding
        The fingerprint of the embedding set.
    rows
        A .npy file with the centered unit features, float32 (n, d).
    mean : float32 array of shape (d,)
        The mean that was subtracted.
    """

    config: RunConfig
    samples: Samples
    settings: Settings
    embedding: str
    rows: Path
    mean: np.ndarray[Any, np.dtype[np.float32]]

    @property
    def device(self) -> str:
        return choose_device(self.settings.device)


def prepare_dataset(
    configs: Sequence[RunConfig],
    samples: Samples,
    settings: Settings,
    folder: Path,
    progress: Callable[[int, int], None],
) -> PreparedDataset:
    """Embed the images and captions of a dataset, using the embedding cache.

    Parameters
    ----------
    configs
        The settings of the cells, which use the same models.
    samples
    settings
    folder
        The features are written here. The folder must exist as long as the result is used.
    progress
        Called with the number of finished images and the total.

    Raises
    ------
    InputError or UnavailableError
        If a model can't be loaded.
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
    path = folder / "centered.npy"
    with replacing(path, durable=False) as temporary, temporary.open("wb") as file:
        np.save(file, centered.rows.numpy())
    fingerprint = set_facts(pvm, settings)[0]
    return PreparedDataset(config, samples, settings, fingerprint, path, centered.mean.numpy())


class CellRunner:
    """Runs cells on a prepared dataset, within one process."""

    def __init__(self, dataset: PreparedDataset) -> None:
        self.dataset, self.samples, self.device = dataset, dataset.samples, dataset.device
        # Deleted with the prepared dataset, even if this process is killed.
        self.folder = dataset.rows.parent
        self.pvm = pvm_for(dataset.config, dataset.samples)
        rows = torch.from_numpy(np.load(dataset.rows, mmap_mode="c"))
        mean = torch.from_numpy(dataset.mean)
        self.centered = CenteredFeatures(mean.to(self.device), rows.to(self.device))
        self._guidances: dict[tuple[float, str, str], TextGuidance] = {}

    def measure(self, cell: Cell) -> CellResult:
        """Run a cell in the same way as `run_rounds`, and keep only the result.

        Raises
        ------
        VecafError
            If the run fails; see `do_rounds`.
        """
        started = time.monotonic()
        plan = RunPlan.of(cell.config, self.samples)
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            folder = Path(name)
            context = TrainingContext(
                cell.config, self.samples, self.centered, self.pvm, self.device, folder, UNMONITORED
            )
            learner = Learner(context)
            recorder = CurveRecorder(
                measure_test=_test_measurement(cell.config, learner, plan.test)
            )
            do_rounds(plan, learner, self.guidance(cell.config), recorder, folder)
        return CellResult(
            dataset=cell.dataset,
            strategy=cell.strategy,
            budget=cell.budget,
            seed=cell.seed,
            rounds=tuple(
                CellRound(
                    labeled=one.labeled,
                    batches=one.batches,
                    val_accuracy=one.val_accuracy,
                    test_accuracy=one.test_accuracy or 0.0,
                    seconds=round(one.seconds, 2),
                    selection=selection_digest(
                        self.samples, recorder.selections[one.number].sample_ids
                    ),
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
                config, self.samples, self.pvm, self.dataset.settings, UNMONITORED, CACHED_GUIDANCE
            )
        return self._guidances[key]


@dataclass
class CurveRecorder(MemoryRecorder):
    """Records a run in memory, and measures test accuracy during training.

    Test accuracy is measured after each validation, and also within epochs, because an epoch on the
    whole pool is long. The run itself never uses it.

    Attributes
    ----------
    measure_test
        Returns the test accuracy of the current weights, or None to skip the measurement.
    """

    measure_test: Callable[[], float | None] = field(default=lambda: None)
    _position: tuple[int, int] = (0, 0)  # round and number of batches so far
    _next_test: float = 1.0  # number of batches at which to measure next

    def metric(self, round: int, step: int, values: Mapping[str, float]) -> None:
        if "val_accuracy" in values:
            accuracy = self.measure_test()
            values = values if accuracy is None else {**values, "test_accuracy": accuracy}
        super().metric(round, step, values)

    def rewind(self, round: int, step: int) -> None:
        super().rewind(round, step)
        self._position = (round, step)

    def should_stop(self) -> bool:
        """Return False. The trainer calls this before every batch, so it also measures accuracy."""
        number, step = self._position
        if step >= self._next_test:
            self._next_test = step * TEST_INTERVAL
            accuracy = self.measure_test()
            if accuracy is not None:
                super().metric(number, step, {"test_accuracy": accuracy})
        self._position = (number, step + 1)
        return False

    def curve(self) -> tuple[CurvePoint, ...]:
        """Return the accuracies by batches; a round ends with those of its best weights."""
        found: dict[int, CurvePoint] = {}
        for (_, step, name), value in self.metrics.items():
            if name in ("val_accuracy", "test_accuracy"):
                point = found.get(step, CurvePoint(step, None, None))
                found[step] = (
                    replace(point, val_accuracy=value)
                    if name == "val_accuracy"
                    else replace(point, test_accuracy=value)
                )
        for one in self.results:
            found[one.batches] = CurvePoint(one.batches, one.val_accuracy, one.test_accuracy)
        return tuple(found[step] for step in sorted(found))


def _text_key(config: RunConfig) -> tuple[float, str, str]:
    """Return the settings by which the text guidance of one dataset's cells differs."""
    return config.caption_weight, config.train_on_captions, config.target_words


def _test_measurement(
    config: RunConfig, learner: Learner, test: Rows
) -> Callable[[], float | None]:
    """Return a function that measures test accuracy during training.

    It measures only in head-only runs of the labels-known track, where the features are available.
    Evaluating a whole model in every epoch could take longer than the training.
    """
    if config.track != LABELS_KNOWN or config.mode != "head-only":
        return lambda: None
    labels = learner.context.samples.labels[test]
    return lambda: metrics.accuracy(learner.logits(test), labels)
