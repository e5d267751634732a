"""The model of a run, from round to round: its outputs, its training, its logits."""

from __future__ import annotations

from dataclasses import dataclass

from vecaf.arrays import Floats, Rows
from vecaf.training.context import TrainingContext
from vecaf.training.head_training import HeadTraining
from vecaf.training.model import Classifier, build_classifier
from vecaf.training.model_training import ModelTraining
from vecaf.training.reporter import Reporter


@dataclass(frozen=True)
class ModelOutputs:
    """Outputs of the current model.

    Attributes
    ----------
    features
        Centered unit rows, shape (n, d).
    logits
        Shape (n, classes); None before there is a classifier.
    """

    features: Floats
    logits: Floats | None


class Learner:
    """Train a head and, in the modes full and lora, the whole model after it.

    Parameters
    ----------
    context
        Configuration, data, backbone, device and folder.
    """

    def __init__(self, context: TrainingContext) -> None:
        self.context = context
        self.head_training = HeadTraining(context)
        head_only = context.config.mode == "head-only"
        self.model_training = None if head_only else ModelTraining(context)

    def use_text_classifier(self, weights: Floats) -> None:
        """Start the head from `weights` (classes, d), made from the names of the classes."""
        self.head_training.text_classifier = weights

    def restore(self, number: int) -> None:
        """Load the weights at the end of round `number`. Raises DamagedFileError."""
        if self.model_training is None:
            self.head_training.restore(number)
        else:
            self.model_training.restore(number)

    def outputs(self, rows: Rows) -> ModelOutputs:
        """Compute features and logits of `rows` under the current weights.

        With labels known, the classifier before the first round is the initial head, except where
        that is zero.
        """
        if self._model is not None:
            return ModelOutputs(*self._model.predict(rows))
        self.head_training.initialize_before_selection(rows)
        logits = None if self.head_training.head is None else self.head_training.logits(rows)
        return ModelOutputs(self.context.pretrained(rows), logits)

    def trains_head(self) -> bool:
        """Return whether the next round starts with a training of the head."""
        return self._model is None or not self.context.continues

    def learn(
        self, number: int, rows: Rows, augmented: Floats, val: Rows, reporter: Reporter
    ) -> int:
        """Train round `number`.

        Parameters
        ----------
        number
            From 1.
        rows
            Training images, shape (n,).
        augmented
            m augmented versions of their features, shape (m·n, d), version by version; m may be 0.
            Only the head trains on them.
        val
            Validation images, shape (v,).
        reporter
            Receives reports.

        Returns
        -------
        int
            The number of batches.

        Raises
        ------
        CanceledError
            If `reporter` says stop.
        VecafError
            If the training diverges.
        """
        if self.model_training is None:
            return self.head_training.learn(number, rows, augmented, val, reporter).step
        head_steps = 0
        if self.trains_head():
            # A resumed stage repeats the head's training, but keeps its own curve.
            resumed = self.model_training.has_checkpoint(number)
            first = reporter.without_start() if resumed else reporter
            head_steps = self.head_training.learn(number, rows, augmented, val, first).step
            self.model_training.start_from(self.head_training.trained())
        state = self.model_training.learn(number, rows, val, reporter.after(head_steps))
        return head_steps + state.step

    def logits(self, rows: Rows) -> Floats:
        """Compute logits (n, classes) of `rows`."""
        if self._model is not None:
            return self._model.predict(rows)[1]
        return self.head_training.logits(rows)

    def classifier(self) -> Classifier:
        """Return the whole model with its current weights."""
        if self.model_training is not None:
            return self.model_training.trained()
        return build_classifier(self.context.pvm, self.head_training.final())

    @property
    def _model(self) -> ModelTraining | None:
        """The whole model, if one was trained."""
        if self.model_training is None or self.model_training.model is None:
            return None
        return self.model_training
