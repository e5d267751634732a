"""The program of one attempt at a run. All processes that train together execute it."""

from __future__ import annotations

from collections.abc import Callable

from vecaf.config import RunConfig
from vecaf.datasets.pool import Samples, load_samples
from vecaf.datasets.snapshot import with_snapshot
from vecaf.encoders.dataset_features import pvm_for
from vecaf.engine.left_out import note_damaged, without_unreadable
from vecaf.engine.paths import folder_of
from vecaf.engine.recorder import DatabaseRecorder
from vecaf.engine.saved_selection import record_saved_selection
from vecaf.engine.shard_actors import sharding_for
from vecaf.engine.tracked_recorder import TrackedRecorder
from vecaf.errors import UnreadableImageError
from vecaf.export.environment import record_versions
from vecaf.runs.preparation import with_device
from vecaf.runs.rounds import run_rounds
from vecaf.settings import Settings
from vecaf.store import Dataset, Run, Store, dataset_named
from vecaf.training.ranks import Ranks


def run_program(
    ranks: Ranks, store: Store, run_id: int, attempt: int, stopping: Callable[[], bool]
) -> None:
    """Do a run, or the rest of it.

    Parameters
    ----------
    ranks
        The processes of the run. Only the first one reads and writes the database.
    store
        The store of this attempt.
    stopping
        Returns whether this process should stop.

    Raises
    ------
    VecafError
        The run failed, was canceled, or belongs to another attempt; in all processes.
    """
    settings = store.settings
    folder = folder_of(settings, "run", run_id)
    recorder = TrackedRecorder(store, run_id, attempt, stopping=stopping)
    finished = False

    def load() -> tuple[RunConfig, Samples, Samples | None]:
        with store.read() as session:
            run = session.get_one(Run, run_id)
            dataset = session.get_one(Dataset, run.dataset_id)
            samples = load_samples(session, dataset, settings.images)
            config = RunConfig.from_dict(run.config)
            target = None
            if config.adapt_to:  # the owner may have lost access since the run was queued
                other = dataset_named(session, run.owner_id, config.adapt_to)
                target = load_samples(session, other, settings.images)
        record_versions(folder, with_device(config, settings))
        return config, with_snapshot(samples, folder), target

    def readable() -> Samples:
        found = without_unreadable(samples, folder, recorder, store)
        with store.read() as session:
            run = session.get_one(Run, run_id)
        recorder.track(run, config, found, folder)
        record_saved_selection(config, found, recorder, store, run)
        embed_on_cluster(config, found, recorder, settings)
        return found

    config, samples, target = ranks.from_first(load)
    try:
        while not finished:
            try:
                found = ranks.from_first(readable)
                sharding = sharding_for(settings)
                run_rounds(config, found, recorder, folder, settings, ranks, sharding, target)
                finished = True
            except UnreadableImageError as error:
                ranks.from_first(note_damaged, samples, folder, error)
        ranks.from_first(recorder.flush)
    finally:
        recorder.close(finished)


def embed_on_cluster(
    config: RunConfig, samples: Samples, recorder: DatabaseRecorder, settings: Settings
) -> None:
    """On a Ray cluster, compute the missing features of a large dataset on all free nodes."""
    from vecaf.engine.cluster_embedding import fill_cache

    if settings.engine != "ray":
        return
    fill_cache(
        pvm_for(config, samples),
        samples,
        with_device(config, settings),
        log=lambda text: recorder.log(text),
        progress=lambda done, total: recorder.stage("Computing embeddings", done, total),
        should_stop=recorder.should_stop,
    )
