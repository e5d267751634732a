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
from vecaf.runs.plan import Announcer, Plan, unshown
from vecaf.runs.preparation import prepare
from vecaf.runs.recording import Recorder, RoundResult
from vecaf.runs.resuming import resume
from vecaf.settings import Settings
from vecaf.training.learner import Learner
from vecaf.training.ranks import ALONE, Ranks


def run_rounds(
    config: RunConfig,
    samples: Samples,
    recorder: Recorder,
    folder: Path,
    settings: Settings,
    ranks: Ranks = ALONE,
) -> None:
    """Do the rounds of a run that `recorder` does not hold yet, then export the model.

    A run that stopped goes on: finished rounds and recorded picks are read back, and a round under
    way continues from its checkpoint in `folder`. With several `ranks`, this process is the first
    and has the others train along. Raises InputError when the dataset can't serve
    the configuration, CanceledError when the recorder says stop.
    """
    plan = Plan.of(config, samples)
    learner, guidance = prepare(config, samples, recorder, folder, settings, ranks=ranks)
    do_rounds(plan, learner, guidance, recorder, folder)
    model = learner.classifier()
    export_model(model, learner.context.pvm, samples.classes, folder / "model", recorder.publishing)
    recorder.artifact("model", folder / "model" / "model.safetensors")


def do_rounds(
    plan: Plan, learner: Learner, guidance: TextGuidance, recorder: Recorder, folder: Path
) -> None:
    """The rounds themselves, with what was prepared: a benchmark prepares once for many runs."""
    config, samples, context = plan.config, plan.samples, learner.context
    done = resume(learner, recorder)
    picked = plan.picked(recorder, upto=len(done))
    batches = done[-1].batches if done else 0
    if config.head_init == "text":
        pretrained = context.pretrained(plan.pool)
        learner.use_text_classifier(guidance.classifier(pretrained, plan.pool))

    for number in range(len(done) + 1, config.rounds + 1):
        started = time.monotonic()
        say = Announcer(recorder, number, config.rounds)

        if recorder.picks(number) is None:
            say("looking at the pool")
            view = learner.outputs(plan.pool)
            say("weighing captions")
            seen = guidance.pull(view.features, plan.pool, plan.visible_labels(picked))
            say("selecting images")
            picks = plan.select(view, seen, picked, number, context.ranks)
            recorder.record_picks(number, picks)
            picker = plan.picker(view)
            lacking = unshown(config, samples, plan.picked(recorder, upto=number))
            recorder.log(f"Round {number}: {picker} picked {plan.budget} images{lacking}.")
            if picker != config.strategy:
                recorder.log(
                    f"{config.strategy} needs a trained model: it selects from round 2 on."
                )
        picked = plan.picked(recorder, upto=number)
        studied = plan.studied(recorder, number)

        say(f"training on {len(studied)} images")
        augmented, reason = augment(plan, learner, guidance, picked, studied)
        if reason:
            recorder.log(reason)
        batches += learner.learn(number, studied, augmented, plan.val, say.report(batches))

        say("testing")
        rows = plan.predicted(number)
        logits, labels = learner.logits(rows), samples.labels[rows]
        predictions = Predictions.of(samples.ids[rows], logits, labels)
        save_predictions(folder, number, predictions, recorder.publishing)
        val, test = np.searchsorted(rows, plan.val), np.searchsorted(rows, plan.test)
        result = RoundResult(
            number=number,
            labeled=len(picked),
            batches=batches,
            val_accuracy=metrics.accuracy(logits[val], labels[val]),
            test_accuracy=metrics.accuracy(logits[test], labels[test]),
            confusion=metrics.confusion(logits[test], labels[test]).tolist(),
            seconds=time.monotonic() - started,
        )
        recorder.finish_round(result)
        recorder.log(result.sentence())
        context.remove_checkpoints(number)


def augment(
    plan: Plan, learner: Learner, guidance: TextGuidance, selected: Rows, trained: Rows
) -> tuple[Floats, str]:
    """Make augmented features of the images that the head trains on.

    Parameters
    ----------
    plan, learner, guidance
        The run's.
    selected
        Images of all rounds so far; their labels are visible.
    trained
        Images that this round trains on, shape (n,).

    Returns
    -------
    features : array of shape (m·n, d)
        m versions of the images; m is 0 for a round that doesn't train the head.
    reason : str
        What the target words do; may be empty.
    """
    context, labels = learner.context, plan.samples.labels
    pool = context.pretrained(plan.pool)
    if not learner.trains_head():
        return pool[:0], ""
    source = SourceDomain(
        context.pretrained(trained), labels[trained], context.pretrained(plan.val), labels[plan.val]
    )
    return guidance.augmented(
        pool, plan.pool, plan.visible_labels(selected), plan.places(trained), source
    )
