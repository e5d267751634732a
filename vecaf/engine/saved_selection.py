"""A run on a saved selection: its images stand as the first round's picks before it begins."""

from __future__ import annotations

import numpy as np

from vecaf.config import RunConfig
from vecaf.datasets.pool import Samples
from vecaf.errors import InputError
from vecaf.runs.plan import unshown
from vecaf.runs.recording import Picks, Recorder
from vecaf.store import Run, Store
from vecaf.store.subsets import subset_named, subset_samples


def record_given(
    config: RunConfig, samples: Samples, recorder: Recorder, store: Store, run: Run
) -> None:
    """Record the labelled pool images of the run's subset, if it names one, as round 1's picks.

    Raises NotFoundError where the subset is gone, InputError where none of it is labelled.
    """
    if not config.subset or recorder.picks(1) is not None:
        return
    with store.read() as session:
        subset = subset_named(session, run.owner_id, run.dataset_id, config.subset)
        rows = subset_samples(session, run.owner_id, subset.id)
    usable = set(samples.ids[samples.pool[samples.labels[samples.pool] >= 0]].tolist())
    kept = [place for place, sample in rows if sample.id in usable]
    if not kept:
        raise InputError(
            f"No image of the selection '{config.subset}' has a label yet. Label them first."
        )
    ids = np.array([place.sample_id for place in kept], dtype=np.int64)
    parts = kept[0].scores
    scores = {
        name: np.array([_number(place.scores.get(name)) for place in kept], dtype=np.float32)
        for name in parts
    }
    recorder.record_picks(1, Picks(ids, scores))
    lacking = unshown(config, samples, np.flatnonzero(np.isin(samples.ids, ids)))
    recorder.log(f"Round 1 trains on the {len(ids)} labelled images of '{config.subset}'{lacking}.")


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
