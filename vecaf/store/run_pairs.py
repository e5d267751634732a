"""Pairs of runs that differ in their target words alone. Each query asks the gate first."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.store.authorization import readable, visible
from vecaf.store.models import Dataset, Run

WORDS = "target_words"


@dataclass(frozen=True)
class Pair:
    """A text-shifted run and the last run before it that is like it but without words."""

    words: str
    plain: Run
    shifted: Run


def find_run_pairs(session: Session, user_id: int, dataset_id: int) -> list[Pair]:
    """The dataset's pairs, newest first. Raises NotFoundError.

    Runs find each other by their configuration, so pairs made on the command line count too.
    """
    visible(session, user_id, Dataset, dataset_id)
    runs = session.scalars(
        sa.select(Run).where(Run.dataset_id == dataset_id).order_by(Run.id)
    ).all()
    plain: dict[str, Run] = {}
    pairs = []
    for run in runs:
        likeness, words = _likeness(run.config), run.config.get(WORDS)
        if not words:
            plain[likeness] = run
        elif likeness in plain:
            pairs.append(Pair(words, plain[likeness], run))
    return pairs[::-1]


def _likeness(config: dict[str, Any]) -> str:
    """What two runs of a pair have in common."""
    return json.dumps({k: v for k, v in config.items() if k != WORDS}, sort_keys=True)


def compatible_datasets(session: Session, user_id: int, dataset_id: int) -> list[tuple[int, str]]:
    """(id, name) of the user's other datasets whose classes this one has too, newest first.

    A model of this dataset can be judged on them. Raises NotFoundError.
    """
    known = set(visible(session, user_id, Dataset, dataset_id).classes)
    others = session.scalars(
        sa.select(Dataset)
        .where(readable(Dataset, user_id), Dataset.id != dataset_id)
        .order_by(Dataset.id.desc())
    )
    return [(one.id, one.name) for one in others if one.classes and known.issuperset(one.classes)]
