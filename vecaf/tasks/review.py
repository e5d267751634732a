"""What is worth a second look, with the labels as they are now: `findings.json`.

    {"revision": …,                     the dataset's, when it was looked at
     "found": {"duplicates": 3, …},     how many there are; the lists hold the first 1000
     "duplicates": [{"ids", "cosine", "exact"}],
     "outliers": [{"id", "distance", "neighbours"}],
     "typical_distance": …,             the median of all images, to read an outlier's by
     "run": …,                          the run whose model was asked about labels, or null
     "labels": [{"id", "label", "suggested", "confidence", "own", "agreeing", "neighbours",
                 "confirmed"}]}

Ids and neighbours are sample ids, labels indices into the dataset's classes; see
`vecaf.evaluation.findings.checks` for what the numbers mean.
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

from vecaf.datasets.pool import Samples
from vecaf.evaluation.predictions import load_predictions
from vecaf.files import write_bytes
from vecaf.store import FINISHED, Dataset, SelectedSample, visible
from vecaf.store.runs import count_selected_per_round, runs_on
from vecaf.tasks.task import TASKS, Work

NAME = "findings.json"
SHOWN = 1000


@TASKS.register
def findings(
    work: Work, revision: int, model: str = "efficientnet_lite0", image_size: int = 0
) -> dict[str, Any]:
    """Look again: a map's findings are of the labels at its time. `revision`: the dataset's, so
    that every state of the labels is looked at once. The result counts what was found."""
    from vecaf.arrays import unit_rows
    from vecaf.config import RunConfig
    from vecaf.encoders.dataset_features import embed_samples, pvm_for
    from vecaf.evaluation.map_layout import fit_basis

    samples = work.samples()
    pvm = pvm_for(RunConfig(model=model, image_size=image_size), samples)
    features, _ = embed_samples(
        pvm, samples, work.store.settings, work.progress("Looking at images")
    )
    found = find(work, samples, unit_rows(fit_basis(features).project(features)))
    write_findings(work.folder, found)
    return {"found": found["found"], "revision": found["revision"]}


def find(work: Work, samples: Samples, space: NDArray[np.float32]) -> dict[str, Any]:
    """The findings of samples in their space (n, m), unit rows, as the file holds them."""
    from vecaf.evaluation.findings.checks import label_errors, near_duplicates, outliers
    from vecaf.evaluation.findings.held_out import held_out_probabilities
    from vecaf.evaluation.neighbors import neighbor_graph

    with work.store.read() as session:
        revision = visible(session, work.user_id, Dataset, work.dataset_id).revision
    near, cosine = neighbor_graph(space, progress=work.progress("Comparing images"))
    work.stage("Checking labels")
    labels = samples.labels
    probabilities = held_out_probabilities(space, labels, len(samples.classes))
    work.check()
    same = near_duplicates(samples.keys, near, cosine)
    far = outliers(near, cosine)
    run, said = witness(work, samples)
    wrong = label_errors(labels, probabilities, near, said)
    return {
        "run": run,
        "revision": revision,
        "found": {"duplicates": len(same), "outliers": len(far), "labels": len(wrong)},
        "duplicates": [_named(samples, asdict(item)) for item in same[:SHOWN]],
        "outliers": [_named(samples, asdict(item)) for item in far[:SHOWN]],
        "typical_distance": float(np.median(1 - cosine.mean(axis=1))) if cosine.size else 0.0,
        "labels": [_named(samples, asdict(item)) for item in wrong[:SHOWN]],
    }


def witness(work: Work, samples: Samples) -> tuple[int | None, NDArray[np.int64]]:
    """The newest finished run that left predictions, and the class (n,) that its model gives each
    image that it was not trained on, −1 for the others and without such a run."""
    said = np.full(len(samples), -1, dtype=np.int64)
    with work.store.read() as session:
        for run in runs_on(session, work.user_id, work.dataset_id):
            folder = work.store.settings.runs / str(run.id)
            rounds = count_selected_per_round(session, work.user_id, run.id)
            last = load_predictions(folder, max(rounds)) if rounds else None
            if run.state != FINISHED or last is None:
                continue
            seen = session.scalars(
                sa.select(SelectedSample.sample_id).where(SelectedSample.run_id == run.id)
            )
            asked = np.isin(last.ids, samples.ids) & ~np.isin(last.ids, list(seen))
            rows = np.searchsorted(samples.ids, last.ids[asked])
            found = last.predicted[asked]  # a class keeps its place, whatever it is called later
            said[rows] = np.where(found < len(samples.classes), found, -1)
            return run.id, said
    return None, said


def write_findings(folder: Path, found: dict[str, Any]) -> None:
    """Write `findings.json` into a task's folder."""
    write_bytes(folder / NAME, json.dumps(found).encode())


def _named(samples: Samples, finding: dict[str, Any]) -> dict[str, Any]:
    """A finding with sample ids where it has rows."""
    names = {"row": "id", "rows": "ids", "neighbors": "neighbours"}
    return {
        names.get(name, name): _ids(samples, value) if name in names else value
        for name, value in finding.items()
    }


def _ids(samples: Samples, rows: int | Sequence[int]) -> int | list[int]:
    ids: int | list[int] = samples.ids[rows].tolist()
    return ids
