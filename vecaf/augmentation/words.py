"""A run's captions and their embeddings."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from vecaf.augmentation.captions import captions_for, nearest_tags, template

Floats = NDArray[np.float32]


class Words:
    """Caption embeddings of a dataset's images, given the labels that may be looked at."""

    def __init__(
        self,
        own: Sequence[str | None],
        classes: Sequence[str],
        vocabulary: Sequence[str],
        embed_texts: Callable[[list[str]], Floats],
        embed_rows: Callable[[NDArray[np.int64]], Floats],
    ) -> None:
        """`own` (n): the users' captions. `vocabulary`: words that tags are chosen from.

        `embed_texts` (m sentences) → (m, d) and `embed_rows` (rows) → (n, d) are the VLM's two
        sides, unit rows in one space; both are asked again and again, so they should remember.
        """
        self.own, self.classes, self.vocabulary = own, classes, vocabulary
        self._embed_texts, self._embed_rows = embed_texts, embed_rows
        self._tags = np.full(len(own), -1, dtype=np.int64)

    def captions(self, rows: NDArray[np.int64], labels: NDArray[np.int64]) -> list[str]:
        """One sentence for each of `rows` (n,); `labels` (n,) are −1 where they are hidden."""
        own = [self.own[row] for row in rows]
        speechless = np.array([not sentence for sentence in own]) & (labels < 0)
        self._tag(rows[speechless])
        return captions_for(own, labels, self._tags[rows], self.vocabulary, self.classes)

    def embed(self, rows: NDArray[np.int64], labels: NDArray[np.int64]) -> Floats:
        """Embeddings (n, d) of the captions of `rows`, unit rows."""
        return self._embed_texts(self.captions(rows, labels))

    def _tag(self, rows: NDArray[np.int64]) -> None:
        """Retrieve the tags of `rows` that have none yet."""
        untagged = rows[self._tags[rows] < 0]
        if len(untagged):
            words = self._embed_texts([template(word) for word in self.vocabulary])
            self._tags[untagged] = nearest_tags(self._embed_rows(untagged), words)
