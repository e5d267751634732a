"""Queries on check images: random test images with labels from people.

Guarantees about a model are computed from them, so they must be a random sample.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vecaf.store.models import EVALUATION, TEST, Annotation, Edit, Sample, Subset, SubsetSample


def check_images(session: Session, dataset_id: int) -> dict[int, int]:
    """Map the ids of a dataset's check images to their labels.

    The check images are the labeled images of its test samples. Without a test sample, they are the
    whole test split if all of it is labeled: test images that a user chose to label are not random.
    Labels that a model chose do not count.
    """
    labeled = sa.select(Sample.id, Sample.label).where(
        Sample.dataset_id == dataset_id,
        Sample.split == TEST,
        Sample.label.is_not(None),
        Sample.id.not_in(labeled_by_models(dataset_id)),
    )
    samples = sa.select(Subset.id).where(Subset.dataset_id == dataset_id, Subset.kind == EVALUATION)
    if session.scalar(samples.limit(1)) is not None:
        drawn = sa.select(SubsetSample.sample_id).where(SubsetSample.subset_id.in_(samples))
        labeled = labeled.where(Sample.id.in_(drawn))
    else:
        in_split = sa.select(sa.func.count()).select_from(Sample)
        in_split = in_split.where(Sample.dataset_id == dataset_id, Sample.split == TEST)
        if session.scalar(in_split.where(Sample.label.is_(None))):
            return {}
    return {row.id: row.label for row in session.execute(labeled)}


def labeled_by_models(dataset_id: int) -> sa.Select[Any]:
    """Select the ids of the images whose current label a model chose."""
    latest = (
        sa.select(sa.func.max(Annotation.id))
        .join(Sample, Sample.id == Annotation.sample_id)
        .where(Sample.dataset_id == dataset_id, Annotation.kind == "label")
        .group_by(Annotation.sample_id)
    )
    return (
        sa.select(Annotation.sample_id)
        .join(Edit, Edit.id == Annotation.edit_id)
        .where(Annotation.id.in_(latest), Edit.run_id.is_not(None))
    )
