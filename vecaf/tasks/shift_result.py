"""Compare two finished runs, without and with a target domain, on clean and shifted images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vecaf.arrays import Rows
from vecaf.errors import InputError
from vecaf.store import FINISHED, TEST, Dataset, Run, visible
from vecaf.tasks.task import TASKS, TaskContext

if TYPE_CHECKING:
    from vecaf.datasets.pool import Samples
    from vecaf.export.predictor import Predictor

MAX_IMAGES = 2000  # drawn with a fixed seed


@TASKS.register
def shift_result(
    context: TaskContext,
    plain: int,
    shifted: int,
    corruption: str = "",
    on: int = 0,
    revision: int = 0,
    on_revision: int = 0,
) -> dict[str, Any]:
    """Compare the runs on the test images of the dataset, clean and at five severities.

    Parameters
    ----------
    plain, shifted
        Numbers of the runs without and with the target domain.
    corruption
        A name of `CORRUPTIONS`; "" = none.
    on
        Id of another dataset with the same classes to compare on; 0 = none.
    revision, on_revision
        Revisions of the two datasets: after a change of labels, this is a new task.

    Returns
    -------
    Accuracies, 0 to 1, and differences shifted − plain with 95% confidence intervals, paired over
    images. The intervals cover the choice of test images, not that of training images.
    """
    from vecaf.encoders.runtime import choose_device
    from vecaf.evaluation.comparison import paired_over_images
    from vecaf.export.bundle import model_folder
    from vecaf.export.predictor import Predictor
    from vecaf.runs.evaluate import labels_of_model
    from vecaf.runs.shift_comparison import (
        clean_verdict,
        compare_level,
        corrupted_batches,
        pair_logits,
        verdict,
    )

    device = choose_device(context.store.settings.device)
    context.stage("Loading models")
    runs = [_run(context, run_id) for run_id in (plain, shifted)]
    models = [
        Predictor.load(model_folder(context.store, context.user_id, run.id), device) for run in runs
    ]
    logits = pair_logits(models, _one_backbone(models), device)

    own = context.samples()

    def correct(
        samples: Samples, rows: Rows, severity: int, stage: str
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return which images each of the two models classifies correctly."""
        labels = labels_of_model(samples, rows, models[0].classes, own.classes)
        paths = [samples.paths[row] for row in rows]
        batches = corrupted_batches(
            paths, models[0].preprocessing, corruption, severity, context.progress(stage)
        )
        first, second = (scores.argmax(axis=1) == labels for scores in logits(batches))
        return first, second

    rows = _sample_labeled(own, own.rows(TEST))
    if not len(rows):
        raise InputError(
            "This dataset has no labeled test images to compare the runs on. Label images of its "
            "test split first."
        )
    target, same = _target(runs[1]), _same(models)
    clean = compare_level(0, *correct(own, rows, 0, "Clean images"))
    levels, sentences, overall, other = [clean], [], None, None
    if corruption:
        pairs = [correct(own, rows, s, f"Severity {s} of 5") for s in range(1, 6)]
        levels += [compare_level(s, *pair) for s, pair in enumerate(pairs, start=1)]
        before, after = (np.stack(versions) for versions in zip(*pairs, strict=True))
        difference = paired_over_images(after, before)
        assert difference is not None  # rows is not empty
        overall = [difference.mean, difference.low, difference.high]
        where = f"on test images with {corruption.replace('_', ' ')}"
        sentences.append(verdict(target, difference, where, same))
    if on:
        name, samples = _other(context, on)
        labeled = _sample_labeled(samples, np.arange(len(samples)))
        if not len(labeled):
            raise InputError(f"'{name}' has no labeled images to compare the runs on.")
        pair = correct(samples, labeled, 0, f"Images of {name}")
        other = {"name": name, **compare_level(0, *pair).as_dict()}
        if not same or not corruption:
            difference = paired_over_images(pair[1], pair[0])
            assert difference is not None  # labeled is not empty
            sentences.append(verdict(target, difference, f"on “{name}”", same))
    if sentences and not same:
        sentences.append(clean_verdict(clean))
    return {
        "levels": [one.as_dict() for one in levels],
        "overall": overall,
        "other": other,
        "same": same,
        "sentences": sentences,
    }


def _target(run: Run) -> str:
    """Return the words for the target domain of a run, or the name of the dataset with images."""
    return str(run.config.get("target_words") or run.config.get("adapt_to", ""))


def _one_backbone(models: Sequence[Predictor]) -> bool:
    """Return whether two models differ only in their heads, as head-only runs of one PVM do."""
    import torch

    first, second = (model.model.backbone.state_dict() for model in models)
    alike = models[0].preprocessing == models[1].preprocessing and first.keys() == second.keys()
    return alike and all(torch.equal(first[name], second[name]) for name in first)


def _same(models: Sequence[Predictor]) -> bool:
    """Return whether two models are equal, as they are if the target domain had no effect."""
    import torch

    first, second = (model.model.state_dict() for model in models)
    alike = first.keys() == second.keys()
    return alike and all(torch.equal(first[name], second[name]) for name in first)


def _sample_labeled(samples: Samples, rows: Rows) -> Rows:
    """Return the labeled rows, or a fixed random sample of MAX_IMAGES of them."""
    rows = rows[samples.labels[rows] >= 0]
    return np.sort(np.random.default_rng(0).permutation(rows)[:MAX_IMAGES])


def _run(context: TaskContext, run_id: int) -> Run:
    with context.store.read() as session:
        run = visible(session, context.user_id, Run, run_id)
    if run.state != FINISHED or run.dataset_id != context.dataset_id:
        raise InputError(
            f"Run {run_id} is not a finished run on this dataset. Choose a finished run."
        )
    return run


def _other(context: TaskContext, dataset_id: int) -> tuple[str, Samples]:
    from vecaf.datasets.pool import load_samples

    with context.store.read() as session:
        dataset = visible(session, context.user_id, Dataset, dataset_id)
        return dataset.name, load_samples(session, dataset, context.store.settings.images)
