"""The training loop: a model, its optimizer, batches, and callbacks."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vecaf.errors import CanceledError, VecafError
from vecaf.training.batches import Batches
from vecaf.training.checkpoints import load_tensors, restore_state, save_state
from vecaf.training.model import freeze_batch_norm
from vecaf.training.state import AveragedWeights, TrainState, trainable

CHECKPOINT_SECONDS = 10.0  # a power cut loses at most this much work
REPORT_SECONDS = 0.5  # reading a loss makes the CPU wait for the GPU, so not at every step

CONTINUE, SAVE, CANCEL = 0, 1, 2  # what the processes do before a step

Gradients = Callable[[Tensor, Tensor, float], Tensor]
"""Inputs, class indices and label smoothing → mean loss. Leaves gradients in the parameters."""


@dataclass(frozen=True)
class ScheduleSegment:
    """A part of a training that shares one learning-rate schedule with other parts.

    Attributes
    ----------
    index
        Position of this part, from 0.
    count
        Number of parts, all with equally many steps.
    previous
        The file with the final state of the part before, which this part continues from.
    final
        The file where this part saves its own final state.
    """

    index: int = 0
    count: int = 1
    previous: Path | None = None
    final: Path | None = None


@dataclass(frozen=True)
class TrainerConfig:
    """Settings of one training.

    Attributes
    ----------
    epochs
        Passes over the training set.
    checkpoint
        The file that a stopped training resumes from.
    label_smoothing
        Share of the target probability that is spread over all classes, 0 to 1.
    patience
        Stop after this many epochs without a better validation score; 0 never stops early.
    segment
        The part of a longer schedule that this training covers. By default, all of it.
    """

    epochs: int
    checkpoint: Path
    label_smoothing: float = 0.0
    patience: int = 0
    segment: ScheduleSegment = ScheduleSegment()


class Callbacks:
    """What a `Trainer` calls between two steps. Override the methods that you need.

    With several processes, only the first one calls them.
    """

    def on_start(self, trainer: Trainer) -> None:
        """Training starts, or resumes, at `trainer.state.step`."""

    def on_loss(self, trainer: Trainer, loss: float) -> None:
        """The mean training loss of the current epoch so far; twice a second at most."""

    def on_epoch_end(self, trainer: Trainer, loss: float) -> float:
        """Return the validation score of the current weights; `loss` is the epoch's mean.

        By default, later weights score higher.
        """
        return float(trainer.epoch)

    def on_best(self, trainer: Trainer) -> None:
        """The score is the best so far; save the weights here."""

    def should_stop(self) -> bool:
        """Return whether the user canceled the training."""
        return False

    def publishing(self) -> AbstractContextManager[object]:
        """Return a context that a checkpoint is published in.

        It first makes earlier reports durable: a resumed training doesn't repeat them.
        """
        return nullcontext()


class Trainer:
    """Minimize the cross-entropy of a model, with checkpoints and early stopping.

    A batch depends only on the step. On a CPU, a resumed training therefore gives exactly the
    weights of an uninterrupted one.

    Parameters
    ----------
    model
        Trained in place, on its own device. Layers of batch normalization keep their pretrained
        running statistics, because statistics of few images are noisy.
    optimizer
        Its learning rates are the peak of the schedule (`learning_rate_factor`).
    batches
        Inputs and class indices by step. With several processes, each gets its part of a batch.
    config
        Epochs, checkpoint file, label smoothing, patience, schedule segment.
    callbacks
        Reports, validation, cancellation.
    averaged
        The moving average of the weights to update after each step.
    gradients
        Computes loss and gradients in place of autograd. Only for a single process.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        batches: Batches,
        config: TrainerConfig,
        callbacks: Callbacks,
        averaged: AveragedWeights | None = None,
        gradients: Gradients | None = None,
    ) -> None:
        self.model, self.optimizer, self.batches = model, optimizer, batches
        self.config, self.callbacks, self.averaged = config, callbacks, averaged
        self.gradients = gradients
        self.ranks = batches.ranks
        self.state = TrainState()
        self.peak_rates = [group["lr"] for group in optimizer.param_groups]
        self.device = next(model.parameters()).device
        self._losses = torch.zeros((), device=self.device)  # since `state.loss_sum` was updated
        self._forward: nn.Module = model
        self._saved = self._reported = 0.0

    @property
    def epoch(self) -> int:
        """Finished epochs."""
        return self.state.step // self.batches.steps_per_epoch

    def run(self) -> TrainState:
        """Train until the last epoch, or until validation stops improving.

        Returns
        -------
        TrainState
            The final state.

        Raises
        ------
        CanceledError
            If a callback says stop; a checkpoint is saved first.
        VecafError
            If the loss or a weight is no longer finite.
        """
        self._resume()
        self.model.train()
        freeze_batch_norm(self.model)
        self._forward = self.ranks.wrap(self.model)
        total = self.config.epochs * self.batches.steps_per_epoch
        patience = self.config.patience
        gradients = self.gradients or self._autograd
        while self.state.step < total and not (patience and self.state.stale >= patience):
            self._save_or_cancel()
            inputs, targets = self.ranks.together(self.batches, self.state.step)
            self._set_learning_rates(total)
            loss = gradients(inputs, targets, self.config.label_smoothing)
            self.optimizer.step()
            if self.averaged is not None:
                self.averaged.update(self.model)
            self._losses += loss.detach()
            self.state.step += 1
            if self.state.step % self.batches.steps_per_epoch == 0:
                self._end_epoch()
        if self.config.segment.final is not None:
            self._save(self.config.segment.final)
        return self.state

    def _resume(self) -> None:
        """Load the checkpoint, or else the final state of the segment before."""
        found = self._load(self.config.checkpoint)
        if found is None and self.config.segment.previous is not None:
            self._load(self.config.segment.previous)
        self.state = found or TrainState()
        self.ranks.from_first(self.callbacks.on_start, self)
        self._saved = self._reported = time.monotonic()

    def _load(self, path: Path) -> TrainState | None:
        """Restore a checkpoint that the first process reads; None if there is none."""
        saved = self.ranks.from_first(lambda: load_tensors(path) if path.exists() else None)
        if saved is None:
            return None
        return restore_state(saved, self.model, self.optimizer, self.averaged)

    def _save_or_cancel(self) -> None:
        """Save a checkpoint from time to time, and before a cancellation."""
        request = self.ranks.agree(self._request)
        if request >= SAVE:
            self.state.loss_sum = self.ranks.mean(self.state.loss_sum + float(self._losses))
            self._losses.zero_()
            self._save(self.config.checkpoint)
            self._saved = time.monotonic()
        if request == CANCEL:
            raise CanceledError("The run was canceled. You can resume it.")

    def _request(self) -> int:
        """Report the loss, and say what all processes do before the next step."""
        self._report_loss()
        if self.callbacks.should_stop():
            return CANCEL
        return SAVE if time.monotonic() - self._saved > CHECKPOINT_SECONDS else CONTINUE

    def _save(self, path: Path) -> None:
        state, publishing = self.state, self.callbacks.publishing
        self.ranks.from_first(
            save_state, path, state, self.model, self.optimizer, self.averaged, publishing
        )

    def _set_learning_rates(self, total: int) -> None:
        segment = self.config.segment
        step = segment.index * total + self.state.step
        factor = learning_rate_factor(step, segment.count * total)
        for group, peak in zip(self.optimizer.param_groups, self.peak_rates, strict=True):
            group["lr"] = peak * factor

    def _autograd(self, inputs: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
        bf16 = self.device.type == "cuda"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=bf16):
            logits = self._forward(inputs)
            loss = F.cross_entropy(logits, targets, label_smoothing=label_smoothing)
        loss = loss * self.batches.loss_weight(self.state.step)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        return loss

    def _end_epoch(self) -> None:
        """Validate, and call `on_best` for a new best score."""
        losses = self.ranks.mean(self.state.loss_sum + float(self._losses))
        mean = losses / self.batches.steps_per_epoch
        if not (math.isfinite(mean) and _finite(self.model)):
            raise VecafError("The training diverged. Choose a smaller learning rate.")
        score = self.ranks.agree(lambda: self.callbacks.on_epoch_end(self, mean))
        if score > self.state.best:
            self.state.best, self.state.stale = score, 0
            self.ranks.from_first(self.callbacks.on_best, self)
        else:
            self.state.stale += 1
        self.state.loss_sum = 0.0
        self._losses.zero_()

    def _report_loss(self) -> None:
        steps = self.state.step % self.batches.steps_per_epoch
        if steps and time.monotonic() - self._reported > REPORT_SECONDS:
            self.callbacks.on_loss(self, (self.state.loss_sum + float(self._losses)) / steps)
            self._reported = time.monotonic()


def _finite(model: nn.Module) -> bool:
    return all(bool(value.isfinite().all()) for value in trainable(model).values())


def learning_rate_factor(step: int, total: int, warmup: float = 0.05) -> float:
    """Return the share of the peak learning rate at `step`: linear warmup, then a cosine to zero.

    Parameters
    ----------
    step
        From 0.
    total
        Steps of the whole schedule.
    warmup
        Share of the steps with a rising rate. Averages of AdamW are unreliable in its first steps.
    """
    warm = max(1, round(total * warmup))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm)))
