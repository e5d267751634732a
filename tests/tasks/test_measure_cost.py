"""The measurement behind the cost estimate of a run times what the run does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from torch import nn

from tests.finished import NAME, new_studio
from vecaf.store import dataset_named
from vecaf.tasks import TASKS, TaskContext
from vecaf.tasks import measure_cost as cost


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TaskContext]:
    folder = tmp_path_factory.mktemp("probe")
    store = new_studio(folder / "home", count=20)
    with store.read() as session:
        dataset = dataset_named(session, store.owner(), NAME)
    yield TaskContext(
        store, store.owner(), dataset.id, folder, lambda stage, done=0, total=0: None, lambda: False
    )
    store.close()


def probe(work: TaskContext, mode: str) -> dict[str, Any]:
    return TASKS["cost"](
        work, model="efficientnet_lite0", image_size=32, mode=mode, batch_size=1,
        strategy="random", lora_rank=2,
    )  # fmt: skip


def test_a_batch_of_one_small_image_can_be_timed(work: TaskContext) -> None:
    """Training keeps batch normalization frozen, so one value per channel is enough there."""
    found = probe(work, "full")
    assert found["full_step"] > found["head_step"] > 0


def test_a_lora_step_moves_its_adapters_alone(
    work: TaskContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved: list[int] = []

    def counting(model: nn.Module, inputs: Any, targets: Any) -> float:
        moved.append(sum(value.numel() for value in model.parameters() if value.requires_grad))
        return timed(model, inputs, targets)

    timed = cost._step
    monkeypatch.setattr(cost, "_step", counting)
    assert probe(work, "lora")["full_step"] > 0
    assert moved[0] < moved[1] < 300_000  # the head's, then with adapters; 3.4 million in all
