"""The two stages of a round's training: the head on features, then the whole model on images."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from vecaf.config import RunConfig
from vecaf.encoders.preprocessing import Preprocessing
from vecaf.encoders.weight_inputs import RepeatedConversion
from vecaf.training.batches import FeatureBatches, ImageBatches, LabeledFeatures, LabeledImages
from vecaf.training.checkpoints import load_tensors
from vecaf.training.cost import HEAD_EPOCHS_BEFORE_FULL
from vecaf.training.initialization import decay_toward
from vecaf.training.model import Classifier, Head
from vecaf.training.passes import augmentation_strength, layer_decay
from vecaf.training.prediction import predict
from vecaf.training.ranks import ALONE, Ranks
from vecaf.training.reporter import SILENT, Reporter
from vecaf.training.stage_callbacks import StageCallbacks
from vecaf.training.state import AveragedWeights, TrainState
from vecaf.training.thread_count import threads_for
from vecaf.training.trainer import ScheduleSegment, Trainer, TrainerConfig

HEAD_WEIGHTS, HEAD_CHECKPOINT = "head.safetensors", "head-checkpoint.safetensors"
MODEL_WEIGHTS, MODEL_CHECKPOINT = "model.safetensors", "full-checkpoint.safetensors"


@dataclass(frozen=True)
class Stage:
    """One stage of one round.

    Attributes
    ----------
    config
        The run's configuration.
    seed
        Of the order of batches, of crops, and of adapters.
    folder
        Where the stage saves its checkpoint and its weights.
    segment
        The part of the run's learning-rate schedule. None if each round has its own schedule.
    """

    config: RunConfig
    seed: int
    folder: Path
    segment: ScheduleSegment | None = None

    def trainer_config(self, epochs: int, checkpoint: str) -> TrainerConfig:
        """Return the settings of this stage's trainer."""
        return TrainerConfig(
            epochs=epochs,
            checkpoint=self.folder / checkpoint,
            label_smoothing=self.config.label_smoothing,
            patience=self.config.patience,
            segment=self.segment or ScheduleSegment(),
        )


def train_head(
    head: Head,
    train: LabeledFeatures,
    val: LabeledFeatures,
    stage: Stage,
    reporter: Reporter = SILENT,
    *,
    anchor: Tensor | None = None,
    ranks: Ranks = ALONE,
) -> TrainState:
    """Train a linear head on features; it ends with the weights of its best epoch.

    The best epoch has the highest validation accuracy; of several, the one with the lowest
    validation loss. Without validation rows, or in a schedule segment, the last epoch counts.

    Parameters
    ----------
    head
        Trained in place.
    train, val
        Centered features with labels.
    stage
        Configuration, seed, folder, schedule segment.
    reporter
        Receives losses, validation results and progress.
    anchor
        Weights (classes, d) that weight decay pulls toward, in place of zero.
    ranks
        The processes that train together. All of them call this function, and all end with the
        same weights; `val` and `reporter` matter only in the first one.

    Returns
    -------
    TrainState
        The final state; `step` is the number of batches.

    Raises
    ------
    CanceledError
        If `reporter` says stop.
    VecafError
        If the training diverges.
    """
    config = stage.config
    epochs = config.epochs if config.mode == "head-only" else HEAD_EPOCHS_BEFORE_FULL
    optimizer = torch.optim.AdamW(
        head.parameters(), lr=config.head_lr, weight_decay=config.head_weight_decay, fused=True
    )
    if anchor is not None:
        decay_toward(optimizer, head.linear.weight, anchor)
    path = stage.folder / HEAD_WEIGHTS

    @torch.inference_mode()
    def validate() -> Tensor:
        logits: Tensor = head(val.rows)
        return logits

    trainer = Trainer(
        head,
        optimizer,
        FeatureBatches(train, config.batch_size, stage.seed, ranks),
        stage.trainer_config(epochs, HEAD_CHECKPOINT),
        StageCallbacks(reporter, epochs, validate, val.labels, lambda: head, path, stage.segment),
        gradients=head.gradients if ranks.count == 1 else None,
    )
    with threads_for(config.batch_size * head.linear.weight.numel()):
        state = trainer.run()
    head.load_state_dict(ranks.from_first(load_tensors, path)[0])
    return state


def train_model(
    classifier: Classifier,
    train: LabeledImages,
    val: LabeledImages,
    preprocessing: Preprocessing,
    stage: Stage,
    reporter: Reporter = SILENT,
    *,
    convert: RepeatedConversion | None = None,
    ranks: Ranks = ALONE,
) -> TrainState:
    """Finetune a classifier on images; it ends with the averaged weights of its best epoch.

    Mode full trains all weights. The learning rate decreases from layer to layer toward the input
    (timm's layer groups), because early layers need the least change. Mode lora trains adapters
    (`lora`), and merges them in what it saves. Validation uses the moving average of the weights.

    Parameters
    ----------
    classifier
        Trained in place, on its own device.
    train, val
        Image files with labels.
    preprocessing
        Of the backbone.
    stage, reporter, ranks
        As in `train_head`.
    convert
        As in `predict`.

    Returns
    -------
    TrainState
        The final state; `step` is the number of batches.

    Raises
    ------
    CanceledError
        If `reporter` says stop.
    UnreadableImageError
        If an image can't be decoded.
    VecafError
        If the training diverges.
    """
    config = stage.config
    device = next(classifier.parameters()).device
    batches = ImageBatches(
        train, preprocessing, config.batch_size, stage.seed, device, ranks,
        augmentation=augmentation_strength(config),
    )  # fmt: skip
    trained = classifier
    merge: Callable[[Classifier], Classifier] = _unchanged
    if config.mode == "lora":
        from vecaf.training.lora import merge_adapters, with_adapters

        trained, merge = with_adapters(classifier, config.lora_rank, stage.seed), merge_adapters
    averaged = AveragedWeights(trained, config.ema)
    average = deepcopy(trained)
    path = stage.folder / MODEL_WEIGHTS

    def averaged_model() -> Classifier:
        average.load_state_dict(averaged.weights, strict=False)
        return merge(average)

    def validate() -> Tensor:
        model = averaged_model()
        stop = reporter.should_stop
        logits = predict(model, val.paths, preprocessing, stop, convert=convert)[1]
        return torch.from_numpy(logits)

    trainer = Trainer(
        trained,
        torch.optim.AdamW(_layer_groups(trained, config), fused=True),
        batches,
        stage.trainer_config(config.epochs, MODEL_CHECKPOINT),
        StageCallbacks(
            reporter, config.epochs, validate, torch.from_numpy(val.labels), averaged_model, path,
            stage.segment,
        ),
        averaged,
    )  # fmt: skip
    try:
        state = trainer.run()
    finally:
        batches.close()
    classifier.load_state_dict(ranks.from_first(load_tensors, path)[0])
    return state


def _layer_groups(classifier: Classifier, config: RunConfig) -> list[dict[str, object]]:
    from timm.optim._param_groups import param_groups_layer_decay

    groups: list[dict[str, object]] = param_groups_layer_decay(
        classifier.backbone,
        weight_decay=config.weight_decay,
        layer_decay=layer_decay(config),
    )
    for group in groups:
        group["lr"] = config.lr * float(group.pop("lr_scale"))  # type: ignore[arg-type]
    head = list(classifier.head.parameters())
    return [*groups, {"params": head, "lr": config.lr, "weight_decay": config.weight_decay}]


def _unchanged(classifier: Classifier) -> Classifier:
    return classifier
