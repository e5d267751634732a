"""Named queries on single images of a dataset."""

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

_AT_ONCE = 500  # ids in one statement
_MOST_WORDS = 20


def samples_by_id(
    session: Session, user_id: int, dataset_id: int, ids: Iterable[int]
) -> dict[int, Sample]:
    """The dataset's samples with these ids; strangers are left out. Raises NotFoundError."""
    visible(session, user_id, Dataset, dataset_id)
    wanted = list(dict.fromkeys(ids))
    found: dict[int, Sample] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        part = wanted[start : start + _AT_ONCE]
        query = sa.select(Sample).where(Sample.dataset_id == dataset_id, Sample.id.in_(part))
        found |= {sample.id: sample for sample in session.scalars(query)}
    return found


def read_sample_ids(session: Session, user_id: int, dataset_id: int) -> NDArray[np.int64]:
    """The ids of all samples of the dataset, ascending: the order of every array of samples."""
    visible(session, user_id, Dataset, dataset_id)
    query = sa.select(Sample.id).where(Sample.dataset_id == dataset_id).order_by(Sample.id)
    return np.fromiter(session.scalars(query), dtype=np.int64)


def count_pool(session: Session, dataset_id: int) -> tuple[int, int]:
    """How many images may be selected, and how many of them have a label."""
    query = sa.select(sa.func.count(), sa.func.count(Sample.label)).where(*in_pool(dataset_id))
    row = session.execute(query).one()
    return int(row[0]), int(row[1])


def count_split(session: Session, dataset_id: int, split: str) -> tuple[int, int]:
    """How many images a split has, and how many of them have a label."""
    query = sa.select(sa.func.count(), sa.func.count(Sample.label))
    query = query.where(Sample.dataset_id == dataset_id, Sample.split == split)
    row = session.execute(query).one()
    return int(row[0]), int(row[1])


def contains_words(words: str) -> list[sa.ColumnElement[bool]]:
    """The conditions that a sample's caption or file name holds each of the words, in any case."""
    # PostgreSQL takes no NUL and no lone surrogate; texts are kept in NFC (vecaf/datasets/names.py)
    clean = "".join(" " if unicodedata.category(c) in ("Cc", "Cs") else c for c in words)
    return [
        sa.or_(
            *(one.icontains(word, autoescape=True) for one in (Sample.caption, Sample.file_name))
        )
        for word in unicodedata.normalize("NFC", clean).split()[:_MOST_WORDS]
    ]
