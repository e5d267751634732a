"""Find pairs of runs whose settings differ only in the target domain: words, or images."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.store.authorization import readable, visible
from vecaf.store.models import Dataset, Run

WORDS, IMAGES = "target_words", "adapt_to"


@dataclass(frozen=True)
class RunPair:
    """A run with a target domain, and the last run before it with the same settings but without.

    `words` describe the target domain. `images` is the dataset with images of it; "" without one.
    """

    words: str
    plain: Run
    shifted: Run
    images: str = ""

    @property
    def title(self) -> str:
        """The target domain: “words”, images of a dataset, or both."""
        words = [f"“{self.words}”"] if self.words else []
        return " and ".join([*words, *([f"images of {self.images}"] if self.images else [])])


def find_run_pairs(session: Session, user_id: int, dataset_id: int) -> list[RunPair]:
    """Return the dataset's pairs of runs, newest first. Raises NotFoundError.

    Settings identify a pair, so runs started from the command line are paired too.
    """
    visible(session, user_id, Dataset, dataset_id)
    runs = session.scalars(
        sa.select(Run).where(Run.dataset_id == dataset_id).order_by(Run.id)
    ).all()
    plain: dict[str, Run] = {}
    pairs = []
    for run in runs:
        key = _shared_settings(run.config)
        words, images = run.config.get(WORDS, ""), run.config.get(IMAGES, "")
        if not words and not images:
            plain[key] = run
        elif key in plain:
            pairs.append(RunPair(words, plain[key], run, images))
    return pairs[::-1]


def _shared_settings(config: dict[str, Any]) -> str:
    """Return all settings but the target domain, as a dictionary key."""
    shared = {k: v for k, v in config.items() if k not in (WORDS, IMAGES, "trackers")}
    return json.dumps(shared, sort_keys=True)


def target_datasets(session: Session, user_id: int, dataset_id: int) -> list[tuple[int, str]]:
    """Return (id, name) of other datasets to which a model trained on this one can adapt.

    Those without classes, or with classes that are all in this dataset, come first; each group
    newest first. Raises NotFoundError.
    """
    known = set(visible(session, user_id, Dataset, dataset_id).classes)
    others = session.scalars(
        sa.select(Dataset)
        .where(readable(Dataset, user_id), Dataset.id != dataset_id)
        .order_by(Dataset.id.desc())
    ).all()
    by_fit = sorted(others, key=lambda one: not known.issuperset(one.classes))
    return [(one.id, one.name) for one in by_fit]


def compatible_datasets(session: Session, user_id: int, dataset_id: int) -> list[tuple[int, str]]:
    """Return (id, name) of other datasets whose classes are all in this dataset, newest first.

    A model trained on this dataset can be evaluated on them. Raises NotFoundError.
    """
    known = set(visible(session, user_id, Dataset, dataset_id).classes)
    others = session.scalars(
        sa.select(Dataset)
        .where(readable(Dataset, user_id), Dataset.id != dataset_id)
        .order_by(Dataset.id.desc())
    )
    return [(one.id, one.name) for one in others if one.classes and known.issuperset(one.classes)]
