"""Several workers share the embedding of a dataset."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from socket import gethostname

import numpy as np
import pytest
import sqlalchemy as sa

from tests.engine.harness import WorkerProcess, wait_for, worker, write_images
from vecaf.config import RunConfig
from vecaf.datasets import import_dataset
from vecaf.datasets.pool import load_samples
from vecaf.encoders.dataset_features import pvm_for
from vecaf.encoders.embed import count_missing, embed_images
from vecaf.engine import embedding_parts as sharing
from vecaf.engine.child import embed_with_all_workers
from vecaf.engine.queue import submit_run
from vecaf.engine.recorder import DatabaseRecorder
from vecaf.errors import UnavailableError
from vecaf.settings import Settings
from vecaf.store import FINISHED, Dataset, Run, Store, Task, Worker
from vecaf.store.jobs import start_attempt
from vecaf.store.models import now


@pytest.mark.soak
def test_workers_share_the_embedding_of_a_large_dataset(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dataset is embedded as in a run on a large dataset, while one of the workers is lost."""
    monkeypatch.setattr(sharing, "WORTH_SHARING", 10)
    monkeypatch.setattr(sharing, "PART_IMAGES", 12)
    import_dataset(store, write_images(tmp_path / "pictures"), "pictures")
    me, config = store.owner(), RunConfig(dataset="pictures", budget="6", image_size=32)
    run_id = submit_run(store, config, me)
    with store.write() as session:
        host, later = gethostname(), now() + timedelta(hours=1)
        session.add(Worker(id="me", pid=1, host=host, started_at=later, heartbeat_at=later))
        assert start_attempt(session, "run", run_id, "me") == 1
        run = session.get_one(Run, run_id)
        dataset = session.get_one(Dataset, run.dataset_id)
        samples = load_samples(session, dataset, store.settings.images)
    recorder = DatabaseRecorder(store, run_id, 1, stopping=lambda: False)
    pvm = pvm_for(config, samples)
    holders: set[str | None] = set()

    def killed_once(stage: str, done: int = 0, total: int = 0) -> None:
        with store.read() as session:
            holders.update(session.scalars(sa.select(Task.worker).where(Task.worker.is_not(None))))
        if len(holders) == 2 and first.process.poll() is None:
            first.kill()

    monkeypatch.setattr(recorder, "stage", killed_once)
    first = WorkerProcess(store.settings, stand_in="work")
    try:
        with worker(store.settings, stand_in="work"):
            wait_for(lambda: workers(store) == 3, 60, "two workers are not there")
            embed_with_all_workers(config, samples, recorder, store, run)
    finally:
        first.close()
    assert len(holders) >= 2 and first.process.returncode == -9
    with store.read() as session:
        tasks = session.scalars(sa.select(Task)).all()
    assert [task.state for task in tasks] == [FINISHED] * 6
    assert count_missing(pvm, samples.keys, store.settings) == 0

    shared = embed_images(pvm, samples.keys, samples.path_of, settings=store.settings)
    apart = Settings.from_environment({"VECAF_HOME": str(tmp_path / "apart")})
    np.testing.assert_allclose(
        shared, embed_images(pvm, samples.keys, samples.path_of, settings=apart), atol=1e-5
    )


def workers(store: Store) -> int:
    with store.read() as session:
        return session.execute(sa.select(sa.func.count()).select_from(Worker)).scalar_one()


def test_a_failed_part_is_reported(store: Store, rows: str, dataset_id: int) -> None:
    """The image files of the dataset are missing."""
    with worker(store.settings), pytest.raises(UnavailableError, match="image"):
        sharing.embed_in_parts(
            store, store.owner(), dataset_id, 80, model="efficientnet_lite0", image_size=32,
            parts=2, progress=lambda done, total: None, should_stop=lambda: False,
        )  # fmt: skip
