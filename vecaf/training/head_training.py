"""Training of a linear head on features of the pretrained backbone."""

from __future__ import annotations

from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from vecaf.arrays import Floats, Rows
from vecaf.augmentation.target_images import uncentered
from vecaf.files import Publishing
from vecaf.store import VAL
from vecaf.training.batches import LabeledFeatures
from vecaf.training.checkpoints import load_tensors, save_tensors
from vecaf.training.context import TrainingContext
from vecaf.training.initialization import (
    initialize_from_means,
    initialize_from_text,
    remaining_loss_share,
)
from vecaf.training.model import Head
from vecaf.training.reporter import Reporter
from vecaf.training.stages import HEAD_WEIGHTS, train_head
from vecaf.training.state import TrainState
from vecaf.training.target_head import TargetHead

TARGET_WEIGHTS = "target-head.safetensors"  # of a head that was adapted to a target domain


@dataclass(frozen=True)
class InitialHead:
    """The head before its first batch, and the factor of its learning rate."""

    head: Head
    rate_factor: float = 1.0


@dataclass(frozen=True)
class TrainingStart:
    """What one training of the head starts from.

    Attributes
    ----------
    head
        Its initial weights.
    train, val
        Centered features with labels. `train` includes the augmented ones.
    rate_factor
        Factor of the learning rate.
    anchor
        Weights (classes, d) that weight decay pulls toward; None for zero.
    """

    head: Head
    train: LabeledFeatures
    val: LabeledFeatures
    rate_factor: float
    anchor: Tensor | None


class HeadTraining:
    """Train a logistic head; features stay in memory.

    Parameters
    ----------
    context
        Configuration, data, device and folder.
    """

    def __init__(self, context: TrainingContext) -> None:
        self.context = context
        self.head: Head | None = None
        self.target_head: TargetHead | None = None  # replaces `head` in predictions and exports
        self.text_classifier: Floats | None = None  # (classes, d), made from class names
        self._initial: InitialHead | None = None

    def restore(self, number: int) -> None:
        """Load the weights at the end of round `number`. Raises DamagedFileError."""
        head = self.new_head()
        path = self.context.round_folder(number) / HEAD_WEIGHTS
        head.load_state_dict(load_tensors(path)[0])
        self.head = head
        path = self.context.round_folder(number) / TARGET_WEIGHTS
        if path.exists():
            adapted = TargetHead(head.mean, head.linear.out_features)
            adapted.load_state_dict(load_tensors(path)[0])
            self.target_head = adapted.to(self.context.device)

    def adapt(
        self, number: int, head: TargetHead | None, publishing: Publishing = nullcontext
    ) -> None:
        """Save a head that was adapted to a target domain, and use it in predictions.

        Without one, remove what an earlier attempt at round `number` has saved.
        """
        path = self.context.round_folder(number) / TARGET_WEIGHTS
        if head is None:
            path.unlink(missing_ok=True)
            self.target_head = None
            return
        tensors = {name: one.cpu() for name, one in head.state_dict().items()}
        save_tensors(path, tensors, {"format": "pt"}, publishing)
        self.target_head = head.to(self.context.device)

    def final(self) -> Head:
        """Return the head to export: the adapted one, if there is one."""
        return self.target_head or self.trained()

    def trained(self) -> Head:
        """Return the current head, before any adaptation."""
        assert self.head is not None, "train or restore a round first"
        return self.head

    def logits(self, rows: Rows) -> Floats:
        """Compute logits (n, classes) of `rows`."""
        features, head = self.context.features, self.final()
        with torch.inference_mode():
            if self.target_head is None:
                centered = features.rows[torch.from_numpy(rows)]
            else:
                mean = features.mean.cpu().numpy()
                units = uncentered(self.context.pretrained(rows), mean)
                centered = head.center(torch.from_numpy(units).to(self.context.device))
            logits = head(centered)
        return np.asarray(logits.cpu().numpy())

    def new_head(self) -> Head:
        """Return a head with zero weights."""
        return Head(self.context.features.mean, len(self.context.samples.classes)).to(
            self.context.device
        )

    def initialize_before_selection(self, rows: Rows) -> None:
        """With labels known, make the initial head available to the first selection."""
        starts_at_zero = self.context.config.head_init == "zeros"
        if self.head is None and self.context.continues and not starts_at_zero:
            self.head = deepcopy(self.initial(rows).head)

    def learn(
        self, number: int, rows: Rows, augmented: Floats, val: Rows, reporter: Reporter
    ) -> TrainState:
        """Train round `number`; see `Learner.learn`."""
        context = self.context
        start = context.ranks.from_first(self._start, rows, augmented, val)
        self.head = start.head
        segment = context.segment(number) if context.config.mode == "head-only" else None
        stage = context.stage(number, segment)
        rate = start.rate_factor * context.config.head_lr
        return train_head(
            start.head,
            start.train,
            start.val,
            replace(stage, config=replace(context.config, head_lr=rate)),
            reporter,
            anchor=start.anchor,
            ranks=context.ranks,
        )

    def _start(self, rows: Rows, augmented: Floats, val: Rows) -> TrainingStart:
        """Collect what a training on `rows` starts from; only the first process can."""
        context = self.context
        initial = self.initial(rows)
        continued = None if self.head is None or not context.continues else self.head
        train = context.labeled_features(rows)
        extra = torch.from_numpy(augmented).to(context.device)
        versions = len(extra) // len(train.labels)
        return TrainingStart(
            head=continued or deepcopy(initial.head),
            train=LabeledFeatures(
                torch.cat([train.rows, extra]),
                torch.cat([train.labels, train.labels.repeat(versions)]),
            ),
            val=context.labeled_features(val),
            rate_factor=initial.rate_factor,
            anchor=None if self.text_classifier is None else initial.head.linear.weight.detach(),
        )

    def initial(self, rows: Rows) -> InitialHead:
        """Return the head that a training on `rows` starts from.

        With labels known, it is made from the whole pool, so all rounds share it.
        """
        if not self.context.continues:
            return self._make_initial(rows)
        if self._initial is None:
            self._initial = self._make_initial(self.context.samples.pool)
        return self._initial

    def _make_initial(self, rows: Rows) -> InitialHead:
        context, config, head = self.context, self.context.config, self.new_head()
        if config.head_init != "means" and self.text_classifier is None:
            return InitialHead(head)
        train = context.labeled_features(self._labeled(rows))
        if config.head_init == "means":
            val = context.labeled_features(self._labeled(context.samples.rows(VAL)))
            initialize_from_means(head, train, val)
            if config.target_words:
                return InitialHead(head)  # the means know nothing of the target domain yet
            return InitialHead(head, remaining_loss_share(head, train))
        weights = torch.from_numpy(self.text_classifier).to(context.device)
        initialize_from_text(head, weights, train)
        return InitialHead(head)

    def _labeled(self, rows: Rows) -> Rows:
        return rows[self.context.samples.labels[rows] >= 0]
