"""Small steps use one thread, large steps use all, and the thread count is restored afterward."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from vecaf.config import RunConfig
from vecaf.training.batches import LabeledFeatures
from vecaf.training.model import Head
from vecaf.training.stages import Stage, train_head
from vecaf.training.thread_count import MULTITHREADED


@pytest.mark.parametrize("classes", [10, MULTITHREADED // (64 * 8) + 1])
def test_small_steps_are_made_by_one_thread(tmp_path: Path, classes: int) -> None:
    before, seen = torch.get_num_threads(), set()

    class Watched(Head):
        def gradients(self, *given: object) -> torch.Tensor:
            seen.add(torch.get_num_threads())
            return super().gradients(*given)  # type: ignore[arg-type]

    torch.set_num_threads(2)
    try:
        rows, labels = torch.randn(70, 8), torch.arange(70) % 10
        config = RunConfig(dataset="made up", epochs=1, batch_size=64)
        head = Watched(torch.zeros(8), classes)
        train_head(
            head,
            LabeledFeatures(rows, labels),
            LabeledFeatures(rows[:0], labels[:0]),
            Stage(config, 0, tmp_path),
        )
        assert seen == {1 if classes == 10 else 2}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
