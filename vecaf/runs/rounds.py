"""The active finetuning loop: embed → score → augment → select → finetune → evaluate."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from vecaf.arrays import Floats, Rows
from vecaf.augmentation.source_domain import SourceDomain
from vecaf.augmentation.text_guidance import TextGuidance
from vecaf.config import RunConfig
from vecaf.datasets.pool import Samples
from vecaf.evaluation import metrics
from vecaf.evaluation.predictions import Predictions, save_predictions
from vecaf.export.predictor import export_model
from vecaf.runs.plan import RunPlan, describe_missing_classes
from vecaf.runs.preparation import prepare
from vecaf.runs.recording import Recorder
from vecaf.runs.resuming import resume
from vecaf.runs.round_progress import RoundProgress
from vecaf.settings import Settings
from vecaf.store import TEST, VAL
from vecaf.store.records import RoundResult
from vecaf.training.learner import Learner
from vecaf.training.ranks import ALONE, Ranks
from vecaf.wording import plural


def run_rounds(
    config: RunConfig,
    samples: Samples,
    recorder: Recorder,
    folder: Path,
    settings: Settings,
    ranks: Ranks = ALONE,
) -> None:
    """Do the rounds of a run that are not finished yet, then export the model.

    A stopped run resumes: finished rounds and recorded selections are read back, and the current
    round continues from its checkpoint in `folder`.

    Parameters
    ----------
    recorder
        Receives progress and results, and returns those of earlier attempts.
    ranks
        The processes that train together. This process is the first of them.

    Raises
    ------
    InputError
        The dataset can't serve the configuration.
    CanceledError
        The recorder asked to stop.
    """
    plan = RunPlan.of(config, samples)
    learner, guidance = prepare(config, samples, recorder, folder, settings, ranks=ranks)
    do_rounds(plan, learner, guidance, recorder, folder)
    model = learner.classifier()
    export_model(model, learner.context.pvm, samples.classes, folder / "model", recorder.publishing)
    recorder.artifact("model", folder / "model" / "model.safetensors")


def do_rounds(
    plan: RunPlan, learner: Learner, guidance: TextGuidance, recorder: Recorder, folder: Path
) -> None:
    """Do the rounds that are not finished yet. The learner has the embeddings."""
    config, samples = plan.config, plan.samples
    finished = resume(learner, recorder)
    batches = finished[-1].batches if finished else 0
    if config.head_init == "text":
        pretrained = learner.context.pretrained(plan.pool)
        learner.use_text_classifier(guidance.classifier(pretrained, plan.pool))

    for number in range(len(finished) + 1, config.rounds + 1):
        started = time.monotonic()
        progress = RoundProgress(recorder, number, config.rounds)
        if recorder.selection(number) is None:
            _select(plan, learner, guidance, recorder, progress)
        batches += _finetune(plan, learner, guidance, recorder, progress, batches)
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
            seconds=time.monotonic() - started,
            confusion=metrics.confusion(logits[test], labels[test]).tolist(),
            metrics=measured,
        )
        recorder.finish_round(result)
        recorder.log(result.sentence())
        learner.context.remove_checkpoints(number)


def _select(
    plan: RunPlan,
    learner: Learner,
    guidance: TextGuidance,
    recorder: Recorder,
    progress: RoundProgress,
) -> None:
    """Score the pool, augment its features with captions, select images, and record them."""
    number = progress.number
    selected = plan.selected(recorder, upto=number - 1)
    progress("computing predictions")
    outputs = learner.outputs(plan.pool)
    progress("applying captions")
    features = guidance.pull(outputs.features, plan.pool, plan.visible_labels(selected))
    progress("selecting images")
    selection = plan.select(outputs, features, selected, number, learner.context.ranks)
    recorder.record_selection(number, selection)

    strategy = plan.effective_strategy(outputs)
    selected = plan.selected(recorder, upto=number)
    missing = describe_missing_classes(plan.config, plan.samples, selected)
    images = plural(plan.budget, "image")
    recorder.log(f"Round {number}: {selection.strategy} selected {images}{missing}.")
    if strategy != plan.config.strategy:
        recorder.log(
            f"{plan.config.strategy} needs a finetuned model, so {strategy} selected the images "
            f"of round {number}."
        )


def _finetune(
    plan: RunPlan,
    learner: Learner,
    guidance: TextGuidance,
    recorder: Recorder,
    progress: RoundProgress,
    batches: int,
) -> int:
    """Finetune on the selected images and return the steps. Earlier rounds took `batches` steps."""
    number = progress.number
    selected = plan.selected(recorder, upto=number)
    training_rows = plan.training_rows(recorder, number)
    progress(f"finetuning on {plural(len(training_rows), 'image')}")
    augmented, reason = _augment(plan, learner, guidance, selected, training_rows)
    if reason:
        recorder.log(reason)
    return learner.learn(number, training_rows, augmented, plan.val, progress.reporter(batches))


def _augment(
    plan: RunPlan, learner: Learner, guidance: TextGuidance, selected: Rows, training_rows: Rows
) -> tuple[Floats, str]:
    """Augment the features of the training images with captions and the target domain.

    Returns
    -------
    features : array of shape (m·n, d)
        m versions of the n training images; m is 0 if the round does not train the head.
    reason : str
        A sentence on the effect of the target domain, or "".
    """
    context, labels = learner.context, plan.samples.labels
    features = context.pretrained(plan.pool)
    if not learner.trains_head():
        return features[:0], ""
    source = SourceDomain(
        context.pretrained(training_rows), labels[training_rows],
        context.pretrained(plan.val), labels[plan.val],
    )  # fmt: skip
    positions = plan.pool_positions(training_rows)
    visible = plan.visible_labels(selected)
    return guidance.augmented(features, plan.pool, visible, positions, source)
