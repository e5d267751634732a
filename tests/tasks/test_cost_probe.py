"""The probe behind a run's estimate times what the run will do."""

from __future__ import annotations

from pathlib import Path

from tests.finished import NAME, new_studio
from vecaf.store import dataset_named
from vecaf.tasks import TASKS, Work


def test_a_batch_of_one_small_image_can_be_timed(tmp_path: Path) -> None:
    """Training keeps batch normalisation at rest, so one value a channel is enough there."""
    store = new_studio(tmp_path / "home", count=20)
    with store.read() as session:
        dataset = dataset_named(session, store.owner(), NAME)
    work = Work(
        store, store.owner(), dataset.id, tmp_path, lambda stage, done=0, total=0: None,
        lambda: False,
    )  # fmt: skip
    found = TASKS["cost"](
        work, model="efficientnet_lite0", image_size=32, mode="full", batch_size=1,
        strategy="random",
    )  # fmt: skip
    assert found["full_step"] > found["head_step"] > 0
    store.close()
