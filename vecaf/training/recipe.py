"""How a round trains: the logistic head first, then, in full mode, the whole model."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from vecaf.config import RunConfig
from vecaf.encoders.preprocessing import Preprocessing
from vecaf.encoders.runtime import backend_for, compile_encoder, encode_files
from vecaf.training.batches import FeatureBatches, ImageBatches
from vecaf.training.checkpoints import load_tensors, save_tensors
from vecaf.training.cost import HEAD_EPOCHS_BEFORE_FULL
from vecaf.training.loop import Hooks, Leg, fit
from vecaf.training.model import Classifier, FeaturesAndLogits, Head
from vecaf.training.progress import Report
from vecaf.training.ranks import ALONE, Ranks
from vecaf.training.start import decay_toward
from vecaf.training.state import AveragedWeights, TrainState
from vecaf.training.thread_count import threads_for

FULL_CHECKPOINT = "full-checkpoint.safetensors"


@dataclass(frozen=True)
class Images:
    """Image files and their class indices (n,), in one order."""

    paths: list[Path]
    labels: NDArray[np.int64]


def train_head(
    head: Head,
    features: Tensor,
    labels: Tensor,
    val_features: Tensor,
    val_labels: Tensor,
    config: RunConfig,
    seed: int,
    folder: Path,
    report: Report,
    leg: Leg | None = None,
    anchor: Tensor | None = None,
    ranks: Ranks = ALONE,
) -> TrainState:
    """Train `head` on centred unit features (n, d); it ends with its best epoch's weights.

    Weight decay pulls its weights toward `anchor` (classes, d), or to zero where there is none. The
    best epoch is the one with the highest validation accuracy, ties going to the lower
    validation loss. Without validation images the last epoch is kept, and so it is in a `leg` of a
    longer training, where it is the one that the next leg goes on from. With several `ranks`, the
    first one has the others train along.
    """
    ranks.tell(
        train_head, head=head, features=features, labels=labels, val_features=val_features,
        val_labels=val_labels, config=config, seed=seed, folder=folder, leg=leg, anchor=anchor,
    )  # fmt: skip
    batches = FeatureBatches(features, labels, config.batch_size, seed, ranks)
    optimizer = torch.optim.AdamW(
        head.parameters(), lr=config.head_lr, weight_decay=config.head_weight_decay, fused=True
    )
    if anchor is not None:
        decay_toward(optimizer, head.linear.weight, anchor)
    best = folder / "head.safetensors"
    epochs = config.epochs if config.mode == "head-only" else HEAD_EPOCHS_BEFORE_FULL

    def validate() -> Tensor:
        with torch.inference_mode():
            logits: Tensor = head(val_features)
        return logits

    with threads_for(config.batch_size * head.linear.weight.numel()):
        state = fit(
            head,
            optimizer,
            batches,
            epochs=epochs,
            steps_per_epoch=batches.order.steps_per_epoch,
            hooks=_hooks(
                report,
                epochs,
                validate,
                val_labels,
                lambda: save_tensors(best, _state(head), {}, report.publishing),
                leg,
            ),
            checkpoint=folder / "head-checkpoint.safetensors",
            label_smoothing=config.label_smoothing,
            patience=config.patience,
            leg=leg,
            ranks=ranks,
            share=batches.share,
            descend=head.descend if ranks.count == 1 else None,
        )
    if ranks.first:
        head.load_state_dict(load_tensors(best)[0])
    return state


def train_full(
    classifier: Classifier,
    train: Images,
    val: Images,
    preprocessing: Preprocessing,
    config: RunConfig,
    seed: int,
    folder: Path,
    report: Report,
    leg: Leg | None = None,
    ranks: Ranks = ALONE,
) -> TrainState:
    """Finetune all of `classifier`, on its device; it ends with its best epoch's averaged weights.

    In mode lora only adapters beside its layers learn (`lora`), and what is kept has them merged.
    AdamW with layer-wise learning-rate decay (timm's layer groups), so that early layers, which
    transfer as they are, move least; an exponential moving average of the weights is what is
    validated and kept. A `leg` of a longer training keeps its last epoch, as in `train_head`.
    """
    ranks.tell(
        train_full, classifier=classifier, train=train, val=val, preprocessing=preprocessing,
        config=config, seed=seed, folder=folder, leg=leg,
    )  # fmt: skip
    device = next(classifier.parameters()).device
    targets = torch.from_numpy(train.labels).to(device)
    batches = ImageBatches(train.paths, targets, preprocessing, config.batch_size, seed, ranks)
    learning: Classifier = classifier
    plain: Callable[[Classifier], Classifier] = _same
    if config.mode == "lora":
        from vecaf.training.lora import merged, with_adapters

        learning, plain = with_adapters(classifier, config.lora_rank, seed), merged
    optimizer = torch.optim.AdamW(_layer_groups(learning, config), fused=True)
    averaged = AveragedWeights(learning, config.ema)
    shadow = deepcopy(learning)
    best = folder / "model.safetensors"
    val_labels = torch.from_numpy(val.labels)

    def average() -> Classifier:
        shadow.load_state_dict(averaged.weights, strict=False)
        return plain(shadow)

    def validate() -> Tensor:
        logits = predict(average(), val.paths, preprocessing, report.should_stop)[1]
        return torch.from_numpy(logits)

    try:
        state = fit(
            learning,
            optimizer,
            batches,
            epochs=config.epochs,
            steps_per_epoch=batches.order.steps_per_epoch,
            hooks=_hooks(
                report,
                config.epochs,
                validate,
                val_labels,
                lambda: save_tensors(best, _state(average()), {}, report.publishing),
                leg,
            ),
            checkpoint=folder / FULL_CHECKPOINT,
            averaged=averaged,
            label_smoothing=config.label_smoothing,
            patience=config.patience,
            leg=leg,
            ranks=ranks,
            share=batches.share,
        )
    finally:
        batches.close()
    if ranks.first:
        classifier.load_state_dict(load_tensors(best)[0])
    return state


def predict(
    classifier: Classifier,
    paths: list[Path],
    preprocessing: Preprocessing,
    should_stop: Callable[[], bool] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Centred features (n, d) and logits (n, classes) of image files, by the fast runtime."""
    dimension = len(classifier.head.mean)
    width = dimension + classifier.head.linear.out_features
    out = np.empty((len(paths), width), dtype=np.float32)
    if paths:
        device = str(next(classifier.parameters()).device)
        runtime = compile_encoder(
            FeaturesAndLogits(classifier).eval(),
            preprocessing,
            device=device,
            backend=backend_for(len(paths), preprocessing, device),
        )
        files = encode_files(
            runtime, paths, preprocessing, progress=progress, should_stop=should_stop
        )
        for start, rows in files:
            out[start : start + len(rows)] = rows
    return out[:, :dimension], out[:, dimension:]


def _hooks(
    report: Report,
    epochs: int,
    validate: Callable[[], Tensor],
    labels: Tensor,
    keep: Callable[[], None],
    leg: Leg | None,
) -> Hooks:
    """One stage's hooks: curves, validation, the best weights kept."""

    def on_epoch(step: int, epoch: int, loss: float) -> float:
        report.epoch(epoch, epochs)
        if not len(labels):
            report.values(step, {"train_loss": loss})
            return float(epoch)  # nothing to compare by: later is better
        logits = validate()
        accuracy = float((logits.argmax(dim=1) == labels).float().mean())
        val_loss = float(F.cross_entropy(logits, labels))
        report.values(step, {"train_loss": loss, "val_loss": val_loss, "val_accuracy": accuracy})
        if leg is not None:
            return float(epoch)
        return accuracy - 0.5 * val_loss / (1 + val_loss) / len(labels)  # breaks ties alone

    return Hooks(
        on_start=report.start,
        on_loss=lambda step, loss: report.values(step, {"train_loss": loss}),
        on_epoch=on_epoch,
        on_best=keep,
        should_stop=report.should_stop,
        publishing=report.publishing,
    )


def _layer_groups(classifier: Classifier, config: RunConfig) -> list[dict[str, object]]:
    from timm.optim._param_groups import param_groups_layer_decay

    groups: list[dict[str, object]] = param_groups_layer_decay(
        classifier.backbone,
        weight_decay=config.weight_decay,
        layer_decay=config.layer_decay,
    )
    for group in groups:
        group["lr"] = config.lr * float(group.pop("lr_scale"))  # type: ignore[arg-type]
    head = list(classifier.head.parameters())
    return [*groups, {"params": head, "lr": config.lr, "weight_decay": config.weight_decay}]


def _same(classifier: Classifier) -> Classifier:
    return classifier


def _state(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().cpu() for name, value in module.state_dict().items()}
