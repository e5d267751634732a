"""Training of the whole model on images."""

from __future__ import annotations

import torch

from vecaf.arrays import Floats, Rows
from vecaf.encoders.weight_inputs import RepeatedConversion
from vecaf.training.batches import LabeledImages
from vecaf.training.checkpoints import load_tensors
from vecaf.training.context import TrainingContext
from vecaf.training.model import Classifier, Head, build_classifier
from vecaf.training.prediction import predict
from vecaf.training.reporter import Reporter
from vecaf.training.stages import MODEL_CHECKPOINT, MODEL_WEIGHTS, train_model
from vecaf.training.state import TrainState


class ModelTraining:
    """Train a whole classifier (mode full), or adapters beside its layers (mode lora).

    Parameters
    ----------
    context
        Configuration, data, backbone, device and folder.
    """

    def __init__(self, context: TrainingContext) -> None:
        self.context = context
        self.model: Classifier | None = None
        self._convert = RepeatedConversion()

    def trained(self) -> Classifier:
        """Return the current model."""
        assert self.model is not None, "train or restore a round first"
        return self.model

    def restore(self, number: int) -> None:
        """Load the weights at the end of round `number`. Raises DamagedFileError."""
        tensors = load_tensors(self.context.round_folder(number) / MODEL_WEIGHTS)[0]
        self.start_from(self._new_head())
        self.trained().load_state_dict(tensors)

    def start_from(self, head: Head) -> None:
        """Start from the pretrained backbone and `head`."""
        model = build_classifier(self.context.pvm, head).to(self.context.device)
        self.model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def has_checkpoint(self, number: int) -> bool:
        """Return whether the training of round `number` was interrupted."""
        return (self.context.round_folder(number) / MODEL_CHECKPOINT).exists()

    def learn(self, number: int, rows: Rows, val: Rows, reporter: Reporter) -> TrainState:
        """Train round `number` on the images `rows`; see `Learner.learn`."""
        segment = self.context.segment(number)
        if self.context.config.mode == "lora" and segment is not None and segment.previous:
            # The restored adapters belong to the pretrained weights, not to merged ones.
            self.start_from(self._new_head())
        return train_model(
            self.trained(),
            self._images(rows),
            self._images(val),
            self.context.pvm.preprocessing,
            self.context.stage(number, segment),
            reporter,
            convert=self._convert,
            ranks=self.context.ranks,
        )

    def predict(self, rows: Rows) -> tuple[Floats, Floats]:
        """Compute centered features (n, d) and logits (n, classes) of the images `rows`."""
        return predict(
            self.trained(),
            self._images(rows).paths,
            self.context.pvm.preprocessing,
            self.context.monitor.should_stop,
            self.context.monitor.progress,
            convert=self._convert,
        )

    def _images(self, rows: Rows) -> LabeledImages:
        samples = self.context.samples
        return LabeledImages([samples.paths[row] for row in rows], samples.labels[rows])

    def _new_head(self) -> Head:
        head = Head(self.context.features.mean, len(self.context.samples.classes))
        return head.to(self.context.device)
