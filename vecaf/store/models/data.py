"""Datasets, samples, edits of labels and captions, and subsets."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from vecaf.store.models.base import NEVER_REUSED, Base, now


class Dataset(Base):
    """A dataset. The row exists only after its import is complete."""

    __tablename__ = "dataset"
    __table_args__ = (UniqueConstraint("owner_id", "name"), NEVER_REUSED)

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    name: Mapped[str] = mapped_column(String(200))
    classes: Mapped[list[str]]  # a sample's label is an index into it
    content_hash: Mapped[str] = mapped_column(String(64))  # over the sorted image hashes
    source: Mapped[str] = mapped_column(Text)  # what was imported, as shown to users
    attribution: Mapped[str | None] = mapped_column(Text)
    report: Mapped[dict[str, Any]]  # vecaf.datasets' ImportReport as a mapping
    revision: Mapped[int] = mapped_column(default=0, server_default="0")  # +1 with every edit
    created_at: Mapped[datetime] = mapped_column(default=now)


class Sample(Base):
    """One image of a dataset. Ids follow the sorted file names, not the archive's order."""

    __tablename__ = "sample"
    __table_args__ = (
        UniqueConstraint("dataset_id", "file_name"),
        Index("sample_by_split", "dataset_id", "split"),
        Index("sample_by_content", "sha256"),
        NEVER_REUSED,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id", ondelete="CASCADE"))
    file_name: Mapped[str] = mapped_column(Text)  # as uploaded, NFC; shown, never opened
    sha256: Mapped[str] = mapped_column(String(64))
    extension: Mapped[str] = mapped_column(String(8))  # ".jpg": names the stored file
    width: Mapped[int]
    height: Mapped[int]
    split: Mapped[str] = mapped_column(String(8))  # train, val, test
    label: Mapped[int | None]
    caption: Mapped[str | None] = mapped_column(Text)
    excluded: Mapped[bool] = mapped_column(default=False, server_default=false())  # from the pool


class Edit(Base):
    """A change of labels, captions, exclusions or a class. It can be undone."""

    __tablename__ = "edit"
    __table_args__ = NEVER_REUSED

    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(
        ForeignKey("dataset.id", ondelete="CASCADE"), index=True
    )
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    kind: Mapped[str] = mapped_column(String(16))  # label, caption, excluded or class
    images: Mapped[int]
    run_id: Mapped[int | None]  # whose model chose the labels; the run may be deleted since
    undone: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=now)


class ClassChange(Base):
    """A class that an edit of kind "class" renamed, or added (then it has no previous name)."""

    __tablename__ = "class_change"

    edit_id: Mapped[int] = mapped_column(
        ForeignKey("edit.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int]  # class index; it never changes
    value: Mapped[str] = mapped_column(Text)
    previous: Mapped[str | None] = mapped_column(Text)


class Annotation(Base):
    """One change in the history of a sample's label, caption or exclusion."""

    __tablename__ = "annotation"

    id: Mapped[int] = mapped_column(primary_key=True)
    sample_id: Mapped[int] = mapped_column(ForeignKey("sample.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    edit_id: Mapped[int | None] = mapped_column(
        ForeignKey("edit.id", ondelete="CASCADE"), index=True
    )
    kind: Mapped[str] = mapped_column(String(16))  # label, caption or excluded
    value: Mapped[str | None] = mapped_column(Text)  # for a label, the name of its class
    previous: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=now)


class Subset(Base):
    """A named, ordered list of a dataset's images: a selection, a test sample or a lasso.

    A saved selection is a labeling task until all of its images are labeled.
    """

    __tablename__ = "subset"
    __table_args__ = (UniqueConstraint("dataset_id", "name"), NEVER_REUSED)

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(16))  # see SUBSET_KINDS
    facts: Mapped[dict[str, Any]]  # how it was made: strategy, budget, seed, task …
    created_at: Mapped[datetime] = mapped_column(default=now)


class SubsetSample(Base):
    """An image of a subset, its rank and the score parts that explain its selection."""

    __tablename__ = "subset_sample"
    __table_args__ = (UniqueConstraint("subset_id", "sample_id"),)

    subset_id: Mapped[int] = mapped_column(
        ForeignKey("subset.id", ondelete="CASCADE"), primary_key=True
    )
    rank: Mapped[int] = mapped_column(primary_key=True)  # from 0
    sample_id: Mapped[int] = mapped_column(ForeignKey("sample.id", ondelete="CASCADE"), index=True)
    scores: Mapped[dict[str, float]]
