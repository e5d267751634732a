"""Find duplicates, outliers, and label errors, and write them to `findings.json`.

    {"revision": …,                     of the dataset at that time
     "found": {"duplicates": 3, …},     number of findings; the lists hold the first 1000
     "duplicates": [{"ids", "cosine", "exact"}],
     "outliers": [{"id", "distance", "neighbors"}],
     "typical_distance": …,             median over all images, to compare outliers with
     "run": …,                          run whose model predicted the labels, or null
     "labels": [{"id", "label", "suggested", "confidence", "own", "agreeing", "neighbors",
                 "confirmed"}]}

Ids and neighbors are sample ids. Labels are indices into the classes of the dataset. See
`vecaf.evaluation.findings.checks` for the meaning of the numbers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from vecaf.arrays import Rows
from vecaf.datasets.pool import Samples
from vecaf.evaluation.predictions import load_predictions
from vecaf.files import write_bytes
from vecaf.store import FINISHED, Dataset, SelectedSample, visible
from vecaf.store.runs import count_selected_per_round, runs_on
from vecaf.tasks.task import TASKS, TaskContext
from vecaf.tasks.unreadable import without_unreadable

NAME = "findings.json"
SHOWN = 1000


@TASKS.register
def findings(
    context: TaskContext, revision: int, model: str = "efficientnet_lite0", image_size: int = 0
) -> dict[str, Any]:
    """Find problems for the current labels; those of a map are for its labels.

    `revision` is that of the dataset: after a change of labels, this is a new task.

    Returns
    -------
    The number of findings of each kind, and the revision.
    """
    from vecaf.arrays import unit_rows
    from vecaf.arrays.principal_components import fit_basis
    from vecaf.config import RunConfig
    from vecaf.encoders.dataset_features import embed_samples, pvm_for

    every = context.samples()
    pvm = pvm_for(RunConfig(model=model, image_size=image_size), every)
    progress = context.progress("Computing embeddings")

    def work(lost: Rows) -> dict[str, Any]:
        samples = every.take(np.delete(np.arange(len(every)), lost))
        features, _ = embed_samples(pvm, samples, context.store.settings, progress)
        found = find(context, samples, unit_rows(fit_basis(features).project(features)))
        write_findings(context.folder, found)
        return {"found": found["found"], "revision": found["revision"]}

    return without_unreadable(every, work)


def find(context: TaskContext, samples: Samples, space: NDArray[np.float32]) -> dict[str, Any]:
    """Return the content of `findings.json` for samples with unit rows `space` (n, m)."""
    from vecaf.arrays.neighbors import neighbor_graph
    from vecaf.evaluation.findings.checks import label_errors, near_duplicates, outliers
    from vecaf.evaluation.findings.held_out import held_out_probabilities

    with context.store.read() as session:
        revision = visible(session, context.user_id, Dataset, context.dataset_id).revision
    near, cosine = neighbor_graph(space, progress=context.progress("Comparing images"))
    context.stage("Checking labels")
    labels = samples.labels
    probabilities = held_out_probabilities(space, labels, len(samples.classes))
    context.check()
    duplicates = near_duplicates(samples.keys, near, cosine)
    distant = outliers(near, cosine)
    run, predicted = predictions_of_newest_run(context, samples)
    errors = label_errors(labels, probabilities, near, predicted)
    return {
        "run": run,
        "revision": revision,
        "found": {"duplicates": len(duplicates), "outliers": len(distant), "labels": len(errors)},
        "duplicates": [_named(samples, asdict(item)) for item in duplicates[:SHOWN]],
        "outliers": [_named(samples, asdict(item)) for item in distant[:SHOWN]],
        "typical_distance": float(np.median(1 - cosine.mean(axis=1))) if cosine.size else 0.0,
        "labels": [_named(samples, asdict(item)) for item in errors[:SHOWN]],
    }


def predictions_of_newest_run(
    context: TaskContext, samples: Samples
) -> tuple[int | None, NDArray[np.int64]]:
    """Return the newest finished run with predictions, and its predicted classes (n,).

    The class is −1 for images that the run was trained on, and for all if there is no such run.
    """
    predicted = np.full(len(samples), -1, dtype=np.int64)
    with context.store.read() as session:
        for run in runs_on(session, context.user_id, context.dataset_id):
            folder = context.store.settings.runs / str(run.id)
            rounds = count_selected_per_round(session, context.user_id, run.id)
            last = load_predictions(folder, max(rounds)) if rounds else None
            if run.state != FINISHED or last is None:
                continue
            query = sa.select(SelectedSample.sample_id).where(SelectedSample.run_id == run.id)
            trained = list(session.scalars(query))
            unseen = np.isin(last.ids, samples.ids) & ~np.isin(last.ids, trained)
            rows = np.searchsorted(samples.ids, last.ids[unseen])
            classes = last.predicted[unseen]  # a renamed class keeps its index
            predicted[rows] = np.where(classes < len(samples.classes), classes, -1)
            return run.id, predicted
    return None, predicted


def write_findings(folder: Path, found: dict[str, Any]) -> None:
    """Write `findings.json` to the folder of a task."""
    write_bytes(folder / NAME, json.dumps(found).encode())


def _named(samples: Samples, finding: dict[str, Any]) -> dict[str, Any]:
    """Replace the rows of a finding by sample ids."""
    names = {"row": "id", "rows": "ids", "neighbors": "neighbors"}
    return {
        names.get(name, name): _ids(samples, value) if name in names else value
        for name, value in finding.items()
    }


def _ids(samples: Samples, rows: int | Sequence[int]) -> int | list[int]:
    ids: int | list[int] = samples.ids[rows].tolist()
    return ids
