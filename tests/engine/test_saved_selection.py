"""The labeled pool images of a saved selection are the first round of a run."""

from __future__ import annotations

import sqlalchemy as sa

from vecaf.config import RunConfig
from vecaf.datasets.pool import load_samples
from vecaf.engine.queue import submit_run
from vecaf.engine.saved_selection import record_saved_selection
from vecaf.runs.recording import MemoryRecorder
from vecaf.store import Dataset, Run, Sample, Store
from vecaf.store.subsets import add_subset

CHOSEN = "chosen"


def given(store: Store, rows: str, chosen: list[int]) -> MemoryRecorder:
    """Record the saved selection of a run, with the current labels."""
    with store.write() as session:
        add_subset(session, store.owner(), 1, CHOSEN, "selection", chosen)
    config, recorder = RunConfig(dataset=rows, subset=CHOSEN, rounds=1), MemoryRecorder()
    run_id = submit_run(store, config, store.owner())
    with store.read() as session:
        run = session.get_one(Run, run_id)
        samples = load_samples(session, session.get_one(Dataset, 1), store.settings.images)
    record_saved_selection(config, samples, recorder, store, run)
    record_saved_selection(config, samples, recorder, store, run)  # again, as after a restart
    return recorder


def test_only_labeled_images_of_the_pool_are_used(store: Store, rows: str) -> None:
    with store.write() as session:
        session.execute(sa.update(Sample).where(Sample.id == 6).values(label=None))
    recorder = given(store, rows, [9, 1, 6, 2, 3])  # 3 is in the val split
    assert recorder.selections[1].sample_ids.tolist() == [9, 1, 2]
    assert len(recorder.messages) == 1


def test_a_class_without_images_is_named(store: Store, rows: str) -> None:
    with store.read() as session:
        query = sa.select(Sample.id).where(Sample.label == 0, Sample.split == "train")
        alike = list(session.scalars(query.limit(2)))
    recorder = given(store, rows, alike)
    assert recorder.messages == [
        "Round 1 trains on the 2 labeled images of 'chosen'; no image of 'b' yet."
    ]
