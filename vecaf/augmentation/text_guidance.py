"""How text guides a run: captions pull features, and target words move them to another domain."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from vecaf.arrays import Floats, Labels, Rows
from vecaf.augmentation.captions import captions_for, class_caption, nearest_tags
from vecaf.augmentation.cea import augment
from vecaf.augmentation.shift import Shift, find_shift
from vecaf.augmentation.source_domain import SourceDomain
from vecaf.augmentation.text_classifier import text_classifier
from vecaf.encoders.projection import LearnedShift

ENOUGH_CAPTIONS = 0.5  # share of the pool from which captions represent it


class JointEncoder(Protocol):
    """A VLM bound to the images of a dataset. It caches embeddings, so calls may repeat."""

    def embed_texts(self, texts: list[str]) -> Floats:
        """Return unit rows (m, e) of m sentences."""

    def embed_rows(self, rows: Rows) -> Floats:
        """Return unit rows (n, e) of the dataset's images `rows`."""

    def learned_shift(self, difference: Floats) -> LearnedShift | None:
        """Return what a difference of texts (e,) does to features, if the VLM learned that."""


@dataclass
class TextGuidance:
    """A dataset's captions, its class names, a run's target words, and the VLM that embeds them.

    Attributes
    ----------
    captions
        The users' captions, one per image, or None.
    classes
        Class names. An image without a caption gets one made from its class.
    strength
        Caption weight η of CEA, 0 to 1; 0 turns it off.
    trained
        Whether a head also trains on features moved toward captions.
    target
        Target words, such as "in thick fog"; empty for none.
    encoder
        Embeds texts and images in one space.
    cached_pulls
        Number of results of `pull` that are kept. With labels known, each round asks for the same.
    """

    captions: Sequence[str | None]
    classes: Sequence[str]
    strength: float
    encoder: JointEncoder
    trained: bool = False
    target: str = ""
    cached_pulls: int = 1
    _tags: Labels = field(init=False, repr=False)
    _pulled: dict[bytes, Floats] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.target = " ".join(self.target.split())
        self._tags = np.full(len(self.captions), -1, dtype=np.int64)

    def captions_of(self, rows: Rows, labels: Labels) -> list[str]:
        """Return one sentence per image.

        Parameters
        ----------
        rows
            Images, shape (n,).
        labels
            Their class indices, shape (n,); −1 where hidden.
        """
        own = [self.captions[row] for row in rows]
        undescribed = np.array([not sentence for sentence in own]) & (labels < 0)
        self._tag(rows[undescribed])
        return captions_for(own, labels, self._tags[rows], self.classes)

    def ignores_captions(self, rows: Rows, labels: Labels) -> bool:
        """Return whether captions have no effect.

        That is so at strength 0, and if there are no classes to describe an image that has neither
        a caption nor a label.
        """
        if self.strength == 0:
            return True
        return not self.classes and any(
            not self.captions[row] and label < 0 for row, label in zip(rows, labels, strict=True)
        )

    def pull(self, features: Floats, rows: Rows, labels: Labels) -> Floats:
        """Pull features toward captions (CEA).

        Parameters
        ----------
        features
            Unit rows, shape (n, d).
        rows
            Their images, shape (n,).
        labels
            Their class indices, shape (n,); −1 where hidden.

        Returns
        -------
        array of shape (n, d)
            Read-only, because it may be cached. `features` itself if captions have no effect.
        """
        if self.ignores_captions(rows, labels):
            return features
        key = _digest(features, rows, labels)
        found = self._pulled.pop(key, None)
        if found is None:
            texts = self.encoder.embed_texts(self.captions_of(rows, labels))
            found = augment(features, texts, strength=self.strength).features
            found.flags.writeable = False
        self._pulled[key] = found  # the last entry is the most recently used
        while len(self._pulled) > self.cached_pulls:
            del self._pulled[next(iter(self._pulled))]
        return found

    def pull_some(self, features: Floats, rows: Rows, labels: Labels, positions: Rows) -> Floats:
        """Return `pull(features, rows, labels)[positions]` without computing the other rows.

        It doesn't use the cache. The last bits of a result depend on the rows that are computed
        together, and a resumed run must give exactly the result of an uninterrupted one.
        """
        if self.ignores_captions(rows, labels):
            return features[positions]
        texts = self.encoder.embed_texts(self.captions_of(rows, labels))
        return augment(features, texts, strength=self.strength, only=positions).features

    def embed_ahead(self, rows: Rows) -> None:
        """Fill the encoder's cache with what runs on the images `rows` need."""
        hidden = np.full(len(rows), -1, dtype=np.int64)
        if not self.ignores_captions(rows, hidden):
            self.encoder.embed_texts(self.captions_of(rows, hidden))
        if self.target:
            self.encoder.embed_rows(rows)

    def augmented(
        self, features: Floats, rows: Rows, labels: Labels, positions: Rows, source: SourceDomain
    ) -> tuple[Floats, str]:
        """Make augmented features of the selected images, which a head also trains on.

        Parameters
        ----------
        features
            Unit rows of the pool, shape (n, d).
        rows
            Their images, shape (n,).
        labels
            Their class indices, shape (n,); −1 where hidden.
        positions
            Positions of the selected images in `rows`, shape (m,).
        source
            The selected images and the validation images, which show whether target words harm.

        Returns
        -------
        features : array of shape (v·m, d)
            v versions of the selected rows, version by version: if `trained`, pulled toward
            captions; then moved by the target words. v may be 0.
        reason : str
            What the target words do; empty without target words.
        """
        selected = features[positions]
        versions, reason = [selected[:0]], ""
        if self.strength and self.trained:
            versions.append(self.pull_some(features, rows, labels, positions))
        if self.target:
            shift = self.shift(features, rows, source)
            reason = shift.reason
            if shift.strength:
                versions.append(shift.move(selected))
        return np.concatenate(versions), reason

    def classifier(self, features: Floats, rows: Rows) -> Floats:
        """Make a linear classifier from the names of the classes.

        Parameters
        ----------
        features
            Unit rows of the pool, shape (n, d).
        rows
            Their images, shape (n,).

        Returns
        -------
        array of shape (classes, d)
        """
        names = self._class_embeddings()
        return text_classifier(features, self.encoder.embed_rows(rows) @ names.T)

    def shift(self, features: Floats, rows: Rows, source: SourceDomain) -> Shift:
        """Find how the target words move features.

        Captions represent the pool if at least half of its images have one: the target words are
        text, too. Otherwise image embeddings do. No label of `rows` is used.

        Parameters
        ----------
        features
            Unit rows of the pool, shape (n, d).
        rows
            Their images, shape (n,).
        source
            Labeled images of the dataset's own domain.
        """
        captioned = np.array([bool(self.captions[row]) for row in rows], dtype=bool)
        if len(captioned) and captioned.mean() >= ENOUGH_CAPTIONS:
            captions = [self.captions[row] or "" for row in rows[captioned]]
            embeddings, features = self.encoder.embed_texts(captions), features[captioned]
        else:
            embeddings = self.encoder.embed_rows(rows)
        return find_shift(
            self.target,
            self.classes,
            self.encoder.embed_texts,
            embeddings,
            features,
            source,
            self.encoder.learned_shift,
        )

    def classes_of(self, rows: Rows, labels: Labels) -> Labels:
        """Return each image's label, or the VLM's prediction where the label is −1: shape (n,)."""
        self._tag(rows[labels < 0])
        return np.where(labels >= 0, labels, self._tags[rows])

    def _tag(self, rows: Rows) -> None:
        """Predict a class for those of `rows` that have no prediction yet."""
        untagged = rows[self._tags[rows] < 0]
        if len(untagged):
            images = self.encoder.embed_rows(untagged)
            self._tags[untagged] = nearest_tags(images, self._class_embeddings())

    def _class_embeddings(self) -> Floats:
        """Embed a caption of each class, (classes, e)."""
        return self.encoder.embed_texts([class_caption(name) for name in self.classes])


def _digest(*arrays: Floats | Rows) -> bytes:
    digest = hashlib.blake2b()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.digest()
