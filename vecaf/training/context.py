"""What the training of a run works with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from vecaf.arrays import Floats, Labels, Rows
from vecaf.config import LABELS_KNOWN, RunConfig
from vecaf.datasets.pool import Samples
from vecaf.encoders.pvm import PVM
from vecaf.training.batches import LabeledFeatures
from vecaf.training.model import CenteredFeatures
from vecaf.training.ranks import ALONE, Ranks
from vecaf.training.reporter import Monitor
from vecaf.training.stages import Stage
from vecaf.training.trainer import ScheduleSegment

FINAL_STATE = "training-state.safetensors"  # weights and optimizer, which the next round continues


@dataclass(frozen=True)
class TrainingContext:
    """A run's configuration, data, backbone, device and folder.

    Attributes
    ----------
    config
        The run's configuration.
    samples
        The dataset. Rows are positions in it.
    features
        Of all samples, by the pretrained backbone. Never written to. Only the first of several
        processes has the rows.
    pvm
        The backbone.
    device
        Where training runs.
    folder
        The run's own.
    monitor
        Progress and cancellation of passes over images.
    ranks
        The processes that train together.
    """

    config: RunConfig
    samples: Samples
    features: CenteredFeatures
    pvm: PVM
    device: str
    folder: Path
    monitor: Monitor
    ranks: Ranks = ALONE

    @property
    def continues(self) -> bool:
        """Whether a round continues from the weights of the round before.

        With labels known, training is expensive, so no training is discarded. In the
        label-free track, each round starts from pretrained weights, so that its result depends
        only on its labels.
        """
        return self.config.track == LABELS_KNOWN

    def pretrained(self, rows: Rows) -> Floats:
        """Return centered unit features (n, d) of `rows` under the pretrained weights."""
        return np.asarray(self.features.rows[torch.from_numpy(rows)].cpu().numpy())

    def labeled_features(self, rows: Rows) -> LabeledFeatures:
        """Return features and labels of `rows`, on the training device."""
        labels: Labels = self.samples.labels[rows]
        return LabeledFeatures(
            self.features.rows[torch.from_numpy(rows)], torch.from_numpy(labels).to(self.device)
        )

    def round_folder(self, number: int) -> Path:
        """Return the folder of round `number`."""
        return self.folder / f"round-{number}"

    def stage(self, number: int, segment: ScheduleSegment | None) -> Stage:
        """Return a training stage of round `number`."""
        seed = self.config.seed * 1000 + number
        return Stage(self.config, seed, self.round_folder(number), segment)

    def segment(self, number: int) -> ScheduleSegment | None:
        """Return round `number`'s part of the schedule; None if each round has its own schedule."""
        if self.config.schedule != "run":
            return None
        previous = self.round_folder(number - 1) / FINAL_STATE if number > 1 else None
        final = self.round_folder(number) / FINAL_STATE
        return ScheduleSegment(number - 1, self.config.rounds, previous, final)

    def remove_checkpoints(self, number: int) -> None:
        """Remove the files of finished round `number` that no other round needs."""
        unused = [*self.round_folder(number).glob("*-checkpoint.safetensors")]
        unused.append(self.round_folder(number - 1) / FINAL_STATE)
        if number == self.config.rounds:
            unused.append(self.round_folder(number) / FINAL_STATE)
        for path in unused:
            path.unlink(missing_ok=True)
