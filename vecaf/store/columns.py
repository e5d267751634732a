"""Read all samples of a dataset as NumPy columns.

The queries return the driver's plain tuples: a million samples take about a second. Mapped objects
would take a minute.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any, cast

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from vecaf.store.authorization import visible
from vecaf.store.models import TEST, TRAIN, VAL, Dataset, Run, Sample, SelectedSample, Subset
from vecaf.store.models import SubsetSample as Member
from vecaf.store.samples import contains_words

SPLITS = (TRAIN, VAL, TEST)
"""`Columns.splits` holds indices into this tuple."""
HASH_PREFIX_BYTES = 6  # bytes of the image's sha256 in a thumbnail's URL


@dataclass(frozen=True)
class Columns:
    """The samples of one dataset in id order; every array has shape (n,)."""

    ids: NDArray[np.int64]
    labels: NDArray[np.int32]  # index into the dataset's classes; −1: unlabeled
    splits: NDArray[np.uint8]  # index into SPLITS
    excluded: NDArray[np.bool_]
    captioned: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.ids)

    def rows_of(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the positions of these sample ids; ids of other datasets are ignored."""
        if not len(self.ids):
            return np.zeros(0, np.int64)
        at = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        found: NDArray[np.int64] = at[self.ids[at] == ids]
        return found


def read_columns(session: Session, user_id: int, dataset_id: int) -> Columns:
    """Return the columns that filters and map colors need. Raises NotFoundError."""
    visible(session, user_id, Dataset, dataset_id)
    # Two integers per row, read as one flat stream: building a list of tuples takes 4× as long.
    query = (
        "SELECT id, (coalesce(label, -1) + 1) * 16 + CASE split WHEN 'train' THEN 0 WHEN 'val' "
        "THEN 4 ELSE 8 END + CASE WHEN excluded THEN 2 ELSE 0 END + CASE WHEN caption IS NULL "
        "THEN 0 ELSE 1 END"
    )
    numbers = np.fromiter(chain.from_iterable(_rows(session, dataset_id, query)), np.int64)
    ids, code = numbers.reshape(-1, 2).T
    return Columns(
        ids=ids.copy(),
        labels=((code >> 4) - 1).astype(np.int32),
        splits=((code >> 2) & 3).astype(np.uint8),
        excluded=(code & 2) > 0,
        captioned=(code & 1) > 0,
    )


def count_samples(session: Session, user_id: int, dataset_id: int) -> int:
    """Count a dataset's samples; an index answers the query. Raises NotFoundError."""
    visible(session, user_id, Dataset, dataset_id)
    count = sa.select(sa.func.count()).where(Sample.dataset_id == dataset_id)
    return session.scalar(count) or 0


def read_hash_prefixes(session: Session, user_id: int, dataset_id: int) -> NDArray[np.uint8]:
    """Return the first bytes of every image's sha256 in id order, shape (n, HASH_PREFIX_BYTES)."""
    visible(session, user_id, Dataset, dataset_id)
    rows = _rows(session, dataset_id, f"SELECT substr(sha256, 1, {2 * HASH_PREFIX_BYTES})")
    joined = bytes.fromhex("".join([row[0] for row in rows]))
    return np.frombuffer(joined, np.uint8).reshape(-1, HASH_PREFIX_BYTES)


def search_text(session: Session, user_id: int, dataset_id: int, words: str) -> NDArray[np.int64]:
    """Return the ids of samples whose caption or file name contains all words (any case)."""
    visible(session, user_id, Dataset, dataset_id)
    query = sa.select(Sample.id).where(Sample.dataset_id == dataset_id).order_by(Sample.id)
    query = query.where(*contains_words(words))
    return np.array(session.scalars(query).all(), dtype=np.int64)


def read_selected_rounds(
    session: Session, user_id: int, run_id: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the ids of a run's selected samples, ascending, and the round of each.

    Raises NotFoundError.
    """
    visible(session, user_id, Run, run_id)
    query = sa.select(SelectedSample.sample_id, SelectedSample.round).where(
        SelectedSample.run_id == run_id
    )
    rows = sorted(tuple(row) for row in session.execute(query))
    return _pair(rows)


def read_subset_ids(session: Session, user_id: int, subset_id: int) -> NDArray[np.int64]:
    """Return the ids of a subset's images in rank order. Raises NotFoundError."""
    visible(session, user_id, Subset, subset_id)
    query = sa.select(Member.sample_id).where(Member.subset_id == subset_id).order_by(Member.rank)
    return np.array(session.scalars(query).all(), dtype=np.int64)


def _pair(rows: list[tuple[Any, ...]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    table = np.array(rows, dtype=np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _rows(session: Session, dataset_id: int, select: str) -> Iterable[tuple[Any, ...]]:
    """Return plain tuples in id order.

    The samples of a dataset are adjacent in the table, so a scan is fast. `+dataset_id` keeps
    SQLite from using the index on it, which would look up every row and then sort.
    """
    ends = sa.select(sa.func.min(Sample.id), sa.func.max(Sample.id))
    first, last = session.execute(ends.where(Sample.dataset_id == dataset_id)).one()
    statement = sa.text(
        f"{select} FROM sample WHERE id BETWEEN :first AND :last AND +dataset_id = :dataset "
        "ORDER BY id"
    )
    values = {"first": first, "last": last, "dataset": dataset_id}
    result = cast("sa.CursorResult[Any]", session.execute(statement, values))
    cursor = result.cursor
    return () if cursor is None else iter(cursor.fetchone, None)
