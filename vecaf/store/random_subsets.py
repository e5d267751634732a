"""Draw random images to label: a test sample or a random selection, each saved as a subset.

The same seed draws the same images.
"""

from __future__ import annotations

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.errors import InputError
from vecaf.store.authorization import visible
from vecaf.store.datasets import in_pool
from vecaf.store.models import (
    EVALUATION,
    SELECTION,
    TEST,
    Dataset,
    Sample,
    Subset,
    SubsetSample,
)
from vecaf.store.subsets import add_subset, subset_samples
from vecaf.wording import plural


def draw_test_sample(
    session: Session, user_id: int, dataset_id: int, count: int, seed: int = 0
) -> Subset:
    """Save `count` random images of the test split as an evaluation subset.

    Images of earlier test samples are not drawn again. All samples together are therefore one
    larger random sample.

    Raises
    ------
    NotFoundError
        The user can't read the dataset.
    InputError
        The test split has fewer than `count` images outside of earlier test samples.
    """
    visible(session, user_id, Dataset, dataset_id)
    samples = sa.select(Subset.id).where(Subset.dataset_id == dataset_id, Subset.kind == EVALUATION)
    earlier = sa.select(SubsetSample.sample_id).where(SubsetSample.subset_id.in_(samples))
    query = sa.select(Sample.id).where(Sample.dataset_id == dataset_id, Sample.split == TEST)
    ids = list(session.scalars(query.where(Sample.id.not_in(earlier)).order_by(Sample.id)))
    sampled = session.scalar(samples.limit(1)) is not None
    if not ids and sampled:
        raise InputError(
            "The existing test samples already contain all test images. Label the images in them."
        )
    where = " outside of the test samples" if sampled else ""
    drawn = _draw(ids, count, seed, "test image", where)
    name = free_name(session, dataset_id, f"test sample of {count}")
    facts = {"split": TEST, "seed": seed, "drawn": "uniformly at random"}
    return add_subset(session, user_id, dataset_id, name, EVALUATION, drawn, facts=facts)


def draw_random_selection(session: Session, user_id: int, subset_id: int, seed: int = 0) -> Subset:
    """Save as many random pool images as a selection has, to compare the two.

    Labeled images are drawn too; without them the selection would not be uniformly random.

    Raises
    ------
    NotFoundError
        The user can't read the selection.
    InputError
        The pool has too few images.
    """
    like = visible(session, user_id, Subset, subset_id)
    count = len(subset_samples(session, user_id, subset_id))
    ids = list(
        session.scalars(sa.select(Sample.id).where(*in_pool(like.dataset_id)).order_by(Sample.id))
    )
    drawn = _draw(ids, count, seed, "image", " in the pool")
    name = free_name(session, like.dataset_id, f"{like.name} · random images")
    kept = ("model", "vlm", "image_size", "caption_weight", "track")
    facts = {key: like.facts[key] for key in kept if key in like.facts}
    facts |= {"strategy": "random", "seed": seed, "budget": str(count), "beside": like.name}
    return add_subset(session, user_id, like.dataset_id, name, SELECTION, drawn, facts=facts)


def _draw(ids: list[int], count: int, seed: int, kind: str, where: str) -> list[int]:
    if not 1 <= count <= len(ids):
        there = "There is" if len(ids) == 1 else "There are"
        advice = f" Enter a number from 1 to {len(ids)}." if ids else ""
        raise InputError(f"{there} {plural(len(ids), kind)}{where}.{advice}")
    drawn = np.random.default_rng(seed).choice(len(ids), count, replace=False)
    return [ids[place] for place in drawn]


def free_name(session: Session, dataset_id: int, wanted: str) -> str:
    """Return `wanted`, with a number appended if a subset of the dataset has that name."""
    wanted = wanted[:180]
    taken = set(session.scalars(sa.select(Subset.name).where(Subset.dataset_id == dataset_id)))
    names = [wanted, *(f"{wanted} ({number})" for number in range(2, len(taken) + 3))]
    return next(name for name in names if name not in taken)
