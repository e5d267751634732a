"""The training loop. It fits on a screen and can stop and go on after any batch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vecaf.errors import CanceledError, VecafError
from vecaf.files import Publishing
from vecaf.training.checkpoints import load_state, save_state
from vecaf.training.ranks import ALONE, Ranks
from vecaf.training.state import AveragedWeights, TrainState, trainable

CHECKPOINT_SECONDS = 10.0  # at most this much work is lost to a power cut
REPORT_SECONDS = 0.5  # how often a loss leaves the device for the curves

Batch = Callable[[int], tuple[Tensor, Tensor]]  # step → inputs and class indices
# inputs, class indices, label smoothing → mean loss; its gradients are in the parameters by then
Descend = Callable[[Tensor, Tensor, float], Tensor]


@dataclass(frozen=True)
class Leg:
    """Which part of a longer training a stage is: part `index`, from 0, of `legs` parts that share
    one learning-rate schedule. `before`: the file that holds what the part before it ended with;
    `after`: where to leave its own."""

    index: int = 0
    legs: int = 1
    before: Path | None = None
    after: Path | None = None


@dataclass(frozen=True)
class Hooks:
    """What the loop tells its caller; every one is called between two batches.

    `on_start(step)` says where the loop begins; `on_loss(step, mean loss of the epoch so far)`;
    `on_epoch(step, epoch, mean loss)` returns the validation score of the weights; `on_best()`
    keeps them; `should_stop()` asks for cancellation; a checkpoint appears within `publishing()`,
    which first makes durable what was reported, since a loop that goes on does not report it again.
    """

    on_start: Callable[[int], None]
    on_loss: Callable[[int, float], None]
    on_epoch: Callable[[int, int, float], float]
    on_best: Callable[[], None]
    should_stop: Callable[[], bool]
    publishing: Publishing


def fit(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    *,
    epochs: int,
    steps_per_epoch: int,
    hooks: Hooks,
    checkpoint: Path,
    averaged: AveragedWeights | None = None,
    label_smoothing: float = 0.0,
    patience: int = 0,
    leg: Leg | None = None,
    ranks: Ranks = ALONE,
    share: Callable[[int], float] = lambda step: 1.0,
    descend: Descend | None = None,
) -> TrainState:
    """Minimise the cross-entropy of `model` over `batch(0)`, `batch(1)`, …

    Batches are a function of the step alone, so on a CPU a loop that goes on from `checkpoint`
    computes what an uninterrupted one would have. The learning rate is warmed up over the first 5%
    of the steps, then follows a cosine to zero; the steps are those of all legs where `leg` says
    that this training is one of several. It stops early when no epoch was better than the best for
    `patience` epochs (0: never). Batch normalisation keeps its pretrained running
    statistics: with few images, batch statistics are noise. Of several `ranks` each gets its part
    of a batch, whose mean loss counts `share(step)`; the first one alone calls hooks and saves.
    One process alone may have its gradients from `descend` instead of autograd.

    Raises CanceledError when `hooks.should_stop()`, after saving a checkpoint, or when a hook does,
    which loses what came after the last one; VecafError when the loss is no longer finite.
    """
    device = next(model.parameters()).device
    bf16 = device.type == "cuda"
    base_rates = [group["lr"] for group in optimizer.param_groups]
    leg = leg or Leg()
    state = load_state(checkpoint, model, optimizer, averaged)
    if state is None:
        if leg.before is not None:
            load_state(leg.before, model, optimizer, averaged)
        state = TrainState()
    if ranks.first:
        hooks.on_start(state.step)
    total = epochs * steps_per_epoch
    losses = torch.zeros((), device=device)
    saved = reported = time.monotonic()
    model.train()
    freeze_batch_norm(model)
    forward = ranks.wrap(model)

    while state.step < total and not (patience and state.stale >= patience):
        stop = ranks.agree(hooks.should_stop)
        if stop or ranks.agree(lambda: time.monotonic() - saved > CHECKPOINT_SECONDS):  # noqa: B023
            state.loss_sum = ranks.mean(state.loss_sum + float(losses))
            losses.zero_()
            if ranks.first:
                save_state(checkpoint, state, model, optimizer, averaged, hooks.publishing)
            saved = time.monotonic()
        if stop:
            raise CanceledError("The run was canceled; it can be resumed from here.")

        inputs, targets = batch(state.step)
        for group, rate in zip(optimizer.param_groups, base_rates, strict=True):
            group["lr"] = rate * schedule(leg.index * total + state.step, leg.legs * total)
        if descend is not None:
            loss = descend(inputs, targets, label_smoothing)
        else:
            with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                loss = F.cross_entropy(forward(inputs), targets, label_smoothing=label_smoothing)
            loss = loss * share(state.step)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
        optimizer.step()
        if averaged is not None:
            averaged.update(model)
        losses += loss.detach()
        state.step += 1

        in_epoch = (state.step - 1) % steps_per_epoch + 1
        if in_epoch == steps_per_epoch:
            mean = ranks.mean(state.loss_sum + float(losses)) / in_epoch
            if not (math.isfinite(mean) and _finite(model)):
                raise VecafError("The training diverged. Choose a smaller learning rate.")
            epoch = state.step // steps_per_epoch
            score = ranks.agree(partial(hooks.on_epoch, state.step, epoch, mean))
            if score > state.best:
                state.best, state.stale = score, 0
                if ranks.first:
                    hooks.on_best()
            else:
                state.stale += 1
            state.loss_sum = 0.0
            losses.zero_()
        elif ranks.first and time.monotonic() - reported > REPORT_SECONDS:
            hooks.on_loss(state.step, (state.loss_sum + float(losses)) / in_epoch)
            reported = time.monotonic()
    if leg.after is not None and ranks.first:
        save_state(leg.after, state, model, optimizer, averaged, hooks.publishing)
    return state


def _finite(model: nn.Module) -> bool:
    return all(bool(value.isfinite().all()) for value in trainable(model).values())


def schedule(step: int, total: int, warmup: float = 0.05) -> float:
    """The share of the base learning rate at `step` of `total`: linear warm-up, then cosine."""
    warm = max(1, round(total * warmup))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm)))


def freeze_batch_norm(model: nn.Module) -> None:
    """Put every batch normalisation layer of `model` into evaluation mode."""
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
