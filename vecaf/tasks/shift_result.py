"""What a pair of runs, one without target words and one with them, is worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vecaf.arrays import Rows
from vecaf.errors import InputError
from vecaf.store import FINISHED, TEST, Dataset, Run, visible
from vecaf.tasks.task import TASKS, Work

if TYPE_CHECKING:
    from vecaf.datasets.pool import Samples
    from vecaf.export.predictor import Predictor

IMAGES = 2000  # at most, that a pair is compared on; drawn with a fixed seed


@TASKS.register
def shift_result(
    work: Work,
    plain: int,
    shifted: int,
    corruption: str = "",
    on: int = 0,
    revision: int = 0,
    on_revision: int = 0,
) -> dict[str, Any]:
    """Compare two finished runs on the dataset's test images, clean and at five severities.

    `corruption`: a name of `CORRUPTIONS`, "" for none. `on`: the id of another dataset of the same
    classes to compare on, 0 for none. The two revisions are those datasets', for the answer depends
    on their labels. Accuracies are 0 to 1; differences are shifted − plain, with
    paired intervals over the images (one run each: other picks are not covered).
    """
    from vecaf.encoders.runtime import choose_device
    from vecaf.evaluation.comparison import paired_over_images
    from vecaf.export.bundle import model_folder
    from vecaf.export.predictor import Predictor
    from vecaf.runs.evaluate import labels_as_known
    from vecaf.runs.shift_comparison import corrupted_batches, level, pair_logits, verdict

    device = choose_device(work.store.settings.device)
    work.stage("Loading the models")
    runs = [_run(work, run_id) for run_id in (plain, shifted)]
    models = [
        Predictor.load(model_folder(work.store, work.user_id, run.id), device) for run in runs
    ]
    logits = pair_logits(models, _one_backbone(models), device)

    own = work.samples()

    def right(
        samples: Samples, rows: Rows, severity: int, stage: str
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which images each of the two gets right."""
        labels = labels_as_known(samples, rows, models[0].classes, own.classes)
        paths = [samples.paths[row] for row in rows]
        batches = corrupted_batches(
            paths, models[0].preprocessing, corruption, severity, work.progress(stage)
        )
        first, second = (scores.argmax(axis=1) == labels for scores in logits(batches))
        return first, second

    rows = _some(own, own.rows(TEST))
    if not len(rows):
        raise InputError(
            "This dataset has no labelled test images to compare the runs on. Label some of its "
            "test split first."
        )
    words, same = str(runs[1].config.get("target_words", "")), _same(models)
    clean = level(0, *right(own, rows, 0, "Clean images"))
    levels, sentences, overall, other = [clean], [], None, None
    if corruption:
        found = [right(own, rows, s, f"Severity {s} of 5") for s in range(1, 6)]
        levels += [level(s, *pair) for s, pair in enumerate(found, start=1)]
        before, after = (np.stack(versions) for versions in zip(*found, strict=True))
        over = paired_over_images(after, before)
        assert over is not None  # there are rows
        overall = [over.mean, over.low, over.high]
        where = f"on the test images under {corruption.replace('_', ' ')}"
        sentences.append(verdict(words, clean, over, where, same))
    if on:
        name, samples = _other(work, on)
        there = _some(samples, np.arange(len(samples)))
        if not len(there):
            raise InputError(f"'{name}' has no labelled images to compare the runs on.")
        pair = right(samples, there, 0, f"Images of {name}")
        other = {"name": name, **level(0, *pair).as_dict()}
        if not same or not corruption:
            over = paired_over_images(pair[1], pair[0])
            assert over is not None
            sentences.append(verdict(words, clean, over, f"on {name}", same))
    return {
        "levels": [one.as_dict() for one in levels],
        "overall": overall,
        "other": other,
        "same": same,
        "sentences": sentences,
    }


def _one_backbone(models: Sequence[Predictor]) -> bool:
    """Whether two models differ in their heads alone, as head-only runs of one PVM do."""
    import torch

    first, second = (model.model.backbone.state_dict() for model in models)
    alike = models[0].preprocessing == models[1].preprocessing and first.keys() == second.keys()
    return alike and all(torch.equal(first[name], second[name]) for name in first)


def _same(models: Sequence[Predictor]) -> bool:
    """Whether two models are one: words that move nothing leave a run as it is without them."""
    import torch

    first, second = (model.model.state_dict() for model in models)
    alike = first.keys() == second.keys()
    return alike and all(torch.equal(first[name], second[name]) for name in first)


def _some(samples: Samples, rows: Rows) -> Rows:
    """The labelled ones of `rows`, or IMAGES of them, always the same."""
    rows = rows[samples.labels[rows] >= 0]
    return np.sort(np.random.default_rng(0).permutation(rows)[:IMAGES])


def _run(work: Work, run_id: int) -> Run:
    with work.store.read() as session:
        run = visible(session, work.user_id, Run, run_id)
    if run.state != FINISHED or run.dataset_id != work.dataset_id:
        raise InputError(f"Run {run_id} has not finished on this dataset; wait until it has.")
    return run


def _other(work: Work, dataset_id: int) -> tuple[str, Samples]:
    from vecaf.datasets.pool import load_samples

    with work.store.read() as session:
        dataset = visible(session, work.user_id, Dataset, dataset_id)
        return dataset.name, load_samples(session, dataset, work.store.settings.images)
