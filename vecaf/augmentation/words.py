"""A run's captions, and features pulled toward them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from vecaf.augmentation.captions import captions_for, nearest_tags, template
from vecaf.augmentation.cea import augment

Floats = NDArray[np.float32]


class Words:
    """Captions of a dataset's images, given the labels that may be seen, and what they pull."""

    def __init__(
        self,
        own: Sequence[str | None],
        classes: Sequence[str],
        strength: float,
        embed_texts: Callable[[list[str]], Floats],
        embed_rows: Callable[[NDArray[np.int64]], Floats],
    ) -> None:
        """`own` (n): the users' captions. `classes`: what labels and tags are named. `strength`: η.

        `embed_texts` (m sentences) → (m, d) and `embed_rows` (rows) → (n, d) are the VLM's two
        sides, unit rows in one space; both are asked again and again, so they should remember.
        """
        self.own, self.classes, self.strength = own, classes, strength
        self._embed_texts, self._embed_rows = embed_texts, embed_rows
        self._tags = np.full(len(own), -1, dtype=np.int64)

    def captions(self, rows: NDArray[np.int64], labels: NDArray[np.int64]) -> list[str]:
        """One sentence for each of `rows` (n,); `labels` (n,) are −1 where they are hidden."""
        own = [self.own[row] for row in rows]
        speechless = np.array([not sentence for sentence in own]) & (labels < 0)
        self._tag(rows[speechless])
        return captions_for(own, labels, self._tags[rows], self.classes)

    def pull(self, features: Floats, rows: NDArray[np.int64], labels: NDArray[np.int64]) -> Floats:
        """CEA: `features` (n, d) of `rows` pulled toward captions; as they are at strength 0."""
        if self.strength == 0:
            return features
        captions = self._embed_texts(self.captions(rows, labels))
        return augment(features, captions, strength=self.strength).features

    def _tag(self, rows: NDArray[np.int64]) -> None:
        """Retrieve the tags of `rows` that have none yet."""
        untagged = rows[self._tags[rows] < 0]
        if len(untagged):
            words = self._embed_texts([template(word) for word in self.classes])
            self._tags[untagged] = nearest_tags(self._embed_rows(untagged), words)
