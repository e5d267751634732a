"""The active finetuning loop: embed → score → augment → select → finetune → evaluate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vecaf.arrays import Floats, Rows
from vecaf.augmentation.source_domain import SourceDomain
from vecaf.augmentation.text_guidance import TextGuidance
from vecaf.config import LABELS_KNOWN, RunConfig
from vecaf.datasets.pool import Samples
from vecaf.evaluation import metrics
from vecaf.evaluation.predictions import Predictions, save_predictions
from vecaf.export.predictor import export_model
from vecaf.runs.forecasting import forecast_round
from vecaf.runs.plan import ONE_SHARD, RunPlan, describe_missing_classes
from vecaf.runs.preparation import prepare
from vecaf.runs.recording import Recorder
from vecaf.runs.resuming import resume
from vecaf.runs.round_progress import RoundProgress
from vecaf.runs.target_images import adapt_to_images
from vecaf.selection.sharded_rows import Sharding
from vecaf.settings import Settings
from vecaf.store import TEST, VAL
from vecaf.store.records import RoundResult
from vecaf.training.learner import Learner
from vecaf.training.ranks import ALONE, Ranks
from vecaf.wording import plural

STARTS = {"text": "the class names", "means": "the class means of the pool", "zeros": "zero"}
"""What a log says of each `head_init`."""


def run_rounds(
    config: RunConfig,
    samples: Samples,
    recorder: Recorder,
    folder: Path,
    settings: Settings,
    ranks: Ranks = ALONE,
    sharding: Sharding = ONE_SHARD,
    target: Samples | None = None,
) -> None:
    """Do the rounds of a run that are not finished yet, then export the model.

    A stopped run resumes: finished rounds and recorded selections are read back, and the current
    round continues from its checkpoint in `folder`.

    Parameters
    ----------
    recorder
        Receives progress and results, and returns those of earlier attempts. Only the recorder of
        the first process is used.
    ranks
        The processes that train together. All of them call this function.
    sharding
        As in `RunPlan`.
    target
        A dataset with images of the target domain, to which the model adapts after the last round.

    Raises
    ------
    InputError
        The dataset can't serve the configuration.
    CanceledError
        The recorder asked to stop.
    """
    plan = RunPlan.of(config, samples, sharding)
    learner, guidance = prepare(config, samples, recorder, folder, settings, ranks=ranks)
    adapt = None
    if target is not None:
        adapt = partial(adapt_to_images, plan, learner, target, recorder, settings)
    do_rounds(plan, learner, guidance, recorder, folder, adapt)
    ranks.from_first(_export, learner, recorder, folder)


def do_rounds(
    plan: RunPlan,
    learner: Learner,
    guidance: TextGuidance,
    recorder: Recorder,
    folder: Path,
    adapt: Callable[[], None] | None = None,
) -> None:
    """Do the rounds that are not finished yet. The learner has the embeddings.

    `adapt` is called after the training of the last round, before its evaluation.

    With several processes, all of them train. The first one alone does the rest.
    """
    ranks, rounds = learner.context.ranks, plan.config.rounds
    finished = resume(learner, recorder)
    batches = finished[-1].batches if finished else 0
    ranks.from_first(_use_class_names, plan, learner, guidance)

    for number in range(len(finished) + 1, rounds + 1):
        progress = RoundProgress(recorder, number, rounds)
        ranks.from_first(_select, plan, learner, guidance, recorder, progress)
        rows, augmented = ranks.from_first(_augment, plan, learner, guidance, recorder, progress)
        batches += learner.learn(number, rows, augmented, plan.val, progress.reporter(batches))
        if number == rounds and adapt is not None:
            ranks.from_first(adapt)
        ranks.from_first(_evaluate, plan, learner, recorder, folder, progress, batches)


def _use_class_names(plan: RunPlan, learner: Learner, guidance: TextGuidance) -> None:
    """If the head starts from the names of the classes, make a classifier from them."""
    if learner.context.config.head_init == "text":
        pretrained = learner.context.pretrained(plan.pool)
        learner.use_text_classifier(guidance.classifier(pretrained, plan.pool))


def _select(
    plan: RunPlan,
    learner: Learner,
    guidance: TextGuidance,
    recorder: Recorder,
    progress: RoundProgress,
) -> None:
    """Score the pool, augment its features with captions, select images, and record them.

    Does nothing if an earlier attempt has recorded the selection.
    """
    number = progress.number
    if recorder.selection(number) is not None:
        return
    if number == 1 and plan.config.track == LABELS_KNOWN:
        recorder.log(f"The classifier starts from {STARTS[learner.context.config.head_init]}.")
    selected = plan.selected(recorder, upto=number - 1)
    progress("computing predictions")
    outputs = learner.outputs(plan.pool)
    progress("applying captions")
    features = guidance.pull(outputs.features, plan.pool, plan.visible_labels(selected))
    progress("selecting images")
    selection = plan.select(outputs, features, selected, number)
    recorder.record_selection(number, selection)

    strategy = plan.effective_strategy(outputs)
    selected = plan.selected(recorder, upto=number)
    missing = describe_missing_classes(learner.context.config, plan.samples, selected)
    images = plural(plan.budget, "image")
    used = selection.strategy
    name = used if used == strategy else f"{strategy}, working like {used},"
    recorder.log(f"Round {number}: {name} selected {images}{missing}.")
    if strategy != plan.config.strategy:
        recorder.log(
            f"{plan.config.strategy} needs a trained model, so {strategy} selected the images "
            f"of round {number}."
        )


def _augment(
    plan: RunPlan,
    learner: Learner,
    guidance: TextGuidance,
    recorder: Recorder,
    progress: RoundProgress,
) -> tuple[Rows, Floats]:
    """Augment the features of the training images with captions and the target domain.

    Returns
    -------
    rows : array of shape (n,)
        The images that the round trains on.
    features : array of shape (m·n, d)
        m versions of their features; m is 0 if the round does not train the head.
    """
    context, labels, number = learner.context, plan.samples.labels, progress.number
    rows = plan.training_rows(recorder, number)
    progress(f"finetuning on {plural(len(rows), 'image')}")
    features = context.pretrained(plan.pool)
    if not learner.trains_head():
        return rows, features[:0]
    source = SourceDomain(
        context.pretrained(rows), labels[rows],
        context.pretrained(plan.val), labels[plan.val],
    )  # fmt: skip
    visible = plan.visible_labels(plan.selected(recorder, upto=number))
    augmented, effect = guidance.augmented(
        features, plan.pool, visible, plan.pool_positions(rows), source
    )
    if effect:
        recorder.log(effect)
    return rows, augmented


def _evaluate(
    plan: RunPlan,
    learner: Learner,
    recorder: Recorder,
    folder: Path,
    progress: RoundProgress,
    batches: int,
) -> None:
    """Compute predictions, and record the result of the round. The run took `batches` so far."""
    number, samples = progress.number, plan.samples
    progress("evaluating")
    rows = plan.prediction_rows(number)
    logits, labels = learner.logits(rows), samples.labels[rows]
    predictions = Predictions.of(samples.ids[rows], logits, labels)
    save_predictions(folder, number, predictions, recorder.publishing)
    val, test = np.searchsorted(rows, plan.val), np.searchsorted(rows, plan.test)
    measured = {
        split: metrics.measure(logits[places], labels[places])
        for split, places in ((VAL, val), (TEST, test))
    }
    result = RoundResult(
        number=number,
        labeled=len(plan.selected(recorder, upto=number)),
        batches=batches,
        val_accuracy=measured[VAL].get("accuracy"),
        test_accuracy=measured[TEST].get("accuracy"),
        seconds=progress.seconds(),
        confusion=metrics.confusion(logits[test], labels[test]).tolist(),
        metrics=measured,
    )
    progress("forecasting the gain of more labels")
    forecast = forecast_round(plan, learner, recorder, folder, result)
    recorder.finish_round(replace(result, forecast=forecast))
    recorder.log(result.sentence())
    _warn_of_one_class(plan, recorder, number, predictions.predicted[val])
    learner.context.remove_checkpoints(number)


def _warn_of_one_class(
    plan: RunPlan, recorder: Recorder, number: int, predicted: NDArray[np.int16]
) -> None:
    """Warn if a model that trained on several classes predicts one of them for all images.

    This is how a training with a high learning rate can end, even if its loss stays finite.
    `predicted` are the classes of the validation images.
    """
    labels, classes = plan.samples.labels, plan.samples.classes
    trained_on = labels[plan.training_rows(recorder, number)]
    known, found = (len(np.unique(of)) for of in (trained_on, predicted))
    if known > 1 and found == 1 and len(np.unique(labels[plan.val])) > 1:
        recorder.log(
            f"The model predicts '{classes[predicted[0]]}' for all validation images. Choose a "
            "smaller learning rate, or select more images.",
            "warning",
        )


def _export(learner: Learner, recorder: Recorder, folder: Path) -> None:
    """Export the model."""
    model, context = learner.classifier(), learner.context
    classes = context.samples.classes
    export_model(model, context.pvm, classes, folder / "model", recorder.publishing)
    recorder.artifact("model", folder / "model" / "model.safetensors")
