"""A dataset's samples as arrays, which selection, training and evaluation work on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from vecaf.store import TRAIN, Dataset, Sample

THUMB_EXTENSION = ".jpg"
NO_SPLIT = ""  # the split of unusable images


def image_path(images: Path, sha256: str, extension: str) -> Path:
    """Return the path of a stored image: `images/ab/abcdef….jpg`."""
    return Path(f"{images}/{sha256[:2]}/{sha256}{extension}")  # 3× as fast as joining paths


def thumb_path(thumbs: Path, sha256: str) -> Path:
    """Return the path of a thumbnail. Small images have none."""
    return thumbs / sha256[:2] / f"{sha256}{THUMB_EXTENSION}"


@dataclass(frozen=True)
class Samples:
    """Samples of one dataset in id order; every array and tuple except `classes` has n entries.

    Attributes
    ----------
    labels
        Indices into `classes`; −1 for unlabeled samples.
    captions
        The user's captions, or None.
    keys
        The sha256 of each image, in hex; also the keys of cached embeddings.
    splits
        "train", "val", "test", or NO_SPLIT for unusable images.
    """

    classes: tuple[str, ...]
    ids: NDArray[np.int64]
    keys: tuple[str, ...]
    paths: tuple[Path, ...]
    splits: NDArray[np.str_]
    labels: NDArray[np.int64]
    captions: tuple[str | None, ...]
    short_sides: NDArray[np.int64]  # pixels
    excluded: NDArray[np.bool_]  # from the pool, by a user

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, split: str) -> NDArray[np.int64]:
        """Return the positions of the samples in one split."""
        return np.flatnonzero(self.splits == split)

    @property
    def usable(self) -> NDArray[np.int64]:
        """The positions of the samples that are in a split."""
        return np.flatnonzero(self.splits != NO_SPLIT)

    def without(self, rows: NDArray[np.int64]) -> Samples:
        """Return the samples with those at `rows` in no split, so that a run does not use them.

        Positions don't change.
        """
        splits = self.splits.copy()
        splits[rows] = NO_SPLIT
        return replace(self, splits=splits)

    def take(self, rows: NDArray[np.int64]) -> Samples:
        """Return only the samples at `rows`, which are ascending positions."""
        return replace(
            self,
            ids=self.ids[rows],
            keys=tuple(self.keys[row] for row in rows),
            paths=tuple(self.paths[row] for row in rows),
            splits=self.splits[rows],
            labels=self.labels[rows],
            captions=tuple(self.captions[row] for row in rows),
            short_sides=self.short_sides[rows],
            excluded=self.excluded[rows],
        )

    def path_of(self, key: str) -> Path:
        """Return the path of the image with this sha256."""
        return self._path_by_key[key]

    @cached_property
    def digests(self) -> NDArray[np.uint8]:
        """`keys` as bytes, shape (n, 32)."""
        return np.frombuffer(bytes.fromhex("".join(self.keys)), np.uint8).reshape(len(self), -1)

    @cached_property
    def _path_by_key(self) -> dict[str, Path]:
        return dict(zip(self.keys, self.paths, strict=True))

    @property
    def pool(self) -> NDArray[np.int64]:
        """The positions of the images in the pool."""
        return np.flatnonzero((self.splits == TRAIN) & ~self.excluded)


def load_samples(session: Session, dataset: Dataset, images: Path) -> Samples:
    """Read all samples of a dataset; `images` is the folder of stored images."""
    columns = (
        Sample.id,
        Sample.sha256,
        Sample.extension,
        Sample.split,
        Sample.label,
        Sample.caption,
        Sample.width,
        Sample.height,
        Sample.excluded,
    )
    query = sa.select(*columns).where(Sample.dataset_id == dataset.id).order_by(Sample.id)
    rows = session.execute(query).all()
    return Samples(
        classes=tuple(dataset.classes),
        ids=np.array([row.id for row in rows], dtype=np.int64),
        keys=tuple(row.sha256 for row in rows),
        paths=tuple(image_path(images, row.sha256, row.extension) for row in rows),
        splits=np.array([row.split for row in rows], dtype="U8"),
        labels=np.array([-1 if row.label is None else row.label for row in rows], dtype=np.int64),
        captions=tuple(row.caption for row in rows),
        short_sides=np.array([min(row.width, row.height) for row in rows], dtype=np.int64),
        excluded=np.array([row.excluded for row in rows], dtype=bool),
    )
