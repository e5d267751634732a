"""Queries on the samples of a dataset: by id, counts, and search by text."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from vecaf.store.authorization import visible
from vecaf.store.datasets import in_pool
from vecaf.store.models import Dataset, Sample

_IDS_PER_STATEMENT = 500
_MAX_WORDS = 20


def samples_by_id(
    session: Session, user_id: int, dataset_id: int, ids: Iterable[int]
) -> dict[int, Sample]:
    """Return the dataset's samples with these ids; ids of other datasets are ignored.

    Raises NotFoundError if the user can't read the dataset.
    """
    visible(session, user_id, Dataset, dataset_id)
    wanted = list(dict.fromkeys(ids))
    found: dict[int, Sample] = {}
    for start in range(0, len(wanted), _IDS_PER_STATEMENT):
        part = wanted[start : start + _IDS_PER_STATEMENT]
        query = sa.select(Sample).where(Sample.dataset_id == dataset_id, Sample.id.in_(part))
        found |= {sample.id: sample for sample in session.scalars(query)}
    return found


def read_sample_ids(session: Session, user_id: int, dataset_id: int) -> NDArray[np.int64]:
    """Return the ids of all samples of the dataset, ascending: the order of all sample arrays."""
    visible(session, user_id, Dataset, dataset_id)
    query = sa.select(Sample.id).where(Sample.dataset_id == dataset_id).order_by(Sample.id)
    return np.fromiter(session.scalars(query), dtype=np.int64)


def count_pool(session: Session, dataset_id: int) -> tuple[int, int]:
    """Return the number of images in the pool, and how many of them are labeled."""
    query = sa.select(sa.func.count(), sa.func.count(Sample.label)).where(*in_pool(dataset_id))
    row = session.execute(query).one()
    return int(row[0]), int(row[1])


def count_split(session: Session, dataset_id: int, split: str) -> tuple[int, int]:
    """Return the number of images in a split, and how many of them are labeled."""
    query = sa.select(sa.func.count(), sa.func.count(Sample.label))
    query = query.where(Sample.dataset_id == dataset_id, Sample.split == split)
    row = session.execute(query).one()
    return int(row[0]), int(row[1])


def contains_words(words: str) -> list[sa.ColumnElement[bool]]:
    """Return conditions for samples whose caption or file name contains each word (any case)."""
    # PostgreSQL rejects NUL and lone surrogates; texts are stored in NFC (vecaf/datasets/names.py)
    clean = "".join(" " if unicodedata.category(c) in ("Cc", "Cs") else c for c in words)
    return [
        sa.or_(
            *(one.icontains(word, autoescape=True) for one in (Sample.caption, Sample.file_name))
        )
        for word in unicodedata.normalize("NFC", clean).split()[:_MAX_WORDS]
    ]
