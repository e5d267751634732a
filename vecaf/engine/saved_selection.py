"""Use a saved selection as the first round of a run."""

from __future__ import annotations

import numpy as np

from vecaf.config import RunConfig
from vecaf.datasets.pool import Samples
from vecaf.errors import InputError
from vecaf.runs.plan import describe_missing_classes
from vecaf.runs.recording import Recorder, RoundSelection
from vecaf.store import Run, Store
from vecaf.store.subsets import subset_named, subset_samples


def record_saved_selection(
    config: RunConfig, samples: Samples, recorder: Recorder, store: Store, run: Run
) -> None:
    """Record the labeled pool images of the run's saved selection, if any, as round 1.

    Raises
    ------
    NotFoundError
        The saved selection was deleted.
    InputError
        None of its images has a label.
    """
    if not config.subset or recorder.selection(1) is not None:
        return
    with store.read() as session:
        subset = subset_named(session, run.owner_id, run.dataset_id, config.subset)
        rows = subset_samples(session, run.owner_id, subset.id)
    usable = set(samples.ids[samples.pool[samples.labels[samples.pool] >= 0]].tolist())
    members = [member for member, sample in rows if sample.id in usable]
    if not members:
        raise InputError(
            f"No image of the selection '{config.subset}' has a label yet. Label its images first."
        )
    ids = np.array([member.sample_id for member in members], dtype=np.int64)
    scores = {
        name: np.array([_number(member.scores.get(name)) for member in members], dtype=np.float32)
        for name in members[0].scores
    }
    recorder.record_selection(1, RoundSelection(ids, scores))
    selected = np.flatnonzero(np.isin(samples.ids, ids))
    missing = describe_missing_classes(config, samples, selected)
    recorder.log(f"Round 1 trains on the {len(ids)} labeled images of '{config.subset}'{missing}.")


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
