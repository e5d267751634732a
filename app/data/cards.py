"""Cards of datasets, cached while the dataset stays unchanged."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from vecaf.errors import NotFoundError
from vecaf.store import Dataset
from vecaf.store.datasets import Version, dataset_versions, version_of
from vecaf.store.next_step import next_step
from vecaf.store.page_queries import DatasetCard, dataset_card

from ..shell.studio import Studio


class Cards:
    """Dataset cards by user, dataset and version. Counting the images of a card takes a scan."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self._card = lru_cache(maxsize=256)(self._read)

    def _read(self, user: int, dataset_id: int, _version: Version) -> DatasetCard:
        with self.studio.store.read() as session:
            return dataset_card(session, user, dataset_id)

    def all(self, user: int) -> list[DatasetCard]:
        """Return the cards of the user's datasets, newest first."""
        with self.studio.store.read() as session:
            versions = dataset_versions(session, user)
        found = []
        for dataset_id, version in versions:
            try:
                found.append(self._with_next(user, self._card(user, dataset_id, version)))
            except NotFoundError:
                continue  # deleted a moment ago
        return found

    def one(self, user: int, dataset: Dataset) -> DatasetCard:
        """Return one card. Raises NotFoundError."""
        return self._with_next(user, self._card(user, dataset.id, version_of(dataset)))

    def _with_next(self, user: int, card: DatasetCard) -> DatasetCard:
        """Add the next step, which selections and runs change without a new version."""
        with self.studio.store.read() as session:
            step = next_step(session, user, card.id, card.pool_counts, card.pool_unlabeled)
        return replace(card, next=step)
