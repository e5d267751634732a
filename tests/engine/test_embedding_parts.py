"""Several workers share the embedding of a dataset."""

from __future__ import annotations

import pytest

from tests.engine.harness import worker
from vecaf.engine import embedding_parts as sharing
from vecaf.errors import UnavailableError
from vecaf.store import Store


def test_a_failed_part_is_reported(store: Store, rows: str, dataset_id: int) -> None:
    """The image files of the dataset are missing."""
    with worker(store.settings), pytest.raises(UnavailableError, match="image"):
        sharing.embed_in_parts(
            store, store.owner(), dataset_id, 80, model="efficientnet_lite0", image_size=32,
            parts=2, progress=lambda done, total: None, should_stop=lambda: False,
        )  # fmt: skip
