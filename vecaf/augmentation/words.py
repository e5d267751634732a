"""A run's words: captions that features are pulled toward, target words that features follow."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from vecaf.arrays import Floats
from vecaf.augmentation.captions import captions_for, nearest_tags, template
from vecaf.augmentation.cea import augment
from vecaf.augmentation.guide import text_classifier
from vecaf.augmentation.learned import Learned
from vecaf.augmentation.shift import Clean, Shift, find_shift

MOST_TOLD = 0.5  # from this share of captioned images on, captions stand for the pool


class Words:
    """Captions of a dataset's images, given the labels that may be seen, and what they pull;
    target words, and where they move features."""

    def __init__(
        self,
        own: Sequence[str | None],
        classes: Sequence[str],
        strength: float,
        embed_texts: Callable[[list[str]], Floats],
        embed_rows: Callable[[NDArray[np.int64]], Floats],
        target: str = "",
        say: Callable[[str], None] = lambda sentence: None,
        remember: int = 1,
        learned: Learned | None = None,
    ) -> None:
        """`own` (n): the users' captions. `classes`: what labels and tags are named. `strength`: η.

        `embed_texts` (m sentences) → (m, d) and `embed_rows` (rows) → (n, d) are the VLM's two
        sides, unit rows in one space; both are asked again and again, so they should remember.
        `target`: target words, `say`: told how far they move features. `remember`: how many
        results of `pull` are kept: where labels are known, each round asks for the same. `learned`:
        the VLM's own map from texts to features, where it has one.
        """
        self.own, self.classes, self.strength = own, classes, strength
        self.target, self._say = " ".join(target.split()), say
        self._embed_texts, self._embed_rows = embed_texts, embed_rows
        self._tags = np.full(len(own), -1, dtype=np.int64)
        self._most, self._pulled = remember, dict[bytes, Floats]()
        self._learned = learned

    def captions(self, rows: NDArray[np.int64], labels: NDArray[np.int64]) -> list[str]:
        """One sentence for each of `rows` (n,); `labels` (n,) are −1 where they are hidden."""
        own = [self.own[row] for row in rows]
        speechless = np.array([not sentence for sentence in own]) & (labels < 0)
        self._tag(rows[speechless])
        return captions_for(own, labels, self._tags[rows], self.classes)

    def silent(self, rows: NDArray[np.int64], labels: NDArray[np.int64]) -> bool:
        """Whether text has no say: at strength 0, or where an image has neither a caption nor a
        label and there is no class yet to name it by."""
        if self.strength == 0:
            return True
        return not self.classes and any(
            not self.own[row] and label < 0 for row, label in zip(rows, labels, strict=True)
        )

    def pull(self, features: Floats, rows: NDArray[np.int64], labels: NDArray[np.int64]) -> Floats:
        """CEA: `features` (n, d) of `rows` pulled toward captions; as they are where `silent`.

        The result may be given out again: it can't be written to.
        """
        if self.silent(rows, labels):
            return features
        key = _digest(features, rows, labels)
        found = self._pulled.pop(key, None)
        if found is None:
            captions = self._embed_texts(self.captions(rows, labels))
            found = augment(features, captions, strength=self.strength).features
            found.flags.writeable = False
        self._pulled[key] = found  # the last used comes last
        while len(self._pulled) > self._most:
            del self._pulled[next(iter(self._pulled))]
        return found

    def pull_some(
        self,
        features: Floats,
        rows: NDArray[np.int64],
        labels: NDArray[np.int64],
        places: NDArray[np.int64],
    ) -> Floats:
        """`pull(features, rows, labels)[places]`, (m, d), without making the others.

        Nothing remembered is used: its last bits depend on what was made with it, and a run that
        goes on after a stop must end as one that was not stopped.
        """
        if self.silent(rows, labels):
            return features[places]
        captions = self._embed_texts(self.captions(rows, labels))
        return augment(features, captions, strength=self.strength, only=places).features

    def warm(self, rows: NDArray[np.int64]) -> None:
        """Have the VLM embed what it will be asked about `rows`, so that it is in its cache."""
        hidden = np.full(len(rows), -1, dtype=np.int64)
        if not self.silent(rows, hidden):
            self._embed_texts(self.captions(rows, hidden))
        if self.target:
            self._embed_rows(rows)

    def extra(
        self,
        features: Floats,
        rows: NDArray[np.int64],
        labels: NDArray[np.int64],
        places: NDArray[np.int64],
        val_features: Floats,
        val_labels: NDArray[np.int64],
    ) -> Floats:
        """What a head learns besides the picks, with their labels: (0, d) or blocks of (m, d).

        `features` (n, d) and `labels` (n,) are the pool's, of `rows`; `places` (m,) are the picks
        among them. The picks pulled toward their captions come first, then the picks moved
        by the target words.
        """
        picks = features[places]
        blocks = [picks[:0]]
        if self.strength:
            blocks.append(self.pull_some(features, rows, labels, places))
        if self.target:
            clean = Clean(picks, labels[places], val_features, val_labels)
            shift = self.shift(features, rows, clean)
            self._say(shift.reason)
            if shift.strength:
                blocks.append(shift.move(picks))
        return np.concatenate(blocks)

    def classifier(self, features: Floats, rows: NDArray[np.int64]) -> Floats:
        """Weights (classes, d) on `features` (n, d) of the pool's `rows`, from the names alone."""
        names = self._embed_texts([template(name) for name in self.classes])
        return text_classifier(features, self._embed_rows(rows) @ names.T)

    def shift(self, features: Floats, rows: NDArray[np.int64], clean: Clean) -> Shift:
        """Where the target words move `features` (n, d) of `rows` (n,); no label of theirs is used.

        Captions stand for the images where most have one, for they are what the target words are
        too; else the images' own embeddings do.
        """
        told = np.array([bool(self.own[row]) for row in rows], dtype=bool)
        if len(told) and told.mean() >= MOST_TOLD:
            evidence = self._embed_texts([self.own[row] or "" for row in rows[told]])
            features = features[told]
        else:
            evidence = self._embed_rows(rows)
        return find_shift(
            self.target, self.classes, self._embed_texts, evidence, features, clean, self._learned
        )

    def guesses(self, rows: NDArray[np.int64], labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """What each of `rows` (n,) is taken for: its label, or the VLM's guess where that is −1."""
        self._tag(rows[labels < 0])
        return np.where(labels >= 0, labels, self._tags[rows])

    def _tag(self, rows: NDArray[np.int64]) -> None:
        """Retrieve the tags of `rows` that have none yet."""
        untagged = rows[self._tags[rows] < 0]
        if len(untagged):
            words = self._embed_texts([template(word) for word in self.classes])
            self._tags[untagged] = nearest_tags(self._embed_rows(untagged), words)


def _digest(*arrays: NDArray[np.float32] | NDArray[np.int64]) -> bytes:
    digest = hashlib.blake2b()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.digest()
